"""What the sandbox remembers: requests, the ledger, duplicates, restarts, its command."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from contentcaster.sandbox.client import SandboxControl, SandboxThread
from contentcaster.sandbox.server import start_sandbox
from contentcaster.sandbox.settings import SandboxSettings

from .conftest import BlueskyPerson, MastodonPerson, post_record


def test_a_request_is_recorded_with_its_arrival_key_text_and_answer(
    alice: MastodonPerson, control: SandboxControl
) -> None:
    before = time.time()
    alice.post("recorded", key="key-1")
    after = time.time()
    seen = control.requests(account="alice", path="/api/v1/statuses")[-1]
    assert before <= seen["arrived_epoch"] <= after
    assert seen["arrived_at"].endswith("Z")
    assert len(seen["arrived_at"]) == len("2026-11-24T21:00:00.000000Z")
    assert (seen["method"], seen["key"], seen["text"], seen["status"], seen["effect"]) == (
        "POST", "key-1", "recorded", 200, True,
    )  # fmt: skip
    body = b'{"status":"recorded"}'
    assert seen["body_sha256"] == hashlib.sha256(body).hexdigest()
    assert control.requests(since=seen["number"]) == []


def test_a_replayed_key_is_recorded_as_without_effect(alice: MastodonPerson, control: SandboxControl) -> None:
    alice.post("once", key="k")
    alice.post("once", key="k")
    assert [r["effect"] for r in control.requests(path="/statuses")] == [True, False]


def test_the_ledger_names_duplicates_by_key_and_by_text(
    alice: MastodonPerson, bob: MastodonPerson, control: SandboxControl
) -> None:
    alice.post("same")
    second = alice.post("same").json()["id"]
    bob.post("same")
    found = control.ledger()["duplicates"]
    assert [(d["account"], d["by"], d["value"], len(d["ids"])) for d in found] == [
        ("alice", "text", "same", 2)
    ]
    alice.http.delete(f"/api/v1/statuses/{second}")
    assert control.ledger()["duplicates"] == []
    assert control.ledger(summary=1) == {"counts": {"post": 3, "delete": 1}, "duplicates": []}


def test_reset_forgets_everything_or_all_but_the_accounts(
    alice: MastodonPerson, control: SandboxControl
) -> None:
    alice.post("x")
    control.reset(keep_accounts=True)
    assert control.posts() == []
    assert alice.post("y").status_code == 200
    control.reset()
    assert alice.post("z").status_code == 401


def test_control_calls_are_not_for_other_web_pages(sandbox: SandboxThread) -> None:
    foreign = httpx.post(f"{sandbox.base_url}/sandbox/reset", headers={"Origin": "https://evil.example"})
    assert foreign.status_code == 403
    assert httpx.post(f"{sandbox.base_url}/sandbox/reset").status_code == 200


@pytest.mark.parametrize("durable", [False, True])
def test_everything_survives_a_restart(tmp_path: Path, durable: bool) -> None:
    settings = SandboxSettings(data_path=tmp_path / "sandbox.db", durable=durable)
    with SandboxThread(settings) as first:
        alice = MastodonPerson(first.base_url, first.control.account("alice"))
        bob = MastodonPerson(first.base_url, first.control.account("bob"))
        ada = BlueskyPerson(first.base_url, first.control.account("ada"))
        kept = alice.post("kept #tag", key="k1").json()
        gone = alice.post("gone").json()
        alice.http.delete(f"/api/v1/statuses/{gone['id']}")
        bob.http.post(f"/api/v1/statuses/{kept['id']}/favourite")
        bob.http.post(f"/api/v1/accounts/{alice.id}/follow")
        rkey = ada.tids.next()
        put = ada.put(post_record("record"), rkey).json()
        ledger = first.control.ledger()
    with SandboxThread(settings) as second:
        account = second.control.account("alice")
        assert account["access_token"] == alice.account["access_token"]
        again = MastodonPerson(second.base_url, account)
        assert again.post("kept #tag", key="k1").json()["id"] == kept["id"]
        seen = again.http.get(f"/api/v1/accounts/{alice.id}/statuses").json()
        assert [(s["id"], s["favourites_count"]) for s in seen] == [(kept["id"], 1)]
        assert again.http.get(f"/api/v1/accounts/{alice.id}").json()["followers_count"] == 1
        assert [n["type"] for n in again.http.get("/api/v1/notifications").json()] == ["follow", "favourite"]
        grown = BlueskyPerson(second.base_url, second.control.account("ada"))
        same = grown.put(post_record("record"), rkey).json()
        assert (same["cid"], "commit" in same) == (put["cid"], False)
        old = httpx.get(
            f"{second.base_url}/xrpc/com.atproto.server.getSession", headers=dict(ada.http.headers)
        )
        assert old.status_code == 200
        assert second.control.ledger()["counts"] == ledger["counts"]
        newer = again.post("newer").json()
        assert int(newer["id"]) > int(kept["id"])


def test_a_taken_port_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            asyncio.run(start_sandbox(SandboxSettings(port=port)))


_PROGRAM = (
    "import sys, pathlib; from contentcaster.sandbox.server import SandboxSettings, run_sandbox; "
    "run_sandbox(SandboxSettings(data_path=pathlib.Path(sys.argv[1]), durable=sys.argv[2] == 'durable'))"
)


def _start(path: Path, mode: str) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(path), mode], stdout=subprocess.PIPE, text=True, cwd=os.getcwd()
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    return process, line.split()[3].rstrip(",")


def test_sigterm_ends_the_process_cleanly_with_all_posts_written(tmp_path: Path) -> None:
    process, url = _start(tmp_path / "s.db", "batched")
    control = SandboxControl(url)
    alice = MastodonPerson(url, control.account("alice"))
    control.fault("hang", {"text_contains": "hang"})
    with pytest.raises(httpx.ReadTimeout):
        alice.http.post("/api/v1/statuses", json={"status": "hang"}, timeout=0.2)
    alice.post("last words")
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    with SandboxThread(SandboxSettings(data_path=tmp_path / "s.db")) as again:
        assert [p["text"] for p in again.control.posts()] == ["hang", "last words"]


def test_a_durable_sandbox_loses_nothing_it_answered_to_kill_9(tmp_path: Path) -> None:
    process, url = _start(tmp_path / "s.db", "durable")
    alice = MastodonPerson(url, SandboxControl(url).account("alice"))
    for n in range(20):
        assert alice.post(f"post {n}").status_code == 200
    process.kill()
    process.wait(10)
    with SandboxThread(SandboxSettings(data_path=tmp_path / "s.db")) as again:
        assert len(again.control.posts()) == 20
