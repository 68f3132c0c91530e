"""What bots did, for the pictures on their page: acts that went out per day, and what became of the last day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlmodel import Session

from contentcaster.clock import utc_now
from contentcaster.models import Account, ActAction, ActState, BotAct
from contentcaster.security.permissions import Permission, Principal
from contentcaster.services import bots_log

DAYS = 14
_BY_PEOPLE = ("changed", "resumed")
"""Lines about rules and switches: nothing became of anything by them."""


@dataclass(frozen=True)
class ActionSeries:
    action: str
    days: list[int]
    """How many went out in each of the last days of 24 hours, the newest last."""
    total: int


@dataclass(frozen=True)
class OutcomeShare:
    outcome: str
    count: int
    share: str
    """Of the largest, as a CSS width."""


@dataclass(frozen=True)
class BotCharts:
    actions: list[ActionSeries]
    outcomes: list[OutcomeShare]


def get_charts(session: Session, principal: Principal, *, now: datetime | None = None) -> BotCharts:
    """Acts by kind over two weeks, and lines of the bot log by outcome over the last 24 hours, the most first."""
    principal.require(Permission.VIEW_BOTS)
    now = now or utc_now()
    days = {action: [0] * DAYS for action in ActAction}
    # Named one by one, so that each is a short walk along ix_bot_act_sent.
    accounts = session.execute(select(Account.id)).scalars().all()
    for ago in range(DAYS):
        for action, count in session.execute(
            select(BotAct.action, func.count())
            .where(
                BotAct.account_id.in_(accounts),
                BotAct.action.in_(list(ActAction)),
                BotAct.state == ActState.DONE,
                BotAct.permitted_at > now - timedelta(days=ago + 1),
                BotAct.permitted_at <= now - timedelta(days=ago),
            )
            .group_by(BotAct.action)
        ):
            days[action][DAYS - 1 - ago] = count
    actions = [ActionSeries(action.value, counts, sum(counts)) for action, counts in days.items()]
    counted = bots_log.summarise(session, principal, now=now).last_day if _may_see_log(principal) else {}
    counted = {outcome: count for outcome, count in counted.items() if outcome not in _BY_PEOPLE}
    highest = max(counted.values(), default=1)
    outcomes = [
        OutcomeShare(outcome.replace("_", " "), count, f"{max(1, 100 * count // highest)}%")
        for outcome, count in sorted(counted.items(), key=lambda item: -item[1])
    ]
    return BotCharts([series for series in actions if series.total], outcomes)


def _may_see_log(principal: Principal) -> bool:
    return principal.can(Permission.VIEW_BOT_LOG)
