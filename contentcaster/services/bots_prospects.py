"""What finders found: people and posts with their score, where they came from, and what became of them."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import Select, and_, func, or_, select
from sqlmodel import Session

from contentcaster import live
from contentcaster.bots.candidates import label, unpack
from contentcaster.errors import Conflict, InvalidInput, NotFound
from contentcaster.models import Account, BotProspect, BotRule
from contentcaster.security.permissions import Permission, Principal
from contentcaster.services import audit, bots_log
from contentcaster.services.bots_channels import TOPIC
from contentcaster.services.bots_views import ProspectView
from contentcaster.services.platforms import channel_view
from contentcaster.services.views import Page

STATES = ("new", "used", "dismissed")
KINDS = ("person", "post")
_CURSOR = re.compile(r"(\d{1,3})\.([0-9A-Za-z]{1,26})")


def list_prospects(
    session: Session,
    principal: Principal,
    *,
    state: str = "new",
    kind: str = "",
    account_id: str = "",
    cursor: str = "",
    limit: int = 50,
) -> Page[ProspectView]:
    """The best first. Raises InvalidInput for a state, kind or cursor that there is not."""
    principal.require(Permission.VIEW_BOTS)
    limit = max(1, min(limit, 200))
    query = _matching(
        select(BotProspect, Account, BotRule.name)
        .join(Account, Account.id == BotProspect.account_id)
        .outerjoin(BotRule, BotRule.id == BotProspect.rule_id),
        state,
        kind,
        account_id,
    )
    if cursor:
        found = _CURSOR.fullmatch(cursor)
        if found is None:
            raise InvalidInput(
                "This cursor is not from an earlier answer. Start without one.", field="cursor"
            )
        score, last = int(found.group(1)), found.group(2)
        query = query.where(
            or_(BotProspect.score < score, and_(BotProspect.score == score, BotProspect.id < last))
        )
    query = query.order_by(BotProspect.score.desc(), BotProspect.id.desc()).limit(limit + 1)
    rows = session.execute(query).all()
    views = [_view(row, account, name or "") for row, account, name in rows[:limit]]
    more = f"{views[-1].score}.{views[-1].id}" if len(rows) > limit else ""
    return Page(views, more)


def count_prospects(session: Session, principal: Principal) -> int:
    """How many wait to be used by a rule."""
    principal.require(Permission.VIEW_BOTS)
    return int(session.execute(_matching(select(func.count(BotProspect.id)), "new", "", "")).scalar_one())


def dismiss(session: Session, principal: Principal, prospect_id: str) -> None:
    """No rule uses it, now or later; it is not found again either."""
    principal.require(Permission.MANAGE_BOTS)
    row = session.get(BotProspect, prospect_id, with_for_update=True)
    if row is None:
        raise NotFound("This find is no longer kept.")
    if row.state == "used":
        raise Conflict("A rule has acted on it already.")
    row.state = "dismissed"
    audit.record(session, principal, "bots.prospect_dismissed", "bot_prospect", row.id)
    live.note(session, TOPIC)


def _matching(query: Select[Any], state: str, kind: str, account_id: str) -> Select[Any]:
    if state not in STATES:
        raise InvalidInput("There is no such state.", field="state")
    if kind and kind not in KINDS:
        raise InvalidInput("Finds are people or posts.", field="kind")
    query = query.where(BotProspect.state == state)
    if kind:
        query = query.where(BotProspect.kind == kind)
    return query.where(BotProspect.account_id == account_id) if account_id else query


def _view(row: BotProspect, account: Account, rule_name: str) -> ProspectView:
    candidate = unpack(row.candidate)
    return ProspectView(
        id=row.id,
        kind=row.kind,
        target=label(candidate),
        handle=candidate.handle,
        text=bots_log.one_line(candidate.text or candidate.bio, 300),
        url=candidate.url if candidate.url.startswith(("https://", "http://")) else "",
        score=row.score,
        why=row.why,
        source=row.source,
        rule_name=rule_name,
        channel=channel_view(account),
        state=row.state,
        found_at=row.found_at,
    )
