"""What the pages before sign-in read from their address."""

from __future__ import annotations

from urllib.parse import parse_qs

import reflex as rx

from contentcaster.state.marks import public

MAX_VALUE_CHARACTERS = 400

ERRORS = {
    "wrong": "That email address and password do not match. Check both and try again.",
    "disabled": "That email address and password do not match. Check both and try again.",
    "otp_required": "Now enter your password again, and the code that your authenticator app shows.",
    "otp_wrong": "That code is not right, or was used already. Enter the one that is shown now.",
    "too_many": "Too many tries. Wait a minute, then try again.",
    "unavailable": "The database does not answer right now. Try again in a moment.",
    "origin": "This form was sent from another address than the console's. Open the console by its own address.",
    "token": "This link has expired or was used already. Start the server again, or run: contentcaster create-admin",
    "invitation": "This invitation was used, revoked or has expired. Ask whoever invited you for a new one.",
    "taken": "Somebody with this email address has an account already. Sign in with it instead.",
    "email": "Enter a complete email address, like mara@example.org.",
    "name": "Enter your name; colleagues see it beside your posts.",
    "password": "Choose a password of at least 12 characters.",
}
"""Code in the address -> sentence; anything else is shown as a general one, never echoed."""

FALLBACK = "That did not work. Check what you typed and try again."


class EntranceState(rx.State):
    """Values for the sign-in and set-up forms; whatever was typed, except a password, comes back after an error."""

    email: str = ""
    name: str = ""
    token: str = ""
    next: str = "/"
    error: str = ""
    error_code: str = ""
    notice: str = ""
    needs_code: bool = False
    """The person signs in with a second factor: the form has a field for its code."""

    @public
    async def load(self) -> None:
        """Read the page's address."""
        query = {
            key: values[-1][:MAX_VALUE_CHARACTERS] for key, values in parse_qs(self.router.url.query).items()
        }
        self.email, self.name, self.token = (
            query.get("email", ""),
            query.get("name", ""),
            query.get("token", ""),
        )
        self.next = query.get("next", "/")
        self.error_code = query.get("error", "")
        self.error = ERRORS.get(self.error_code, FALLBACK) if self.error_code else ""
        self.needs_code = self.error_code in ("otp_required", "otp_wrong")
        self.notice = "You are signed out." if "signed_out" in query else ""
