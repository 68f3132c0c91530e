"""When a network says to come back, in every dialect that servers were seen to use.

Sources: RFC 9110 section 10.2.3 (Retry-After: seconds or an HTTP date), docs.joinmastodon.org/api/rate-limits
(X-RateLimit-Reset as ISO 8601), docs.bsky.app (ratelimit-reset, epoch seconds), discord.com/developers
(X-RateLimit-Reset-After, body retry_after in seconds), core.telegram.org/bots/api (parameters.retry_after),
spec.matrix.org (retry_after_ms), draft-ietf-httpapi-ratelimit-headers (RateLimit-Reset, delta seconds).
"""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from contentcaster.clock import utc_now
from contentcaster.security.egress import EgressResponse

DEFAULT_WAIT_SECONDS = 60.0
MAX_WAIT_SECONDS = 24 * 3600.0
_MIN_WAIT_SECONDS = 1.0
_RESET_HEADERS = ("x-ratelimit-reset-after", "x-ratelimit-reset", "x-rate-limit-reset", "ratelimit-reset")


def wait_seconds(response: EgressResponse, now: datetime | None = None) -> float:
    """How long to wait before the next request, from 1 s to a day; 60 s where the answer does not say."""
    found = stated_wait_seconds(response, now)
    if found is None:
        return DEFAULT_WAIT_SECONDS
    return min(max(found, _MIN_WAIT_SECONDS), MAX_WAIT_SECONDS)


def stated_wait_seconds(response: EgressResponse, now: datetime | None = None) -> float | None:
    """The wait that the answer states, unbounded; None if it states none that can be understood."""
    # Absolute times count from the server's own clock: ours may be off by an hour, and would stop the channel for it.
    now = now or moment_of(response.headers.get("date", "")) or utc_now()
    with contextlib.suppress(ValueError):
        if (milliseconds := float(response.headers.get("retry-after-ms", ""))) >= 0:
            return milliseconds / 1000
    for name in ("retry-after", *_RESET_HEADERS):
        value = response.headers.get(name, "").strip()
        if value and (seconds := parse_wait(value, now)) is not None:
            return seconds
    return _from_body(response)


def parse_wait(value: str, now: datetime) -> float | None:
    """Seconds from a header's value: a number of them, an epoch, a date; None if it is nothing of these."""
    # Repeated headers arrive joined by commas; a date holds one itself.
    for text in (value, value.split(",")[0].strip()):
        try:
            number = float(text)
        except ValueError:
            moment = moment_of(text)
            if moment is not None:
                return (moment - now).total_seconds()
            continue
        return _from_number(number, now)
    return None


def _from_number(number: float, now: datetime) -> float | None:
    if number != number or number < 0:
        return None
    epoch = now.timestamp()
    if number > 1e11:  # epoch in milliseconds
        return number / 1000 - epoch
    if number > 1e9:  # epoch in seconds
        return number - epoch
    if number > MAX_WAIT_SECONDS * 7:  # a wait in milliseconds
        return number / 1000
    return number


def moment_of(text: str) -> datetime | None:
    """A time in ISO 8601 or as in HTTP headers; None if it is neither."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        try:
            moment = parsedate_to_datetime(text)
        except (ValueError, TypeError):
            return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _from_body(response: EgressResponse) -> float | None:
    try:
        body = response.json()
    except ValueError:
        return None
    if not isinstance(body, dict):
        return None
    parameters = body.get("parameters")
    places = (body, parameters if isinstance(parameters, dict) else {})
    for place in places:
        for key, factor in (("retry_after_ms", 0.001), ("retry_after", 1.0)):
            value = place.get(key)
            if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
                return float(value) * factor
    return None
