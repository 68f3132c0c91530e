"""Connecting to real servers: the sandbox network speaks Mastodon's and Bluesky's protocols over HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from contentcaster.clock import utc_now
from contentcaster.errors import Conflict, ContentCasterError, InvalidInput, NotAllowed, NotFound
from contentcaster.models import Account, AccountStatus, JobState
from contentcaster.sandbox.client import SandboxThread
from contentcaster.sandbox.settings import SandboxSettings
from contentcaster.security.permissions import Principal
from contentcaster.security.vault import get_vault
from contentcaster.services import accounts, connecting
from contentcaster.services.views import AccountView
from tests.services.service_kit import Team


@pytest.fixture
def sandbox(stack: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxThread]:
    with SandboxThread(SandboxSettings(port=0)) as running:
        # The product reaches its own sandbox at the port in its settings.
        settings = stack.settings.model_copy(update={"sandbox_port": running.running.port})
        monkeypatch.setattr(stack.database, "settings", settings)
        monkeypatch.setattr("contentcaster.platforms.sandbox.get_settings", lambda: settings)
        yield running


def connect(team: Team, platform: str, who: Principal | None = None, **credentials: Any) -> AccountView:
    return asyncio.run(
        connecting.connect_account(team.stack.database, who or team.ada, platform, credentials)
    )


def credentials_of(sandbox: SandboxThread, handle: str, platform: str) -> dict[str, Any]:
    made = sandbox.control.account(handle)
    if platform == "bluesky":
        return {
            "service_url": made["service_url"],
            "identifier": made["at_handle"],
            "app_password": made["app_password"],
        }
    return {"instance_url": made["instance_url"], "access_token": made["access_token"]}


def test_a_handle_is_enough_for_the_sandbox(team: Team, sandbox: SandboxThread) -> None:
    view = connect(team, "sandbox", handle="acme")
    assert (view.platform, view.handle, view.status) == ("sandbox", "@acme", "connected")
    assert view.text_rule.max_length > 0
    assert view.id in [account.id for account in team.read(accounts.list_accounts, team.alice)]


@pytest.mark.parametrize("platform", ["mastodon", "bluesky"])
def test_pasted_credentials_connect_and_are_kept_sealed(
    team: Team, sandbox: SandboxThread, platform: str
) -> None:
    given = credentials_of(sandbox, "acme", platform)
    secret = given.get("access_token") or given["app_password"]
    view = connect(team, platform, **given)
    assert secret not in repr(view)
    with team.stack.database.reading() as session:
        row = session.get_one(Account, view.id)
        assert secret not in row.credentials_encrypted
        opened = get_vault().decrypt(
            row.credentials_encrypted, table="account", row_id=row.id, column="credentials_encrypted"
        )
    assert isinstance(json.loads(opened), dict)


@pytest.mark.parametrize("platform", ["mastodon", "bluesky"])
def test_a_wrong_secret_is_an_error_at_its_field(team: Team, sandbox: SandboxThread, platform: str) -> None:
    given = credentials_of(sandbox, "acme", platform)
    field = "access_token" if platform == "mastodon" else "app_password"
    given[field] = "WRONGWRONG-wrong-wrong"
    with pytest.raises(InvalidInput) as refused:
        connect(team, platform, **given)
    assert field in refused.value.fields
    assert "WRONG" not in str(refused.value) + repr(refused.value.fields)
    assert len(team.read(accounts.list_accounts, team.ada)) == 3


def test_a_server_that_is_away_or_no_such_server_is_an_error_at_the_address(
    team: Team, sandbox: SandboxThread
) -> None:
    given = credentials_of(sandbox, "acme", "mastodon")
    for url in (
        "http://127.0.0.1:9",
        "https://no-such-host.invalid",
        "ftp://x",
        "http://169.254.169.254",
        "https://",
    ):
        with pytest.raises(InvalidInput) as refused:
            connect(team, "mastodon", **(given | {"instance_url": url}))
        assert "instance_url" in refused.value.fields, url


def test_connecting_the_same_account_again_renews_it(team: Team, sandbox: SandboxThread) -> None:
    given = credentials_of(sandbox, "acme", "mastodon")
    first = connect(team, "mastodon", **given)
    with team.stack.database.transaction() as session:
        row = session.get_one(Account, first.id)
        row.status, row.status_reason = AccountStatus.REAUTHORISE, "revoked"
        old = row.credentials_encrypted
    again = connect(team, "mastodon", **given)
    assert again.id == first.id and again.version == first.version + 1
    assert (again.status, again.status_reason) == ("connected", "")
    with team.stack.database.reading() as session:
        assert session.get_one(Account, first.id).credentials_encrypted != old


def test_an_account_that_was_removed_comes_back_as_a_new_one(team: Team, sandbox: SandboxThread) -> None:
    given = credentials_of(sandbox, "acme", "mastodon")
    first = connect(team, "mastodon", **given)
    team.write(accounts.delete_account, team.ada, first.id)
    with team.stack.database.reading() as session:
        assert session.get_one(Account, first.id).credentials_encrypted == ""
    again = connect(team, "mastodon", **given)
    assert again.id != first.id
    with pytest.raises(NotFound):
        team.read(accounts.get_account, team.ada, first.id)


def test_two_who_connect_the_same_account_at_once_get_one(team: Team, sandbox: SandboxThread) -> None:
    given = credentials_of(sandbox, "acme", "mastodon")

    async def both() -> list[AccountView]:
        call = [
            connecting.connect_account(team.stack.database, team.ada, "mastodon", given) for _ in range(4)
        ]
        return await asyncio.gather(*call)

    assert len({view.id for view in asyncio.run(both())}) == 1


def test_a_check_notices_a_revoked_token_and_a_good_one(team: Team, sandbox: SandboxThread) -> None:
    view = connect(team, "mastodon", **credentials_of(sandbox, "acme", "mastodon"))
    sandbox.control.fault("expired_token", times=1)
    checked = asyncio.run(connecting.check_account(team.stack.database, team.ada, view.id))
    assert checked.status == "reauthorise" and checked.status_reason
    checked = asyncio.run(connecting.check_account(team.stack.database, team.ada, view.id))
    assert (checked.status, checked.status_reason) == ("connected", "")


def test_a_check_that_learns_nothing_of_the_logins_end_keeps_it(team: Team, sandbox: SandboxThread) -> None:
    view = connect(team, "mastodon", **credentials_of(sandbox, "acme", "mastodon"))
    ends = utc_now() + timedelta(days=3)
    with team.stack.database.transaction() as session:
        session.get_one(Account, view.id).token_expires_at = ends
    checked = asyncio.run(connecting.check_account(team.stack.database, team.ada, view.id))
    assert checked.token_expires_at == ends


def test_a_check_of_a_server_with_troubles_changes_nothing(team: Team, sandbox: SandboxThread) -> None:
    view = connect(team, "mastodon", **credentials_of(sandbox, "acme", "mastodon"))
    sandbox.control.fault("error_before")
    with pytest.raises(ContentCasterError, match="not changed"):
        asyncio.run(connecting.check_account(team.stack.database, team.ada, view.id))
    assert team.read(accounts.get_account, team.ada, view.id).status == "connected"


def test_credentials_that_do_not_open_ask_for_a_new_login(team: Team, sandbox: SandboxThread) -> None:
    first = connect(team, "sandbox", handle="one")
    second = connect(team, "sandbox", handle="two")
    with team.stack.database.transaction() as session:
        copied = session.get_one(Account, first.id).credentials_encrypted
        session.get_one(Account, second.id).credentials_encrypted = copied
    checked = asyncio.run(connecting.check_account(team.stack.database, team.ada, second.id))
    assert checked.status == "reauthorise" and "encryption keys" in checked.status_reason


def test_only_admins_connect_and_check(team: Team, sandbox: SandboxThread) -> None:
    view = connect(team, "sandbox", handle="acme")
    for who in (team.alice, team.mona, team.vic):
        with pytest.raises(NotAllowed):
            connect(team, "sandbox", who, handle="other")
        with pytest.raises(NotAllowed):
            asyncio.run(connecting.check_account(team.stack.database, who, view.id))
    with pytest.raises(NotFound):
        asyncio.run(connecting.check_account(team.stack.database, team.ada, "0" * 26))


def test_removing_is_refused_while_a_post_is_being_sent(team: Team, sandbox: SandboxThread) -> None:
    post = team.scheduled()
    team.set_job(team.jobs(post.id)[0].id or 0, JobState.SENDING)
    with pytest.raises(Conflict, match="right now"):
        team.write(accounts.delete_account, team.ada, team.mastodon.id, is_cancelling_scheduled=True)
