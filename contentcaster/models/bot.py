"""Bots: their rules, the rails of each channel, what they did or would do, what they found, and their log.

An act is one like, reply, repost, follow or unfollow of one channel towards one target: `bot_act.dedupe_key` is unique,
and an act that goes out is one job of the ledger. The log is append-only and pruned by age.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Column, Index
from sqlmodel import Field, SQLModel

from contentcaster.clock import utc_now
from contentcaster.models.job import BigId
from contentcaster.models.types import UTCDateTime, json_type, long_text, new_id, short_text, text_enum


class BotKind(StrEnum):
    FINDER = "finder"
    ENGAGEMENT = "engagement"
    GROWTH = "growth"


class BotMode(StrEnum):
    DRY_RUN = "dry_run"  # says what it would do
    APPROVE = "approve"  # a person decides each act
    AUTOMATIC = "automatic"  # within the caps


class ActAction(StrEnum):
    LIKE = "like"
    REPOST = "repost"
    REPLY = "reply"
    FOLLOW = "follow"
    UNFOLLOW = "unfollow"


class ActState(StrEnum):
    DRY_RUN = "dry_run"  # would have been done
    WAITING = "waiting"  # in the approval inbox
    PLANNED = "planned"  # has a job in the ledger
    DONE = "done"
    REFUSED = "refused"  # by policy, by the checks of a text, or by the network
    REJECTED = "rejected"  # by a person
    STOPPED = "stopped"  # by a kill switch before anything was sent; may be proposed again
    FAILED = "failed"
    IN_DOUBT = "in_doubt"  # held: a person looks


class BotSwitch(SQLModel, table=True):
    """The kill switch for all bots; one row, id "all"."""

    __tablename__ = "bot_switch"

    id: str = Field(default="all", primary_key=True, max_length=10)
    stopped_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    stopped_by: str = Field(default="", sa_type=short_text(120))
    reason: str = Field(default="", sa_type=long_text())


class BotChannel(SQLModel, table=True):
    """The rails of one channel. Its row is locked while a slot of its budget is given away."""

    __tablename__ = "bot_channel"

    account_id: str = Field(primary_key=True, foreign_key="account.id", ondelete="CASCADE", max_length=26)
    rails: dict[str, Any] = Field(default_factory=dict, sa_type=json_type())
    """bots.rails.Rails: caps per action, quiet hours and their zone, warm-up, lists, alarms."""
    warm_up_from: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
    stopped_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    stopped_by: str = Field(default="", sa_type=short_text(120))
    reason: str = Field(default="", sa_type=long_text())
    is_flagged_as_bot: bool | None = None
    """Whether the network shows the account as automated; None where it has no such flag or nobody looked yet."""
    followers: int | None = None
    following: int | None = None
    version: int = 1


class BotRule(SQLModel, table=True):
    __tablename__ = "bot_rule"
    __table_args__ = (Index("ix_bot_rule_due", "is_enabled", "next_run_at"),)

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    bot: BotKind = Field(sa_type=text_enum(BotKind))
    name: str = Field(sa_type=short_text(120))
    account_id: str = Field(foreign_key="account.id", index=True, max_length=26)
    is_enabled: bool = False
    mode: BotMode = Field(default=BotMode.DRY_RUN, sa_type=text_enum(BotMode))
    spec: dict[str, Any] = Field(default_factory=dict, sa_type=json_type())
    """bots.rules: FinderSpec, EngagementSpec or GrowthSpec."""
    cursor: dict[str, Any] = Field(default_factory=dict, sa_type=json_type())
    """How far its sources were read."""
    next_run_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    last_run_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    last_outcome: str = Field(default="", sa_type=long_text())
    created_by: str = Field(default="", sa_type=short_text(120))
    created_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
    deleted_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    version: int = 1


class BotAct(SQLModel, table=True):
    __tablename__ = "bot_act"
    __table_args__ = (
        Index("ix_bot_act_budget", "account_id", "action", "slot_at"),
        Index("ix_bot_act_sent", "account_id", "action", "permitted_at"),
        Index("ix_bot_act_state", "state", "created_at", "id"),
        Index("ix_bot_act_job", "job_id", unique=True),
    )

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    dedupe_key: str = Field(sa_type=short_text(180), unique=True)
    """channel, action, target: whatever happens, there is one act for them."""
    account_id: str = Field(foreign_key="account.id", max_length=26)
    rule_id: str | None = Field(default=None, foreign_key="bot_rule.id", max_length=26)
    bot: BotKind = Field(sa_type=text_enum(BotKind))
    action: ActAction = Field(sa_type=text_enum(ActAction))
    target_ref: str = Field(sa_type=short_text(400))
    target: dict[str, Any] = Field(default_factory=dict, sa_type=json_type())
    """bots.candidates.Candidate as it was found: whom and what the act is about."""
    text: str = Field(default="", sa_type=long_text())
    """Of a reply."""
    is_ai: bool = False
    why: str = Field(default="", sa_type=long_text())
    state: ActState = Field(sa_type=text_enum(ActState))
    job_id: int | None = Field(default=None, sa_type=BigId, foreign_key="job.id")
    tries: int = 0
    """Jobs it had so far; the earlier ones were cancelled before anything was sent."""
    snoozes_told: int = 0
    slot_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """Its place in the budget: when it is planned; once permitted, when it went out."""
    permitted_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """When the budget let it through to the network."""
    decided_by: str = Field(default="", sa_type=short_text(120))
    created_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
    done_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    version: int = 1


class BotProspect(SQLModel, table=True):
    """Somebody or something that a finder found, with where and why."""

    __tablename__ = "bot_prospect"
    __table_args__ = (
        Index("uq_bot_prospect_ref", "account_id", "kind", "ref", unique=True),
        Index("ix_bot_prospect_score", "account_id", "state", "score", "id"),
    )

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    account_id: str = Field(foreign_key="account.id", max_length=26)
    rule_id: str | None = Field(default=None, foreign_key="bot_rule.id", max_length=26)
    kind: str = Field(sa_type=short_text(10))  # person | post
    ref: str = Field(sa_type=short_text(400))
    candidate: dict[str, Any] = Field(default_factory=dict, sa_type=json_type())
    score: int = 0
    why: str = Field(default="", sa_type=long_text())
    source: str = Field(default="", sa_type=short_text(255))
    """Provenance: hashtag #coffee, followers of @ada, feed https://..."""
    state: str = Field(default="new", sa_type=short_text(12))  # new | used | dismissed
    found_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)


class BotSeen(SQLModel, table=True):
    """What a rule has considered already, so that it decides once."""

    __tablename__ = "bot_seen"

    rule_id: str = Field(primary_key=True, foreign_key="bot_rule.id", ondelete="CASCADE", max_length=26)
    ref: str = Field(primary_key=True, max_length=400)
    at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime, index=True)


class BotFollowers(SQLModel, table=True):
    """Followers of a channel over time, for the growth chart and the ratio alarm."""

    __tablename__ = "bot_followers"

    account_id: str = Field(primary_key=True, foreign_key="account.id", ondelete="CASCADE", max_length=26)
    at: datetime = Field(sa_column=Column(UTCDateTime, primary_key=True))
    followers: int = 0
    following: int = 0


class BotLogFacet(SQLModel, table=True):
    """A combination of what the log is filtered by, once; thousands of them at most, however many lines there are."""

    __tablename__ = "bot_log_facet"
    __table_args__ = (
        Index("uq_bot_log_facet", "bot", "rule_id", "account_id", "action", "outcome", unique=True),
    )

    id: int | None = Field(default=None, primary_key=True)
    bot: str = Field(sa_type=short_text(12))
    rule_id: str = Field(default="", sa_type=short_text(26))
    account_id: str = Field(default="", sa_type=short_text(26))
    action: str = Field(sa_type=short_text(12))
    outcome: str = Field(sa_type=short_text(12))


class BotLog(SQLModel, table=True):
    """One line of the bot log. Append-only; ids grow with time, so pages are keyset-paged by id alone.

    A filter is answered from the few facets that fit it: the newest lines of each, by one index, merged. So whatever is
    asked for, in any combination, costs a few short walks, and one index serves all of it.
    The full-text index (Postgres: GIN, SQLite: FTS5) is made by the migration, as no common declaration exists.
    """

    __tablename__ = "bot_log"
    __table_args__ = (
        Index("ix_bot_log_at", "at", "id"),
        Index("ix_bot_log_act", "act_id", "id"),
        Index("ix_bot_log_facet", "facet", "id"),
    )

    id: int | None = Field(default=None, sa_column=Column(BigId, primary_key=True, autoincrement=True))
    at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
    bot: str = Field(sa_type=short_text(12))
    rule_id: str = Field(default="", sa_type=short_text(26))
    rule_name: str = Field(default="", sa_type=short_text(120))
    account_id: str = Field(default="", sa_type=short_text(26))
    channel: str = Field(default="", sa_type=short_text(255))
    action: str = Field(sa_type=short_text(12))
    target: str = Field(default="", sa_type=short_text(255))
    target_url: str = Field(default="", sa_type=long_text())
    outcome: str = Field(sa_type=short_text(12))
    detail: str = Field(default="", sa_type=short_text(40))
    """Short words for the outcome where a number says more: "found 14", "score 82"."""
    why: str = Field(default="", sa_type=long_text())
    budget: str = Field(default="", sa_type=short_text(60))
    actor: str = Field(default="", sa_type=short_text(120))
    job_id: int | None = Field(default=None, sa_type=BigId)
    act_id: str = Field(default="", sa_type=short_text(26))
    facet: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    """Its BotLogFacet: bot, rule, channel, action and outcome in one number."""


FTS_NAME = "fts_bot_log"
"""Full-text objects are made by hand in the migration; names that begin so are left out of the drift check."""
