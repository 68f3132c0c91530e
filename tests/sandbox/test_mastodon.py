"""The Mastodon client API of the sandbox, over real HTTP."""

from __future__ import annotations

import base64
import hashlib
import io
import time
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from PIL import Image

from contentcaster.sandbox.client import SandboxControl, SandboxThread

from .conftest import MastodonPerson


def png(size: tuple[int, int] = (64, 48), colour: str = "teal") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "PNG")
    return out.getvalue()


def test_an_existing_handle_answers_the_same_credentials(control: SandboxControl) -> None:
    first, again = control.account("alice"), control.account("@Alice")
    assert first == again
    assert control.account("bob")["access_token"] != first["access_token"]


@pytest.mark.parametrize("handle", ["", "  ", "two words", "-x", "a" * 61, "a/b", "<b>"])
def test_a_handle_that_makes_no_sense_is_refused_with_a_sentence(
    control: SandboxControl, handle: str
) -> None:
    response = control.http.post("/sandbox/accounts", json={"handle": handle})
    assert response.status_code == 422
    assert "handle" in response.json()["error"]


def test_a_post_appears_with_its_page_and_on_the_public_timeline(alice: MastodonPerson) -> None:
    status = alice.post(
        "Hello #World, see https://example.com/page.", visibility="public", language="en"
    ).json()
    assert status["account"]["username"] == "alice"
    assert '<a href="https://example.com/page"' in status["content"]
    assert [tag["name"] for tag in status["tags"]] == ["world"]
    assert alice.http.get(status["url"]).status_code == 200
    for path in ("/api/v1/timelines/public", "/api/v1/timelines/tag/world", "/api/v1/timelines/home"):
        assert [s["id"] for s in alice.http.get(path).json()] == [status["id"]], path


def test_the_same_idempotency_key_answers_the_same_status(
    alice: MastodonPerson, control: SandboxControl
) -> None:
    first = alice.post("once", key="k-1").json()
    assert alice.post("once", key="k-1").json()["id"] == first["id"]
    assert alice.http.post("/api/v1/statuses", data={"status": "once"}, headers={"Idempotency-Key": "k-1"}).json()[
        "id"
    ] == first["id"]  # fmt: skip
    assert len(control.posts("alice")) == 1


def test_idempotency_keys_are_per_account(alice: MastodonPerson, bob: MastodonPerson) -> None:
    assert alice.post("hi", key="same").json()["id"] != bob.post("hi", key="same").json()["id"]


def test_an_idempotency_key_is_forgotten_after_its_time(
    alice: MastodonPerson, control: SandboxControl
) -> None:
    control.config(idempotency_seconds=0)
    assert alice.post("a", key="k").json()["id"] != alice.post("a", key="k").json()["id"]


@pytest.mark.parametrize("change", [{"keyless": True}, {"software": "snac"}])
def test_other_software_ignores_the_idempotency_key(
    alice: MastodonPerson, control: SandboxControl, change: dict[str, object]
) -> None:
    control.config(**change)
    assert alice.post("twice", key="k").json()["id"] != alice.post("twice", key="k").json()["id"]
    assert {d["by"] for d in control.ledger()["duplicates"]} == {"key", "text"}
    if "software" in change:
        links = alice.http.get("/.well-known/nodeinfo").json()["links"]
        assert alice.http.get(links[0]["href"]).json()["software"]["name"] == "snac"
        assert "compatible; snac" in alice.http.get("/api/v2/instance").json()["version"]


def test_a_deleted_status_is_not_posted_again_by_its_key(
    alice: MastodonPerson, control: SandboxControl
) -> None:
    status = alice.post("gone", key="k").json()
    assert alice.http.delete(f"/api/v1/statuses/{status['id']}").json()["text"] == "gone"
    assert alice.http.get(f"/api/v1/statuses/{status['id']}").status_code == 404
    assert alice.post("gone", key="k").status_code == 404
    assert control.posts() == []


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("x" * 500, True),
        ("x" * 501, False),
        ("https://example.com/" + "y" * 900 + " " + "x" * 476, True),
        ("https://example.com/" + "y" * 900 + " " + "x" * 477, False),
        ("@bob@" + "d" * 60 + ".example " + "x" * 495, True),
        ("@bob@" + "d" * 60 + ".example " + "x" * 496, False),
        ("👩‍👩‍👧" * 500, True),
        ("👩‍👩‍👧" * 501, False),
    ],
)
def test_500_characters_as_mastodon_counts_them(alice: MastodonPerson, text: str, fits: bool) -> None:
    response = alice.post(text)
    assert response.status_code == (200 if fits else 422)
    if not fits:
        assert response.json() == {"error": "Validation failed: Text character limit of 500 exceeded"}


def test_a_content_warning_counts_and_marks_the_post_sensitive(alice: MastodonPerson) -> None:
    assert alice.post("x" * 495, spoiler_text="123456").status_code == 422
    status = alice.post("x" * 495, spoiler_text="12345").json()
    assert status["sensitive"] is True
    assert status["spoiler_text"] == "12345"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"status": ""}, "Text can't be blank"),
        ({"status": "x", "media_ids": ["999"]}, "Media with IDs 999"),
        ({"status": "x", "visibility": "secret"}, "visibility"),
        ({"status": "x", "poll": {"options": ["a"], "expires_in": 300}}, "Poll"),
        ({"status": "x", "poll": {"options": ["a", "b"], "expires_in": 5}}, "expires in"),
        ({"status": "x", "scheduled_at": "2027-01-01T00:00:00Z"}, "does not schedule"),
    ],
)
def test_a_bad_post_is_refused_in_mastodons_shape(
    alice: MastodonPerson, body: dict[str, object], words: str
) -> None:
    response = alice.http.post("/api/v1/statuses", json=body)
    assert response.status_code == 422
    assert words in response.json()["error"]


def test_a_missing_or_wrong_token_is_401(sandbox: SandboxThread) -> None:
    for headers in ({}, {"Authorization": "Bearer nonsense"}):
        response = httpx.post(f"{sandbox.base_url}/api/v1/statuses", json={"status": "x"}, headers=headers)
        assert (response.status_code, response.json()) == (401, {"error": "The access token is invalid"})


def test_broken_json_is_400(alice: MastodonPerson) -> None:
    response = alice.http.post(
        "/api/v1/statuses", content=b"{bad", headers={"Content-Type": "application/json"}
    )
    assert response.status_code == 400


def test_an_image_is_uploaded_described_and_attached(alice: MastodonPerson) -> None:
    media = alice.http.post(
        "/api/v2/media", files={"file": ("a.png", png(), "image/png")}, data={"focus": "0.1,-0.2"}
    )
    assert media.status_code == 200
    media_id = media.json()["id"]
    assert (
        alice.http.put(f"/api/v1/media/{media_id}", json={"description": "A teal field"}).status_code == 200
    )
    status = alice.post("with image", media_ids=[media_id]).json()
    attachment = status["media_attachments"][0]
    assert attachment["description"] == "A teal field"
    assert attachment["meta"]["original"]["width"] == 64
    file = alice.http.get(attachment["url"])
    assert (file.headers["content-type"], file.content) == ("image/png", png())
    again = alice.post("again", media_ids=[media_id])
    assert "already attached" in again.json()["error"]


def test_form_fields_are_nested_as_rails_does(alice: MastodonPerson) -> None:
    media_id = alice.http.post("/api/v2/media", files={"file": ("a.png", png(), "image/png")}).json()["id"]
    form = {"status": "form", "media_ids[]": [media_id], "sensitive": "true"}
    status = alice.http.post("/api/v1/statuses", data=form).json()
    assert (len(status["media_attachments"]), status["sensitive"]) == (1, True)
    poll = {"status": "p", "poll[options][]": ["a", "b"], "poll[expires_in]": "600", "poll[multiple]": "true"}
    entity = alice.http.post("/api/v1/statuses", data=poll).json()["poll"]
    assert [o["title"] for o in entity["options"]] == ["a", "b"]
    assert entity["multiple"] is True


def test_a_file_that_is_still_processed_is_202_then_206_then_200(
    alice: MastodonPerson, control: SandboxControl
) -> None:
    control.config(media_processing_ms=300)
    media = alice.http.post("/api/v2/media", files={"file": ("a.png", png(), "image/png")})
    assert (media.status_code, media.json()["url"]) == (202, None)
    where = f"/api/v1/media/{media.json()['id']}"
    assert alice.http.get(where).status_code == 206
    early = alice.post("too early", media_ids=[media.json()["id"]])
    assert "have not finished processing" in early.json()["error"]
    deadline = time.monotonic() + 5
    while (ready := alice.http.get(where)).status_code == 206 and time.monotonic() < deadline:
        pass
    assert ready.status_code == 200
    assert ready.json()["url"]
    assert alice.post("now", media_ids=[media.json()["id"]]).status_code == 200


@pytest.mark.parametrize(
    "data", [b"hello", b"\x89PNG\r\n\x1a\nbroken", b"<svg xmlns='http://www.w3.org/2000/svg'/>"]
)
def test_a_file_that_is_no_image_is_422(alice: MastodonPerson, data: bytes) -> None:
    response = alice.http.post("/api/v2/media", files={"file": ("a.png", data, "image/png")})
    assert response.status_code == 422


def test_likes_boosts_and_follows_count_once_and_can_be_taken_back(
    alice: MastodonPerson, bob: MastodonPerson, control: SandboxControl
) -> None:
    status = alice.post("like me").json()
    at = f"/api/v1/statuses/{status['id']}"
    for _ in range(2):
        assert bob.http.post(f"{at}/favourite").json()["favourited"] is True
        assert bob.http.post(f"{at}/reblog").json()["reblog"]["id"] == status["id"]
        assert bob.http.post(f"/api/v1/accounts/{alice.id}/follow").json()["following"] is True
    seen = alice.http.get(at).json()
    assert (seen["favourites_count"], seen["reblogs_count"]) == (1, 1)
    assert control.ledger()["counts"] == {"post": 1, "like": 1, "repost": 1, "follow": 1}
    kinds = [n["type"] for n in alice.http.get("/api/v1/notifications").json()]
    assert sorted(kinds) == ["favourite", "follow", "reblog"]
    assert [a["acct"] for a in alice.http.get(f"{at}/favourited_by").json()] == ["bob"]
    assert bob.http.post(f"{at}/unfavourite").json()["favourites_count"] == 0
    assert bob.http.post(f"{at}/unreblog").json()["reblogs_count"] == 0
    assert bob.http.post(f"/api/v1/accounts/{alice.id}/unfollow").json()["following"] is False
    assert not [
        e for e in control.ledger()["effects"] if e["visible"] and e["kind"] in ("like", "repost", "follow")
    ]


def test_a_reply_notifies_and_shows_in_the_context(alice: MastodonPerson, bob: MastodonPerson) -> None:
    root = alice.post("root").json()
    reply = bob.post("@alice answer", in_reply_to_id=root["id"]).json()
    deep = alice.post("deeper", in_reply_to_id=reply["id"]).json()
    context = alice.http.get(f"/api/v1/statuses/{reply['id']}/context").json()
    assert [s["id"] for s in context["ancestors"]] == [root["id"]]
    assert [s["id"] for s in context["descendants"]] == [deep["id"]]
    assert alice.http.get("/api/v1/notifications").json()[0]["status"]["id"] == reply["id"]
    assert bob.post("to nothing", in_reply_to_id="1").status_code == 404


def test_private_posts_are_seen_by_followers_only(alice: MastodonPerson, bob: MastodonPerson) -> None:
    status = alice.post("for followers", visibility="private").json()
    assert bob.http.get(f"/api/v1/statuses/{status['id']}").status_code == 404
    bob.http.post(f"/api/v1/accounts/{alice.id}/follow")
    assert bob.http.get(f"/api/v1/statuses/{status['id']}").status_code == 200
    assert alice.http.get("/api/v1/timelines/public").json() == []


def test_an_edit_replaces_the_text_and_resets_what_is_left_out(
    alice: MastodonPerson, bob: MastodonPerson
) -> None:
    status = alice.post("first", language="en", spoiler_text="cw").json()
    edited = alice.http.put(f"/api/v1/statuses/{status['id']}", json={"status": "second"}).json()
    assert edited["content"] == "<p>second</p>"
    assert (edited["language"], edited["spoiler_text"], edited["sensitive"]) == (None, "", False)
    assert edited["edited_at"]
    assert bob.http.put(f"/api/v1/statuses/{status['id']}", json={"status": "mine"}).status_code == 404


def test_own_statuses_page_by_max_id_and_min_id(alice: MastodonPerson) -> None:
    ids = [alice.post(f"post {n}").json()["id"] for n in range(7)]
    url: str | None = f"/api/v1/accounts/{alice.id}/statuses?limit=3"
    seen = []
    while url:
        response = alice.http.get(url)
        seen += [s["id"] for s in response.json()]
        url = response.links.get("next", {}).get("url")
    assert seen == ids[::-1]
    above = alice.http.get(f"/api/v1/accounts/{alice.id}/statuses?limit=2&min_id={ids[2]}").json()
    assert [s["id"] for s in above] == [ids[4], ids[3]]
    newest = alice.http.get(f"/api/v1/accounts/{alice.id}/statuses?limit=2&since_id={ids[2]}").json()
    assert [s["id"] for s in newest] == [ids[6], ids[5]]


def test_a_network_without_read_back_hides_the_own_timeline(
    alice: MastodonPerson, control: SandboxControl
) -> None:
    control.config(hide_timeline=True)
    assert alice.http.get(f"/api/v1/accounts/{alice.id}/statuses").status_code == 403


def test_search_finds_posts_people_and_tags(alice: MastodonPerson) -> None:
    alice.post("The moth in the #relay")
    assert len(alice.http.get("/api/v2/search", params={"q": "moth RELAY"}).json()["statuses"]) == 1
    assert alice.http.get("/api/v2/search", params={"q": "ali"}).json()["accounts"][0]["acct"] == "alice"
    assert alice.http.get("/api/v2/search", params={"q": "#rel"}).json()["hashtags"][0]["name"] == "relay"
    assert alice.http.get("/api/v1/accounts/lookup", params={"acct": "alice"}).json()["id"] == alice.id


def test_the_request_limit_answers_429_with_an_iso_reset(
    alice: MastodonPerson, control: SandboxControl
) -> None:
    control.config(mastodon_requests=2)
    first = alice.http.get("/api/v1/timelines/home")
    assert first.headers["X-RateLimit-Remaining"] == "1"
    assert first.headers["X-RateLimit-Reset"].endswith("Z")
    alice.http.get("/api/v1/timelines/home")
    refused = alice.post("too much")
    assert (refused.status_code, refused.headers["X-RateLimit-Remaining"]) == (429, "0")
    assert control.posts() == []


def _authorize(http: httpx.Client, **changes: str) -> tuple[dict[str, str], str]:
    redirect = "http://127.0.0.1:9/callback"
    app = http.post(
        "/api/v1/apps", json={"client_name": "Test", "redirect_uris": redirect, "scopes": "read write"}
    ).json()
    challenge = base64.urlsafe_b64encode(hashlib.sha256(b"verifier").digest()).decode().rstrip("=")
    query = {
        "response_type": "code", "client_id": app["client_id"], "redirect_uri": redirect, "scope": "read write",
        "state": "s&1", "code_challenge": challenge, "code_challenge_method": "S256",
    } | changes  # fmt: skip
    page = http.get("/oauth/authorize", params=query)
    assert page.status_code == 200
    assert "Allow Test?" in page.text
    return app, redirect


def test_oauth_with_pkce_gives_a_token_that_posts(alice: MastodonPerson, sandbox: SandboxThread) -> None:
    http = httpx.Client(base_url=sandbox.base_url)
    app, redirect = _authorize(http)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(b"verifier").digest()).decode().rstrip("=")
    form = {
        "response_type": "code", "client_id": app["client_id"], "redirect_uri": redirect, "scope": "read write",
        "state": "s&1", "code_challenge": challenge, "code_challenge_method": "S256", "account": alice.id, "allow": "1",
    }  # fmt: skip
    back = http.post("/oauth/authorize", data=form)
    assert back.status_code == 302
    query = parse_qs(urlsplit(back.headers["Location"]).query)
    assert query["state"] == ["s&1"]
    grant = {
        "grant_type": "authorization_code", "code": query["code"][0], "client_id": app["client_id"],
        "client_secret": app["client_secret"], "redirect_uri": redirect,
    }  # fmt: skip
    token = http.post("/oauth/token", data=grant | {"code_verifier": "verifier"}).json()
    used = http.post("/oauth/token", data=grant | {"code_verifier": "verifier"})
    assert (used.status_code, used.json()["error"]) == (400, "invalid_grant")
    headers = {"Authorization": f"Bearer {token['access_token']}"}
    assert http.get("/api/v1/accounts/verify_credentials", headers=headers).json()["username"] == "alice"
    status = http.post("/api/v1/statuses", json={"status": "via oauth"}, headers=headers).json()
    assert status["application"]["name"] == "Test"
    revoked = {k: app[k] for k in ("client_id", "client_secret")} | {"token": token["access_token"]}
    assert http.post("/oauth/revoke", data=revoked).status_code == 200
    gone = http.get("/api/v1/accounts/verify_credentials", headers=headers)
    assert (gone.status_code, gone.json()["error"]) == (401, "The access token was revoked")


def test_a_wrong_pkce_verifier_or_a_denied_request_gives_no_token(
    alice: MastodonPerson, sandbox: SandboxThread
) -> None:
    http = httpx.Client(base_url=sandbox.base_url)
    app, redirect = _authorize(http)
    form = {
        "response_type": "code", "client_id": app["client_id"], "redirect_uri": redirect, "scope": "read",
        "code_challenge": "x" * 43, "code_challenge_method": "S256", "account": alice.id,
    }  # fmt: skip
    code = parse_qs(
        urlsplit(http.post("/oauth/authorize", data=form | {"allow": "1"}).headers["Location"]).query
    )["code"][0]
    grant = {
        "grant_type": "authorization_code", "code": code, "client_id": app["client_id"],
        "client_secret": app["client_secret"], "redirect_uri": redirect, "code_verifier": "wrong",
    }  # fmt: skip
    assert http.post("/oauth/token", data=grant).json()["error"] == "invalid_grant"
    denied = http.post("/oauth/authorize", data=form | {"allow": "0"})
    assert "error=access_denied" in denied.headers["Location"]
    foreign = http.get("/oauth/authorize", params=form | {"redirect_uri": "https://evil.example/"})
    assert foreign.status_code == 400


def test_scopes_and_app_tokens_are_enforced(alice: MastodonPerson, sandbox: SandboxThread) -> None:
    http = httpx.Client(base_url=sandbox.base_url)
    app, _ = _authorize(http)
    client = {k: app[k] for k in ("client_id", "client_secret")}
    token = http.post(
        "/oauth/token", data=client | {"grant_type": "client_credentials", "scope": "read"}
    ).json()
    headers = {"Authorization": f"Bearer {token['access_token']}"}
    assert http.post("/api/v1/statuses", json={"status": "x"}, headers=headers).status_code == 422
    assert http.get("/api/v1/apps/verify_credentials", headers=headers).json()["name"] == "Test"
    bad = http.post("/oauth/token", data=client | {"grant_type": "client_credentials", "client_secret": "no"})
    assert (bad.status_code, bad.json()["error"]) == (401, "invalid_client")
