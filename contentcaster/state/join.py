"""What somebody who was invited sees before they have an account."""

from __future__ import annotations

from urllib.parse import parse_qs

import reflex as rx

from contentcaster.db import get_database
from contentcaster.errors import ContentCasterError
from contentcaster.models.user import Role
from contentcaster.services import invitations
from contentcaster.services.invitations import Offer
from contentcaster.state.bridge import in_thread
from contentcaster.state.entrance import ERRORS, FALLBACK, MAX_VALUE_CHARACTERS
from contentcaster.state.marks import public
from contentcaster.state.users import ROLE_WORDS


class JoinState(rx.State):
    token: str = ""
    email: str = ""
    is_email_fixed: bool = False
    name: str = ""
    role: str = ""
    role_words: str = ""
    needs_approval: bool = False
    invited_by: str = ""
    error: str = ""
    is_good: bool = False
    """The link still works."""

    @public
    async def load(self) -> None:
        """Read the address, and what its link offers."""
        query = {
            key: values[-1][:MAX_VALUE_CHARACTERS] for key, values in parse_qs(self.router.url.query).items()
        }
        self.token, self.name = query.get("token", ""), query.get("name", "")
        code = query.get("error", "")
        self.error = ERRORS.get(code, FALLBACK) if code else ""
        self.is_good = False
        try:
            offer: Offer = await in_thread(_look, self.token)
        except ContentCasterError as error:
            self.error = self.error or error.message
            return
        self.is_good = True
        self.email, self.is_email_fixed = offer.email or query.get("email", ""), bool(offer.email)
        self.role, self.role_words = ROLE_WORDS[Role(offer.role)]
        self.needs_approval, self.invited_by = offer.needs_approval, offer.invited_by


def _look(token: str) -> Offer:
    with get_database().reading() as session:
        return invitations.look_at(session, token)
