"""What an answer says of the network's limits: how many calls are allowed, how many are left, and until when.

Sources: docs.joinmastodon.org/api/rate-limits (X-RateLimit-*, reset as ISO 8601), docs.bsky.app/docs/advanced-guides/
rate-limits and answers of @atproto/pds (ratelimit-*, policy "3000;w=300", counted per address), docs.x.com
(x-rate-limit-*, x-app-limit-24hour-*, x-user-limit-24hour-*, epoch seconds), discord.com/developers (X-RateLimit-*),
draft-ietf-httpapi-ratelimit-headers (RateLimit, RateLimit-Policy).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from contentcaster.clock import utc_now
from contentcaster.platforms.rate_limits import moment_of, parse_wait
from contentcaster.security.egress import EgressResponse

MAX_WINDOW = timedelta(days=32)
_POLICY = re.compile(r"(?:^|[;,\s])(?P<key>[qw])=(?P<value>\d+)")
_ITEM = re.compile(r"(?:^|[;,\s])(?P<key>[rt])=(?P<value>\d+)")
_FAMILIES = ("x-ratelimit", "x-rate-limit", "ratelimit")


@dataclass(frozen=True)
class QuotaReading:
    """One limit as one answer stated it."""

    name: str
    allowed: int | None
    left: int
    resets_in_seconds: float | None
    """Counted from the answer; a duration, for whoever reads it may have a clock that is off."""
    window_seconds: float | None
    learned_from: str
    is_shared: bool = False
    """Counts for everybody who uses our app, or comes from our address, not for this channel alone."""
    is_gate: bool = False
    """A post cannot go out while nothing is left."""


def read_quotas(
    platform: str, method: str, path: str, response: EgressResponse, now: datetime | None = None
) -> list[QuotaReading]:
    """The limits that this answer states; nothing where it states none that can be understood."""
    headers = response.headers
    # Absolute times count from the server's own clock: ours may be off.
    server_now = moment_of(headers.get("date", "")) or now or utc_now()
    found = []
    for family in _FAMILIES:
        reading = _read(headers, family, server_now)
        if reading is not None:
            found.append(_named(platform, method, path, reading))
            break
    else:
        combined = _read_combined(headers)
        if combined is not None:
            found.append(_named(platform, method, path, combined))
    for family, name, is_shared in (
        ("x-app-limit-24hour", "app-day", True),
        ("x-user-limit-24hour", "day", False),
    ):
        reading = _read(headers, family, server_now)
        if reading is not None:
            found.append(
                _with(
                    reading, name=name, window_seconds=86_400.0, is_shared=is_shared, is_gate=method == "POST"
                )
            )
    return found


def _read(headers: Mapping[str, str], family: str, server_now: datetime) -> QuotaReading | None:
    left = _count(headers.get(f"{family}-remaining"))
    if left is None:
        return None
    wait = parse_wait(
        headers.get(f"{family}-reset-after", "") or headers.get(f"{family}-reset", ""), server_now
    )
    policy = {m["key"]: int(m["value"]) for m in _POLICY.finditer(headers.get(f"{family}-policy", ""))}
    window = policy.get("w")
    return QuotaReading(
        name="requests",
        allowed=_count(headers.get(f"{family}-limit")),
        left=left,
        resets_in_seconds=_plausible(wait),
        window_seconds=float(window) if window else None,
        learned_from=f"{family}-remaining",
    )


def _read_combined(headers: Mapping[str, str]) -> QuotaReading | None:
    items = {m["key"]: int(m["value"]) for m in _ITEM.finditer(headers.get("ratelimit", ""))}
    if "r" not in items:
        return None
    policy = {m["key"]: int(m["value"]) for m in _POLICY.finditer(headers.get("ratelimit-policy", ""))}
    return QuotaReading(
        name="requests",
        allowed=policy.get("q"),
        left=items["r"],
        resets_in_seconds=_plausible(items.get("t")),
        window_seconds=float(policy["w"]) if policy.get("w") else None,
        learned_from="ratelimit",
    )


def _named(platform: str, method: str, path: str, reading: QuotaReading) -> QuotaReading:
    """Which of the network's limits it is: several are told by the same headers."""
    match platform:
        case "mastodon" | "sandbox" if "/xrpc/" not in path:
            if method == "POST" and path.endswith("/media"):
                return _with(reading, name="media", window_seconds=reading.window_seconds or 1800.0)
            if method == "DELETE":
                return _with(reading, name="deletes", window_seconds=reading.window_seconds or 1800.0)
            return _with(reading, window_seconds=reading.window_seconds or 300.0, is_gate=True)
        case "bluesky" | "sandbox":
            if path.endswith("Session"):
                return _with(reading, name="logins", is_shared=True)
            name = {3600.0: "writes-hour", 86_400.0: "writes-day"}.get(reading.window_seconds or 0.0)
            if name:  # points of the account: a new record costs 3
                return _with(reading, name=name, is_gate=True)
            return _with(reading, is_shared=True, is_gate=True)
        case "x":
            is_post = method == "POST" and path.endswith("/tweets")
            name = "publish" if is_post else "media" if "/media/" in path else "reading"
            return _with(reading, name=name, window_seconds=reading.window_seconds or 900.0, is_gate=is_post)
        case "discord":
            return _with(reading, is_gate=method == "POST")
        case _:
            return reading


def _with(reading: QuotaReading, **changes: object) -> QuotaReading:
    return QuotaReading(**(reading.__dict__ | changes))  # type: ignore[arg-type]


def _plausible(wait_seconds: float | None) -> float | None:
    if wait_seconds is None or not 0 <= wait_seconds <= MAX_WINDOW.total_seconds():
        return None
    return wait_seconds


def _count(value: str | None) -> int | None:
    """A header's whole number; of repeated ones the first."""
    text = (value or "").split(",")[0].strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None


@dataclass(frozen=True)
class KnownLimit:
    """What a network's documentation says, where its answers say nothing or have not yet."""

    sentence: str
    source: str


KNOWN_LIMITS: dict[str, tuple[KnownLimit, ...]] = {
    "mastodon": (
        KnownLimit(
            "300 requests in 5 minutes, 30 media uploads and 30 deletions in 30 minutes, per account; a server may "
            "set its own.",
            "https://docs.joinmastodon.org/api/rate-limits/",
        ),
    ),
    "bluesky": (
        KnownLimit(
            "3,000 requests in 5 minutes per address; 5,000 points an hour and 35,000 a day per account, where a "
            "post costs 3.",
            "https://docs.bsky.app/docs/advanced-guides/rate-limits",
        ),
    ),
    "x": (
        KnownLimit(
            "100 posts in 15 minutes per account, 10,000 in 24 hours per app.",
            "https://docs.x.com/x-api/fundamentals/rate-limits",
        ),
    ),
    "telegram": (
        KnownLimit(
            "About one message a second in a chat, 20 a minute in a group.",
            "https://core.telegram.org/bots/faq",
        ),
    ),
    "slack": (
        KnownLimit("One message a second per webhook.", "https://docs.slack.dev/apis/web-api/rate-limits/"),
    ),
    "discord": (
        KnownLimit(
            "Set per webhook and told in each answer; never fixed.",
            "https://discord.com/developers/docs/topics/rate-limits",
        ),
    ),
    "matrix": (KnownLimit("Each server sets its own.", "https://spec.matrix.org/latest/client-server-api/"),),
    "nostr": (
        KnownLimit("Each relay sets its own.", "https://github.com/nostr-protocol/nips/blob/master/11.md"),
    ),
}
"""By network; one that is not here documents no limit."""
