"""What answers say of limits is read in every dialect, and nonsense teaches nothing."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from contentcaster.platforms.quotas import QuotaReading, read_quotas
from contentcaster.security.egress import EgressResponse

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
EPOCH = int(NOW.timestamp())


def read(platform: str, headers: dict[str, str], call: str = "GET /x") -> list[QuotaReading]:
    method, path = call.split(" ")
    return read_quotas(platform, method, path, EgressResponse(200, headers, b""), NOW)


MASTODON = {
    "x-ratelimit-limit": "300",
    "x-ratelimit-remaining": "297",
    "x-ratelimit-reset": "2026-11-24T12:04:00.5Z",
}
BLUESKY = {
    "ratelimit-limit": "3000",
    "ratelimit-remaining": "2990",
    "ratelimit-reset": str(EPOCH + 120),
    "ratelimit-policy": "3000;w=300",
}
X = {"x-rate-limit-limit": "100", "x-rate-limit-remaining": "0", "x-rate-limit-reset": str(EPOCH + 900)}


@pytest.mark.parametrize(
    ("platform", "call", "headers", "name", "numbers", "reset_seconds", "is_shared", "is_gate"),
    [
        ("mastodon", "POST /api/v1/statuses", MASTODON, "requests", (300, 297, 300), 240.5, False, True),
        ("mastodon", "POST /api/v2/media", MASTODON, "media", (300, 297, 1800), 240.5, False, False),
        ("mastodon", "DELETE /api/v1/statuses/1", MASTODON, "deletes", (300, 297, 1800), 240.5, False, False),
        (
            "bluesky",
            "POST /xrpc/com.atproto.repo.putRecord",
            BLUESKY,
            "requests",
            (3000, 2990, 300),
            120,
            True,
            True,
        ),
        (
            "bluesky",
            "POST /xrpc/com.atproto.repo.putRecord",
            BLUESKY | {"ratelimit-policy": "5000;w=3600"},
            "writes-hour",
            (3000, 2990, 3600),
            120,
            False,
            True,
        ),
        (
            "bluesky",
            "POST /xrpc/com.atproto.server.createSession",
            BLUESKY,
            "logins",
            (3000, 2990, 300),
            120,
            True,
            False,
        ),
        ("x", "POST /2/tweets", X, "publish", (100, 0, 900), 900, False, True),
        ("x", "GET /2/users/1/tweets", X, "reading", (100, 0, 900), 900, False, False),
        (
            "discord",
            "POST /api/webhooks/1/a",
            {"x-ratelimit-limit": "5", "x-ratelimit-remaining": "4", "x-ratelimit-reset-after": "1.5"},
            "requests",
            (5, 4, None),
            1.5,
            False,
            True,
        ),
        (
            "matrix",
            "PUT /x",
            {"ratelimit": '"default";r=50;t=30', "ratelimit-policy": '"default";q=100;w=60'},
            "requests",
            (100, 50, 60),
            30,
            False,
            False,
        ),
    ],
)
def test_a_limit_is_read_from(
    platform: str,
    call: str,
    headers: dict[str, str],
    name: str,
    numbers: tuple[int, int, int | None],
    reset_seconds: float,
    is_shared: bool,
    is_gate: bool,
) -> None:
    (reading,) = read(platform, headers, call)
    assert (reading.name, reading.is_shared, reading.is_gate) == (name, is_shared, is_gate)
    assert (reading.allowed, reading.left, reading.window_seconds) == numbers
    assert reading.resets_in_seconds == reset_seconds
    assert headers.keys() >= {reading.learned_from}


def test_a_limit_of_the_whole_app_stands_beside_the_channels_own() -> None:
    day = {
        "x-app-limit-24hour-limit": "10000",
        "x-app-limit-24hour-remaining": "9000",
        "x-app-limit-24hour-reset": str(EPOCH + 3600),
        "x-user-limit-24hour-limit": "100",
        "x-user-limit-24hour-remaining": "60",
        "x-user-limit-24hour-reset": str(EPOCH + 3600),
    }
    found = {reading.name: reading for reading in read("x", X | day, "POST /2/tweets")}
    assert {name: reading.is_shared for name, reading in found.items()} == {
        "publish": False,
        "app-day": True,
        "day": False,
    }
    assert found["app-day"].left == 9000


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-ratelimit-limit": "300"},
        {"x-ratelimit-remaining": "many"},
        {"x-ratelimit-remaining": "-1"},
        {"x-ratelimit-remaining": "1e9"},
        {"x-ratelimit-remaining": "9" * 40},
        {"ratelimit": "garbage;;;"},
    ],
)
def test_nonsense_teaches_nothing(headers: dict[str, str]) -> None:
    assert read("mastodon", headers) == []


@pytest.mark.parametrize("reset", ["", "soon", "9999-01-01T00:00:00Z", "2026-11-24T11:00:00Z", "nan"])
def test_a_reset_that_cannot_be_meant_is_no_reset(reset: str) -> None:
    """A used up limit without an end would stop a channel for good."""
    (reading,) = read("mastodon", {"x-ratelimit-remaining": "0", "x-ratelimit-reset": reset})
    assert reading.resets_in_seconds is None


def test_an_absolute_reset_counts_from_the_servers_own_clock() -> None:
    headers = X | {"date": "Tue, 24 Nov 2026 11:00:00 GMT", "x-rate-limit-reset": str(EPOCH - 3600 + 60)}
    (reading,) = read("x", headers, "POST /2/tweets")
    assert reading.resets_in_seconds == 60
