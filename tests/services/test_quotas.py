"""The quota ledger: learned from answers, shared by all workers, and waited for instead of running into a refusal."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from sqlalchemy import update

from contentcaster.clock import utc_now
from contentcaster.engine.policy import Policy
from contentcaster.engine.sender import Sender
from contentcaster.errors import NotFound
from contentcaster.models import Account, Quota
from contentcaster.platforms import quotas as platform_quotas
from contentcaster.sandbox.client import SandboxThread
from contentcaster.security.egress import EgressResponse
from contentcaster.services import connecting, posts, quotas, timeline
from contentcaster.services.executors import create_executors
from contentcaster.services.quotas import QuotaLedger
from contentcaster.services.schedule import Schedule
from tests.services.service_kit import Team, soon

pytestmark = pytest.mark.settings(publish_lead_seconds=0.5, settle_seconds=0.2)


@pytest.fixture
def sandbox(stack: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxThread]:
    with SandboxThread() as running:
        settings = stack.settings.model_copy(update={"sandbox_port": running.running.port})
        monkeypatch.setattr(stack.database, "settings", settings)
        yield running


def seen(
    team: Team,
    account: Account,
    left: int,
    *,
    allowed: int = 300,
    in_seconds: float = 60,
    path: str = "/api/v1/statuses",
) -> None:
    """An answer to a request of this channel came in."""
    headers = {
        "x-ratelimit-limit": str(allowed),
        "x-ratelimit-remaining": str(left),
        "x-ratelimit-reset": (utc_now() + timedelta(seconds=in_seconds)).isoformat(),
    }
    look = quotas.observer(team.stack.database, account)
    look("POST", "127.0.0.1", path, EgressResponse(200, headers, b""))


def ledger(team: Team, account: Account) -> QuotaLedger:
    quotas.flush(team.stack.database)
    found: QuotaLedger = team.read(quotas.ledger_of, team.alice, account.id)
    return found


def test_the_ledger_says_what_is_allowed_used_and_left_until_when_and_by_which_header(team: Team) -> None:
    seen(team, team.mastodon, 297)
    seen(team, team.mastodon, 29, path="/api/v2/media")
    known = {quota.name: quota for quota in ledger(team, team.mastodon).quotas}
    requests = known["requests"]
    assert (requests.title, requests.allowed, requests.used, requests.left) == ("Requests", 300, 3, 297)
    assert (requests.window, requests.learned_from, requests.percent_used) == (
        "5 minutes",
        "x-ratelimit-remaining",
        1,
    )
    assert requests.resets_at is not None and requests.resets_at > utc_now()
    assert (known["media"].left, known["media"].window) == (29, "30 minutes")


def test_answers_that_overtake_each_other_do_not_give_back_what_is_used(team: Team) -> None:
    for left in (297, 250, 299):
        seen(team, team.mastodon, left)
    assert ledger(team, team.mastodon).quotas[0].left == 250
    seen(team, team.mastodon, 280)  # of another worker, written later
    assert ledger(team, team.mastodon).quotas[0].left == 250
    seen(team, team.mastodon, 290, allowed=400)  # the server changed its limit
    assert ledger(team, team.mastodon).quotas[0].left == 290
    seen(team, team.mastodon, 299, in_seconds=360)
    assert ledger(team, team.mastodon).quotas[0].left == 299


def test_what_is_past_its_reset_is_shown_as_past_and_stops_nothing(team: Team) -> None:
    with team.stack.database.transaction() as session:
        session.add(
            Quota(
                scope=f"channel:{team.mastodon.id}",
                account_id=team.mastodon.id,
                name="requests",
                allowed=300,
                left=0,
                resets_at=utc_now() - timedelta(seconds=1),
                learned_from="x-ratelimit-remaining",
                is_gate=True,
            )
        )
    found = ledger(team, team.mastodon)
    assert found.quotas[0].is_outdated and not found.quotas[0].is_used_up
    assert found.paused_until is None


def test_a_limit_of_the_address_holds_for_all_channels_there_and_for_no_other(team: Team) -> None:
    with team.stack.database.transaction() as session:
        values = {"platform": "bluesky", "instance_url": "https://pds.example"}
        session.execute(
            update(Account).where(Account.id.in_([team.mastodon.id, team.private.id])).values(**values)
        )
    reset = str(int(utc_now().timestamp()) + 120)
    headers = {"ratelimit-limit": "3000", "ratelimit-remaining": "0", "ratelimit-reset": reset}
    with team.stack.database.reading() as session:
        account = session.get_one(Account, team.mastodon.id)
    look = quotas.observer(team.stack.database, account)
    look("POST", "pds.example", "/xrpc/com.atproto.repo.putRecord", EgressResponse(200, headers, b""))
    quotas.flush(team.stack.database)

    def pause(account_id: str) -> quotas.Pause | None:
        with team.stack.database.reading() as session:
            return quotas.pause_of(session, session.get_one(Account, account_id))

    for account_id in (team.mastodon.id, team.private.id):
        found = pause(account_id)
        assert found is not None and "all channels of this server or app" in found.reason
    assert pause(team.bluesky.id) is None


@pytest.mark.parametrize("hours_off", [1, -1])
def test_a_worker_whose_clock_is_an_hour_off_notes_the_reset_by_the_databases_clock(
    team: Team, monkeypatch: pytest.MonkeyPatch, hours_off: int
) -> None:
    """Else the others would hold the channel's posts back for that hour, or run into the limit."""
    true_now = utc_now()
    headers = {
        "date": format_datetime(true_now, usegmt=True),
        "x-ratelimit-limit": "300",
        "x-ratelimit-remaining": "0",
        "x-ratelimit-reset": (true_now + timedelta(seconds=60)).isoformat(),
    }
    for module in (quotas, platform_quotas):
        monkeypatch.setattr(module, "utc_now", lambda: true_now + timedelta(hours=hours_off))
    database = team.stack.database
    quotas.observer(database, team.mastodon)(
        "POST", "127.0.0.1", "/api/v1/statuses", EgressResponse(200, headers, b"")
    )
    scopes = quotas.scopes_of(team.mastodon)
    noted = quotas.noted_pause(database, scopes, now=true_now)
    quotas.flush(database)
    with database.reading() as session:
        kept = quotas.pause_of(session, session.get_one(Account, team.mastodon.id), now=true_now)
    for pause in (noted, kept):
        assert pause is not None
        assert timedelta(seconds=55) < pause.until - true_now < timedelta(seconds=65)


def test_the_ledger_of_a_channel_is_for_those_who_may_see_it(team: Team) -> None:
    with pytest.raises(NotFound):
        team.read(quotas.ledger_of, team.alice, team.private.id)
    assert team.read(quotas.ledger_of, team.ada, team.private.id).quotas == []
    assert (
        "300 requests" in team.read(quotas.ledger_of, team.alice, team.mastodon.id).known_limits[0].sentence
    )


def test_posts_wait_for_a_used_up_limit_instead_of_being_refused(team: Team, sandbox: SandboxThread) -> None:
    database = team.stack.database
    made = sandbox.control.account("acme")
    given = {"instance_url": made["instance_url"], "access_token": made["access_token"]}
    view = asyncio.run(connecting.connect_account(database, team.ada, "mastodon", given))
    with database.reading() as session:
        channel = session.get_one(Account, view.id)
    # Connecting has used one; the first post takes the other.
    sandbox.control.config(mastodon_requests=2, mastodon_window_seconds=4)
    sender = Sender(
        database,
        Policy.from_settings(database.settings),
        create_executors(database),
        queues=("publish",),
        concurrency=4,
        channel_concurrency=1,
    )
    sender.start()
    try:
        first = team.write(posts.create_post, team.alice, team.draft("One", channel), Schedule.now())
        _wait(lambda: team.read(posts.get_post, team.alice, first.id).status == "Published")
        _wait(lambda: any(quota.left == 0 for quota in ledger(team, channel).quotas))
        second = team.write(posts.create_post, team.alice, team.draft("Two", channel), Schedule.at(soon(2.2)))
        _wait(lambda: team.read(posts.get_post, team.alice, second.id).status == "Published", seconds=20)
    finally:
        assert sender.stop()
    assert [item["text"] for item in sandbox.control.posts()] == ["One", "Two"]
    assert sandbox.control.stats()["by_status"].get("429", 0) == 0, "it waited, so nobody had to refuse it"
    entries = team.read(timeline.get_timeline, team.alice, second.id)
    assert any("allows this channel no more requests until" in entry.detail for entry in entries)
    assert ledger(team, channel).sends_last_hour == 2


def _wait(done: Any, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end
        time.sleep(0.05)
