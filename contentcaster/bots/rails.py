"""The rails of one channel, as data: caps per action, quiet hours in its zone, warm-up, lists, alarms.

Checked when saved: what contradicts itself or names an unknown zone is refused with the reason at its field.
"""

from __future__ import annotations

from datetime import time
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Handle = Annotated[str, Field(min_length=1, max_length=200)]


class Cap(BaseModel):
    """How often one action may be done; each window slides, so no minute, hour or day anywhere holds more."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    per_minute: int = Field(default=1, ge=1, le=60)
    per_hour: int = Field(default=10, ge=1, le=1000)
    per_day: int = Field(default=40, ge=1, le=5000)
    spacing_seconds: int = Field(default=45, ge=0, le=86_400)
    """The least time between two of them."""
    jitter_seconds: int = Field(default=30, ge=0, le=3600)
    """Up to so much is added at random, so that nothing ticks like a clock."""

    @model_validator(mode="after")
    def _is_consistent(self) -> Cap:
        if self.per_minute > self.per_hour:
            raise ValueError(f"{self.per_minute} a minute can never be reached with {self.per_hour} an hour.")
        if self.per_hour > self.per_day:
            raise ValueError(f"{self.per_hour} an hour can never be reached with {self.per_day} a day.")
        if self.spacing_seconds > 60 and self.per_minute > 1:
            raise ValueError("More than one a minute contradicts a spacing of more than a minute.")
        possible = 3600 // self.spacing_seconds + 1 if self.spacing_seconds else self.per_hour
        if self.per_hour > possible:
            raise ValueError(
                f"With {self.spacing_seconds} s between two, {self.per_hour} an hour can never be reached; "
                f"at most {possible}."
            )
        return self


DEFAULT_CAPS: dict[str, Cap] = {
    "like": Cap(per_minute=2, per_hour=30, per_day=120, spacing_seconds=20, jitter_seconds=20),
    "repost": Cap(per_minute=1, per_hour=6, per_day=20, spacing_seconds=120, jitter_seconds=60),
    "reply": Cap(per_minute=1, per_hour=10, per_day=30, spacing_seconds=60, jitter_seconds=30),
    "follow": Cap(per_minute=1, per_hour=5, per_day=20, spacing_seconds=180, jitter_seconds=120),
    "unfollow": Cap(per_minute=1, per_hour=5, per_day=10, spacing_seconds=180, jitter_seconds=120),
}


class Rails(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    timezone: str = "UTC"
    quiet_from: time | None = time(22, 0)
    quiet_to: time | None = time(7, 0)
    caps: dict[str, Cap] = Field(default_factory=lambda: dict(DEFAULT_CAPS))
    warm_up_days: int = Field(default=14, ge=0, le=90)
    """A new channel starts with a tenth of its caps and reaches them after so many days."""
    keep_list: list[Handle] = Field(default_factory=list, max_length=2000)
    """Never unfollowed."""
    deny_list: list[Handle] = Field(default_factory=list, max_length=2000)
    """Never acted towards. A word without @ also matches inside handles and bios."""
    blocked_words: list[Handle] = Field(default_factory=list, max_length=500)
    """Never in a reply."""
    link_hosts: list[Handle] = Field(default_factory=list, max_length=50)
    """The only sites a reply may link to."""
    max_follow_ratio: float = Field(default=3.0, ge=1, le=100)
    """Following divided by followers; above it, growth stops by itself."""
    stop_after_rate_limits: int = Field(default=3, ge=1, le=100)
    """Answers of 429 within an hour after which the channel's bots stop."""
    stop_after_failures: int = Field(default=5, ge=1, le=100)

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError(f"{value[:60]!r} is no time zone. Use a name such as Europe/Berlin.")
        return value

    @field_validator("caps")
    @classmethod
    def _known_actions(cls, value: dict[str, Cap]) -> dict[str, Cap]:
        if unknown := set(value) - set(DEFAULT_CAPS):
            raise ValueError(f"There is no action {', '.join(sorted(unknown))[:60]}.")
        return DEFAULT_CAPS | value

    @model_validator(mode="after")
    def _leaves_time_to_act(self) -> Rails:
        if (self.quiet_from is None) != (self.quiet_to is None):
            raise ValueError("Quiet hours need both a beginning and an end.")
        if self.quiet_from is not None and self.quiet_from == self.quiet_to:
            raise ValueError("Quiet hours that end when they begin would leave no time to act.")
        return self

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)
