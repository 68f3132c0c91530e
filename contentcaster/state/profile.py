"""One's own name, zone, password and sessions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import reflex as rx
from pydantic import Field

from contentcaster.db import get_database
from contentcaster.errors import InvalidInput, NotFound
from contentcaster.models.user import Role
from contentcaster.security.permissions import Permission
from contentcaster.services import users
from contentcaster.services.users import SessionView
from contentcaster.state.bridge import in_thread, read, write
from contentcaster.state.flash import flash
from contentcaster.state.forms import Form, text_of
from contentcaster.state.marks import current_principal, guarded
from contentcaster.state.page import page_load
from contentcaster.state.shell import ShellState
from contentcaster.state.users import ROLE_WORDS


@dataclass(frozen=True)
class SessionRow:
    id: str
    device: str
    icon: str
    ip: str
    last_seen_at: datetime
    created_at: datetime
    is_current: bool


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
        for session in await read(users.list_sessions):
            if not session.is_current:
                try:
                    await write(users.end_session, session.id)
                except NotFound:
                    continue  # it ended by itself meanwhile
        await self._read()
        await flash(self, "ok", "Signed out everywhere else.")

    async def _read(self) -> None:
        profile = await read(users.get_profile)
        self.name, self.email, self.timezone = profile.name, profile.email, profile.timezone
        self.role, self.role_words = ROLE_WORDS[Role(profile.role)]
        self.needs_approval = profile.needs_approval
        self.sessions = [_row(session) for session in await read(users.list_sessions)]


def _row(session: SessionView) -> SessionRow:
    device, icon = _device(session)
    return SessionRow(
        id=session.id,
        device=device,
        icon=icon,
        ip=session.ip,
        last_seen_at=session.last_seen_at,
        created_at=session.created_at,
        is_current=session.is_current,
    )


_BROWSERS = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


def _device(session: SessionView) -> tuple[str, str]:
    """What the browser calls itself, in a word or two, and a picture for it."""
    agent = session.user_agent
    if session.kind == "api":
        return f"API client · {agent[:60]}" if agent else "API client", "terminal"
    browser = next((name for mark, name in _BROWSERS if mark in agent), "Browser")
    system = next((name for mark, name in _SYSTEMS if mark in agent), "")
    picture = "smartphone" if system in ("iPhone", "iPad", "Android") else "monitor"
    return f"{browser} on {system}" if system else browser, picture
