"""What the sandbox network is started with, and what can be changed while it runs."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

FAULT_KINDS: dict[str, str] = {
    "latency": "waits params.seconds before the effect",
    "latency_after": "waits params.seconds between the effect and the answer",
    "rate_limit": "429 before the effect, in the header dialect of params.dialect",
    "error_before": "params.status (503) before the effect: nothing was done",
    "error_after": "params.status (500) although the effect was done",
    "drop_before": "connection closed before the effect: nothing was done",
    "drop_after": "connection reset after the effect, without an answer",
    "drop_mid_body": "effect done, connection closed in the middle of the answer",
    "malformed": "effect done, the answer is broken JSON",
    "malformed_before": "200 with broken JSON, nothing was done",
    "html": "effect done, 200 with an HTML page instead of JSON",
    "expired_token": "the access token is answered as expired, nothing was done",
    "revoked_token": "the access token is answered as revoked, nothing was done",
    "slow_body": "effect done, the answer drips over params.seconds",
    "huge_body": "effect done, an answer of params.bytes (100 MB; null: endless)",
    "hang": "effect done, no answer until the client gives up",
    "wrong_shape": "effect done, valid JSON of an unexpected shape (params.body)",
}


@dataclass(slots=True)
class SandboxSettings:
    """How to start one sandbox network.

    `port` 0 takes a free one. `data_path` names an SQLite file so that posts survive a restart; None keeps all in
    memory. Writes go to the file in batches about every 50 ms and at stop; with `durable` each answer waits until
    its effect is in the file. `seed` makes credentials and fault draws repeatable. `public_url` is how others reach
    it when that is not host and port, as in a container that listens on 0.0.0.0. `population` above 0 starts with
    that many generated people.
    """

    host: str = "127.0.0.1"
    port: int = 0
    data_path: Path | None = None
    seed: str = "contentcaster"
    durable: bool = False
    public_url: str | None = None
    population: int = 0


@dataclass(slots=True)
class SandboxConfig:
    """What `POST /sandbox/config` can change while the network runs; `POST /sandbox/reset` puts defaults back."""

    latency_ms: float = 0.0
    keyless: bool = False  # ignore Idempotency-Key, as many servers with the Mastodon API do
    hide_timeline: bool = False  # 403 on reading one's own statuses: a network without read-back
    software: str = "mastodon"  # what nodeinfo says; another name does not honour Idempotency-Key
    software_version: str = "4.7.0"
    max_characters: int = 500
    max_media_attachments: int = 4
    characters_reserved_per_url: int = 23
    idempotency_seconds: float = 3600.0
    idempotency_gap_ms: float = (
        0.0  # Mastodon stores a key only after the post exists: a repeat inside the gap doubles
    )
    mastodon_requests: int = 300_000  # per window and account; the real default is 300 in 300 s
    mastodon_window_seconds: float = 300.0
    atproto_requests: int = 300_000  # per window and account; the real default is 3000 in 300 s
    atproto_window_seconds: float = 300.0
    atproto_write_points_hour: int | None = None  # create 3, put 2, delete 1; the real default is 5000
    token_life_seconds: float = 7200.0  # atproto access tokens issued from now on
    media_processing_ms: float = 0.0  # above 0: /api/v2/media answers 202 and the file is ready later
    fault_mix: dict[str, float] = field(default_factory=dict)  # kind -> probability per request
    fault_mix_on: str = "writes"  # "writes" or "all"
    fault_seconds: float = 0.2  # how long latency, slow_body and rate_limit of the mix take
    seed: str = ""

    def update(self, changes: dict[str, Any]) -> None:
        """Apply changes, all or nothing; raises ValueError with a sentence that names the setting."""
        known = {f.name: getattr(self, f.name) for f in fields(self)}
        checked: dict[str, Any] = {}
        for name, value in changes.items():
            if name not in known:
                raise ValueError(f"There is no sandbox setting {name!r}. Known: {', '.join(sorted(known))}.")
            checked[name] = _checked(name, value, known[name])
        for name, value in checked.items():
            setattr(self, name, value)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def _checked(name: str, value: Any, current: Any) -> Any:
    if name == "fault_mix":
        return _checked_mix(value)
    if name == "fault_mix_on" and value not in ("writes", "all"):
        raise ValueError("fault_mix_on is 'writes' or 'all'.")
    if name == "seed":
        return str(value)
    if name == "atproto_write_points_hour":
        if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
            return value
        raise ValueError("atproto_write_points_hour is a whole number, or null for no limit.")
    if isinstance(current, bool):
        if not isinstance(value, bool):
            raise ValueError(f"{name} is true or false.")
        return value
    if isinstance(current, (int, float)):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e12:
            raise ValueError(f"{name} is a number that is not negative.")
        return type(current)(value)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} is a text.")
    return value


def _checked_mix(value: Any) -> dict[str, float]:
    if not isinstance(value, dict):
        raise ValueError("fault_mix maps fault kinds to probabilities.")
    for kind, probability in value.items():
        if kind not in FAULT_KINDS:
            raise ValueError(f"There is no fault kind {kind!r}. Known: {', '.join(FAULT_KINDS)}.")
        if (
            isinstance(probability, bool)
            or not isinstance(probability, (int, float))
            or not 0 <= probability <= 1
        ):
            raise ValueError(f"The probability of {kind} is a number from 0 to 1.")
    if sum(value.values()) > 1.000001:
        raise ValueError("The probabilities of fault_mix add up to more than 1.")
    return {kind: float(p) for kind, p in value.items()}
