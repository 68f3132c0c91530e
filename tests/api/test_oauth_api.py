"""OAuth over HTTP: the start, the way back into the console, and the operator's app."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from contentcaster.models import Role
from contentcaster.platforms import x_api
from contentcaster.services import oauth_apps
from contentcaster.settings import get_settings
from tests.api.conftest import Api
from tests.platforms.twins.x import XTwin

V1 = "/api/v1/oauth"


@pytest.fixture
def twin(api: Api, monkeypatch: pytest.MonkeyPatch) -> Iterator[XTwin]:
    with XTwin() as running:
        settings = api.stack.settings.model_copy(update={"egress_allow": (running.host,)})
        monkeypatch.setattr(api.stack.database, "settings", settings)
        monkeypatch.setattr(oauth_apps, "get_settings", lambda: settings)
        monkeypatch.setattr(x_api, "base_url", lambda: running.url)
        api.app.dependency_overrides[get_settings] = lambda: settings
        running.oauth.redirect_uris = [f"{settings.effective_public_url}/oauth/x/callback"]
        yield running
        api.app.dependency_overrides.pop(get_settings)


def allow(url: str) -> str:
    """What the browser does at the network; the path that it is sent back to."""
    answer = httpx.get(url, follow_redirects=False, trust_env=False)
    parts = urlsplit(answer.headers["location"])
    return f"{parts.path}?{parts.query}"


def test_a_login_from_the_start_to_the_channels_page(api: Api, twin: XTwin) -> None:
    browser = api.as_browser(Role.ADMIN)
    app = {"client_id": twin.oauth.client_id, "client_secret": twin.oauth.client_secret}
    kept = browser.put(f"{V1}/x/app", json=app)
    assert kept.status_code == 200 and twin.oauth.client_secret not in kept.text
    left = browser.get(f"{V1}/x/start", headers={"Accept": "text/html"})
    assert left.status_code == 303 and left.headers["location"].startswith(twin.url)
    back = browser.get(allow(left.headers["location"]))
    assert back.status_code == 303 and back.headers["cache-control"] == "no-store"
    target = urlsplit(back.headers["location"])
    assert target.path == "/channels" and "code" not in target.query
    attempt = browser.get(f"{V1}/attempts/{parse_qs(target.query)['attempt'][0]}").json()
    assert attempt["status"] == "connected"
    account = browser.get(f"/api/v1/accounts/{attempt['account_id']}")
    assert account.json()["handle"] == "@acme_news" and "access-" not in account.text


def test_a_program_gets_the_address_and_its_person_ends_it_in_a_browser(api: Api, twin: XTwin) -> None:
    program, browser = api.as_role(Role.ADMIN), api.as_browser(Role.ADMIN)
    program.put(f"{V1}/x/app", json={"client_id": "x-client-id", "client_secret": twin.oauth.client_secret})
    started = program.get(f"{V1}/x/start")
    assert started.status_code == 200 and "tweet.write" in started.json()["scopes"]
    back = browser.get(allow(started.json()["authorization_url"]))
    assert "attempt=" in back.headers["location"]


def test_a_browser_that_brings_nothing_good_is_told_why_on_the_channels_page(api: Api, twin: XTwin) -> None:
    browser = api.as_browser(Role.ADMIN)
    browser.put(f"{V1}/x/app", json={"client_id": "x-client-id", "client_secret": twin.oauth.client_secret})
    for client, path, reason in (
        (browser, "/oauth/x/callback?code=a&state=b", "unknown"),
        (browser, "/oauth/nowhere/callback", "unknown"),
        (api.as_nobody(), "/oauth/x/callback?code=a&state=b", "foreign"),
        (api.as_browser(Role.CREATOR), "/oauth/x/callback?code=a&state=b", "not_allowed"),
        (api.as_role(Role.ADMIN), "/oauth/x/callback?code=a&state=b", "foreign"),
    ):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/channels?refused={reason}")
    address = allow(browser.get(f"{V1}/x/start", headers={"Accept": "text/html"}).headers["location"])
    assert browser.get(address).headers["location"].startswith("/channels?attempt=")
    assert browser.get(address).headers["location"] == "/channels?refused=used"


def test_another_site_cannot_start_a_login(api: Api, twin: XTwin) -> None:
    browser = api.as_browser(Role.ADMIN)
    for site in ("cross-site", "same-site"):
        refused = browser.get(f"{V1}/x/start", headers={"Sec-Fetch-Site": site})
        assert refused.status_code == 403


@pytest.mark.parametrize("role", [Role.CREATOR, Role.MONITOR, Role.VIEWER])
def test_only_admins_start_logins_and_keep_apps(api: Api, role: Role) -> None:
    client = api.as_role(role)
    answers = [
        client.get(V1),
        client.get(f"{V1}/x/start"),
        client.put(f"{V1}/x/app", json={"client_id": "a", "client_secret": "b"}),
        client.delete(f"{V1}/x/app"),
    ]
    assert [answer.status_code for answer in answers] == [403] * 4


def test_what_to_register_and_what_is_asked_can_be_read(api: Api) -> None:
    items = api.as_role(Role.ADMIN).get(V1).json()["items"]
    by_name = {item["platform"]: item for item in items}
    assert set(by_name) == {"mastodon", "x", "linkedin", "linkedin-page"}
    assert by_name["x"]["redirect_uri"].endswith("/oauth/x/callback") and by_name["x"]["needs_app"]
    assert not by_name["mastodon"]["needs_app"] and by_name["mastodon"]["fields"][0]["name"] == "instance_url"
    assert api.as_role(Role.ADMIN).get(f"{V1}/bluesky/start").status_code == 422
