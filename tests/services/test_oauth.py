"""Connecting by OAuth: from the state that leaves to the channel that is there, and everything that does not fit."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from sqlalchemy import update

from contentcaster.clock import utc_now
from contentcaster.errors import InvalidInput, NotAllowed, NotFound, TooMany
from contentcaster.models import Account, AccountStatus, OAuthApp, OAuthAttempt
from contentcaster.platforms import get_connector, linkedin_api, x_api
from contentcaster.platforms.oauth import challenge_of
from contentcaster.sandbox.client import SandboxThread
from contentcaster.sandbox.settings import SandboxSettings
from contentcaster.security.permissions import Principal
from contentcaster.security.vault import get_vault
from contentcaster.services import accounts, connecting, oauth, oauth_apps
from contentcaster.services.channels import seal_credentials, unseal_credentials
from contentcaster.services.oauth import AttemptView, OAuthRefused, Started
from contentcaster.settings import Settings
from tests.platforms.twins.linkedin import MEMBER_SCOPES, PAGE_SCOPES, LinkedInTwin
from tests.platforms.twins.x import XTwin
from tests.services.service_kit import Team


@dataclass
class Flow:
    """An admin in a browser, a twin, and the product between them."""

    team: Team
    twin: XTwin | LinkedInTwin
    platform: str
    ada: Principal

    @property
    def database(self) -> Any:
        return self.team.stack.database

    def save_app(self, secret: str | None = None, client_id: str | None = None) -> None:
        self.team.write(
            oauth_apps.save_app,
            self.ada,
            self.platform,
            client_id=client_id or self.twin.oauth.client_id,
            client_secret=secret if secret is not None else self.twin.oauth.client_secret,
        )

    def start(self, who: Principal | None = None, *, is_browser: bool = True, **values: str) -> Started:
        return asyncio.run(
            oauth.start(self.database, who or self.ada, self.platform, values, is_browser=is_browser)
        )

    def visit(self, started: Started) -> str:
        """The browser goes there, the person allows it; the address that it is sent back to."""
        return visit(started.authorization_url)

    def come_back(self, address: str, who: Principal | None = None, **changes: str) -> AttemptView:
        parts = urlsplit(address)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()} | changes
        redirect_uri = query.pop("redirect_uri", f"{parts.scheme}://{parts.netloc}{parts.path}")
        known = {key: query[key] for key in ("state", "code", "error") if key in query}
        arguments = {"state": "", **known}
        return asyncio.run(
            oauth.finish(self.database, who or self.ada, redirect_uri=redirect_uri, **arguments)
        )

    def tokens_asked(self) -> int:
        return sum("oken" in request.path for request in self.twin.requests)


def visit(url: str) -> str:
    response = httpx.get(url, follow_redirects=False, trust_env=False)
    assert response.status_code == 302, response.text
    return response.headers["location"]


def with_settings(team: Team, monkeypatch: pytest.MonkeyPatch, host: str) -> Settings:
    settings = team.stack.settings.model_copy(
        update={"egress_allow": (host,), "public_url": "https://cc.example"}
    )
    monkeypatch.setattr(team.stack.database, "settings", settings)
    monkeypatch.setattr(oauth_apps, "get_settings", lambda: settings)
    return settings


@pytest.fixture
def x(team: Team, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flow]:
    with XTwin() as twin:
        with_settings(team, monkeypatch, twin.host)
        monkeypatch.setattr(x_api, "base_url", lambda: twin.url)
        twin.oauth.redirect_uris = ["https://cc.example/oauth/x/callback"]
        yield Flow(team, twin, "x", replace(team.ada, session_id="0" * 25 + "a"))


def linkedin_flow(team: Team, monkeypatch: pytest.MonkeyPatch, twin: LinkedInTwin, platform: str) -> Flow:
    with_settings(team, monkeypatch, twin.host)
    monkeypatch.setattr(linkedin_api, "base_url", lambda: twin.url)
    twin.oauth.redirect_uris = [f"https://cc.example/oauth/{platform}/callback"]
    return Flow(team, twin, platform, replace(team.ada, session_id="0" * 25 + "a"))


# ── the way there and back ──────────────────────────────────────────────────────────────────────────────────────


def test_x_is_connected_with_the_operators_app_and_its_tokens_are_only_in_the_vault(x: Flow) -> None:
    x.save_app()
    started = x.start()
    query = parse_qs(urlsplit(started.authorization_url).query)
    assert query["redirect_uri"] == ["https://cc.example/oauth/x/callback"] == [started.redirect_uri]
    assert query["code_challenge_method"] == ["S256"] and len(query["state"][0]) >= 43
    assert query["scope"][0].split() == started.scopes
    done = x.come_back(x.visit(started))
    assert (done.status, done.message) == ("connected", "")
    assert set(done.granted) == set(started.scopes)
    view = x.team.read(accounts.get_account, x.ada, done.account_id)
    assert (view.platform, view.handle, view.status) == ("x", "@acme_news", "connected")
    with x.database.reading() as session:
        row = session.get_one(Account, done.account_id)
        opened = json.loads(
            get_vault().decrypt(
                row.credentials_encrypted, table="account", row_id=row.id, column="credentials_encrypted"
            )
        )
        everything = str(session.get_one(OAuthAttempt, done.id).model_dump()) + str(row.model_dump())
        app = str([app.model_dump() for app in session.query(OAuthApp)])
    assert opened["access_token"] in x.twin.oauth.access and opened["refresh_token"] in x.twin.oauth.refreshes
    for secret in (
        opened["access_token"],
        opened["refresh_token"],
        x.twin.oauth.client_secret,
        query["state"][0],
    ):
        assert secret not in everything + app + repr(done) + repr(started).replace(
            started.authorization_url, ""
        )


def test_linkedin_members_and_pages_ask_for_different_rights_and_send_no_verifier(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    for platform, scopes, handle in (
        ("linkedin", MEMBER_SCOPES, "Ada Member"),
        ("linkedin-page", PAGE_SCOPES, "devtestco"),
    ):
        with LinkedInTwin(scopes) as twin:
            flow = linkedin_flow(team, monkeypatch, twin, platform)
            flow.save_app()
            started = flow.start()
            assert set(started.scopes) == set(scopes)
            assert "code_challenge" not in started.authorization_url
            done = flow.come_back(flow.visit(started))
            assert (done.status, done.message) == ("connected", "")
            view = team.read(accounts.get_account, flow.ada, done.account_id)
            assert view.handle == handle
            left = view.token_expires_at - utc_now() if view.token_expires_at else timedelta(0)
            assert timedelta(days=59) < left < timedelta(days=61), "a person is told before it ends"


def test_a_page_is_chosen_before_the_browser_leaves(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    with LinkedInTwin(PAGE_SCOPES, pages=("2414183", "5515715")) as twin:
        flow = linkedin_flow(team, monkeypatch, twin, "linkedin-page")
        flow.save_app()
        unclear = flow.come_back(flow.visit(flow.start()))
        assert unclear.status == "failed" and "2414183, 5515715" in unclear.message
        done = flow.come_back(flow.visit(flow.start(organization="5515715")))
        assert team.read(accounts.get_account, flow.ada, done.account_id).handle == "acme-corp"


def test_connecting_again_gives_the_channel_a_new_login(x: Flow) -> None:
    x.save_app()
    first = x.come_back(x.visit(x.start()))
    with x.database.transaction() as session:
        row = session.get_one(Account, first.account_id)
        row.status, row.status_reason = AccountStatus.REAUTHORISE, "revoked"
    again = x.come_back(x.visit(x.start()))
    assert again.account_id == first.account_id
    assert x.team.read(accounts.get_account, x.ada, first.account_id).status == "connected"


# ── Mastodon: the app registers itself ──────────────────────────────────────────────────────────────────────────


@pytest.fixture
def sandbox(team: Team, monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxThread]:
    with SandboxThread(SandboxSettings(port=0)) as running:
        with_settings(team, monkeypatch, urlsplit(running.base_url).netloc)
        yield running


def allow_on_sandbox(started: Started, account_id: str, *, allow: str = "1") -> str:
    parts = urlsplit(started.authorization_url)
    page = httpx.get(started.authorization_url, trust_env=False)
    assert page.status_code == 200, page.text
    form = {key: values[0] for key, values in parse_qs(parts.query).items()}
    form |= {"account": account_id, "allow": allow}
    answer = httpx.post(f"{parts.scheme}://{parts.netloc}{parts.path}", data=form, trust_env=False)
    assert answer.status_code == 302, answer.text
    return answer.headers["location"]


def test_mastodon_needs_only_the_address_of_the_server(team: Team, sandbox: SandboxThread) -> None:
    made = sandbox.control.account("acme")
    flow = Flow(team, None, "mastodon", team.ada)  # type: ignore[arg-type]
    started = flow.start(instance_url=sandbox.base_url + "/@acme")
    done = flow.come_back(allow_on_sandbox(started, made["id"]))
    assert (done.status, done.message, done.granted) == ("connected", "", ["read", "write"])
    view = team.read(accounts.get_account, team.ada, done.account_id)
    assert view.handle.startswith("@acme@") and view.status == "connected"
    again = flow.start(instance_url=sandbox.base_url)
    with team.stack.database.reading() as session:
        assert len(session.query(OAuthApp).all()) == 1, "one app for each server"
    denied = flow.come_back(allow_on_sandbox(again, made["id"], allow="0"))
    assert denied.status == "failed" and "told not to allow it" in denied.message


def test_each_mastodon_server_has_a_redirect_address_of_its_own(team: Team, sandbox: SandboxThread) -> None:
    made = sandbox.control.account("acme")
    flow = Flow(team, None, "mastodon", team.ada)  # type: ignore[arg-type]
    started = flow.start(instance_url=sandbox.base_url)
    address = allow_on_sandbox(started, made["id"])
    assert urlsplit(address).path.startswith("/oauth/mastodon/callback/")
    with pytest.raises(OAuthRefused) as refused:
        flow.come_back(address, redirect_uri="https://cc.example/oauth/mastodon/callback/" + "0" * 16)
    assert refused.value.reason == "foreign"


def test_a_wrong_server_is_an_error_at_its_field(team: Team, sandbox: SandboxThread) -> None:
    flow = Flow(team, None, "mastodon", team.ada)  # type: ignore[arg-type]
    for url in ("", "http://127.0.0.1:9", "https://no-such-host.invalid", "ftp://x"):
        with pytest.raises(InvalidInput) as refused:
            flow.start(instance_url=url)
        assert "instance_url" in refused.value.fields, url


# ── what does not fit is refused before the network is asked ────────────────────────────────────────────────────


def test_a_state_is_good_for_one_use(x: Flow) -> None:
    x.save_app()
    address = x.visit(x.start())
    assert x.come_back(address).status == "connected"
    asked = x.tokens_asked()
    with pytest.raises(OAuthRefused) as refused:
        x.come_back(address)
    assert refused.value.reason == "used" and x.tokens_asked() == asked


def test_of_two_browsers_that_bring_the_same_state_one_is_served(x: Flow) -> None:
    x.save_app()
    address = x.visit(x.start())

    def bring(_: int) -> str:
        try:
            return x.come_back(address).status
        except OAuthRefused as error:
            return error.reason

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(bring, range(4))) == ["connected", "used", "used", "used"]


def test_a_state_that_we_never_made_is_refused(x: Flow) -> None:
    x.save_app()
    for state in ("", "made up", "A" * 5000):
        with pytest.raises(OAuthRefused) as refused:
            x.come_back(x.visit(x.start()), state=state)
        assert refused.value.reason == "unknown" and x.tokens_asked() == 0


def test_another_session_another_person_and_another_network_are_refused_and_the_state_is_burnt(
    x: Flow,
) -> None:
    x.save_app()
    other_session = replace(x.ada, session_id="0" * 25 + "b")
    other_person = replace(x.ada, user_id=x.team.mona.user_id)
    cases: list[dict[str, Any]] = [
        {"who": other_session},
        {"who": other_person},
        {"redirect_uri": "https://cc.example/oauth/linkedin/callback"},
        {"redirect_uri": "https://cc.example/oauth/x/callback/"},
        {"redirect_uri": "http://cc.example/oauth/x/callback"},
    ]
    for case in cases:
        address = x.visit(x.start())
        with pytest.raises(OAuthRefused) as refused:
            x.come_back(address, **case)
        assert refused.value.reason == "foreign", case
        with pytest.raises(OAuthRefused) as burnt:
            x.come_back(address)
        assert burnt.value.reason == "used", case
    assert x.tokens_asked() == 0
    assert len(x.team.read(accounts.list_accounts, x.ada)) == 3


def test_a_login_that_a_program_started_is_ended_in_any_browser_of_the_same_person(x: Flow) -> None:
    x.save_app()
    address = x.visit(x.start(is_browser=False))
    assert x.come_back(address, replace(x.ada, session_id="0" * 25 + "c")).status == "connected"


def test_a_state_expires(x: Flow) -> None:
    x.save_app()
    started = x.start()
    address = x.visit(started)
    with x.database.transaction() as session:
        session.execute(update(OAuthAttempt).values(expires_at=utc_now() - timedelta(seconds=1)))
    with pytest.raises(OAuthRefused, match="ten minutes") as refused:
        x.come_back(address)
    assert refused.value.reason == "expired" and x.tokens_asked() == 0


def test_a_stolen_code_is_worth_nothing_without_the_verifier(x: Flow) -> None:
    """PKCE: the code of one attempt does not complete another, whoever carries it."""
    x.save_app()
    first, second = x.visit(x.start()), x.visit(x.start())
    stolen = parse_qs(urlsplit(first).query)["code"][0]
    done = x.come_back(second, code=stolen)
    assert done.status == "failed" and len(x.team.read(accounts.list_accounts, x.ada)) == 3


def test_the_challenge_is_the_one_of_the_standard() -> None:
    """RFC 7636, appendix B."""
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert challenge_of(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_nobody_can_pile_up_states(x: Flow) -> None:
    x.save_app()
    for _ in range(20):
        x.start()
    with pytest.raises(TooMany):
        x.start()


# ── what the network refuses is said in a sentence ──────────────────────────────────────────────────────────────


def test_what_the_network_sends_back_is_said_in_words(x: Flow) -> None:
    x.save_app()
    for error, words in (
        ("access_denied", "told not to allow it"),
        ("user_cancelled_login", "told not to allow it"),
        ("invalid_scope", "does not let this app ask for"),
        ("server_error", "trouble of its own"),
        ("something_else", r"\(something_else\)"),
        ("<script>alert(1)</script>", "without a code. Check"),
    ):
        state = parse_qs(urlsplit(x.start().authorization_url).query)["state"][0]
        done = x.come_back(f"https://cc.example/oauth/x/callback?state={state}", error=error)
        assert done.status == "failed"
        assert re.search(words, done.message) and "<" not in done.message, error
        assert x.team.read(oauth.read_attempt, x.ada, done.id) == done


def test_a_wrong_secret_is_named(x: Flow) -> None:
    x.save_app(secret="not-the-secret")
    done = x.come_back(x.visit(x.start()))
    assert done.status == "failed" and "client ID and secret" in done.message
    assert "not-the-secret" not in done.message


def test_a_redirect_uri_that_the_app_does_not_know_is_named(x: Flow) -> None:
    x.save_app()
    address = x.visit(x.start())
    for code in x.twin.oauth.codes.values():
        code["redirect_uri"] = "https://elsewhere.example/"
    done = x.come_back(address)
    assert done.status == "failed" and "Register exactly the address" in done.message


def test_a_code_that_came_too_late_is_said_to_be_so(x: Flow) -> None:
    x.save_app()
    x.twin.oauth.code_seconds = -1
    done = x.come_back(x.visit(x.start()))
    assert done.status == "failed" and "expired" in done.message


def test_too_few_rights_connect_nothing_and_are_named(x: Flow) -> None:
    x.save_app()
    x.twin.oauth.grants = ("tweet.read", "users.read", "offline.access")
    done = x.come_back(x.visit(x.start()))
    assert done.status == "failed" and "tweet.write is missing" in done.message
    assert len(x.team.read(accounts.list_accounts, x.ada)) == 3


def test_a_network_that_does_not_answer_leaves_nothing_half_connected(x: Flow) -> None:
    x.save_app()
    x.twin.override("/2/oauth2/token", 503, "<html>busy</html>")
    done = x.come_back(x.visit(x.start()))
    assert done.status == "failed" and "start the login again" in done.message
    assert x.come_back(x.visit(x.start())).status == "connected"


# ── the operator's app ──────────────────────────────────────────────────────────────────────────────────────────


def test_without_an_app_the_wizard_says_what_to_register(x: Flow) -> None:
    view = x.team.read(oauth_apps.get_network, x.ada, "x")
    assert (view.needs_app, view.client_id) == (True, "")
    assert view.redirect_uri == "https://cc.example/oauth/x/callback" and not view.redirect_warning
    assert "uploaded" in view.media_note and {scope.name for scope in view.scopes} >= {"tweet.write"}
    with pytest.raises(InvalidInput, match="app of your own"):
        x.start()
    x.save_app()
    assert x.team.read(oauth_apps.get_network, x.ada, "x").client_id == x.twin.oauth.client_id


def test_an_app_that_cannot_be_used_is_an_error_at_its_field(x: Flow) -> None:
    for client_id, secret, field in (
        ("", "s", "client_id"),
        ("a b", "s", "client_id"),
        ("abc", "", "client_secret"),
    ):
        with pytest.raises(InvalidInput) as refused:
            x.team.write(oauth_apps.save_app, x.ada, "x", client_id=client_id, client_secret=secret)
        assert field in refused.value.fields


def test_a_new_secret_reaches_the_channels_that_renew_with_it(x: Flow) -> None:
    x.save_app()
    done = x.come_back(x.visit(x.start()))
    x.twin.oauth.client_secret = "rotated-secret"
    x.save_app()
    with x.database.transaction() as session:
        account = session.get_one(Account, done.account_id)
        credentials = unseal_credentials(x.database.settings, account)
        assert credentials["client_secret"] == "rotated-secret"
        account.credentials_encrypted = seal_credentials(
            x.database.settings, account.id, credentials | {"access_expires_at": 1.0}
        )
    checked = asyncio.run(connecting.check_account(x.database, x.ada, done.account_id))
    assert checked.status == "connected" and x.twin.oauth.refresh_count == 1


def test_an_app_that_was_removed_meanwhile_ends_the_login_in_words(x: Flow) -> None:
    x.save_app()
    address = x.visit(x.start())
    x.team.write(oauth_apps.delete_app, x.ada, "x")
    done = x.come_back(address)
    assert done.status == "failed" and "removed meanwhile" in done.message


def test_only_admins_connect_and_attempts_are_ones_own(x: Flow) -> None:
    x.save_app()
    address = x.visit(x.start())
    for who in (x.team.alice, x.team.mona, x.team.vic):
        with pytest.raises(NotAllowed):
            x.start(who)
        with pytest.raises(NotAllowed):
            x.come_back(address, who)
        with pytest.raises(NotAllowed):
            x.team.write(oauth_apps.save_app, who, "x", client_id="a", client_secret="b")
        with pytest.raises(NotAllowed):
            x.team.read(oauth_apps.list_networks, who)
    done = x.come_back(address)
    with pytest.raises(NotFound):
        x.team.read(oauth.read_attempt, replace(x.ada, user_id=x.team.bob.user_id), done.id)


def test_where_a_network_fetches_pictures_it_is_said_whether_it_can(x: Flow) -> None:
    pulling = replace(get_connector("x").capabilities, pulls_media_by_url=True)
    for url, words in (
        ("https://social.example.org", "must be reachable"),
        ("http://127.0.0.1:8000", "cannot reach"),
        ("https://192.168.1.2", "cannot reach"),
        ("https://localhost", "cannot reach"),
    ):
        settings = x.database.settings.model_copy(update={"public_url": url})
        assert words in oauth_apps.media_note(settings, pulling), url
