"""What can become of an attempt: values that the ledger settles, one `match` in `ledger.settle`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, kw_only=True)
class _Answer:
    """What an outcome keeps for the attempt's history."""

    message: str = ""
    error_class: str = ""
    http_status: int | None = None
    diagnostics: str = ""


@dataclass(frozen=True, kw_only=True)
class Published(_Answer):
    """Proof: the network's own id of the effect."""

    remote_id: str
    remote_url: str = ""
    remote_extra: dict[str, Any] = field(default_factory=dict)
    """What a reply to it will need beyond the id."""


@dataclass(frozen=True, kw_only=True)
class RetryLater(_Answer):
    """Provably nothing happened on the network, and another try may succeed."""


@dataclass(frozen=True, kw_only=True)
class Snooze(_Answer):
    """Rate limited: come back later; the attempt is given back."""

    retry_after_seconds: float
    is_known_limit: bool = False
    """No new answer of the network: we keep to a pause that the channel has already."""


@dataclass(frozen=True, kw_only=True)
class Unknown(_Answer):
    """Bytes left and no proof came back."""


@dataclass(frozen=True, kw_only=True)
class Refused(_Answer):
    """A definite no. `account_needs_reauthorising` also flags the channel."""

    account_needs_reauthorising: bool = False


@dataclass(frozen=True, kw_only=True)
class SafeToSend(_Answer):
    """A look-up proved absence, or the network's key still protects a resend.

    `valid_seconds`: absence is not proven, the key protects only so much longer; then it is looked up again.
    """

    valid_seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class LookupFailed(_Answer):
    """The look-up itself did not work; try it again later."""


@dataclass(frozen=True, kw_only=True)
class CannotTell(_Answer):
    """The network offers no proof either way: a person decides."""


@dataclass(frozen=True, kw_only=True)
class Released(_Answer):
    """The worker gives the job back unsent (it shuts down); costs no attempt."""


SendOutcome = Published | RetryLater | Snooze | Unknown | Refused | Released
LookupOutcome = Published | SafeToSend | LookupFailed | CannotTell | Snooze | Refused
Outcome = SendOutcome | LookupOutcome


@dataclass(frozen=True)
class AttemptTimes:
    """When the steps of an attempt happened, by the worker's clock."""

    prepared_at: datetime | None = None
    sent_at: datetime | None = None
