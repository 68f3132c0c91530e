"""People: who may sign in, with which role. Passwords are arguments of handlers and kept in no var."""

from __future__ import annotations

from typing import Annotated

import reflex as rx
from pydantic import Field

from contentcaster.db import get_database
from contentcaster.errors import Conflict, InvalidInput
from contentcaster.models.user import Role
from contentcaster.security.permissions import Permission
from contentcaster.services import second_factor, users
from contentcaster.services.users import UserView
from contentcaster.state.bridge import in_thread, read, write
from contentcaster.state.devices import SessionRow, session_row
from contentcaster.state.flash import flash
from contentcaster.state.forms import Form, is_checked, text_of
from contentcaster.state.invitations import InvitationsState
from contentcaster.state.marks import current_principal, guarded
from contentcaster.state.page import page_load

MAX_ROWS = 200

ROLE_WORDS: dict[Role, tuple[str, str]] = {
    Role.ADMIN: ("Admin", "Everything: channels, people, settings, approving and repairing."),
    Role.CREATOR: ("Creator", "Writes and schedules posts on the channels shared with them."),
    Role.MONITOR: ("Monitor", "Watches posts, queues and failed tasks; changes nothing."),
    Role.VIEWER: ("Viewer", "Reads analytics only."),
}

Id = Annotated[str, Field(max_length=64)]


class UsersState(rx.State):
    people: list[UserView] = []
    active_count: int = 0
    search: str = ""
    has_more: bool = False

    dialog: str = ""
    """create | edit | password | sessions | "" (closed)"""
    sessions: list[SessionRow] = []
    """Where the person of the dialog is signed in."""
    subject_has_second_factor: bool = False
    subject_id: str = ""
    subject_name: str = ""
    subject_email: str = ""
    subject_needs_approval: bool = False
    role: str = Role.CREATOR.value
    """Chosen when the dialog opens."""
    errors: dict[str, str] = {}
    form_error: str = ""
    _version: int = 0

    @page_load(Permission.MANAGE_USERS)
    async def load(self) -> None:
        self.dialog = ""
        (await self.get_state(InvitationsState)).is_open = False
        await self._read()

    @page_load(Permission.MANAGE_USERS)
    async def refresh(self) -> None:
        """Somebody changed: read again and leave an open dialog alone."""
        await self._read()
        if self.dialog == "sessions":
            await self._read_sessions()

    @guarded(Permission.MANAGE_USERS)
    async def set_search(self, text: Annotated[str, Field(max_length=200)]) -> None:
        self.search = text
        await self._read()

    @guarded(Permission.MANAGE_USERS)
    async def open_create(self) -> None:
        self._open("create", None)

    @guarded(Permission.MANAGE_USERS)
    async def open_edit(self, user_id: Id) -> None:
        self._open("edit", await read(users.get_user, user_id))

    @guarded(Permission.MANAGE_USERS)
    async def open_password(self, user_id: Id) -> None:
        self._open("password", await read(users.get_user, user_id))

    @guarded(Permission.MANAGE_USERS)
    async def open_sessions(self, user_id: Id) -> None:
        self._open("sessions", await read(users.get_user, user_id))
        await self._read_sessions()

    @guarded(Permission.MANAGE_USERS)
    async def end_session(self, session_id: Id) -> None:
        await write(users.end_sessions_of, self.subject_id, session_id=session_id)
        await self._read_sessions()
        await flash(self, "ok", "Signed out there.")

    @guarded(Permission.MANAGE_USERS)
    async def sign_out(self) -> None:
        """Sign the person of the dialog out everywhere."""
        ended = await write(users.end_sessions_of, self.subject_id)
        await self._done(
            f"{self.subject_name} is signed out of {ended} {'place' if ended == 1 else 'places'}."
        )

    @guarded(Permission.MANAGE_USERS)
    async def reset_second_factor(self) -> None:
        """For somebody who lost phone and codes."""
        await write(second_factor.reset, self.subject_id)
        await self._done(
            f"{self.subject_name} is signed out everywhere and signs in with the password alone until they set "
            "two-factor sign-in up again."
        )

    @guarded(Permission.MANAGE_USERS)
    async def set_dialog_open(self, is_open: bool) -> None:
        if not is_open:
            self.dialog = ""

    @guarded(Permission.MANAGE_USERS)
    async def create(self, form: Form) -> None:
        """Add a person with a first password."""
        principal = current_principal()
        try:
            person: UserView = await in_thread(
                users.create_user,
                get_database(),
                principal,
                email=text_of(form, "email"),
                name=text_of(form, "name"),
                role=text_of(form, "role"),
                password=text_of(form, "password"),
                timezone=principal.timezone,
                needs_approval=is_checked(form, "needs_approval"),
            )
        except InvalidInput as error:
            self.errors, self.form_error = error.fields, "" if error.fields else error.message
            return
        except Conflict as error:
            self.errors, self.form_error = {"email": error.message}, ""
            return
        await self._done(
            f"{person.name} can sign in now. Give them the password yourself; nothing is e-mailed."
        )

    @guarded(Permission.MANAGE_USERS)
    async def save(self, form: Form) -> None:
        """Change name and role; a new role signs the person out everywhere."""
        role = text_of(form, "role")
        try:
            person = await write(
                users.update_user,
                self.subject_id,
                name=text_of(form, "name"),
                role=role,
                needs_approval=is_checked(form, "needs_approval") if role == Role.CREATOR else None,
                version=self._version,
            )
        except InvalidInput as error:
            self.errors, self.form_error = error.fields, "" if error.fields else error.message
            return
        except Conflict as error:
            self.errors, self.form_error = {}, error.message
            return
        await self._done(f"{person.name} is {ROLE_WORDS[Role(person.role)][0]}.")

    @guarded(Permission.MANAGE_USERS)
    async def set_password(self, form: Form) -> None:
        """A new password; the person is signed out everywhere."""
        try:
            await in_thread(
                users.reset_password,
                get_database(),
                current_principal(),
                self.subject_id,
                password=text_of(form, "password"),
            )
        except InvalidInput as error:
            self.errors = {"password": error.fields.get("password", error.message)}
            return
        await self._done(
            f"{self.subject_name} is signed out everywhere and has a new password. Give it to them yourself."
        )

    @guarded(Permission.MANAGE_USERS)
    async def set_active(self, user_id: Id, is_active: bool) -> None:
        person = await write(users.update_user, user_id, is_active=is_active)
        now = "can sign in again" if is_active else "is signed out everywhere and cannot sign in"
        await self._done(f"{person.name} {now}.")

    async def _read_sessions(self) -> None:
        self.sessions = [session_row(view) for view in await read(users.list_sessions_of, self.subject_id)]

    async def _done(self, message: str) -> None:
        self.dialog = ""
        await self._read()
        await flash(self, "ok", message)

    def _open(self, dialog: str, person: UserView | None) -> None:
        self.dialog, self.errors, self.form_error = dialog, {}, ""
        self.subject_id = person.id if person else ""
        self.subject_name = person.name if person else ""
        self.subject_email = person.email if person else ""
        self.subject_has_second_factor = bool(person and person.has_second_factor)
        self.subject_needs_approval = bool(person and person.needs_approval)
        self.role = person.role if person else Role.CREATOR.value
        self._version = person.version if person else 0

    async def _read(self) -> None:
        page = await read(users.list_users, search=self.search, limit=MAX_ROWS)
        self.people, self.has_more = page.items, bool(page.next_cursor)
        await (await self.get_state(InvitationsState))._read()
        self.active_count = sum(person.is_active for person in page.items)
