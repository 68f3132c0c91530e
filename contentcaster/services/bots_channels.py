"""The rails of channels and the kill switches: one for everything, one per channel.

A switch cancels, in its own commit, every act that waits: a worker that holds one finds its fence gone and cannot begin
to send. What is on its way at that moment ends; nothing new begins.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select, update
from sqlmodel import Session

from contentcaster import live
from contentcaster.bots.budget import Budget
from contentcaster.bots.hopeless import hopeless_rails
from contentcaster.bots.rails import DEFAULT_CAPS, Rails
from contentcaster.bots.rules import parse_model
from contentcaster.clock import utc_now
from contentcaster.engine.ledger import cancel_jobs
from contentcaster.errors import InvalidInput, NotFound
from contentcaster.models import (
    CLAIMABLE,
    Account,
    ActAction,
    ActState,
    BotAct,
    BotChannel,
    BotSwitch,
    Job,
    JobState,
)
from contentcaster.security.permissions import Permission, Principal
from contentcaster.services import audit, bots_log
from contentcaster.services.platforms import channel_name

TOPIC = "bots"
_BATCH = 500


@dataclass(frozen=True)
class StopState:
    is_stopped: bool
    by: str = ""
    reason: str = ""
    at: datetime | None = None


def all_stopped(session: Session) -> StopState:
    """The switch for all bots."""
    row = session.get(BotSwitch, "all")
    return StopState(False) if row is None else _state(row)


def stop_reason(session: Session, account_id: str) -> str:
    """Why nothing may go out through this channel now; "" if it may."""
    everything = all_stopped(session)
    if everything.is_stopped:
        return f"all bots are stopped by {everything.by}"
    row = session.get(BotChannel, account_id)
    if row is not None and row.stopped_at is not None:
        return f"the bots of this channel are stopped by {row.stopped_by}: {row.reason}".rstrip(": ")
    return ""


def stop_all(session: Session, principal: Principal, reason: str = "") -> int:
    """Stop every bot now; returns how many waiting acts were called off."""
    principal.require(Permission.MANAGE_BOTS)
    row = session.get(BotSwitch, "all", with_for_update=True)
    if row is None:
        row = BotSwitch()
        session.add(row)
    row.stopped_at, row.stopped_by, row.reason = utc_now(), principal.name, reason.strip()[:500]
    session.flush()
    called_off = _call_off(session, None, principal.name)
    why = f"all bots; {called_off} waiting acts called off" + (f": {row.reason}" if row.reason else "")
    tell(session, principal.name, "stopped", why)
    audit.record(session, principal, "bots.stopped", details={"reason": row.reason, "called_off": called_off})
    return called_off


def resume_all(session: Session, principal: Principal) -> None:
    principal.require(Permission.MANAGE_BOTS)
    row = session.get(BotSwitch, "all", with_for_update=True)
    if row is None or row.stopped_at is None:
        return
    row.stopped_at, row.stopped_by, row.reason = None, "", ""
    tell(session, principal.name, "resumed", "all bots")
    audit.record(session, principal, "bots.resumed")


def stop_channel(session: Session, principal: Principal, account_id: str, reason: str = "") -> int:
    """Stop the bots of one channel now; returns how many waiting acts were called off."""
    principal.require(Permission.MANAGE_BOTS)
    called_off = stop_by_itself(session, account_id, reason=reason.strip()[:500], by=principal.name)
    audit.record(
        session, principal, "bots.channel_stopped", "account", account_id, {"called_off": called_off}
    )
    return called_off


def stop_by_itself(
    session: Session, account_id: str, *, reason: str, by: str = "ContentCaster", at: datetime | None = None
) -> int:
    """What an alarm does; also the inside of `stop_channel`."""
    row = locked_channel(session, account_id)
    if row.stopped_at is not None:
        return 0
    row.stopped_at, row.stopped_by, row.reason = at or utc_now(), by, reason
    session.flush()
    called_off = _call_off(session, account_id, by)
    tell(session, by, "stopped", f"{reason or 'by hand'}; {called_off} waiting acts called off", account_id)
    return called_off


def resume_channel(session: Session, principal: Principal, account_id: str) -> None:
    principal.require(Permission.MANAGE_BOTS)
    row = locked_channel(session, account_id)
    row.stopped_at, row.stopped_by, row.reason = None, "", ""
    tell(session, principal.name, "resumed", "by hand", account_id)
    audit.record(session, principal, "bots.channel_resumed", "account", account_id)


def save_rails(session: Session, principal: Principal, account_id: str, values: dict[str, Any]) -> Rails:
    """Set caps, quiet hours, lists and alarms of a channel.

    Raises:
        InvalidInput: field -> reason, for what contradicts itself or does not exist.
        NotFound: no such channel.
    """
    principal.require(Permission.MANAGE_BOTS)
    account_of(session, account_id)
    rails: Rails = parse_model(Rails, values)
    if problems := hopeless_rails(rails):
        raise InvalidInput(f"This cannot be saved. {next(iter(problems.values()))}", fields=problems)
    row = locked_channel(session, account_id)
    row.rails, row.version = rails.model_dump(mode="json"), row.version + 1
    tell(session, principal.name, "changed", "caps, quiet hours or lists", account_id)
    audit.record(session, principal, "bots.rails_changed", "account", account_id)
    return rails


def rails_of(row: BotChannel | None) -> Rails:
    """The rails as saved, else the careful ones that every channel starts with."""
    return Rails.model_validate(row.rails) if row is not None and row.rails else Rails()


def budget_of(row: BotChannel, action: ActAction) -> Budget:
    rails = rails_of(row)
    return Budget(rails.caps.get(action.value, DEFAULT_CAPS[action.value]), rails, row.warm_up_from)


def locked_channel(session: Session, account_id: str) -> BotChannel:
    """The channel's row, made if it is new, locked until the commit: whoever holds it gives budget away alone."""
    row = session.get(BotChannel, account_id, with_for_update=True, populate_existing=True)
    if row is None:
        # Two at once: the second waits here for the first one's commit and then finds its row.
        account = session.get(Account, account_id, with_for_update=True)
        if account is None:
            raise NotFound("This channel does not exist.")
        row = session.get(BotChannel, account_id, with_for_update=True, populate_existing=True)
        if row is None:
            row = BotChannel(account_id=account_id)
            session.add(row)
            session.flush()
    return row


def _call_off(session: Session, account_id: str | None, actor: str) -> int:
    """Cancel what waits, in batches; what is in doubt stays to be looked up.

    Rows that a worker holds at this moment are passed over instead of waited for, so that a switch never takes part in
    a deadlock: the worker meets the switch itself, in `permit` or right before its request.
    """
    query = (
        select(BotAct.id, BotAct.job_id)
        .join(Job, Job.id == BotAct.job_id)
        .where(BotAct.state == ActState.PLANNED, Job.state.in_((*CLAIMABLE, JobState.CLAIMED)))
        .order_by(BotAct.id)
        .limit(_BATCH)
        .with_for_update(skip_locked=True)
    )
    if account_id is not None:
        query = query.where(BotAct.account_id == account_id)
    called_off, last = 0, ""
    while rows := session.execute(query.where(BotAct.id > last)).all():
        last = rows[-1].id
        cancelled = set(cancel_jobs(session, [row.job_id for row in rows], actor=actor))
        stopped = [row.id for row in rows if row.job_id in cancelled]
        session.execute(
            update(BotAct)
            .where(BotAct.id.in_(stopped))
            .values(state=ActState.STOPPED, slot_at=None, version=BotAct.version + 1)
            .execution_options(synchronize_session=False)
        )
        called_off += len(stopped)
    return called_off


def tell(session: Session, actor: str, outcome: str, why: str, account_id: str = "") -> None:
    """A line of the log about a channel, or all of them, and word to the open pages."""
    channel = channel_name(account_of(session, account_id)) if account_id else "all channels"
    line = bots_log.Line(
        bot="all",
        action="switch",
        outcome=outcome,
        why=why,
        actor=actor,
        account_id=account_id,
        channel=channel,
    )
    bots_log.write(session, [line])
    live.note(session, TOPIC)


def account_of(session: Session, account_id: str) -> Account:
    """The channel. Raises NotFound."""
    account = session.get(Account, account_id)
    if account is None or account.deleted_at is not None:
        raise NotFound("This channel does not exist.")
    return account


def _state(row: BotSwitch | BotChannel) -> StopState:
    return StopState(row.stopped_at is not None, row.stopped_by, row.reason, row.stopped_at)


def channel_stop_state(row: BotChannel | None) -> StopState:
    return StopState(False) if row is None else _state(row)


@dataclass
class SlotsTaken:
    """Places in a channel's budget that are given away: past ones that went out and future ones that are planned.

    Asks the database for the few that decide; each is one walk along the end of an index. `only_sent` leaves out what
    is planned and has not gone out.
    """

    session: Session
    account_id: str
    action: ActAction
    since: datetime
    without: str = ""
    only_sent: bool = False

    def __post_init__(self) -> None:
        self._newest: dict[int, datetime | None] = {}

    def newest(self, number: int) -> datetime | None:
        if number not in self._newest:
            at = self._at
            query = self._query(select(at)).order_by(at.desc()).offset(number - 1).limit(1)
            self._newest[number] = self.session.execute(query).scalar()
        return self._newest[number]

    def count_since(self, moment: datetime) -> int:
        query = self._query(select(func.count()).select_from(BotAct)).where(self._at > moment)
        return int(self.session.execute(query).scalar_one())

    @property
    def _at(self) -> Any:
        # What was permitted has both times, and they are the same.
        return BotAct.permitted_at if self.only_sent else BotAct.slot_at

    def _query(self, query: Select[Any]) -> Select[Any]:
        return query.where(
            BotAct.account_id == self.account_id,
            BotAct.action == self.action,
            self._at > self.since,
            BotAct.id != self.without,
        )
