"""What helps to choose a time: the next free queue slot, and the best hour by the person's own numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from sqlmodel import Session

from contentcaster.clock import utc_now
from contentcaster.errors import InvalidInput
from contentcaster.security.permissions import Permission, Principal
from contentcaster.services import analytics, slots
from contentcaster.services.analytics_period import Period
from contentcaster.services.schedule import known_zone, load_zone, wall_time_in
from contentcaster.services.slots import WEEKDAYS

LOOK_BACK_DAYS = 90


@dataclass(frozen=True)
class TimeHints:
    slot_wall_time: str
    """The next free slot in `slot_timezone`; "" if there is none, and `slot_problem` says why."""
    slot_timezone: str
    slot_note: str
    slot_problem: str
    best_wall_time: str
    """The next time at the best hour, in the asked zone; "" while there are too few numbers."""
    best_sentence: str


def look(session: Session, principal: Principal, account_ids: Sequence[str], timezone: str) -> TimeHints:
    """Hints for a post on these channels. Reserves nothing."""
    principal.require(Permission.COMPOSE)
    zone = known_zone(timezone)
    best_wall_time, best_sentence = _best(session, principal, account_ids, zone)
    try:
        slot = slots.next_free(session, principal, account_ids)
    except InvalidInput as error:
        return TimeHints("", zone, "", error.message, best_wall_time, best_sentence)
    return TimeHints(slot.wall_time, slot.timezone, slot.note, "", best_wall_time, best_sentence)


def _best(session: Session, principal: Principal, account_ids: Sequence[str], zone: str) -> tuple[str, str]:
    if not principal.can(Permission.VIEW_ANALYTICS) or not account_ids:
        return "", ""
    today = utc_now().astimezone(load_zone(zone)).date()
    period = Period(today - timedelta(days=LOOK_BACK_DAYS - 1), today, zone)
    scope = analytics.Scope(account_id=account_ids[0] if len(account_ids) == 1 else "")
    cells = analytics.heat_map(session, principal, period, scope)
    best = analytics.best_times(cells, 1)
    measured = sum(cell.measured for cell in cells)
    if not best:
        posts = "1 post was" if measured == 1 else f"{measured} posts were"
        return "", (
            f"No best time yet: {posts} measured in the last {LOOK_BACK_DAYS} days, and an hour of the week counts "
            f"from {analytics.FEW_POSTS} posts on."
        )
    cell = best[0]
    at = _next(cell.weekday, cell.hour, zone)
    per_post = f"{cell.per_post:.1f}".removesuffix(".0") if cell.per_post is not None else "?"
    return wall_time_in(at, zone), (
        f"{WEEKDAYS[cell.weekday]}s from {cell.hour:02}:00 did best: {per_post} engagements per post, over "
        f"{cell.measured} posts of the last {LOOK_BACK_DAYS} days."
    )


def _next(weekday: int, hour: int, zone: str) -> datetime:
    now = utc_now()
    local = now.astimezone(load_zone(zone))
    day: date = local.date() + timedelta(days=(weekday - local.weekday()) % 7)
    at = datetime(day.year, day.month, day.day, hour, tzinfo=load_zone(zone)).astimezone(UTC)
    if at > now + slots.LEAD:
        return at
    day += timedelta(days=7)
    return datetime(day.year, day.month, day.day, hour, tzinfo=load_zone(zone)).astimezone(UTC)
