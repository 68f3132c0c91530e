"""Each fault kind, as a client sees it, and whether the effect happened."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from contentcaster.sandbox.client import SandboxControl, SandboxThread
from contentcaster.sandbox.settings import FAULT_KINDS

from .conftest import BlueskyPerson, MastodonPerson, post_record

PATH = {"path": "/api/v1/statuses"}


def test_a_fault_applies_once_and_then_no_more(alice: MastodonPerson, control: SandboxControl) -> None:
    control.fault("error_before", PATH)
    assert alice.post("one").status_code == 503
    assert alice.post("two").status_code == 200
    assert control.stats()["faults"] == {"error_before": 1}
    assert [p["text"] for p in control.posts()] == ["two"]


@pytest.mark.parametrize("status", [500, 502, 503])
def test_error_before_does_nothing_and_error_after_does_it(
    alice: MastodonPerson, control: SandboxControl, status: int
) -> None:
    control.fault("error_before", PATH, params={"status": status})
    assert alice.post("before").status_code == status
    control.fault("error_after", PATH, params={"status": status})
    assert alice.post("after").status_code == status
    assert [p["text"] for p in control.posts()] == ["after"]


def test_a_dropped_connection_before_the_effect_leaves_nothing(
    alice: MastodonPerson, control: SandboxControl
) -> None:
    control.fault("drop_before", PATH)
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        alice.post("lost")
    assert control.posts() == []
    assert control.requests(path="/statuses")[-1]["effect"] is False


def test_a_connection_reset_after_the_effect_leaves_the_post(
    alice: MastodonPerson, control: SandboxControl
) -> None:
    control.fault("drop_after", PATH)
    with pytest.raises(httpx.ReadError):
        alice.post("kept", key="k")
    assert [p["text"] for p in control.posts()] == ["kept"]
    recorded = control.requests(path="/statuses")[-1]
    assert (recorded["status"], recorded["effect"], recorded["fault"]) == (0, True, "drop_after")
    assert alice.post("kept", key="k").status_code == 200
    assert len(control.posts()) == 1


def test_half_an_answer_is_a_protocol_error(alice: MastodonPerson, control: SandboxControl) -> None:
    control.fault("drop_mid_body", PATH)
    with pytest.raises(httpx.RemoteProtocolError, match=r"incomplete|without sending complete"):
        alice.post("half")
    assert len(control.posts()) == 1


@pytest.mark.parametrize(("kind", "posts"), [("malformed", 1), ("malformed_before", 0)])
def test_broken_json_says_200(alice: MastodonPerson, control: SandboxControl, kind: str, posts: int) -> None:
    control.fault(kind, PATH)
    response = alice.post("broken")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("application/json")
    with pytest.raises(ValueError, match=r"."):
        response.json()
    assert len(control.posts()) == posts


def test_html_and_a_wrong_shape_come_after_the_effect(alice: MastodonPerson, control: SandboxControl) -> None:
    control.fault("html", PATH)
    page = alice.post("one")
    assert (page.status_code, page.headers["content-type"].split(";")[0]) == (200, "text/html")
    control.fault("wrong_shape", PATH)
    assert "id" not in alice.post("two").json()
    control.fault("wrong_shape", PATH, params={"body": [1]})
    assert alice.post("three").json() == [1]
    assert len(control.posts()) == 3


def test_latency_comes_before_the_effect_and_latency_after_behind_it(
    alice: MastodonPerson, control: SandboxControl
) -> None:
    control.fault("latency", PATH, params={"seconds": 5})
    with pytest.raises(httpx.ReadTimeout):
        alice.http.post("/api/v1/statuses", json={"status": "not yet"}, timeout=0.3)
    assert control.posts() == []
    control.fault("latency_after", PATH, params={"seconds": 5})
    with pytest.raises(httpx.ReadTimeout):
        alice.http.post("/api/v1/statuses", json={"status": "done"}, timeout=0.3)
    assert [p["text"] for p in control.posts()] == ["done"]


def test_a_hanging_answer_ends_when_the_client_gives_up(
    alice: MastodonPerson, control: SandboxControl
) -> None:
    control.fault("hang", PATH)
    with pytest.raises(httpx.ReadTimeout):
        alice.http.post("/api/v1/statuses", json={"status": "hang"}, timeout=0.3)
    assert len(control.posts()) == 1
    alice.http.close()
    deadline = time.monotonic() + 5
    while control.requests(path="/statuses")[-1]["status"] is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert control.requests(path="/statuses")[-1]["status"] == 0


def test_a_slow_body_drips_whole(alice: MastodonPerson, control: SandboxControl) -> None:
    control.fault("slow_body", PATH, params={"seconds": 0.4})
    started = time.monotonic()
    assert alice.post("slow").json()["content"] == "<p>slow</p>"
    assert time.monotonic() - started >= 0.35


def test_a_huge_body_can_be_cut_off(alice: MastodonPerson, control: SandboxControl) -> None:
    control.fault("huge_body", PATH, params={"bytes": None})
    read = 0
    with alice.http.stream("POST", "/api/v1/statuses", json={"status": "huge"}) as response:
        for chunk in response.iter_raw():
            read += len(chunk)
            if read > 3_000_000:
                break
    assert read > 3_000_000
    assert len(control.posts()) == 1
    assert alice.post("next").status_code == 200


@pytest.mark.parametrize(
    ("dialect", "header"),
    [
        ("retry-after", "retry-after"), ("http-date", "retry-after"), ("x-ratelimit-iso", "x-ratelimit-reset"),
        ("x-ratelimit-epoch", "x-ratelimit-reset"), ("x-ratelimit-ms", "x-ratelimit-reset"),
        ("ratelimit", "ratelimit-reset"), ("retry-after-ms", "retry-after-ms"), ("none", ""),
    ],
)  # fmt: skip
def test_429_in_each_header_dialect(
    alice: MastodonPerson, control: SandboxControl, dialect: str, header: str
) -> None:
    control.fault("rate_limit", PATH, params={"dialect": dialect, "seconds": 7})
    response = alice.post("too much")
    assert response.status_code == 429
    assert control.posts() == []
    value, now = response.headers.get(header, "") if header else "", time.time()
    waits: dict[str, Any] = {
        "retry-after": lambda: float(value),
        "http-date": lambda: parsedate_to_datetime(value).timestamp() - now,
        "x-ratelimit-iso": lambda: 7 if value.startswith("20") and value.endswith("Z") else 0,
        "x-ratelimit-epoch": lambda: float(value) - now,
        "x-ratelimit-ms": lambda: float(value) / 1000 - now,
        "ratelimit": lambda: float(value) - now,
        "retry-after-ms": lambda: float(value) / 1000,
        "none": lambda: 7 if not {"retry-after", "x-ratelimit-reset"} & set(response.headers) else 0,
    }
    assert 5 <= waits[dialect]() <= 9


def test_token_faults_speak_each_protocol(
    alice: MastodonPerson, ada: BlueskyPerson, control: SandboxControl
) -> None:
    control.fault("expired_token", {"account": "alice"})
    control.fault("revoked_token", {"account": "alice"})
    answers = [alice.post("x") for _ in range(2)]
    assert [a.status_code for a in answers] == [401, 401]
    assert "expired" in answers[0].json()["error"]
    assert "revoked" in answers[1].json()["error"]
    control.fault("expired_token", {"account": "ada"}, times=None)
    refused = ada.put(post_record("x"))
    assert (refused.status_code, refused.json()["error"]) == (400, "ExpiredToken")
    ada.sign_in()  # a sign-in carries no token yet, so it is not met by the fault
    assert control.posts() == []


def test_faults_after_the_effect_work_on_records_too(ada: BlueskyPerson, control: SandboxControl) -> None:
    rkey = ada.tids.next()
    control.fault("drop_after", {"path": "com.atproto.repo.putRecord"})
    with pytest.raises(httpx.ReadError):
        ada.put(post_record("once"), rkey, swapRecord=None)
    query = {"repo": ada.did, "collection": "app.bsky.feed.post", "rkey": rkey}
    assert ada.http.get("com.atproto.repo.getRecord", params=query).json()["value"] == post_record("once")
    assert control.posts("ada")[0]["key"] == rkey


def test_a_match_needs_all_of_its_parts(
    alice: MastodonPerson, bob: MastodonPerson, control: SandboxControl
) -> None:
    match = {"path": "/api/v1/*", "method": "POST", "account": "alice", "text_contains": "boom", "key": "k"}
    control.fault("error_before", match, times=None)
    assert bob.post("boom", key="k").status_code == 200
    assert alice.post("calm", key="k").status_code == 200
    assert alice.post("boom", key="other").status_code == 200
    assert alice.post("big boom", key="k").status_code == 503
    control.clear_faults()
    assert alice.post("boom", key="k2").status_code == 200


def _outcomes(sandbox: SandboxThread, seed: str) -> list[int]:
    sandbox.control.reset()
    person = MastodonPerson(sandbox.base_url, sandbox.control.account("alice"))
    sandbox.control.config(fault_mix={"error_before": 0.2, "error_after": 0.2, "rate_limit": 0.1}, seed=seed)
    return [person.post(f"post {n}", key=f"k{n}").status_code for n in range(60)]


def test_the_fault_mix_is_repeatable_by_its_seed(sandbox: SandboxThread) -> None:
    first, again, other = _outcomes(sandbox, "one"), _outcomes(sandbox, "one"), _outcomes(sandbox, "two")
    assert first == again
    assert first != other
    assert {200, 429, 500, 503} == set(first)
    stats = sandbox.control.stats()["faults"]
    assert sum(stats.values()) == sum(code != 200 for code in other)


def test_reads_are_left_alone_by_the_mix_unless_asked(alice: MastodonPerson, control: SandboxControl) -> None:
    control.config(fault_mix={"error_before": 1.0})
    assert alice.http.get("/api/v1/timelines/home").status_code == 200
    control.config(fault_mix_on="all")
    assert alice.http.get("/api/v1/timelines/home").status_code == 503


def test_a_rules_probability_is_drawn_from_its_seed(alice: MastodonPerson, control: SandboxControl) -> None:
    control.fault("error_before", PATH, times=None, probability=0.5, seed="s")
    codes = [alice.post(f"p{n}", key=f"k{n}").status_code for n in range(40)]
    assert 8 <= codes.count(503) <= 32


def test_global_latency_is_added_to_every_request(alice: MastodonPerson, control: SandboxControl) -> None:
    control.config(latency_ms=150)
    started = time.monotonic()
    alice.post("x")
    assert time.monotonic() - started >= 0.15


@pytest.mark.parametrize(
    "body",
    [
        {}, {"kind": "explode"}, {"kind": "hang", "times": 0}, {"kind": "hang", "probability": 2},
        {"kind": "hang", "match": {"host": "x"}}, {"kind": "rate_limit", "params": {"dialect": "x"}},
        {"kind": "latency", "params": {"seconds": -1}}, {"kind": "hang", "extra": 1},
    ],
)  # fmt: skip
def test_a_fault_that_makes_no_sense_is_refused(control: SandboxControl, body: dict[str, Any]) -> None:
    response = control.http.post("/sandbox/faults", json=body)
    assert response.status_code == 422
    assert response.json()["error"].endswith(".")


@pytest.mark.parametrize(
    "change",
    [
        {"nonsense": 1}, {"latency_ms": "soon"}, {"latency_ms": -1}, {"keyless": "yes"}, {"fault_mix": {"explode": 1}},
        {"fault_mix": {"hang": 0.7, "html": 0.7}}, {"fault_mix_on": "some"}, {"software": ""},
    ],
)  # fmt: skip
def test_a_setting_that_makes_no_sense_changes_nothing(
    control: SandboxControl, change: dict[str, Any]
) -> None:
    before = control.config()
    assert control.http.post("/sandbox/config", json={"max_characters": 7} | change).status_code == 422
    assert control.config() == before


def test_every_kind_is_listed_with_what_it_does(control: SandboxControl) -> None:
    assert control.http.get("/sandbox/faults").json()["kinds"] == FAULT_KINDS
