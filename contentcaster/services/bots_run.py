"""One run of a rule, as a job of the ledger: gather, decide, and enter what comes of it.

A run that is repeated after a crash finds its acts and prospects there already: they are unique in the database.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlmodel import Session

from contentcaster import live
from contentcaster.bots.candidates import Candidate, label, pack
from contentcaster.bots.rules import FinderSpec, GrowthSpec, Then
from contentcaster.clock import utc_now
from contentcaster.db import Database
from contentcaster.engine.ledger import ClaimedJob
from contentcaster.engine.outcomes import LookupOutcome, Published, Refused, SafeToSend, SendOutcome, Snooze
from contentcaster.engine.sender import SendNow
from contentcaster.errors import ContentCasterError
from contentcaster.models import (
    Account,
    ActAction,
    BotFollowers,
    BotMode,
    BotProspect,
    BotRule,
    BotSeen,
)
from contentcaster.platforms.base import Channel, Reauthorise
from contentcaster.services import bots_acts, bots_channels, bots_log
from contentcaster.services.assistant_scores import MAX_FINDS, Fit
from contentcaster.services.bots_decide import Decision, addressed, decide, scored
from contentcaster.services.bots_gather import Gathered, Reading, gather, read_rule
from contentcaster.services.bots_networks import acts_of
from contentcaster.services.platforms import channel_name
from contentcaster.services.publishing import PublishExecutor

Drafter = Callable[[Candidate, Then], Awaitable[str]]
"""Writes a reply. Whatever it returns is checked by code; it is given no secret and no tool."""

Score = Callable[[str, Sequence[Candidate]], Awaitable[dict[int, Fit]]]
"""Says how well finds fit what is wanted; see services/assistant_scores.py."""

_AT_ONCE = {"postgresql": 200, "sqlite": 10}
"""Decisions that are entered in one transaction."""
_KEPT_LINES = 40
_UNUSABLE = Refused(message="The channel cannot be used.")


@dataclass(frozen=True)
class RunReport:
    found: int
    kept: int
    entered: int
    problems: tuple[str, ...] = ()


class RunExecutor(PublishExecutor):
    """Runs rules; one per sender. `clock` and `dice` are a test's own where it wants them."""

    def __init__(
        self,
        database: Database,
        *,
        clock: Callable[[], datetime] = utc_now,
        drafter: Drafter | None = None,
        scorer: Score | None = None,
        dice: random.Random | None = None,
    ) -> None:
        super().__init__(database)
        self._clock = clock
        self._drafter = drafter
        self._scorer = scorer
        self._dice = dice or random.Random()

    async def prepare(self, job: ClaimedJob) -> SendNow | SendOutcome:
        report = await self.run(str(job.payload.get("rule_id") or ""))
        if isinstance(report, Refused | Snooze):
            return report
        words = f"found {report.found}, kept {report.kept}, entered {report.entered}"
        return Published(remote_id=f"run:{job.id}", message=words)

    async def look_up(self, job: ClaimedJob) -> LookupOutcome:
        return SafeToSend(message="A run can be repeated: what it entered is unique.")

    async def run(self, rule_id: str) -> RunReport | Refused | Snooze:
        """Gather, decide, enter. A channel that the network asked to wait reads nothing meanwhile."""
        reading = await asyncio.to_thread(self._read_rule, rule_id)
        if reading is None or not reading.rule.is_enabled:
            return RunReport(0, 0, 0, ("the rule is off or gone",))
        opened = await self._open(reading.account.id)
        if opened.channel is None:
            return opened.refusal or _UNUSABLE
        channel, acts = opened.channel, acts_of(opened.channel.platform)
        if acts is None:
            return RunReport(0, 0, 0, ("this network offers nothing to bots",))
        now = self._clock()
        pause = await asyncio.to_thread(self._pause, opened)
        if pause is not None and pause.until > now:
            return Snooze(
                retry_after_seconds=(pause.until - now).total_seconds(), is_known_limit=True,
                error_class="rate_limited", message=pause.reason,
            )  # fmt: skip
        try:
            gathered = await gather(self._database, reading, channel, acts, now=now)
        except Reauthorise as error:
            return Refused(account_needs_reauthorising=True, error_class=error.code, message=error.message)
        decisions = await asyncio.to_thread(self._decide, reading, gathered, now)
        decisions = [await self._drafted(decision) for decision in decisions]
        if isinstance(reading.spec, FinderSpec) and reading.spec.scoring.use_assistant:
            decisions = await self._scored(reading.spec, decisions, gathered)
        return await asyncio.to_thread(self._enter, reading, gathered, decisions, now)

    async def open_for(self, reading: Reading) -> Channel | Refused:
        opened = await self._open(reading.account.id)
        if opened.channel is None:
            return opened.refusal or _UNUSABLE
        return opened.channel

    def _read_rule(self, rule_id: str) -> Reading | None:
        with self._database.reading() as session:
            reading = read_rule(session, rule_id)
            if reading is None or bots_channels.stop_reason(session, reading.account.id):
                return None
            return reading

    def _decide(self, reading: Reading, gathered: Gathered, now: datetime) -> list[Decision]:
        with self._database.reading() as session:
            decisions = plan_decisions(session, reading, gathered, now)
            seen = _seen(session, reading.rule.id, [_seen_ref(item) for item in decisions])
        return [item for item in decisions if _seen_ref(item) not in seen]

    async def _scored(
        self, spec: FinderSpec, decisions: list[Decision], gathered: Gathered
    ) -> list[Decision]:
        """Ask the assistant about finds that its opinion can decide; without an answer the rules' points stand."""
        reach = spec.scoring.assistant_points
        close = [
            (place, item)
            for place, item in enumerate(decisions)
            if item.fits_filters and abs(item.score - spec.scoring.min_score) <= reach
        ]
        close = sorted(close, key=lambda pair: -pair[1].score)[:MAX_FINDS]
        if not close:
            return decisions
        if self._scorer is None:
            gathered.problems.append("no assistant is set up: scored by the rules alone")
            return decisions
        try:
            fits = await self._scorer(spec.scoring.wanted, [item.candidate for _, item in close])
        except Exception as error:  # noqa: BLE001 - a model that fails must not stop a run
            why = error.message if isinstance(error, ContentCasterError) else type(error).__name__
            gathered.problems.append(f"scored by the rules alone, as the assistant did not answer: {why}")
            return decisions
        told = list(decisions)
        for number, (place, item) in enumerate(close):
            if (fit := fits.get(number)) is not None:
                delta = round((fit.fit - 50) / 50 * reach)
                told[place] = scored(item, spec, delta, f"assistant {delta:+d}: {fit.why}".rstrip(": "))
        return told

    async def _drafted(self, decision: Decision) -> Decision:
        """A reply by the assistant; without one, or if it fails, the decision is not kept."""
        if decision.draft_for is None or not decision.is_kept:
            return decision
        if self._drafter is None:
            return replace(decision, is_kept=False, why="no assistant is set up to write the reply")
        try:
            text = await self._drafter(decision.candidate, decision.draft_for)
        except Exception as error:  # noqa: BLE001 - a model that fails must not stop a run
            return replace(decision, is_kept=False, why=f"the assistant failed: {type(error).__name__}")
        why = f"{decision.why}; draft by assistant"
        return replace(decision, text=addressed(text.strip(), decision.candidate), why=why)

    def _enter(
        self, reading: Reading, gathered: Gathered, decisions: list[Decision], now: datetime
    ) -> RunReport:
        entry = Entry(reading.rule.id, len(decisions), gathered, now, self._dice)
        size = _AT_ONCE[self._database.engine.dialect.name]
        for start in range(0, max(1, len(decisions)), size):
            part = decisions[start : start + size]
            if stopped := self._database.write(lambda session, part=part: entry.enter(session, part)):  # type: ignore[misc]
                return RunReport(len(decisions), 0, 0, (stopped,))
        return self._database.write(entry.finish)


def plan_decisions(session: Session, reading: Reading, gathered: Gathered, now: datetime) -> list[Decision]:
    """What the rule says to what was gathered; the same for a run and for "Simulate"."""
    return decide(
        reading.spec,
        reading.rails,
        gathered,
        own_handle=reading.account.handle,
        earlier=bots_acts.earlier_replies(session, reading.account.id, now),
        now=now,
    )


class Entry:
    """What a run decided, entered part by part: prospects, acts, lines; at last how far it has read.

    In parts because on SQLite nobody else writes meanwhile. Each part is whole by itself, and what a killed run has
    entered is found there by the next one.
    """

    def __init__(
        self, rule_id: str, count: int, gathered: Gathered, now: datetime, dice: random.Random
    ) -> None:
        self._rule_id, self._count, self._gathered, self._now, self._dice = (
            rule_id,
            count,
            gathered,
            now,
            dice,
        )
        self._kept: list[Decision] = []
        self._entered = 0
        self._spent: set[ActAction | None] = set()
        self._has_noted_standing = False

    def enter(self, session: Session, decisions: Sequence[Decision]) -> str:
        """Enter some of it; why the run ends here, "" if it goes on."""
        now = self._now
        rule = session.get(BotRule, self._rule_id, with_for_update=True, populate_existing=True)
        if rule is None or not rule.is_enabled or bots_channels.stop_reason(session, rule.account_id):
            return "stopped meanwhile"
        account = session.get_one(Account, rule.account_id)
        if self._gathered.standing is not None and not self._has_noted_standing:
            if not _note_standing(session, rule, account, self._gathered, now):
                return "stopped by the follower-ratio alarm"
            self._has_noted_standing = True
        lines, seen, entered, spent = [], [], self._entered, set(self._spent)
        for item in decisions:
            if not item.is_kept:
                lines.append(_line(rule, account, item, "skipped", item.why, now))
                seen.append(item)
            elif item.action is None:
                entered += _store(session, rule, item, now)
                seen.append(item)
            elif entered < _per_run(rule.spec) and item.action not in spent:
                told = bots_acts.propose(session, rule, account, _proposal(item), now=now, dice=self._dice)
                entered += told.outcome != "known"
                if told.why == bots_acts.BUDGET_SPENT:
                    spent.add(item.action)  # so it is for all that follow; a later run asks again
                elif told.outcome != "known" or told.why == "was considered before":
                    seen.append(item)
        _remember(session, rule.id, seen, now)
        bots_log.write(session, lines)
        # Only here: a part that a deadlock ended is entered once more from its beginning.
        self._entered, self._spent = entered, spent
        self._kept += [item for item in decisions if item.is_kept]
        return ""

    def finish(self, session: Session) -> RunReport:
        """What was found, what went wrong, and how far the rule has read."""
        gathered, now, kept = self._gathered, self._now, self._kept
        rule = session.get(BotRule, self._rule_id, with_for_update=True, populate_existing=True)
        if rule is None:
            return RunReport(self._count, 0, self._entered, ("the rule is gone",))
        account = session.get_one(Account, rule.account_id)
        lines = _found_lines(rule, account, gathered, kept, self._entered, now)
        lines += [_problem_line(rule, account, problem, now) for problem in gathered.problems]
        bots_log.write(session, lines)
        rule.cursor, rule.last_run_at = gathered.cursor, now
        if gathered.wait_seconds:
            rule.next_run_at = max(rule.next_run_at or now, now + timedelta(seconds=gathered.wait_seconds))
        rule.last_outcome = f"{self._count} new, {len(kept)} fit, {self._entered} entered" + (
            f"; {gathered.problems[0]}" if gathered.problems else ""
        )
        live.note(session, bots_channels.TOPIC)
        return RunReport(self._count, len(kept), self._entered, tuple(gathered.problems))


def _per_run(spec: dict[str, object]) -> int:
    value = spec.get("per_run", 20)
    return value if isinstance(value, int) else 20


def _proposal(item: Decision) -> bots_acts.Proposal:
    assert item.action is not None
    return bots_acts.Proposal(
        action=item.action, candidate=item.candidate, why=item.why, text=item.text, is_ai=item.is_ai
    )


def _store(session: Session, rule: BotRule, item: Decision, now: datetime) -> bool:
    """Keep a prospect, and its author as another one; whether it is new."""
    if rule.mode is BotMode.DRY_RUN:
        return False
    candidate = item.candidate
    author = replace(candidate, kind="person", ref=candidate.author_ref, extra={})
    is_new = False
    for one in (candidate, author) if candidate.kind == "post" and candidate.author_ref else (candidate,):
        known = session.execute(
            select(BotProspect.id).where(
                BotProspect.account_id == rule.account_id,
                BotProspect.kind == one.kind,
                BotProspect.ref == one.ref,
            )
        ).scalar()
        if known is None:
            session.add(
                BotProspect(account_id=rule.account_id, rule_id=rule.id, kind=one.kind, ref=one.ref[:400],
                            candidate=pack(one), score=item.score, why=item.why, source=item.source[:255],
                            found_at=now)
            )  # fmt: skip
            session.flush()
            is_new = True
    return is_new


def _note_standing(
    session: Session, rule: BotRule, account: Account, gathered: Gathered, now: datetime
) -> bool:
    """Keep the follower counts; False if the ratio alarm has stopped the channel."""
    standing = gathered.standing
    assert standing is not None
    hour = now.replace(minute=0, second=0, microsecond=0)
    if session.get(BotFollowers, (account.id, hour)) is None:
        session.add(
            BotFollowers(
                account_id=account.id, at=hour, followers=standing.followers, following=standing.following
            )
        )
    channel = bots_channels.locked_channel(session, account.id)
    channel.followers, channel.following = standing.followers, standing.following
    channel.is_flagged_as_bot = standing.is_flagged_as_bot
    limit = bots_channels.rails_of(channel).max_follow_ratio
    ratio = standing.following / max(1, standing.followers)
    is_growing = GrowthSpec.model_validate(rule.spec).follow
    if not is_growing or standing.following < 50 or ratio <= limit:
        return True
    reason = f"follows {ratio:.1f} times as many as follow it; {limit:g} is the limit"
    bots_channels.stop_by_itself(session, account.id, reason=reason, at=now)
    return False


def _seen_ref(item: Decision) -> str:
    action = item.action.value if item.action else "find"
    ref = item.candidate.author_ref if item.action in bots_acts.GROWTH else item.candidate.ref
    return f"{action}:{ref}"[:400]


def _seen(session: Session, rule_id: str, refs: list[str]) -> set[str]:
    found: set[str] = set()
    for start in range(0, len(refs), 400):
        part = refs[start : start + 400]
        found |= set(
            session.execute(
                select(BotSeen.ref).where(BotSeen.rule_id == rule_id, BotSeen.ref.in_(part))
            ).scalars()
        )
    return found


def _remember(session: Session, rule_id: str, items: list[Decision], now: datetime) -> None:
    refs = list(dict.fromkeys(_seen_ref(item) for item in items))
    known = _seen(session, rule_id, refs)
    session.add_all([BotSeen(rule_id=rule_id, ref=ref, at=now) for ref in refs if ref not in known])


def _line(
    rule: BotRule, account: Account, item: Decision, outcome: str, why: str, now: datetime, detail: str = ""
) -> bots_log.Line:
    action = item.action.value if item.action else "score"
    is_person = item.action in bots_acts.GROWTH
    return bots_log.Line(
        bot=rule.bot.value,
        action=action,
        outcome=outcome,
        detail=detail,
        why=why,
        target=item.candidate.handle if is_person else label(item.candidate),
        target_url=item.candidate.url,
        budget="low priority" if item.action is None else "",
        rule_id=rule.id,
        rule_name=rule.name,
        account_id=account.id,
        channel=channel_name(account),
        at=now,
    )


def _found_lines(
    rule: BotRule, account: Account, gathered: Gathered, kept: list[Decision], entered: int, now: datetime
) -> list[bots_log.Line]:
    lines = [
        _line(rule, account, item, "found", item.why, now, detail=f"score {item.score}")
        for item in kept[:_KEPT_LINES]
        if item.action is None
    ]
    for source, count in gathered.counts.items():
        fits = sum(1 for item in kept if item.source == source)
        if rule.bot.value == "finder":
            why = f"{fits} fit after duplicates and filters" + ("" if entered else "; none of them new")
            lines.append(
                bots_log.Line(
                    bot="finder", action="discover", outcome="found", detail=f"found {count}", why=why,
                    target=source, budget="low priority", rule_id=rule.id, rule_name=rule.name,
                    account_id=account.id, channel=channel_name(account), at=now,
                )
            )  # fmt: skip
    return lines


def _problem_line(rule: BotRule, account: Account, problem: str, now: datetime) -> bots_log.Line:
    return bots_log.Line(
        bot=rule.bot.value, action="run", outcome="failed", detail="waits too", why=problem, rule_id=rule.id,
        rule_name=rule.name, account_id=account.id, channel=channel_name(account), at=now,
    )  # fmt: skip
