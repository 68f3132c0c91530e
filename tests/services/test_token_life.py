"""A channel's login: renewed once whoever asks, kept whatever comes back, warned of with the posts it breaks."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from contentcaster.clock import utc_now
from contentcaster.db import Database
from contentcaster.errors import ContentCasterError
from contentcaster.models import Account, AccountStatus
from contentcaster.platforms.base import Channel
from contentcaster.platforms.bluesky_session import access_token
from contentcaster.sandbox.client import SandboxThread
from contentcaster.security.egress import EgressClient
from contentcaster.services import connecting, token_renewal, token_warnings
from contentcaster.services.channels import open_channel, seal_credentials, unseal_credentials
from contentcaster.services.views import AccountView
from tests.services.service_kit import Team

REFRESH = "com.atproto.server.refreshSession"
SIGN_IN = "com.atproto.server.createSession"


@pytest.fixture
def sandbox(stack: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxThread]:
    with SandboxThread() as running:
        settings = stack.settings.model_copy(update={"sandbox_port": running.running.port})
        monkeypatch.setattr(stack.database, "settings", settings)
        yield running


def connected(team: Team, sandbox: SandboxThread) -> AccountView:
    made = sandbox.control.account("acme")
    given = {
        "service_url": made["service_url"],
        "identifier": made["at_handle"],
        "app_password": made["app_password"],
    }
    return asyncio.run(connecting.connect_account(team.stack.database, team.ada, "bluesky", given))


def stored(team: Team, account_id: str) -> dict[str, Any]:
    with team.stack.database.reading() as session:
        return unseal_credentials(team.stack.database.settings, session.get_one(Account, account_id))


def spend(team: Team, account_id: str, **values: Any) -> None:
    """Let the access token be at its end."""
    changed = stored(team, account_id) | {"access_jwt": "", **values}
    with team.stack.database.transaction() as session:
        row = session.get_one(Account, account_id)
        row.credentials_encrypted = seal_credentials(team.stack.database.settings, account_id, changed)
        session.add(row)


def calls(sandbox: SandboxThread, path: str) -> int:
    return len(sandbox.control.requests(path=path))


def use(database: Database, account_id: str, work: Any) -> Any:
    """Open the channel as a worker of its own would, and run `work(channel)` in a loop of its own."""

    async def inner() -> Any:
        with database.reading() as session:
            account = session.get_one(Account, account_id)
        async with EgressClient.from_settings(database.settings) as client:
            return await work(open_channel(database, account, client))

    return asyncio.run(inner())


def test_workers_that_renew_at_once_ask_the_network_once(team: Team, sandbox: SandboxThread) -> None:
    account = connected(team, sandbox)
    spend(team, account.id)
    sandbox.control.fault("latency", {"path": REFRESH}, params={"seconds": 0.4})
    before = calls(sandbox, REFRESH)
    start = threading.Barrier(4)

    def worker(_: int) -> str:
        database = Database(team.stack.database.settings)
        try:

            async def ask(channel: Channel) -> str:
                start.wait(20)
                return await access_token(channel)

            return str(use(database, account.id, ask))
        finally:
            database.dispose()

    with ThreadPoolExecutor(4) as pool:
        tokens = list(pool.map(worker, range(4)))

    assert calls(sandbox, REFRESH) - before == 1
    assert set(tokens) == {stored(team, account.id)["access_jwt"]}
    with team.stack.database.reading() as session:
        assert session.get_one(Account, account.id).renewal_owner is None


def test_a_worker_that_died_while_renewing_holds_nobody_up_for_ever(
    team: Team, sandbox: SandboxThread
) -> None:
    account = connected(team, sandbox)
    spend(team, account.id)
    with team.stack.database.transaction() as session:
        dead = {"renewal_owner": "dead", "renewal_until": utc_now() + timedelta(seconds=1)}
        session.execute(update(Account).where(Account.id == account.id).values(**dead))
    assert use(team.stack.database, account.id, access_token) == stored(team, account.id)["access_jwt"] != ""


def test_an_empty_answer_overwrites_nothing(team: Team, sandbox: SandboxThread) -> None:
    account = connected(team, sandbox)
    before = stored(team, account.id)

    async def save_nothing(channel: Channel) -> None:
        for answer in ({}, {"access_jwt": "", "refresh_jwt": None}):
            await channel.save_credentials(answer, None)

    use(team.stack.database, account.id, save_nothing)
    assert stored(team, account.id) == before
    spend(team, account.id)
    sandbox.control.fault(
        "wrong_shape", {"path": REFRESH}, params={"body": {"accessJwt": "", "refreshJwt": ""}}
    )
    with pytest.raises(Exception, match="Bluesky"):
        use(team.stack.database, account.id, access_token)
    assert stored(team, account.id)["refresh_jwt"] == before["refresh_jwt"]


def test_a_login_connected_again_meanwhile_is_not_overwritten(team: Team, sandbox: SandboxThread) -> None:
    account = connected(team, sandbox)

    async def renew_late(channel: Channel) -> None:
        spend(team, account.id, app_password="new-one")  # a person connects again while the network answers
        await channel.save_credentials({**channel.credentials, "access_jwt": "old"}, None)

    use(team.stack.database, account.id, renew_late)
    assert stored(team, account.id)["app_password"] == "new-one"
    assert stored(team, account.id)["access_jwt"] == ""


def test_keys_rotated_meanwhile_lose_no_renewed_login(team: Team, sandbox: SandboxThread) -> None:
    account = connected(team, sandbox)

    async def renew_late(channel: Channel) -> None:
        spend(team, account.id, access_jwt=channel.credentials["access_jwt"])  # sealed anew, the same inside
        await channel.save_credentials({**channel.credentials, "access_jwt": "renewed"}, None)

    use(team.stack.database, account.id, renew_late)
    assert stored(team, account.id)["access_jwt"] == "renewed"


def test_logins_are_renewed_ahead_of_their_end_used_or_not(team: Team, sandbox: SandboxThread) -> None:
    account = connected(team, sandbox)
    assert token_renewal.renew_due(team.stack.database).renewed == []
    sandbox.control.config(token_life_seconds=600)
    spend(team, account.id)
    done = token_renewal.renew_due(team.stack.database)
    assert (done.renewed, done.refused, done.postponed) == ([account.id], [], [])
    assert stored(team, account.id)["access_jwt"]


@pytest.mark.parametrize(
    ("fault", "params"),
    [
        ("error_before", {"status": 503}),
        ("error_after", {"status": 500}),
        ("drop_before", {}),
        ("html", {}),
        ("malformed", {}),
        ("wrong_shape", {"body": []}),
        ("rate_limit", {}),
    ],
)
def test_a_network_blip_never_disconnects_a_channel(
    team: Team, sandbox: SandboxThread, fault: str, params: dict[str, Any]
) -> None:
    account = connected(team, sandbox)
    spend(team, account.id)
    kept = stored(team, account.id)
    for path in (REFRESH, SIGN_IN):
        sandbox.control.fault(fault, {"path": path}, params=params, times=9)

    done = token_renewal.renew_due(team.stack.database)
    assert (done.refused, done.postponed) == ([], [account.id])
    with pytest.raises(ContentCasterError, match=r"was not changed|asks to wait"):
        asyncio.run(connecting.check_account(team.stack.database, team.ada, account.id))

    assert status(team, account.id) is AccountStatus.CONNECTED
    assert stored(team, account.id) == kept
    sandbox.control.clear_faults()
    assert token_renewal.renew_due(team.stack.database).renewed == [account.id]


@pytest.mark.parametrize("away", ["http://127.0.0.1:9", "https://no-such-host.invalid"])
def test_a_server_or_a_resolver_that_is_away_never_disconnects_a_channel(
    team: Team, sandbox: SandboxThread, away: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = connected(team, sandbox)
    spend(team, account.id, service_url=away, pds_url=away)
    settings = team.stack.database.settings.model_copy(update={"egress_allow": "127.0.0.1:9"})
    monkeypatch.setattr(team.stack.database, "settings", settings)
    assert token_renewal.renew_due(team.stack.database).postponed == [account.id]
    assert status(team, account.id) is AccountStatus.CONNECTED


def test_only_the_networks_own_no_disconnects_a_channel(team: Team, sandbox: SandboxThread) -> None:
    account = connected(team, sandbox)
    spend(team, account.id, refresh_jwt="eyJhbGciOiJub25lIn0.e30.x", app_password="revoked")
    assert token_renewal.renew_due(team.stack.database).refused == [account.id]
    assert status(team, account.id) is AccountStatus.REAUTHORISE
    # It is left alone until a person connects it again.
    assert token_renewal.renew_due(team.stack.database).refused == []


def status(team: Team, account_id: str) -> AccountStatus:
    with team.stack.database.reading() as session:
        return session.get_one(Account, account_id).status


# ── warnings ────────────────────────────────────────────────────────────────────────────────────────────────


def ends_in(team: Team, account: Account, **span: float) -> None:
    with team.stack.database.transaction() as session:
        values = {"token_expires_at": utc_now() + timedelta(**span)}
        session.execute(update(Account).where(Account.id == account.id).values(**values))


def test_a_login_that_ends_is_warned_of_at_14_7_and_1_days_once_each(team: Team) -> None:
    ends_in(team, team.mastodon, days=20)
    now, given = utc_now(), []
    for hour in range(0, 21 * 24, 6):
        given += [
            (hour // 24, w.days) for w in team.write(token_warnings.due, now=now + timedelta(hours=hour))
        ]
    assert [days for _day, days in given] == [14, 7, 1]
    assert [day for day, _days in given] == [6, 13, 19]


def test_a_warning_names_the_scheduled_posts_that_would_break(team: Team) -> None:
    ends_in(team, team.mastodon, days=3)
    team.scheduled(text="In time", in_seconds=86_400)
    late = team.scheduled(text="Too late for the login", in_seconds=4 * 86_400)
    team.scheduled(draft=team.draft("Elsewhere", team.bluesky), in_seconds=4 * 86_400)
    (warning,) = team.write(token_warnings.due)
    assert (warning.days, warning.post_count) == (7, 1)
    assert [(post.post_id, post.text) for post in warning.posts] == [(late.id, "Too late for the login")]
    sentence = warning.sentence("Europe/Berlin")
    assert (
        "Mastodon · @acme@example.social ends on" in sentence and "1 scheduled post is due after" in sentence
    )


def test_a_new_login_starts_the_warnings_anew(team: Team) -> None:
    ends_in(team, team.mastodon, hours=12)
    assert [w.days for w in team.write(token_warnings.due)] == [1]
    ends_in(team, team.mastodon, days=60)
    assert team.write(token_warnings.due) == []
    assert [w.days for w in team.write(token_warnings.due, now=utc_now() + timedelta(days=50))] == [14]


def test_a_login_that_has_ended_is_shown_and_not_warned_of(team: Team) -> None:
    ends_in(team, team.mastodon, hours=-1)
    assert team.write(token_warnings.due) == []
    (ending,) = team.read(token_warnings.endings)
    assert ending.is_over and "ended on" in ending.sentence("UTC")
