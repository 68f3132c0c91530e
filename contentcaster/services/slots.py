"""Queue slots: a channel's weekly times, the next one that is free, and posts put into it.

A slot is taken by a post that goes (or went) out on the channel in that minute, however it got that time. So moving or
cancelling a post frees its slot by itself. Slots are given out under a lock on the channels' plans, and the key of
`slot_booking` refuses a second post all the same.

A weekly time that the clocks skip goes out as much later as they skip; one that comes twice counts once, the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import delete, select
from sqlmodel import Session

from contentcaster import live
from contentcaster.clock import utc_now
from contentcaster.errors import Conflict, InvalidInput
from contentcaster.models import Account, Post, PostStatus, SlotBooking, SlotPlan, SlotTime, Target
from contentcaster.security.permissions import Permission, Principal
from contentcaster.services import accounts, audit, posts
from contentcaster.services.drafts import PostDraft
from contentcaster.services.platforms import channel_name, channel_view
from contentcaster.services.schedule import Schedule, known_zone, load_zone, wall_time_in
from contentcaster.services.views import ChannelView, PostDetail

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MAX_TIMES = 24 * 7
LEAD = timedelta(minutes=1)
"""A slot that is nearer than this is over."""

_STEP = timedelta(weeks=8)
_HORIZON = timedelta(weeks=52)
_HOLDING = tuple(
    status
    for status in PostStatus
    if status not in (PostStatus.DRAFT, PostStatus.CANCELLED, PostStatus.FAILED, PostStatus.MISSED)
)


@dataclass(frozen=True)
class SlotTimeView:
    weekday: int
    """0 is Monday."""
    time: str
    """09:30"""


@dataclass(frozen=True)
class SlotPlanView:
    account_id: str
    channel: ChannelView
    timezone: str
    times: list[SlotTimeView]
    next_free_at: datetime | None
    """None: no times are set, or a year is full."""
    is_manageable: bool
    version: int
    """0: no plan was ever saved."""


@dataclass(frozen=True)
class FreeSlot:
    at: datetime
    wall_time: str
    timezone: str
    account_ids: list[str]
    """The channels whose slot it is."""
    note: str
    """What to know about it, "" if nothing."""


@dataclass(frozen=True)
class SlotView:
    """A free slot on a calendar."""

    at: datetime
    account_id: str
    channel: ChannelView


# The weekly times


def list_plans(session: Session, principal: Principal) -> list[SlotPlanView]:
    """A plan for each channel that the person may see, empty where none was made yet."""
    views = accounts.list_accounts(session, principal)
    rows = accounts.rows_of(session, [view.id for view in views])
    return [_view(session, principal, rows[view.id]) for view in views if view.id in rows]


def get_plan(session: Session, principal: Principal, account_id: str) -> SlotPlanView:
    """The plan of one channel. Raises NotFound."""
    view = accounts.get_account(session, principal, account_id)
    return _view(session, principal, accounts.rows_of(session, [view.id])[view.id])


def set_plan(
    session: Session,
    principal: Principal,
    account_id: str,
    *,
    timezone: str,
    times: Sequence[tuple[int, str]],
    version: int | None = None,
) -> SlotPlanView:
    """Replace a channel's weekly times, (weekday, "09:30") each. Posts that have a time keep it.

    Raises:
        InvalidInput: fields "timezone", "times".
        Conflict: somebody changed the plan since `version`.
    """
    account = accounts.get_for_change(session, principal, account_id)
    load_zone(timezone)
    wanted = {_checked(weekday, time) for weekday, time in times}
    if len(wanted) > MAX_TIMES:
        raise InvalidInput(f"A channel may have at most {MAX_TIMES} slots a week.", field="times")
    plan = session.get(SlotPlan, account.id, with_for_update=True, populate_existing=True)
    if version is not None and version != (plan.version if plan else 0):
        raise Conflict(
            "Somebody else changed these slots meanwhile. Look at them again; nothing was changed."
        )
    plan = plan or SlotPlan(account_id=account.id, version=0)
    plan.timezone, plan.updated_at, plan.version = timezone, utc_now(), plan.version + 1
    session.add(plan)
    session.flush()
    session.execute(delete(SlotTime).where(SlotTime.account_id == account.id))
    session.add_all(
        SlotTime(account_id=account.id, weekday=weekday, minute=minute) for weekday, minute in wanted
    )
    session.flush()
    audit.record(
        session,
        principal,
        "slots.changed",
        "account",
        account.id,
        {"timezone": timezone, "slots": len(wanted)},
    )
    live.note(session, "slots")
    return _view(session, principal, account)


def _checked(weekday: int, time: str) -> tuple[int, int]:
    hours, _, minutes = time.strip().partition(":")
    is_time = hours.isascii() and hours.isdigit() and minutes[:2].isascii() and minutes[:2].isdigit()
    if not is_time or len(minutes) < 2 or int(hours) > 23 or int(minutes[:2]) > 59:
        raise InvalidInput(f"{time[:20]!r} is no time of day. Write it like 09:30.", field="times")
    if not 0 <= weekday <= 6:
        raise InvalidInput("A weekday is a number from 0 (Monday) to 6 (Sunday).", field="times")
    return weekday, int(hours) * 60 + int(minutes[:2])


def expand(times: Iterable[tuple[int, int]], timezone: str, start: datetime, end: datetime) -> list[datetime]:
    """The instants in [start, end) of weekly times (weekday, minute) by the clocks of that zone, in order."""
    zone = load_zone(known_zone(timezone))
    by_weekday: dict[int, list[int]] = {}
    for weekday, minute in times:
        by_weekday.setdefault(weekday, []).append(minute)
    found: set[datetime] = set()
    day: date = start.astimezone(zone).date() - timedelta(days=1)
    last = end.astimezone(zone).date() + timedelta(days=1)
    while day <= last:
        for minute in by_weekday.get(day.weekday(), ()):
            # fold 0: the first of two readings; in a gap the reading by the clocks before, which is later.
            local = datetime(day.year, day.month, day.day, minute // 60, minute % 60, tzinfo=zone)
            at = local.astimezone(UTC)
            if start <= at < end:
                found.add(at)
        day += timedelta(days=1)
    return sorted(found)


# Free slots


def next_free(
    session: Session, principal: Principal, account_ids: Sequence[str], *, now: datetime | None = None
) -> FreeSlot:
    """The next free slot for a post on these channels, to show; only the functions below give it out.

    It is the first one that all chosen channels with slots have free; where their times never meet, the first of any.

    Raises:
        InvalidInput: field "scheduled_at": no chosen channel has slots, or all are taken for a year.
    """
    principal.require(Permission.COMPOSE)
    usable = accounts.usable_accounts(session, principal, list(account_ids))
    return _first_free(session, usable, now or utc_now())


def list_free_between(
    session: Session, principal: Principal, start: datetime, end: datetime, *, limit: int = 1000
) -> list[SlotView]:
    """Free slots of all channels that the person may use, from now on: what a calendar shows as places to fill."""
    start = max(start, utc_now() + LEAD)
    if start >= end:
        return []
    rows = accounts.rows_of(
        session, [view.id for view in accounts.list_channels_for_compose(session, principal)]
    )
    plans = _plans(session, rows)
    taken = _taken(session, plans, start, end)
    found = [
        SlotView(at, account_id, channel_view(rows[account_id]))
        for account_id, (zone, times) in plans.items()
        for at in expand(times, zone, start, end)
        if at not in taken[account_id]
    ]
    return sorted(found, key=lambda slot: (slot.at, slot.account_id))[:limit]


def _first_free(
    session: Session,
    usable: dict[str, Account],
    now: datetime,
    given: dict[str, set[datetime]] | None = None,
) -> FreeSlot:
    """`given` are slots that this transaction has given out already, per channel."""
    plans = _plans(session, usable)
    if not plans:
        raise InvalidInput(_no_slots(usable), field="scheduled_at")
    start = now + LEAD
    is_meeting = bool(_common(plans, start, start + _STEP, {}))
    until = now + _HORIZON
    while start < until:
        end = start + _STEP
        taken = _taken(session, plans, start, end)
        for account_id, times in (given or {}).items():
            taken.setdefault(account_id, set()).update(times)
        if is_meeting:
            free = _common(plans, start, end, taken)
            if free:
                return _free_slot(free[0], plans, list(plans), usable)
        else:
            first = min(
                (
                    (at, account_id)
                    for account_id, (zone, times) in plans.items()
                    for at in expand(times, zone, start, end)
                    if at not in taken[account_id]
                ),
                default=None,
            )
            if first is not None:
                return _free_slot(first[0], plans, [first[1]], usable)
        start = end
    raise InvalidInput(
        "Every slot of these channels is taken for a year. Add slots, or choose a time yourself.",
        field="scheduled_at",
    )


_Plans = dict[str, tuple[str, list[tuple[int, int]]]]
"""Account id -> zone and (weekday, minute) of each slot."""


def _common(plans: _Plans, start: datetime, end: datetime, taken: dict[str, set[datetime]]) -> list[datetime]:
    free = [
        set(expand(times, zone, start, end)) - taken.get(account_id, set())
        for account_id, (zone, times) in plans.items()
    ]
    return sorted(set.intersection(*free))


def _free_slot(at: datetime, plans: _Plans, ids: list[str], usable: dict[str, Account]) -> FreeSlot:
    zone = known_zone(plans[ids[0]][0])
    others = [channel_name(usable[account_id]) for account_id in usable if account_id not in ids]
    note = ""
    if others:
        note = (
            f"It is a slot of {channel_name(usable[ids[0]])}"
            if len(ids) == 1
            else "It is a slot of the others"
        )
        note += f"; {', '.join(others[:3])} {'has' if len(others) == 1 else 'have'} none at that time."
    return FreeSlot(at, wall_time_in(at, zone), zone, ids, note)


def _no_slots(usable: dict[str, Account]) -> str:
    if not usable:
        return "Choose a channel first: each channel has its own queue."
    names = ", ".join(channel_name(account) for account in list(usable.values())[:3])
    return f"{names}: no queue times are set yet. Set them under Queue slots, or choose a time yourself."


def _plans(session: Session, rows: Iterable[str]) -> _Plans:
    found: _Plans = {}
    for account_id, zone, weekday, minute in session.execute(
        select(SlotPlan.account_id, SlotPlan.timezone, SlotTime.weekday, SlotTime.minute)
        .join(SlotTime, SlotTime.account_id == SlotPlan.account_id)
        .where(SlotPlan.account_id.in_(list(rows)))
        .order_by(SlotPlan.account_id, SlotTime.weekday, SlotTime.minute)
    ):
        found.setdefault(account_id, (zone, []))[1].append((weekday, minute))
    return found


def _taken(
    session: Session, account_ids: Iterable[str], start: datetime, end: datetime
) -> dict[str, set[datetime]]:
    """Per channel the minutes in which a post goes out."""
    taken: dict[str, set[datetime]] = {account_id: set() for account_id in account_ids}
    rows = session.execute(
        select(Target.account_id, Post.scheduled_at)
        .join(Post, Post.id == Target.post_id)
        .where(
            Post.status.in_(_HOLDING),
            Post.scheduled_at >= start - timedelta(minutes=1),
            Post.scheduled_at < end,
            Post.deleted_at.is_(None),
            Target.account_id.in_(list(taken)),
            Target.part == 0,
        )
    )
    for account_id, at in rows:
        taken[account_id].add(at.replace(second=0, microsecond=0))
    return taken


# Posts into slots


def create_in_queue(
    session: Session, principal: Principal, draft: PostDraft, *, is_asking_approval: bool = False
) -> PostDetail:
    """A new post in the next free slot of its channels. Raises as `posts.create_post` and `next_free`."""
    slot = _take(session, principal, [target.account_id for target in draft.targets])
    when = Schedule.at(slot.at, slot.timezone)
    post = posts.create_post(session, principal, draft, when, is_asking_approval=is_asking_approval)
    return _hold(session, slot, post)


def update_into_queue(
    session: Session,
    principal: Principal,
    post_id: str,
    draft: PostDraft,
    *,
    version: int,
    is_asking_approval: bool = False,
) -> PostDetail:
    """Change a post and put it into the next free slot. Raises as `posts.update_post` and `next_free`."""
    slot = _take(session, principal, [target.account_id for target in draft.targets])
    when = Schedule.at(slot.at, slot.timezone)
    post = posts.update_post(
        session,
        principal,
        post_id,
        draft,
        version=version,
        when=when,
        is_asking_approval=is_asking_approval,
    )
    return _hold(session, slot, post)


def add_to_queue(
    session: Session, principal: Principal, post_id: str, *, version: int | None = None
) -> PostDetail:
    """Put a post as it stands into the next free slot. Raises as `posts.schedule_post` and `next_free`."""
    post = posts.get_post(session, principal, post_id)
    slot = _take(session, principal, list(dict.fromkeys(target.account_id for target in post.targets)))
    when = Schedule.at(slot.at, slot.timezone)
    return _hold(session, slot, posts.schedule_post(session, principal, post_id, when, version=version))


def _take(session: Session, principal: Principal, account_ids: Sequence[str]) -> FreeSlot:
    principal.require(Permission.COMPOSE)
    usable = accounts.usable_accounts(session, principal, list(account_ids))
    _lock_plans(session, list(usable))
    return _first_free(session, usable, utc_now())


def _lock_plans(session: Session, account_ids: Sequence[str]) -> None:
    """From here to the commit nobody else gets a slot of these channels; always locked in this order."""
    session.execute(
        select(SlotPlan.account_id)
        .where(SlotPlan.account_id.in_(account_ids))
        .order_by(SlotPlan.account_id)
        .with_for_update()
    ).all()


def take_many(session: Session, principal: Principal, wanted: Sequence[Sequence[str]]) -> list[FreeSlot]:
    """A slot for each of many posts, named by their channels, in order; for posts made in this transaction.

    Raises:
        InvalidInput: as `next_free`, if there is none for one of them.
    """
    principal.require(Permission.COMPOSE)
    ids = sorted({account_id for account_ids in wanted for account_id in account_ids})
    usable = accounts.usable_accounts(session, principal, ids)
    _lock_plans(session, ids)
    given: dict[str, set[datetime]] = {account_id: set() for account_id in usable}
    found: list[FreeSlot] = []
    since = dict.fromkeys({tuple(account_ids) for account_ids in wanted}, utc_now())
    for account_ids in wanted:
        chosen = {account_id: usable[account_id] for account_id in account_ids if account_id in usable}
        slot = _first_free(session, chosen, since[tuple(account_ids)], given)
        since[tuple(account_ids)] = slot.at
        for account_id in account_ids:
            given[account_id].add(slot.at)
        found.append(slot)
    return found


def _hold(session: Session, slot: FreeSlot, post: PostDetail) -> PostDetail:
    # Whoever held it before does not go out at that time any more, or it would not have been free.
    session.execute(
        delete(SlotBooking).where(SlotBooking.account_id.in_(slot.account_ids), SlotBooking.at == slot.at)
    )
    session.add_all(
        SlotBooking(account_id=account_id, at=slot.at, post_id=post.id) for account_id in slot.account_ids
    )
    session.flush()
    live.note(session, "slots")
    return post


def _view(session: Session, principal: Principal, account: Account) -> SlotPlanView:
    plan = session.get(SlotPlan, account.id, populate_existing=True)
    _zone, times = _plans(session, [account.id]).get(account.id, ("", []))
    next_at: datetime | None = None
    if times:
        try:
            next_at = _first_free(session, {account.id: account}, utc_now()).at
        except InvalidInput:
            next_at = None
    return SlotPlanView(
        account_id=account.id,
        channel=channel_view(account),
        timezone=plan.timezone if plan else known_zone(principal.timezone),
        times=[SlotTimeView(weekday, f"{minute // 60:02}:{minute % 60:02}") for weekday, minute in times],
        next_free_at=next_at,
        is_manageable=principal.can(Permission.MANAGE_ACCOUNTS),
        version=plan.version if plan else 0,
    )


def describe_clock_changes(times: Sequence[tuple[int, int]], timezone: str, start: datetime) -> list[str]:
    """Sentences about slots of the coming year that fall into a clock change, for people."""
    zone = load_zone(known_zone(timezone))
    sentences: list[Any] = []
    day = start.astimezone(zone).date()
    for _ in range(366):
        for weekday, minute in times:
            if weekday != day.weekday():
                continue
            local = datetime(day.year, day.month, day.day, minute // 60, minute % 60, tzinfo=zone)
            back = local.astimezone(UTC).astimezone(zone)
            shown = f"{day:%a} {day.day} {day:%b %Y}"
            if back.replace(tzinfo=None) != local.replace(tzinfo=None):
                sentences.append(
                    f"{local:%H:%M} does not exist on {shown}: that slot goes out at {back:%H:%M}."
                )
            elif local.utcoffset() != local.replace(fold=1).utcoffset():
                sentences.append(
                    f"{local:%H:%M} comes twice on {shown}: that slot goes out once, the first time."
                )
        day += timedelta(days=1)
    return sentences
