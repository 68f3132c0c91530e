"""Inviting people on the users page: make a link, mail it, see which are open, revoke."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

import reflex as rx
from pydantic import Field

from contentcaster.db import get_database
from contentcaster.errors import Conflict, InvalidInput
from contentcaster.security.permissions import Permission
from contentcaster.services import invitations
from contentcaster.services.invitations import InvitationView
from contentcaster.state.bridge import read, write
from contentcaster.state.flash import flash
from contentcaster.state.forms import Form, is_checked, text_of
from contentcaster.state.marks import current_principal, guarded
from contentcaster.state.once import forget


class InvitationsState(rx.State):
    open_ones: list[InvitationView] = []
    is_open: bool = False
    link: str = ""
    mailed_to: str = ""
    mail_problem: str = ""
    can_mail: bool = False
    errors: dict[str, str] = {}

    @guarded(Permission.MANAGE_USERS)
    async def open_new(self) -> None:
        self.is_open, self.link, self.errors = True, "", {}

    @guarded(Permission.MANAGE_USERS)
    async def set_open(self, is_open: bool) -> None:
        if not is_open:
            self.is_open, self.link = False, ""

    @guarded(Permission.MANAGE_USERS)
    async def create(self, form: Form) -> AsyncIterator[None]:
        """Make the link and show it, this once; mail it where that was asked for."""
        days = text_of(form, "invite_days")
        try:
            made = await write(
                invitations.create_invitation,
                role=text_of(form, "role"),
                email=text_of(form, "invite_email"),
                needs_approval=is_checked(form, "invite_needs_approval"),
                expires_in_days=int(days) if days.isascii() and days.isdigit() and len(days) < 4 else 0,
            )
        except InvalidInput as error:
            self.errors = error.fields
            return
        except Conflict as error:
            self.errors = {"email": error.message}
            return
        self.mailed_to = self.mail_problem = ""
        if made.view.email and self.can_mail:
            self.mail_problem = await invitations.mail_invitation(get_database(), current_principal(), made)
            self.mailed_to = "" if self.mail_problem else made.view.email
        self.errors = {}
        await self._read()
        self.link = made.link
        yield
        forget(self, link="")

    @guarded(Permission.MANAGE_USERS)
    async def revoke(self, invitation_id: Annotated[str, Field(max_length=64)]) -> None:
        await write(invitations.revoke_invitation, invitation_id)
        await self._read()
        await flash(self, "ok", "Revoked. The link opens nothing any more.")

    async def _read(self) -> None:
        views = await read(invitations.list_invitations)
        self.open_ones = [view for view in views if view.state == "open"]
        self.can_mail = bool(get_database().settings.smtp_url.get_secret_value())
