"""The Bots page at a glance: per bot, per channel with what is left of its caps, follower growth; and "Simulate"."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlmodel import Session

from contentcaster.bots.budget import Budget, is_quiet
from contentcaster.bots.candidates import label
from contentcaster.clock import utc_now
from contentcaster.db import Database
from contentcaster.engine.outcomes import Refused
from contentcaster.errors import Conflict, NotFound
from contentcaster.models import (
    Account,
    ActAction,
    ActState,
    BotAct,
    BotChannel,
    BotFollowers,
    BotKind,
    BotRule,
)
from contentcaster.platforms import get_connector
from contentcaster.platforms.base import ConnectorError
from contentcaster.security.permissions import Permission, Principal
from contentcaster.services import bots_acts, bots_channels, bots_log
from contentcaster.services.bots_decide import Decision
from contentcaster.services.bots_gather import Reading, gather, read_rule
from contentcaster.services.bots_networks import acts_of
from contentcaster.services.bots_run import RunExecutor, plan_decisions
from contentcaster.services.bots_views import (
    BotChannelView,
    BotState,
    CapView,
    FollowerPoint,
    SimulatedAct,
    SwitchView,
)
from contentcaster.services.platforms import channel_view

_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
_MAX_SIMULATED = 60


def get_switch(session: Session, principal: Principal) -> SwitchView:
    """The kill switch for all bots."""
    principal.require(Permission.VIEW_BOTS)
    state = bots_channels.all_stopped(session)
    return SwitchView(state.is_stopped, state.by, state.reason, state.at)


def list_bots(session: Session, principal: Principal, *, now: datetime | None = None) -> list[BotState]:
    """Finder, engagement and growth: rules, acts and the last 24 hours."""
    principal.require(Permission.VIEW_BOTS)
    now = now or utc_now()
    rules: dict[tuple[str, bool], int] = {}
    for bot, is_enabled, number in session.execute(
        select(BotRule.bot, BotRule.is_enabled, func.count())
        .where(BotRule.deleted_at.is_(None))
        .group_by(BotRule.bot, BotRule.is_enabled)
    ):
        rules[bot, is_enabled] = number
    open_acts = {
        (bot, state): number
        for bot, state, number in session.execute(
            select(BotAct.bot, BotAct.state, func.count())
            .where(BotAct.state.in_((ActState.WAITING, ActState.PLANNED)))
            .group_by(BotAct.bot, BotAct.state)
        )
    }
    hours, refused = _last_day(session, now)
    return [
        BotState(
            bot=bot.value,
            rules=rules.get((bot, True), 0) + rules.get((bot, False), 0),
            enabled=rules.get((bot, True), 0),
            done_day=sum(hours[bot.value]),
            waiting=open_acts.get((bot, ActState.WAITING), 0),
            planned=open_acts.get((bot, ActState.PLANNED), 0),
            refused_day=refused.get(bot.value, 0),
            hours=hours[bot.value],
        )
        for bot in BotKind
    ]


def _last_day(session: Session, now: datetime) -> tuple[dict[str, list[int]], dict[str, int]]:
    hours = {bot.value: [0] * 24 for bot in BotKind}
    refused: dict[str, int] = {}
    for counted in bots_log.count_hours(session, hours=24, now=now):
        if counted.bot not in hours:
            continue
        if counted.outcome == "refused":
            refused[counted.bot] = refused.get(counted.bot, 0) + counted.count
        elif counted.outcome in ("done", "found"):
            hours[counted.bot][23 - counted.hours_ago] += counted.count
    return hours, refused


def list_channels(
    session: Session, principal: Principal, *, now: datetime | None = None
) -> list[BotChannelView]:
    """Every channel that bots can use, with its rails and what is left of its caps."""
    principal.require(Permission.VIEW_BOTS)
    now = now or utc_now()
    accounts = session.execute(
        select(Account).where(Account.deleted_at.is_(None)).order_by(Account.platform, Account.handle)
    ).scalars()
    return [_channel(session, account, now) for account in accounts if acts_of(account.platform) is not None]


def _channel(session: Session, account: Account, now: datetime) -> BotChannelView:
    row = session.get(BotChannel, account.id)
    rails = bots_channels.rails_of(row)
    state = bots_channels.channel_stop_state(row)
    shown = row or BotChannel(account_id=account.id, warm_up_from=now)
    warmth = bots_channels.budget_of(shown, ActAction.LIKE).warmth(now)
    quiet = f"Quiet {rails.quiet_from:%H:%M}–{rails.quiet_to:%H:%M}" if rails.quiet_from else "No quiet hours"
    flag = {
        True: "The network shows this account as automated.",
        False: "The network does not show this account as automated. Its rules ask bots to say so.",
        None: "",
    }[shown.is_flagged_as_bot]
    return BotChannelView(
        channel=channel_view(account),
        is_stopped=state.is_stopped,
        stopped_by=state.by,
        stop_reason=state.reason,
        timezone=rails.timezone,
        quiet=quiet,
        is_quiet_now=is_quiet(rails, now),
        warm_up="" if warmth >= 1 else f"warming up: {warmth:.0%} of its caps",
        flag_note=flag,
        may_flag=shown.is_flagged_as_bot is not True,
        caps=[_cap(session, account, shown, action, now) for action in ActAction],
        followers=shown.followers,
        following=shown.following,
        rails=rails.model_dump(mode="json"),
    )


def _cap(session: Session, account: Account, row: BotChannel, action: ActAction, now: datetime) -> CapView:
    budget: Budget = bots_channels.budget_of(row, action)
    taken = bots_channels.SlotsTaken(session, account.id, action, now - _DAY)
    per_hour, per_day = budget.limit("per_hour", now), budget.limit("per_day", now)
    used_day = taken.count_since(now - _DAY)
    policy = get_connector(account.platform).capabilities.automation[action.value]
    return CapView(
        action=action.value,
        policy=policy.policy.value,
        policy_why=policy.why,
        policy_source=policy.source,
        used_hour=taken.count_since(now - _HOUR),
        per_hour=per_hour,
        used_day=used_day,
        per_day=per_day,
        share=f"{min(100, 100 * used_day // max(1, per_day))}%",
        left=budget.left(taken, now),
        spacing_seconds=budget.cap.spacing_seconds,
        next_at=budget.next_slot(taken, now),
    )


def follower_history(session: Session, principal: Principal, account_id: str) -> list[FollowerPoint]:
    """Followers and following over the last 90 days, oldest first."""
    principal.require(Permission.VIEW_BOTS)
    rows = session.execute(
        select(BotFollowers)
        .where(BotFollowers.account_id == account_id, BotFollowers.at > utc_now() - timedelta(days=90))
        .order_by(BotFollowers.at)
    ).scalars()
    return [FollowerPoint(row.at, row.followers, row.following) for row in rows]


async def simulate(database: Database, principal: Principal, rule_id: str) -> list[SimulatedAct]:
    """What the rule would do now, and why. Reads the network; writes nothing, there or here.

    Raises:
        NotFound: no such rule.
        Conflict: the channel or the network cannot be read now; says why.
    """
    principal.require(Permission.VIEW_BOTS)
    with database.reading() as session:
        reading = read_rule(session, rule_id)
    if reading is None:
        raise NotFound("This rule does not exist.")
    runner = RunExecutor(database)
    channel = await runner.open_for(reading)
    if isinstance(channel, Refused):
        raise Conflict(f"It cannot be simulated now: {channel.message}")
    acts = acts_of(channel.platform)
    if acts is None:
        raise Conflict("Bots have nothing to do on this network.")
    now = utc_now()
    try:
        gathered = await gather(database, reading, channel, acts, now=now)
    except ConnectorError as error:
        raise Conflict(f"It cannot be simulated now: {error.message}") from None
    with database.reading() as session:
        decisions = plan_decisions(session, reading, gathered, now)
        shown = [_simulated(session, reading, item, now) for item in decisions[:_MAX_SIMULATED]]
    problems = [SimulatedAct("read", "", "", "skip", text, "", "") for text in gathered.problems]
    return problems + sorted(shown, key=lambda item: item.would == "skip")


def _simulated(session: Session, reading: Reading, item: Decision, now: datetime) -> SimulatedAct:
    action = item.action.value if item.action else "store"
    base = (action, label(item.candidate), item.candidate.url)
    if not item.is_kept:
        return SimulatedAct(*base, "skip", item.why, "", "")
    if item.action is None:
        return SimulatedAct(*base, "do", f"score {item.score}: {item.why}", "", "now")
    row = session.get(BotChannel, reading.account.id) or BotChannel(
        account_id=reading.account.id, warm_up_from=now
    )
    ref = bots_acts.target_ref(item.action, item.candidate)
    key = bots_acts.dedupe_key(reading.account.id, item.action, ref)
    known = session.execute(select(BotAct.state).where(BotAct.dedupe_key == key)).scalar()
    if known not in (None, ActState.DRY_RUN, ActState.STOPPED):
        return SimulatedAct(*base, "skip", f"considered before: {known.value.replace('_', ' ')}", "", "")
    proposal = bots_acts.Proposal(
        action=item.action, candidate=item.candidate, why=item.why, text=item.text, is_ai=item.is_ai
    )
    if item.draft_for is not None:
        return SimulatedAct(*base, "ask", f"{item.why}; the assistant would write the reply", "", "")
    problem, needs_person = bots_acts.check(session, reading.account, row, proposal, now)
    if problem:
        return SimulatedAct(*base, "refuse", problem, item.text, "")
    budget = bots_channels.budget_of(row, item.action)
    taken = bots_channels.SlotsTaken(session, reading.account.id, item.action, now - _DAY)
    slot = budget.next_slot(taken, now)
    when = f"earliest {slot.astimezone(budget.rails.zone):%H:%M} {budget.rails.timezone}"
    return SimulatedAct(*base, "ask" if needs_person else "do", item.why, item.text, when)
