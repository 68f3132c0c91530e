"""Links that show one view of the numbers to people without an account: read only, until they end or are revoked.

Only the link's hash is kept. The numbers are read as whoever made the link, anew each time it is opened: it never shows
more than that person may see by then, and nothing at all once their account is disabled or may not share any more.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select, update
from sqlmodel import Session, col

from contentcaster.clock import utc_now
from contentcaster.db import Database
from contentcaster.errors import Conflict, InvalidInput, NotFound
from contentcaster.models import AnalyticsShare, User
from contentcaster.security import sessions
from contentcaster.security.keys import hash_token
from contentcaster.security.permissions import Permission, Principal
from contentcaster.services import analytics_scope, audit
from contentcaster.services.analytics_asked import asked_of
from contentcaster.services.analytics_read import Everything, read_all
from contentcaster.services.drafts import clean_text
from contentcaster.services.ids import is_id
from contentcaster.settings import get_settings

PATH = "/shared/analytics"
DEFAULT_DAYS, MAX_DAYS = 30, 365
MAX_OPEN = 100
MAX_TITLE_CHARACTERS = 120
_KEEP_ENDED = timedelta(days=30)
_TOKEN = re.compile(r"[A-Za-z0-9_-]{40,64}")


class LinkEnded(NotFound):
    code = "link_ended"


@dataclass(frozen=True)
class ShareView:
    id: str
    title: str
    query: dict[str, str]
    """The words of the address that it shows (services/analytics_asked.py)."""
    timezone: str
    owner_name: str
    created_at: datetime
    expires_at: datetime
    state: str
    """open | revoked | expired"""
    opened: int
    opened_at: datetime | None


@dataclass(frozen=True)
class NewShare:
    link: str
    """Shown once: whoever has it sees the numbers."""
    view: ShareView


@dataclass(frozen=True)
class Shared:
    """What somebody who has the link sees."""

    title: str
    expires_at: datetime
    found: Everything


def create_share(
    session: Session,
    principal: Principal,
    *,
    view: Mapping[str, str],
    title: str = "",
    expires_in_days: int = DEFAULT_DAYS,
    timezone: str = "",
) -> NewShare:
    """A link to the view that the words of an address ask for; "the last 30 days" stay the last 30 days.

    Raises:
        InvalidInput: fields "title", "expires_in_days", "timezone", or a word of the view.
        Conflict: very many links of this person are open.
    """
    principal.require(Permission.SHARE_ANALYTICS)
    principal.require(Permission.VIEW_ANALYTICS)  # a key without it must not read through its own link
    title = " ".join(clean_text(title).split())
    if len(title) > MAX_TITLE_CHARACTERS:
        raise InvalidInput(f"Use at most {MAX_TITLE_CHARACTERS} characters.", field="title")
    if not 1 <= expires_in_days <= MAX_DAYS:
        raise InvalidInput(f"A link lives from 1 to {MAX_DAYS} days.", field="expires_in_days")
    zone = timezone or principal.timezone
    asked = asked_of(view, zone)
    analytics_scope.check(session, asked.scope)
    now = utc_now()
    is_mine = AnalyticsShare.owner_id == principal.user_id
    query = select(func.count()).select_from(AnalyticsShare).where(is_mine, _is_open(now))
    if session.execute(query).scalar_one() >= MAX_OPEN:
        raise Conflict(f"{MAX_OPEN} of your links are open. Revoke some that nobody needs.")
    token = secrets.token_urlsafe(32)
    row = AnalyticsShare(
        token_hash=hash_token(token),
        owner_id=principal.user_id,
        title=title or "Analytics",
        view=asked.query(),
        timezone=zone,
        created_at=now,
        expires_at=now + timedelta(days=expires_in_days),
    )
    session.add(row)
    session.flush()
    details = {"title": row.title, "view": row.view, "days": expires_in_days}
    audit.record(session, principal, "analytics.shared", "analytics_share", row.id, details)
    name = principal.name or principal.email
    return NewShare(f"{get_settings().effective_public_url}{PATH}?token={token}", _view(row, name, now))


def list_shares(session: Session, principal: Principal) -> list[ShareView]:
    """Open links and those that ended within 30 days, the newest first: one's own, for admins everybody's."""
    principal.require(Permission.SHARE_ANALYTICS)
    now = utc_now()
    rows = session.execute(
        select(AnalyticsShare, User.name)
        .join(User, User.id == AnalyticsShare.owner_id)
        .where(*_manageable(principal), col(AnalyticsShare.expires_at) > now - _KEEP_ENDED)
        .order_by(col(AnalyticsShare.id).desc())
        .limit(200)
    )
    return [_view(row, name, now) for row, name in rows]


def revoke_share(session: Session, principal: Principal, share_id: str) -> None:
    """Make a link show nothing any more, at once.

    Raises:
        NotFound: there is none that is still open, or it is somebody else's.
    """
    principal.require(Permission.SHARE_ANALYTICS)
    now = utc_now()
    ended = is_id(share_id) and session.execute(
        update(AnalyticsShare)
        .where(col(AnalyticsShare.id) == share_id, *_manageable(principal), _is_open(now))
        .values(revoked_at=now)
        .execution_options(synchronize_session=False)
    )
    if not ended or ended.rowcount != 1:
        raise NotFound("This link was revoked or has expired already, or it is not yours.")
    audit.record(session, principal, "analytics.share_revoked", "analytics_share", share_id)


def open_share(database: Database, token: str, *, ip: str = "") -> Shared:
    """What the link shows; counts that it was opened.

    Raises:
        LinkEnded: it was revoked, has expired, never was, shows what is gone, or its maker may not share any more.
    """
    with database.reading() as session:
        row, owner = _find(session, token, ip)
        try:
            shared = Shared(
                row.title, row.expires_at, read_all(session, owner, asked_of(row.view, row.timezone))
            )
        except InvalidInput:  # its channel or label is no more: better nothing than other numbers
            raise _ended() from None
    # Apart from the reading, which may take a while: on SQLite nobody writes meanwhile.
    database.write(lambda session: _count(session, row.id))
    return shared


def _find(session: Session, token: str, ip: str) -> tuple[AnalyticsShare, Principal]:
    if not _TOKEN.fullmatch(token):
        raise _ended()
    # Compared by its hash, so the time it takes says nothing about the token.
    found = session.execute(
        select(AnalyticsShare, User)
        .join(User, User.id == AnalyticsShare.owner_id)
        .where(AnalyticsShare.token_hash == hash_token(token), _is_open(utc_now()))
    ).first()
    if found is None or not found[1].is_active:
        raise _ended()
    row, user = found
    owner = sessions.principal_of(user, ip=ip)
    if not owner.can(Permission.SHARE_ANALYTICS):
        raise _ended()
    return row, owner


def _count(session: Session, share_id: str) -> None:
    session.execute(
        update(AnalyticsShare)
        .where(col(AnalyticsShare.id) == share_id)
        .values(opened=AnalyticsShare.opened + 1, opened_at=utc_now())
        .execution_options(synchronize_session=False)
    )


def _ended() -> LinkEnded:
    return LinkEnded("This link was revoked or has expired. Ask whoever sent it for a new one.")


def _is_open(now: datetime) -> object:
    return col(AnalyticsShare.revoked_at).is_(None) & (col(AnalyticsShare.expires_at) > now)


def _manageable(principal: Principal) -> list[object]:
    """One's own links; admins end those of others too."""
    if principal.can(Permission.MANAGE_USERS):
        return []
    return [col(AnalyticsShare.owner_id) == principal.user_id]


def _view(row: AnalyticsShare, owner_name: str, now: datetime) -> ShareView:
    state = "revoked" if row.revoked_at is not None else "open" if row.expires_at > now else "expired"
    return ShareView(
        id=row.id,
        title=row.title,
        query=dict(row.view),
        timezone=row.timezone,
        owner_name=owner_name,
        created_at=row.created_at,
        expires_at=row.expires_at,
        state=state,
        opened=row.opened,
        opened_at=row.opened_at,
    )
