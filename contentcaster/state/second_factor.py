"""One's own two-factor sign-in: set up, renew the recovery codes, turn off. Secrets are shown once (once.py)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime

import reflex as rx

from contentcaster.db import get_database
from contentcaster.errors import Conflict, InvalidInput
from contentcaster.security.permissions import Permission
from contentcaster.services import second_factor, users
from contentcaster.state.bridge import in_thread, read, write
from contentcaster.state.flash import flash
from contentcaster.state.forms import Form, text_of
from contentcaster.state.marks import current_principal, guarded
from contentcaster.state.once import forget
from contentcaster.state.qr import qr_code


class SecondFactorState(rx.State):
    is_on: bool = False
    is_required: bool = False
    since_at: datetime | None = None
    codes_left: int = 0
    dialog: str = ""
    """setup | codes | renew | off | "" (closed)"""
    secret: str = ""
    qr_path: str = ""
    qr_view: str = "0 0 1 1"
    codes: list[str] = []
    errors: dict[str, str] = {}

    @guarded(Permission.OWN_PROFILE)
    async def begin(self) -> AsyncIterator[None]:
        """Show a new secret, as a picture and as text."""
        try:
            setup = await write(second_factor.begin_setup)
        except Conflict as error:
            await self._read()
            await flash(self, "warn", error.message)
            return
        code = qr_code(setup.uri)
        self.dialog, self.errors, self.codes = "setup", {}, []
        self.qr_view = f"0 0 {code.size} {code.size}"
        self.secret = " ".join(setup.secret[at : at + 4] for at in range(0, len(setup.secret), 4))
        self.qr_path = code.path
        yield
        forget(self, secret="", qr_path="")

    @guarded(Permission.OWN_PROFILE)
    async def confirm(self, form: Form) -> AsyncIterator[None]:
        """Turn it on with the app's first code; then the recovery codes are shown."""
        try:
            codes = await write(second_factor.confirm_setup, code=text_of(form, "setup_code"))
        except InvalidInput as error:
            self.errors = error.fields
            return
        except Conflict as error:
            self.errors = {"code": error.message}
            return
        async for _ in self._show_codes(codes):
            yield

    @guarded(Permission.OWN_PROFILE)
    async def renew(self, form: Form) -> AsyncIterator[None]:
        """New recovery codes; the old ones stop working."""
        try:
            codes = await in_thread(
                second_factor.renew_recovery_codes,
                get_database(),
                current_principal(),
                code=text_of(form, "renew_code"),
            )
        except InvalidInput as error:
            self.errors = error.fields
            return
        async for _ in self._show_codes(codes):
            yield

    @guarded(Permission.OWN_PROFILE)
    async def turn_off(self, form: Form) -> None:
        """Sign in with the password alone again; asks for the password and a code."""
        try:
            await in_thread(
                users.turn_off_second_factor,
                get_database(),
                current_principal(),
                password=text_of(form, "off_password"),
                code=text_of(form, "off_code"),
            )
        except InvalidInput as error:
            self.errors = error.fields
            return
        self.dialog = ""
        await self._read()
        await flash(self, "ok", "Two-factor sign-in is off. Your password alone signs you in.")

    @guarded(Permission.OWN_PROFILE)
    async def open_renew(self) -> None:
        self.dialog, self.errors = "renew", {}

    @guarded(Permission.OWN_PROFILE)
    async def open_off(self) -> None:
        self.dialog, self.errors = "off", {}

    @guarded(Permission.OWN_PROFILE)
    async def set_open(self, is_open: bool) -> None:
        """Closing shows nothing of it again."""
        if not is_open:
            self.dialog, self.secret, self.qr_path, self.codes = "", "", "", []

    async def _show_codes(self, codes: list[str]) -> AsyncIterator[None]:
        self.dialog, self.errors, self.secret, self.qr_path = "codes", {}, "", ""
        self.codes = codes
        await self._read()
        yield
        forget(self, codes=[])

    async def _read(self) -> None:
        status = await read(second_factor.get_status)
        self.is_on, self.is_required = status.is_on, status.is_required
        self.since_at, self.codes_left = status.since, status.recovery_codes_left
