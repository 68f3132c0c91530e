"""Every dialect of "come back later" is understood, and nonsense is not taken for an appointment in 9999."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from contentcaster.platforms.rate_limits import wait_seconds
from contentcaster.security.egress import EgressResponse

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
EPOCH = NOW.timestamp()


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({"retry-after": "30"}, "", 30),
        ({"retry-after": "1.5"}, "", 1.5),
        ({"retry-after": "Tue, 24 Nov 2026 12:05:00 GMT"}, "", 300),
        ({"x-ratelimit-reset": "2026-11-24T12:10:00.123456Z"}, "", 600.123456),
        ({"x-ratelimit-reset": "2026-11-24T12:10:00"}, "", 600),
        ({"x-ratelimit-reset": str(EPOCH + 90)}, "", 90),
        ({"x-rate-limit-reset": str(int(EPOCH) + 900)}, "", 900),
        ({"x-ratelimit-reset": str((EPOCH + 45) * 1000)}, "", 45),
        ({"ratelimit-reset": str(int(EPOCH) + 12)}, "", 12),
        ({"ratelimit-reset": "50"}, "", 50),
        ({"x-ratelimit-reset-after": "7.25", "x-ratelimit-reset": str(EPOCH + 99)}, "", 7.25),
        ({"retry-after": "30", "x-ratelimit-reset": str(EPOCH + 90)}, "", 30),
        ({"retry-after-ms": "2500"}, "", 2.5),
        ({}, '{"retry_after": 3.5}', 3.5),
        ({}, '{"ok":false,"parameters":{"retry_after":11}}', 11),
        ({}, '{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":2500}', 2.5),
        ({}, "", 60),
        ({}, "<html>", 60),
        ({}, "[1]", 60),
        ({"retry-after": "soon"}, "", 60),
        ({"retry-after": "-5"}, "", 60),
        ({"retry-after": "nan"}, "", 60),
        ({"retry-after": "0"}, "", 1),
        ({"x-ratelimit-reset": "2026-11-24T11:00:00Z"}, "", 1),
        ({"x-ratelimit-reset": "9999-01-01T00:00:00Z"}, "", 86400),
        ({}, '{"retry_after": true}', 60),
    ],
)
def test_the_wait_is_read_from(headers: dict[str, str], body: str, seconds: float) -> None:
    assert wait_seconds(EgressResponse(429, headers, body.encode()), NOW) == pytest.approx(seconds, abs=0.01)


@pytest.mark.parametrize("reset", [str(EPOCH + 90), "2026-11-24T12:01:30Z"])
def test_an_absolute_time_counts_from_the_servers_own_clock(reset: str) -> None:
    """A machine whose clock is off must not stop a channel for as long."""
    headers = {"date": "Tue, 24 Nov 2026 12:00:00 GMT", "x-ratelimit-reset": reset}

    assert wait_seconds(EgressResponse(429, headers, b"")) == pytest.approx(90, abs=1)
