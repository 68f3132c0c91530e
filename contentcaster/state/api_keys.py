"""API keys: one's own, and for admins everybody's. A new key is shown once (once.py)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

import reflex as rx
from pydantic import Field

from contentcaster.errors import Conflict, InvalidInput
from contentcaster.security.permissions import Permission
from contentcaster.services import api_keys
from contentcaster.services.api_keys import ApiKeyView
from contentcaster.state.bridge import read, write
from contentcaster.state.flash import flash
from contentcaster.state.forms import Form, is_checked, text_of
from contentcaster.state.marks import current_principal, guarded
from contentcaster.state.once import forget
from contentcaster.state.page import page_load

PERMISSION_WORDS: dict[Permission, str] = {
    Permission.COMPOSE: "Write, schedule and cancel own posts; own media",
    Permission.VIEW_ALL_POSTS: "Read everybody's posts",
    Permission.EDIT_ALL_POSTS: "Change everybody's posts",
    Permission.VIEW_TIMELINE: "Read what happened to a post",
    Permission.APPROVE_POSTS: "Approve posts",
    Permission.VIEW_ACCOUNTS: "Read channels",
    Permission.MANAGE_ACCOUNTS: "Connect and remove channels",
    Permission.VIEW_ANALYTICS: "Read analytics",
    Permission.SHARE_ANALYTICS: "Share analytics by link",
    Permission.VIEW_OPERATIONS: "Read failed tasks, queues and workers",
    Permission.OPERATE: "Retry, resolve, pause and rebuild",
    Permission.VIEW_BOTS: "Read bots",
    Permission.MANAGE_BOTS: "Change bots",
    Permission.VIEW_BOT_LOG: "Read the bot log",
    Permission.MANAGE_USERS: "Manage people",
    Permission.VIEW_AUDIT: "Read the audit log",
    Permission.MANAGE_SETTINGS: "Change settings and webhooks",
    Permission.OWN_PROFILE: "Read and change the own profile",
}
"""In the order of the form; a permission that is missing here shows by its name."""

LIFETIMES = {"7": "A week", "30": "30 days", "90": "90 days", "180": "Half a year", "366": "A year"}

Id = Annotated[str, Field(max_length=64)]


class ApiKeysState(rx.State):
    keys: list[ApiKeyView] = []
    is_everyones: bool = False
    choices: list[tuple[str, str]] = []
    """What the person may give to a key: name of the permission, and words for it."""
    is_open: bool = False
    made: str = ""
    made_name: str = ""
    errors: dict[str, str] = {}

    @page_load(Permission.OWN_PROFILE)
    async def load(self) -> None:
        self.is_everyones, self.is_open, self.errors = False, False, {}
        await self._read()

    @page_load(Permission.OWN_PROFILE)
    async def refresh(self) -> None:
        await self._read()

    @guarded(Permission.MANAGE_USERS)
    async def show_everyones(self, is_everyones: bool) -> None:
        self.is_everyones = is_everyones
        await self._read()

    @guarded(Permission.OWN_PROFILE)
    async def open_new(self) -> None:
        self.is_open, self.made, self.errors = True, "", {}

    @guarded(Permission.OWN_PROFILE)
    async def set_open(self, is_open: bool) -> None:
        if not is_open:
            self.is_open, self.made = False, ""

    @guarded(Permission.OWN_PROFILE)
    async def create(self, form: Form) -> AsyncIterator[None]:
        """Make a key and show it, this once."""
        days = text_of(form, "expires_in_days")
        try:
            new = await write(
                api_keys.create_key,
                name=text_of(form, "key_name"),
                permissions=[value for value, _ in self.choices if is_checked(form, f"scope_{value}")],
                expires_in_days=int(days) if days in LIFETIMES else 0,
            )
        except InvalidInput as error:
            self.errors = error.fields
            return
        except Conflict as error:
            self.errors = {"name": error.message}
            return
        self.errors, self.made_name = {}, new.view.name
        await self._read()
        self.made = new.key
        yield
        forget(self, made="")

    @guarded(Permission.OWN_PROFILE)
    async def revoke(self, key_id: Id) -> None:
        await write(api_keys.revoke_key, key_id)
        await self._read()
        await flash(self, "ok", "Revoked. Whatever used this key is refused from now on.")

    async def _read(self) -> None:
        held = current_principal().permissions
        known = [(p.value, words) for p, words in PERMISSION_WORDS.items() if p in held]
        new = [(p.value, p.value.replace("_", " ")) for p in sorted(held - set(PERMISSION_WORDS))]
        self.choices = known + new
        self.keys = await read(api_keys.list_keys, is_everyones=self.is_everyones)
