"""One's own name, zone, password and sessions."""

from __future__ import annotations

from typing import Annotated

import reflex as rx
from pydantic import Field

from contentcaster.db import get_database
from contentcaster.errors import InvalidInput
from contentcaster.models.user import Role
from contentcaster.security.permissions import Permission
from contentcaster.services import users
from contentcaster.state.bridge import in_thread, read, write
from contentcaster.state.devices import SessionRow, session_row
from contentcaster.state.flash import flash
from contentcaster.state.forms import Form, text_of
from contentcaster.state.marks import current_principal, guarded
from contentcaster.state.page import page_load
from contentcaster.state.second_factor import SecondFactorState
from contentcaster.state.shell import ShellState
from contentcaster.state.users import ROLE_WORDS


class ProfileState(rx.State):
    name: str = ""
    email: str = ""
    role: str = ""
    role_words: str = ""
    timezone: str = ""
    needs_approval: bool = False
    sessions: list[SessionRow] = []
    errors: dict[str, str] = {}
    password_errors: dict[str, str] = {}
    password_form: int = 0
    """Counts up when the password was changed, so that the browser empties its inputs."""

    @page_load(Permission.OWN_PROFILE)
    async def load(self) -> None:
        self.errors, self.password_errors = {}, {}
        (await self.get_state(SecondFactorState)).dialog = ""
        await self._read()

    @page_load(Permission.OWN_PROFILE)
    async def refresh(self) -> None:
        await self._read()

    @guarded(Permission.OWN_PROFILE)
    async def save(self, form: Form) -> None:
        """Change name and zone. Scheduled posts keep their time."""
        try:
            profile = await write(
                users.update_profile, name=text_of(form, "name"), timezone=text_of(form, "timezone")
            )
        except InvalidInput as error:
            self.errors = error.fields
            return
        self.errors = {}
        self.name, self.timezone = profile.name, profile.timezone
        shell = await self.get_state(ShellState)
        shell.name, shell.timezone = profile.name, profile.timezone
        await flash(self, "ok", "Saved. Times are shown in your zone; scheduled posts keep theirs.")

    @guarded(Permission.OWN_PROFILE)
    async def change_password(self, form: Form) -> None:
        """All other sessions end. Both passwords are arguments only."""
        new = text_of(form, "new_password")
        if new != text_of(form, "repeated"):
            self.password_errors = {"repeated": "This is not the same as the new password."}
            return
        try:
            await in_thread(
                users.change_password,
                get_database(),
                current_principal(),
                current_password=text_of(form, "current_password"),
                new_password=new,
            )
        except InvalidInput as error:
            self.password_errors = error.fields
            return
        self.password_errors = {}
        self.password_form += 1
        await self._read()
        await flash(self, "ok", "Your password is changed and every other session is signed out.")

    @guarded(Permission.OWN_PROFILE)
    async def end(self, session_id: Annotated[str, Field(max_length=64)]) -> None:
        await write(users.end_session, session_id)
        await self._read()
        await flash(self, "ok", "Signed out there.")

    @guarded(Permission.OWN_PROFILE)
    async def end_others(self) -> None:
        """Keep only the session of this browser."""
        await write(users.end_other_sessions)
        await self._read()
        await flash(self, "ok", "Signed out everywhere else.")

    async def _read(self) -> None:
        profile = await read(users.get_profile)
        self.name, self.email, self.timezone = profile.name, profile.email, profile.timezone
        self.role, self.role_words = ROLE_WORDS[Role(profile.role)]
        self.needs_approval = profile.needs_approval
        await (await self.get_state(SecondFactorState))._read()
        self.sessions = [session_row(session) for session in await read(users.list_sessions)]
