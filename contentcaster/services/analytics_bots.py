"""What bots did in a period, beside how channels with and without them did: a comparison, not a proof."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlmodel import Session

from contentcaster.models import ActState, BotAct
from contentcaster.security.permissions import Principal
from contentcaster.services import analytics
from contentcaster.services.analytics_period import Period
from contentcaster.services.analytics_scope import EVERYTHING, Scope
from contentcaster.services.analytics_views import Share


@dataclass(frozen=True)
class Growth:
    """Followers of some channels on the eve and at the end of the period; None: not known on both days."""

    channels: int
    before: int | None
    now: int | None
    per_post_before: float | None = None
    """Engagements per measured post, in the period that it is compared with."""
    per_post: float | None = None

    @property
    def growth(self) -> float | None:
        """Of followers, in percent."""
        return _percent(self.before, self.now)

    @property
    def per_post_change(self) -> float | None:
        """Of engagement per post, in percent."""
        return _percent(self.per_post_before, self.per_post)


@dataclass(frozen=True)
class BotEffect:
    acts: dict[str, int]
    """Action -> how many went out."""
    with_bots: Growth
    without_bots: Growth


def bot_effect(
    session: Session,
    principal: Principal,
    period: Period,
    scope: Scope = EVERYTHING,
    against: Period | None = None,
) -> BotEffect:
    """Acts that reached a network in the period, on the channels that the person may see."""
    visible = analytics.visible_channel_ids(session, principal, scope)
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
    # Growth is what came in the period, whatever its numbers are compared with.
    days = [analytics.followers_on(session, principal, each.last, scope) for each in (period.before, period)]
    shares = [
        analytics.by_channel(session, principal, each, scope) for each in (against or period.before, period)
    ]
    busy = {row[0] for row in rows}
    idle = {key for key in visible if key not in busy}
    return BotEffect(acts, _growth(busy, days, shares), _growth(idle, days, shares))


def _growth(channels: set[str], days: list[dict[str, int]], shares: list[list[Share]]) -> Growth:
    before, now = days
    known = [key for key in channels if key in before and key in now]
    per_post_before, per_post = (_per_post(channels, part) for part in shares)
    if not known:
        return Growth(len(channels), None, None, per_post_before, per_post)
    return Growth(
        len(known),
        sum(before[key] for key in known),
        sum(now[key] for key in known),
        per_post_before,
        per_post,
    )


def _per_post(channels: set[str], shares: list[Share]) -> float | None:
    own = [share.figures for share in shares if share.id in channels and share.figures.measured]
    measured = sum(figures.measured for figures in own)
    return sum(figures.engagements or 0 for figures in own) / measured if measured else None


def _percent(before: float | None, now: float | None) -> float | None:
    return (now - before) / before * 100 if before and now is not None else None
