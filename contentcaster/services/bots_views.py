"""What the bots' services hand out: frozen values, safe to show."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from contentcaster.services.views import ChannelView


@dataclass(frozen=True)
class RuleView:
    id: str
    bot: str
    name: str
    channel: ChannelView
    is_enabled: bool
    mode: str
    sentence: str
    spec: dict[str, Any]
    next_run_at: datetime | None
    last_run_at: datetime | None
    last_outcome: str
    created_by: str
    version: int


@dataclass(frozen=True)
class ActView:
    id: str
    bot: str
    action: str
    channel: ChannelView
    rule_name: str
    target: str
    handle: str
    target_text: str
    """A stranger's words, for showing as text only."""
    target_url: str
    text: str
    is_ai: bool
    why: str
    policy: str
    state: str
    slot_at: datetime | None
    created_at: datetime
    job_id: int


@dataclass(frozen=True)
class BulkDecision:
    done: int
    skipped: int
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class CapView:
    """One action's budget of one channel."""

    action: str
    policy: str
    policy_why: str
    policy_source: str
    used_hour: int
    per_hour: int
    used_day: int
    per_day: int
    share: str
    """Of the day's budget that is spent, as a CSS width."""
    left: str
    spacing_seconds: int
    next_at: datetime | None
    """The next slot that would be given."""


@dataclass(frozen=True)
class BotChannelView:
    channel: ChannelView
    is_stopped: bool
    stopped_by: str
    stop_reason: str
    timezone: str
    quiet: str
    is_quiet_now: bool
    warm_up: str
    """Empty once the channel is warm."""
    flag_note: str
    """Whether the network shows the account as a bot."""
    may_flag: bool
    caps: list[CapView]
    followers: int | None
    following: int | None
    rails: dict[str, Any]


@dataclass(frozen=True)
class SwitchView:
    is_stopped: bool
    by: str
    reason: str
    at: datetime | None


@dataclass(frozen=True)
class ProspectView:
    """Somebody or something that a finder found."""

    id: str
    kind: str
    """person | post"""
    target: str
    handle: str
    text: str
    url: str
    score: int
    why: str
    source: str
    """Where it was found: #coffee, followers of @ada, https://..."""
    rule_name: str
    channel: ChannelView
    state: str
    """new | used | dismissed"""
    found_at: datetime


@dataclass(frozen=True)
class SimulatedAct:
    action: str
    target: str
    target_url: str
    would: str
    """do | ask | skip | refuse"""
    why: str
    text: str
    when: str


@dataclass(frozen=True)
class BotState:
    """One of the three bots at a glance."""

    bot: str
    rules: int
    enabled: int
    done_day: int
    waiting: int
    planned: int
    refused_day: int
    hours: list[int]
    """Acts done or found per hour over the last 24, oldest first."""


@dataclass(frozen=True)
class FollowerPoint:
    at: datetime
    followers: int
    following: int
