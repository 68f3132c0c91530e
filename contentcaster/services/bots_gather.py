"""What a rule looks at: reads its sources on the network and what was found and done before. Changes nothing."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlmodel import Session

from contentcaster.bots.candidates import Candidate, unpack
from contentcaster.bots.feeds import read_feed
from contentcaster.bots.rails import Rails
from contentcaster.bots.rules import ADDRESSED, EngagementSpec, FinderSpec, GrowthSpec, Spec, parse_spec
from contentcaster.db import Database
from contentcaster.models import Account, ActAction, ActState, BotAct, BotChannel, BotProspect, BotRule
from contentcaster.platforms.acts import Acts, Standing
from contentcaster.platforms.base import Channel, ConnectorError, RateLimited, Reauthorise
from contentcaster.services.bots_channels import rails_of

_NOTES = 80
_MAX_UNFOLLOWS = 40


@dataclass(frozen=True)
class Found:
    candidate: Candidate
    source: str
    score: int = 0
    score_why: str = ""


@dataclass
class Gathered:
    found: list[Found] = field(default_factory=list)
    unfollow: list[Candidate] = field(default_factory=list)
    cursor: dict[str, Any] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    """Source -> how many it gave."""
    standing: Standing | None = None
    problems: list[str] = field(default_factory=list)
    wait_seconds: float = 0.0
    """A network or site asked for a pause of so long; nothing more is read from the channel's network in this run."""

    def failed(self, what: str, error: ConnectorError) -> None:
        """Tell a source that could not be read, and heed it if it asked to be left alone."""
        self.problems.append(f"{what}: {error.message}")
        if isinstance(error, RateLimited):
            self.wait_seconds = max(self.wait_seconds, error.retry_after_seconds)


@dataclass(frozen=True)
class Reading:
    """A rule as read from the database, with everything a run needs."""

    rule: BotRule
    spec: Spec
    account: Account
    rails: Rails


def read_rule(session: Session, rule_id: str) -> Reading | None:
    """The rule and its channel, None if either is gone."""
    rule = session.get(BotRule, rule_id)
    account = session.get(Account, rule.account_id) if rule is not None else None
    if rule is None or rule.deleted_at is not None or account is None or account.deleted_at is not None:
        return None
    rails = rails_of(session.get(BotChannel, account.id))
    return Reading(rule, parse_spec(rule.bot, rule.spec), account, rails)


async def gather(
    database: Database, reading: Reading, channel: Channel, acts: Acts, *, now: datetime
) -> Gathered:
    """Read all sources; one that fails is a problem told in words, not the end of the others.

    Raises:
        Reauthorise: the channel's token is refused.
    """
    gathered = Gathered(cursor=deepcopy(reading.rule.cursor))
    match reading.spec:
        case FinderSpec() as spec:
            for source in spec.sources:
                await _read(gathered, source.kind, source.value, source.words, spec.per_run, channel, acts)
        case EngagementSpec() as spec if spec.when in ADDRESSED:
            wanted = ("mention", "quote") if spec.when == "mention" else (spec.when,)
            await _read_notifications(gathered, wanted, channel, acts)
        case EngagementSpec() as spec if spec.when == "finder":
            least = int(spec.value or 0)
            gathered.found = _prospects(database, reading.account.id, "post", least, spec.per_run)
        case EngagementSpec() as spec:
            words = f"#{spec.value.lstrip('#')}" if spec.when == "hashtag" else f"“{spec.value}”"
            await _read(gathered, spec.when, spec.value, words, spec.per_run * 2, channel, acts)
        case GrowthSpec() as spec:
            await _gather_growth(database, reading, spec, gathered, channel, acts, now)
    return gathered


async def _read(
    gathered: Gathered, kind: str, value: str, words: str, limit: int, channel: Channel, acts: Acts
) -> None:
    try:
        if kind == "feed":
            feeds = gathered.cursor.setdefault("feeds", {})
            answer = await read_feed(value, channel.client, limit, feeds.get(value))
            seen, feeds[value] = answer.entries, answer.validators
        elif gathered.wait_seconds:
            gathered.problems.append(f"{words}: not read, as the network asked to wait")
            return
        elif kind not in acts.source_kinds:
            gathered.problems.append(f"{acts.name} cannot search by {kind.replace('_', ' ')}")
            return
        else:
            seen = await acts.read_source(kind, value, channel, limit)
    except Reauthorise:
        raise
    except ConnectorError as error:
        gathered.failed(words, error)
        return
    gathered.counts[words] = len(seen)
    gathered.found += [Found(item, words) for item in seen]


async def _read_notifications(
    gathered: Gathered, wanted: tuple[str, ...], channel: Channel, acts: Acts
) -> None:
    try:
        seen, cursor = await acts.notifications(str(gathered.cursor.get("since") or ""), channel, _NOTES)
    except Reauthorise:
        raise
    except ConnectorError as error:
        gathered.failed("notifications", error)
        return
    gathered.cursor["since"] = cursor
    gathered.found += [Found(item, "notifications") for item in seen if item.event in wanted]


async def _gather_growth(
    database: Database,
    reading: Reading,
    spec: GrowthSpec,
    gathered: Gathered,
    channel: Channel,
    acts: Acts,
    now: datetime,
) -> None:
    if spec.follow:
        gathered.found += _prospects(database, reading.account.id, "person", spec.min_score, spec.per_run)
    if spec.follow_back:
        await _read_notifications(gathered, ("follow",), channel, acts)
    try:
        if spec.unfollow_after_days is not None:
            before = now - timedelta(days=spec.unfollow_after_days)
            followed = _followed_before(database, reading.account.id, before)
            back = (
                await acts.follows_us([item.author_ref for item in followed], channel) if followed else set()
            )
            gathered.unfollow = [item for item in followed if item.author_ref not in back]
        gathered.standing = await acts.standing(channel)
    except Reauthorise:
        raise
    except ConnectorError as error:
        gathered.failed("followers", error)


def _prospects(database: Database, account_id: str, kind: str, least: int, limit: int) -> list[Found]:
    with database.reading() as session:
        rows = session.execute(
            select(BotProspect)
            .where(
                BotProspect.account_id == account_id,
                BotProspect.state == "new",
                BotProspect.kind == kind,
                BotProspect.score >= least,
            )
            .order_by(BotProspect.score.desc(), BotProspect.id)
            .limit(limit * 2)
        ).scalars()
        return [Found(unpack(row.candidate), row.source, row.score, row.why) for row in rows]


def _followed_before(database: Database, account_id: str, before: datetime) -> list[Candidate]:
    """Whom this bot followed long ago and has not yet considered again."""
    again = select(BotAct.target_ref).where(
        BotAct.account_id == account_id, BotAct.action == ActAction.UNFOLLOW, BotAct.state != ActState.DRY_RUN
    )
    with database.reading() as session:
        rows = session.execute(
            select(BotAct.target)
            .where(
                BotAct.account_id == account_id,
                BotAct.action == ActAction.FOLLOW,
                BotAct.state == ActState.DONE,
                BotAct.slot_at < before,
                BotAct.target_ref.not_in(again),
            )
            .order_by(BotAct.slot_at)
            .limit(_MAX_UNFOLLOWS)
        ).scalars()
        return [unpack(target) for target in rows]
