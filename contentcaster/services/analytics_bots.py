"""What bots did in a period, beside how followers grew with and without them: a comparison, not a proof."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select
from sqlmodel import Session

from contentcaster.models import ActState, BotAct
from contentcaster.security.permissions import Principal
from contentcaster.services.analytics import followers_on, visible_channel_ids
from contentcaster.services.analytics_period import Period


@dataclass(frozen=True)
class Growth:
    """Followers of some channels on the eve and at the end of the period; None: not known on both days."""

    channels: int
    before: int | None
    now: int | None


@dataclass(frozen=True)
class BotEffect:
    acts: dict[str, int]
    """Action -> how many went out."""
    with_bots: Growth
    without_bots: Growth


def bot_effect(session: Session, principal: Principal, period: Period, account_id: str = "") -> BotEffect:
    """Acts that reached a network in the period, on the channels that the person may see."""
    visible = visible_channel_ids(session, principal, account_id)
    rows = session.execute(
        select(BotAct.account_id, BotAct.action, func.count())
        .where(
            BotAct.state == ActState.DONE,
            BotAct.done_at >= period.start,
            BotAct.done_at < period.end,
            BotAct.account_id.in_(visible),
        )
        .group_by(BotAct.account_id, BotAct.action)
    ).all()
    acts: dict[str, int] = {}
    for _account_id, action, count in rows:
        acts[action.value] = acts.get(action.value, 0) + count
    busy = {row[0] for row in rows}
    now = followers_on(session, principal, period.last, account_id)
    before = followers_on(session, principal, period.first - timedelta(days=1), account_id)
    idle = {key for key in visible if key not in busy}
    return BotEffect(acts, _growth(busy, before, now), _growth(idle, before, now))


def _growth(channels: set[str], before: dict[str, int], now: dict[str, int]) -> Growth:
    known = [key for key in channels if key in before and key in now]
    if not known:
        return Growth(len(channels), None, None)
    return Growth(len(known), sum(before[key] for key in known), sum(now[key] for key in known))
