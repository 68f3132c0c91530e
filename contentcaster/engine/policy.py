"""The engine's numbers, taken from the settings once."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from contentcaster.models.types import database_now
from contentcaster.settings import Settings

Now = Callable[[float], Any]
"""SQL expression for the database's clock plus so many seconds; tests pass virtual time."""

CLOCK: Now = database_now

MAX_CRASHES = 3
"""A job whose worker died this often before sending anything is parked for a person."""

MAX_LOOKUPS = 8
"""Failed look-ups (about two hours of them) before a person is asked."""


@dataclass(frozen=True)
class Policy:
    lead_seconds: float = 3.0
    lease_seconds: float = 60.0
    send_deadline_seconds: float = 20.0
    settle_seconds: float = 30.0
    hint_timeout_seconds: float = 30.0
    retry_base_seconds: float = 1.0
    retry_jitter: float = 0.0

    @classmethod
    def from_settings(cls, settings: Settings) -> Policy:
        return cls(
            lead_seconds=settings.publish_lead_seconds,
            lease_seconds=settings.lease_seconds,
            send_deadline_seconds=settings.send_deadline_seconds,
            settle_seconds=settings.settle_seconds,
            hint_timeout_seconds=settings.hint_timeout_seconds,
            retry_base_seconds=settings.retry_base_seconds,
            retry_jitter=settings.effective_retry_jitter,
        )

    def may_still_send(self, seconds_since_begin: float) -> bool:
        """Whether a send that starts now is over before the lease taken with its intent ends.

        Whoever is later writes nothing: somebody else may be looking the job up already.
        """
        return seconds_since_begin <= self.lease_seconds - self.send_deadline_seconds

    def retry_delay_seconds(self, attempt: int) -> float:
        """Wait after the `attempt`-th try: 1, 2, 4 s and so on, an hour at most."""
        delay = min(self.retry_base_seconds * 2.0 ** max(0, attempt - 1), 3600.0)
        return delay * (1 + self.retry_jitter * random.uniform(-1, 1))

    def lookup_delay_seconds(self, lookups: int) -> float:
        """Wait after the `lookups`-th look-up that failed: the settle time, doubling, half an hour at most."""
        return min(self.settle_seconds * 2.0 ** max(0, lookups - 1), 1800.0)
