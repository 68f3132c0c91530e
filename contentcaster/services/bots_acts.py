"""From "this would be a good act" to a job of the ledger: policy, text, mode, budget, decided in one transaction.

Each act is unique by channel, action and target. Its job is made only with a slot of the budget, and `permit` checks
that slot again right before the sending, because a worker may have been away in between.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlmodel import Session

from contentcaster import live
from contentcaster.bots import reply_check
from contentcaster.bots.candidates import Candidate, label, pack, unpack
from contentcaster.engine import ledger
from contentcaster.models import (
    Account,
    ActAction,
    ActState,
    BotAct,
    BotChannel,
    BotMode,
    BotRule,
)
from contentcaster.models.types import new_id
from contentcaster.platforms import get_connector
from contentcaster.platforms.acts import judge
from contentcaster.platforms.bluesky_record import make_tid
from contentcaster.services import bots_log, bots_put_off
from contentcaster.services.bots_channels import (
    TOPIC,
    SlotsTaken,
    budget_of,
    locked_channel,
    rails_of,
    stop_reason,
)
from contentcaster.services.bots_log import Line
from contentcaster.services.platforms import channel_name, text_rule_of

HORIZON = timedelta(hours=24)
"""No slot is promised further ahead; what finds none waits for a later run."""
BUDGET_SPENT = "the budget of the next day is spent"
_DAY = timedelta(days=1)
_KEY_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
_AGAIN = (ActState.DRY_RUN, ActState.STOPPED)
GROWTH = (ActAction.FOLLOW, ActAction.UNFOLLOW)
_dice = random.Random()


@dataclass(frozen=True, kw_only=True)
class Proposal:
    action: ActAction
    candidate: Candidate
    why: str
    text: str = ""
    is_ai: bool = False


@dataclass(frozen=True)
class Told:
    """What became of a proposal; `outcome` is a word of the log, or "known" where there is nothing new to say."""

    outcome: str
    why: str
    slot_at: datetime | None = None
    budget: str = ""


def target_ref(action: ActAction, candidate: Candidate) -> str:
    return candidate.author_ref if action in GROWTH else candidate.ref


def dedupe_key(account_id: str, action: ActAction, ref: str) -> str:
    key = f"{action.value}:{account_id}:{ref}"
    return key if len(key) <= 150 else f"{key[:100]}:{hashlib.sha256(key.encode()).hexdigest()[:40]}"


def record_key_of(account_id: str, action: ActAction, ref: str) -> str:
    """The key of the record that an act makes, where the network lets us choose it: the same act is the same record."""
    # Unfollowing takes back the record that following made, so both have its key.
    made_by = ActAction.FOLLOW if action is ActAction.UNFOLLOW else action
    return make_tid(dedupe_key(account_id, made_by, ref), _KEY_EPOCH)


def check(
    session: Session, account: Account, channel: BotChannel, proposal: Proposal, now: datetime
) -> tuple[str, bool]:
    """Why this must not be done ("" if it may), and whether a person has to decide."""
    candidate = proposal.candidate
    verdict = judge(
        account.platform,
        proposal.action.value,
        has_tagged_us=candidate.has_tagged_us,
        is_ai=proposal.is_ai,
    )
    if not verdict.is_allowed:
        return verdict.why, False
    if not target_ref(proposal.action, candidate):
        return "there is nothing on the network to act on", False
    if proposal.action is ActAction.REPLY:
        if not candidate.has_tagged_us and _has_answered(session, account.id, candidate, now):
            return "this person was answered within the last day and has not written back", False
        problem = reply_check.find_problem(
            proposal.text,
            rule=text_rule_of(account),
            rails=rails_of(channel),
            target_handle=candidate.handle,
            earlier=earlier_replies(session, account.id, now),
        )
        if problem:
            return f"the reply was not sent: {problem}", False
    return "", verdict.needs_person


def _has_answered(session: Session, account_id: str, candidate: Candidate, now: datetime) -> bool:
    """Whether another reply to the same person waits or went out within a day; nobody is answered post by post."""
    found = session.execute(
        select(BotAct.id)
        .where(
            BotAct.account_id == account_id,
            BotAct.action == ActAction.REPLY,
            BotAct.created_at > now - _DAY,
            BotAct.state.in_((ActState.WAITING, ActState.PLANNED, ActState.DONE, ActState.IN_DOUBT)),
            BotAct.target["author_ref"].as_string() == candidate.author_ref,
            BotAct.target_ref != candidate.ref,
        )
        .limit(1)
    ).scalar()
    return found is not None


def earlier_replies(session: Session, account_id: str, now: datetime) -> Sequence[str]:
    query = select(BotAct.text).where(
        BotAct.account_id == account_id, BotAct.action == ActAction.REPLY, BotAct.slot_at > now - _DAY
    )
    return list(session.execute(query.limit(200)).scalars())


def propose(
    session: Session,
    rule: BotRule,
    account: Account,
    proposal: Proposal,
    *,
    now: datetime,
    dice: random.Random,
) -> Told:
    """Enter an act by the mode of its rule: only say so, ask a person, or plan it within the caps."""
    channel = locked_channel(session, account.id)
    if reason := stop_reason(session, account.id):
        return Told("known", reason)
    ref = target_ref(proposal.action, proposal.candidate)
    key = dedupe_key(account.id, proposal.action, ref)
    act = session.execute(select(BotAct).where(BotAct.dedupe_key == key)).scalar_one_or_none()
    if act is not None and not (act.state in _AGAIN and rule.mode is not BotMode.DRY_RUN):
        return Told("known", "was considered before")
    problem, needs_person = check(session, account, channel, proposal, now)
    is_new = act is None
    if act is None:
        act = BotAct(dedupe_key=key, account_id=account.id, bot=rule.bot, action=proposal.action,
                     target_ref=ref, state=ActState.DRY_RUN, created_at=now)  # fmt: skip
        session.add(act)
    act.rule_id, act.text, act.is_ai, act.why = rule.id, proposal.text, proposal.is_ai, proposal.why
    act.target = pack(proposal.candidate)
    told = _enter(session, rule, account, channel, act, problem, needs_person, now, dice)
    if told.outcome == "known":
        if is_new:  # nothing came of it, so it may be proposed again
            session.expunge(act) if act in session.new else session.delete(act)
        return told
    session.flush()
    bots_log.write(session, [line_of(act, rule.name, account, told.outcome, told.why, now, told.budget)])
    live.note(session, TOPIC)
    return told


def _enter(
    session: Session,
    rule: BotRule,
    account: Account,
    channel: BotChannel,
    act: BotAct,
    problem: str,
    needs_person: bool,
    now: datetime,
    dice: random.Random,
) -> Told:
    if problem:
        act.state = ActState.REFUSED
        return Told("refused", problem)
    if rule.mode is BotMode.DRY_RUN:
        act.state = ActState.DRY_RUN
        return Told("would_do", act.why, budget=budget_left(session, channel, act.action, now))
    if rule.mode is BotMode.APPROVE or needs_person:
        act.state = ActState.WAITING
        return Told("waiting", act.why)
    slot = plan(session, account, channel, act, now=now, dice=dice)
    if slot is None:
        return Told("known", BUDGET_SPENT)
    return Told("planned", act.why, slot, budget_left(session, channel, act.action, now))


def plan(
    session: Session, account: Account, channel: BotChannel, act: BotAct, *, now: datetime, dice: random.Random,
    actor: str = "",
) -> datetime | None:  # fmt: skip
    """Take a slot of the budget and make the job; None if the next day has none left. The channel's row is locked."""
    budget = budget_of(channel, act.action)
    taken = SlotsTaken(session, account.id, act.action, now - _DAY, without=act.id)
    slot = budget.next_slot(taken, now, jitter_seconds=dice.uniform(0, budget.cap.jitter_seconds))
    if slot > now + HORIZON:
        return None
    act.state, act.slot_at, act.permitted_at, act.tries = ActState.PLANNED, slot, None, act.tries + 1
    act.snoozes_told = 0
    session.add(act)
    session.flush()
    act.job_id = ledger.add_jobs(session, [_job(account, act, slot, now)], actor=actor or "bot")[0]
    session.flush()
    return slot


def _job(account: Account, act: BotAct, slot: datetime, now: datetime) -> ledger.NewJob:
    key = new_id()
    if act.action is ActAction.REPLY:
        client_ref = get_connector(account.platform).new_client_ref(key, slot)
    else:
        client_ref = record_key_of(account.id, act.action, act.target_ref)
    candidate = unpack(act.target)
    return ledger.NewJob(
        queue="growth" if act.action in GROWTH else "engagement",
        kind=act.action.value,
        dedupe_key=act.dedupe_key if act.tries == 1 else f"{act.dedupe_key}#{act.tries}",
        account_id=account.id,
        payload={
            "act_id": act.id,
            "target_ref": act.target_ref,
            "extra": candidate.extra,
            "target_url": candidate.url,
            "text": act.text,
            "options": {"visibility": "unlisted"} if act.action is ActAction.REPLY else {},
            "created_at": now.isoformat(),
        },
        due_at=slot,
        expires_at=slot + HORIZON,
        idempotency_key=key,
        client_ref=client_ref,
        priority=150,
    )


def permit(
    session: Session,
    job_id: int,
    fence: int,
    act_id: str,
    *,
    due_at: datetime,
    now: datetime,
    dice: random.Random = _dice,
) -> str:
    """The last check before the sending, in the transaction that spends the budget; "" if it may go out.

    Otherwise the job was cancelled or put off in this transaction, and the answer says why.
    """
    act = session.get(BotAct, act_id)
    if act is None or act.job_id != job_id:
        ledger.cancel_jobs(session, [job_id], actor="bot")
        return "its act is gone"
    channel = locked_channel(session, act.account_id)
    session.refresh(act)
    if reason := stop_reason(session, act.account_id):
        if ledger.cancel_jobs(session, [job_id], actor="bot"):
            act.state, act.slot_at, act.permitted_at = ActState.STOPPED, None, None
        return reason
    account = session.get_one(Account, act.account_id)
    verdict = judge(account.platform, act.action.value, has_tagged_us=unpack(act.target).has_tagged_us)
    if not verdict.is_allowed:
        ledger.cancel_jobs(session, [job_id], actor="bot")
        act.state, act.slot_at, act.permitted_at = ActState.REFUSED, None, None
        return verdict.why
    budget, at = budget_of(channel, act.action), max(now, due_at)
    sent = SlotsTaken(session, act.account_id, act.action, at - _DAY, without=act.id, only_sent=True)
    if budget.next_slot(sent, at) == at:
        act.state, act.slot_at, act.permitted_at = ActState.PLANNED, at, at
        return ""
    return bots_put_off.words(bots_put_off.put_off(session, act, fence, budget, at=at, dice=dice))


def budget_left(session: Session, channel: BotChannel, action: ActAction, now: datetime) -> str:
    """ "17 of 20 today", counting what is planned for the next day as spent."""
    budget = budget_of(channel, action)
    taken = SlotsTaken(session, channel.account_id, action, now - _DAY)
    return budget.left(taken, now)


def line_of(
    act: BotAct,
    rule_name: str,
    account: Account,
    outcome: str,
    why: str,
    now: datetime,
    budget: str = "",
    **more: Any,
) -> Line:
    candidate = unpack(act.target)
    return Line(
        bot=act.bot.value,
        action=act.action.value,
        outcome=outcome,
        why=why,
        target=candidate.handle if act.action in GROWTH else label(candidate),
        target_url=candidate.url,
        budget=budget,
        rule_id=act.rule_id or "",
        rule_name=rule_name,
        account_id=account.id,
        channel=channel_name(account),
        job_id=act.job_id,
        act_id=act.id,
        at=now,
        **more,
    )
