"""Invitations: a link with which somebody makes their own account, once, in the role that was chosen for them.

Only the link's hash is kept; it is shown once to who made it, and mailed where a mail server is set up.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from sqlalchemy import select, update
from sqlmodel import Session, col

from contentcaster import live
from contentcaster.clock import utc_now
from contentcaster.db import Database
from contentcaster.errors import Conflict, InvalidInput, NotFound
from contentcaster.models import Invitation, Role, User
from contentcaster.platforms import mail
from contentcaster.platforms.base import ConnectorError
from contentcaster.security import passwords
from contentcaster.security.egress import EgressClient
from contentcaster.security.keys import hash_token
from contentcaster.security.permissions import Permission, Principal
from contentcaster.services import audit, auth, user_rules
from contentcaster.services.auth import BrowserSession, Client
from contentcaster.services.ids import is_id
from contentcaster.services.notifications_mail import mail_server
from contentcaster.settings import Settings, get_settings

DEFAULT_DAYS, MAX_DAYS = 7, 30
MAX_OPEN = 200
_KEEP_ENDED = timedelta(days=30)
_MAIL_SECONDS = 10.0
PATH = "/join"


class InvitationUsedUp(Conflict):
    code = "invitation_used_up"


@dataclass(frozen=True)
class InvitationView:
    id: str
    email: str
    """Whom it is for; "" when whoever has the link may use it."""
    role: str
    needs_approval: bool
    created_at: datetime
    created_by: str
    expires_at: datetime
    state: str
    """open | accepted | revoked | expired"""
    accepted_by: str


@dataclass(frozen=True)
class NewInvitation:
    link: str
    """Shown once: whoever has it makes the account."""
    view: InvitationView


@dataclass(frozen=True)
class Offer:
    """What somebody who holds the link is told before they accept."""

    email: str
    role: str
    needs_approval: bool
    invited_by: str
    expires_at: datetime


def create_invitation(
    session: Session,
    principal: Principal,
    *,
    role: str,
    email: str = "",
    needs_approval: bool = False,
    expires_in_days: int = DEFAULT_DAYS,
) -> NewInvitation:
    """Invite somebody. An earlier open invitation to the same address stops working.

    Raises:
        InvalidInput: fields "role", "email", "expires_in_days".
        Conflict: somebody with this address is here already, or very many invitations are open.
    """
    principal.require(Permission.MANAGE_USERS)
    checked_role = user_rules.checked_role(role)
    email = user_rules.checked_email(email) if email.strip() else ""
    if not 1 <= expires_in_days <= MAX_DAYS:
        raise InvalidInput(f"An invitation lives from 1 to {MAX_DAYS} days.", field="expires_in_days")
    now = utc_now()
    if email:
        if session.execute(select(User.id).where(User.email == email)).first() is not None:
            raise Conflict("Somebody with this email address exists already.")
        _revoke(session, (Invitation.email == email) & _is_open(now))
    open_ids = session.execute(select(Invitation.id).where(_is_open(now)).limit(MAX_OPEN)).all()
    if len(open_ids) >= MAX_OPEN:
        raise Conflict(f"{MAX_OPEN} invitations are open. Revoke some that nobody will use.")
    token = secrets.token_urlsafe(32)
    row = Invitation(
        token_hash=hash_token(token),
        email=email,
        role=checked_role,
        needs_approval=needs_approval and checked_role is Role.CREATOR,
        created_at=now,
        created_by=principal.email,
        expires_at=now + timedelta(days=expires_in_days),
    )
    session.add(row)
    session.flush()
    details = {"email": email, "role": checked_role.value, "days": expires_in_days}
    audit.record(session, principal, "invitation.created", "invitation", row.id, details)
    live.note(session, "users")
    return NewInvitation(f"{get_settings().effective_public_url}{PATH}?token={token}", _view(row, now))


async def mail_invitation(database: Database, principal: Principal, made: NewInvitation) -> str:
    """Mail the link to whom it is for; why that did not work, in a sentence, or "" when the mail server took it.

    The link is in no job and no table, so it is sent now or not at all: whoever made it has it on the screen.
    """
    principal.require(Permission.MANAGE_USERS)
    settings = database.settings
    if not made.view.email or not settings.smtp_url.get_secret_value():
        return "No mail server is set up (SMTP_URL)."
    message = _make_mail(principal, made, settings)
    async with EgressClient.from_settings(settings) as client:
        client = client.until(time.monotonic() + _MAIL_SECONDS)
        try:
            await mail.deliver(client, mail_server(settings), settings.mail_sender, made.view.email, message)
        except ConnectorError as error:
            return str(error)
    return ""


def list_invitations(session: Session, principal: Principal) -> list[InvitationView]:
    """Open ones and those that ended within 30 days, the newest first."""
    principal.require(Permission.MANAGE_USERS)
    now = utc_now()
    rows = session.execute(
        select(Invitation)
        .where(col(Invitation.expires_at) > now - _KEEP_ENDED)
        .order_by(col(Invitation.id).desc())
        .limit(MAX_OPEN)
    ).scalars()
    return [_view(row, now) for row in rows]


def revoke_invitation(session: Session, principal: Principal, invitation_id: str) -> None:
    """Make a link useless.

    Raises:
        NotFound: there is none that is still open.
    """
    principal.require(Permission.MANAGE_USERS)
    mine = (col(Invitation.id) == invitation_id) & _is_open(utc_now())
    if not is_id(invitation_id) or not _revoke(session, mine):
        raise NotFound("This invitation was used, revoked or has expired already.")
    audit.record(session, principal, "invitation.revoked", "invitation", invitation_id)
    live.note(session, "users")


def look_at(session: Session, token: str) -> Offer:
    """What the link offers.

    Raises:
        InvitationUsedUp: it was used, revoked or has expired, or never was.
    """
    row = _find_open(session, token)
    return Offer(row.email, row.role.value, row.needs_approval, row.created_by, row.expires_at)


def accept(
    database: Database,
    *,
    token: str,
    email: str,
    name: str,
    password: str,
    client: Client,
    timezone: str = "",
) -> BrowserSession:
    """Make the account that the link offers, and sign in. Where the link names an address, that one counts.

    Raises:
        InvitationUsedUp: as `look_at`; of two who accept at once, the second.
        InvalidInput: fields "email", "name", "password"; the link stays good.
        Conflict: the address is taken; the link stays good.
    """
    with database.reading() as session:
        offer = look_at(
            session, token
        )  # before anything costly: only who holds the link makes us hash a password
    email = offer.email or user_rules.checked_email(email)
    name = user_rules.checked_name(name)
    passwords.check_new_password(password, email=email)
    password_hash = passwords.hash_password(password)
    now = utc_now()
    with database.transaction() as session:
        used = session.execute(
            update(Invitation)
            .where(col(Invitation.token_hash) == hash_token(token), _is_open(now))
            .values(accepted_at=now, accepted_by=email)
        )
        if used.rowcount != 1:
            raise _used_up()
        row = session.execute(
            select(Invitation).where(Invitation.token_hash == hash_token(token))
        ).scalar_one()
        user = user_rules.add_user(
            session,
            email=email,
            name=name,
            role=row.role,
            password_hash=password_hash,
            timezone=user_rules.zone_or_utc(timezone),
            needs_approval=row.needs_approval,
        )
        who = Principal(user_id=user.id, email=email, name=name, role=user.role, timezone="UTC", ip=client.ip)
        details = {"email": email, "role": user.role.value, "invited_by": row.created_by}
        audit.record(session, who, "invitation.accepted", "invitation", row.id, details)
        live.note(session, "users", f"user:{user.id}")
        return auth.start_browser_session(session, database, user, client)


def _make_mail(principal: Principal, made: NewInvitation, settings: Settings) -> bytes:
    who = principal.name or principal.email
    message = EmailMessage(policy=SMTP.clone(cte_type="7bit"))
    message["From"] = f"ContentCaster <{settings.mail_sender}>"
    message["To"] = made.view.email
    message["Subject"] = "You are invited to ContentCaster"
    message["Date"] = format_datetime(utc_now())
    message["Message-ID"] = f"<invitation-{made.view.id}@{settings.mail_sender.rpartition('@')[2]}>"
    message.set_content(
        f"{' '.join(who.split())} invites you to ContentCaster at {settings.effective_public_url}.\n\n"
        f"Make your account with this link. It works once, until {made.view.expires_at:%d %b %Y %H:%M} UTC:\n"
        f"{made.link}\n\nIf you do not expect this, do nothing.\n"
    )
    return message.as_bytes()


def _find_open(session: Session, token: str) -> Invitation:
    if not token or len(token) > 100:
        raise _used_up()
    # Compared by its hash, so the time it takes says nothing about the token.
    found = select(Invitation).where(Invitation.token_hash == hash_token(token), _is_open(utc_now()))
    row: Invitation | None = session.execute(found).scalars().first()
    if row is None:
        raise _used_up()
    return row


def _is_open(now: datetime) -> object:
    return (
        col(Invitation.accepted_at).is_(None)
        & col(Invitation.revoked_at).is_(None)
        & (col(Invitation.expires_at) > now)
    )


def _revoke(session: Session, which: object) -> int:
    result = session.execute(
        update(Invitation)
        .where(which)
        .values(revoked_at=utc_now())
        .execution_options(synchronize_session=False)
    )
    return int(result.rowcount)


def _used_up() -> InvitationUsedUp:
    return InvitationUsedUp("This invitation was used, revoked or has expired. Ask for a new one.")


def _view(row: Invitation, now: datetime) -> InvitationView:
    if row.accepted_at is not None:
        state = "accepted"
    elif row.revoked_at is not None:
        state = "revoked"
    else:
        state = "open" if row.expires_at > now else "expired"
    return InvitationView(
        id=row.id,
        email=row.email,
        role=row.role.value,
        needs_approval=row.needs_approval,
        created_at=row.created_at,
        created_by=row.created_by,
        expires_at=row.expires_at,
        state=state,
        accepted_by=row.accepted_by,
    )
