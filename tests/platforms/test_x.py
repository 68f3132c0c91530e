"""X on its twin, which answers by the published OpenAPI description."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from contentcaster.clock import utc_now
from contentcaster.platforms import get_connector, oauth_session, x_api
from contentcaster.platforms.acts import judge
from contentcaster.platforms.base import (
    Channel,
    OutcomeUnknown,
    RateLimited,
    Reauthorise,
    Rejected,
    TemporarilyRejected,
)
from contentcaster.platforms.text import measure
from contentcaster.platforms.tokens import RenewsAhead
from contentcaster.platforms.x_metrics import XMetrics
from contentcaster.security.egress import EgressClient
from tests.platforms.channels import Vault, connect, make_picture, make_post, send, send_and_resolve
from tests.platforms.contract import ConnectorContract
from tests.platforms.specs import document, needs_specs, problems, schema
from tests.platforms.twins import x as x_twin
from tests.platforms.twins.x import USER, XTwin, weight

X = get_connector("x")
SPEC = "x-openapi.json"


@pytest.fixture
def twin(monkeypatch: pytest.MonkeyPatch) -> Iterator[XTwin]:
    with XTwin() as running:
        monkeypatch.setattr(x_api, "base_url", lambda: running.url)
        yield running


def credentials(twin: XTwin, **more: str) -> dict[str, Any]:
    return {
        "access_token": twin.oauth.new_access_token(),
        "refresh_token": twin.oauth.new_refresh_token(),
        "client_id": twin.oauth.client_id,
        "client_secret": twin.oauth.client_secret,
        **more,
    }


def on(twin: XTwin, test: Callable[[Channel, Vault], Awaitable[None]], **more: str) -> None:
    async def inner() -> None:
        async with EgressClient(allow=frozenset({twin.host})) as client:
            await test(*await connect(X, client, credentials(twin, **more)))

    asyncio.run(asyncio.wait_for(inner(), 30))


class TestXContract(ConnectorContract):
    connector = X
    publish_path = "/2/tweets"

    @pytest.fixture(autouse=True)
    def _use(self, twin: XTwin, monkeypatch: pytest.MonkeyPatch) -> None:
        self.twin, self.monkeypatch = twin, monkeypatch

    def upstream(self) -> str:
        return self.twin.url

    def new_credentials(self, proxy_url: str) -> dict[str, Any]:
        self.monkeypatch.setattr(x_api, "base_url", lambda: proxy_url)
        return credentials(self.twin)

    def visible(self, text: str) -> list[str]:
        return self.twin.visible(text)


# ── text ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", 5),
        ("café", 4),
        ("日本語", 6),
        ("a https://example.org/" + "x" * 300, 25),
        ("👨‍👩‍👧 🎉", 5),
        ("“quotes” – and … dots", 22),
    ],
)
def test_characters_weigh_what_x_says(text: str, expected: int) -> None:
    assert measure(text, X.capabilities.text).length == expected


@pytest.mark.parametrize(
    "text", ["a" * 280, "本" * 140, "é" * 280, "https://example.org/" + "y" * 400 + " " + "b" * 256]
)
def test_a_text_that_just_fits_here_is_taken_there_and_one_more_is_not(twin: XTwin, text: str) -> None:
    async def test(channel: Channel, vault: Vault) -> None:
        assert measure(text, X.capabilities.text).length == weight(text) == 280
        assert (await send(X, channel, make_post(X, text))).id
        longer = f"x{text}"
        assert measure(longer, X.capabilities.text).is_too_long
        with pytest.raises(Rejected, match="too long"):
            await send(X, channel, make_post(X, longer))

    on(twin, test)


# ── publishing ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_pictures_go_up_in_chunks_with_their_alt_text_and_only_once(twin: XTwin, tmp_path: Path) -> None:
    def noise(image: Any) -> None:
        image.frombytes(random.Random(1).randbytes(900 * 700 * 3))

    async def test(channel: Channel, vault: Vault) -> None:
        big = make_picture(tmp_path, name="big.png", size=(900, 700), alt="Noise", paint=noise)
        assert big.size_bytes > 1_000_000, "or there is only one chunk"
        post = make_post(X, "Two", media=(big, make_picture(tmp_path, name="b.png", alt="")))
        progress = await X.prepare(post, channel, {})
        again = await X.prepare(post, channel, progress)
        assert len(twin.uploads) == 2 and again == progress
        remote = await X.publish(post, channel, progress)
        first, second = (twin.uploads[media_id] for media_id in twin.posts[remote.id]["media"])
        assert (first["content"], first["alt"]) == (big.path.read_bytes(), "Noise")
        assert len(first["parts"]) > 1 and second["alt"] == ""

    on(twin, test)


def test_a_thread_is_replies_and_each_part_is_found_again(twin: XTwin) -> None:
    async def test(channel: Channel, vault: Vault) -> None:
        first = await send(X, channel, make_post(X, "One & only <3 https://example.org/a?b=1&c=2"))
        second_post = make_post(X, "Two", reply_to=first)
        second = await send(X, channel, second_post)
        third_post = make_post(X, "Three", reply_to=second)
        third = await send(X, channel, third_post)
        assert twin.posts[third.id]["parent"] == second.id
        assert third.extra["conversation_id"] == first.id
        assert third.url == f"https://x.com/{USER['username']}/status/{third.id}"
        for post, remote in ((second_post, second), (third_post, third)):
            found = await X.find_own_post(post, channel, post.created_at)
            assert found.found is not None and found.found.id == remote.id
        alone = await X.find_own_post(make_post(X, "Two"), channel, utc_now())
        assert alone.found is None, "the same words in another place are another post"

    on(twin, test)


def test_links_and_signs_that_x_rewrites_are_recognised(twin: XTwin, tmp_path: Path) -> None:
    async def test(channel: Channel, vault: Vault) -> None:
        post = make_post(
            X, "Fish & chips <3 https://example.org/?a=1&b=2 yes", media=(make_picture(tmp_path),)
        )
        remote = await send(X, channel, post)
        assert "t.co" in twin.posts[remote.id]["text"]
        found = await X.find_own_post(post, channel, post.created_at)
        assert found.found is not None and found.found.id == remote.id

    on(twin, test)


def test_a_repeat_of_our_own_lost_send_is_found_and_not_sent_again(twin: XTwin) -> None:
    async def test(channel: Channel, vault: Vault) -> None:
        post = make_post(X, "Sent, but the answer was lost")
        remote = await send(X, channel, post)
        resolution = await send_and_resolve(X, channel, post)
        assert resolution.was_unknown and resolution.remote is not None
        assert resolution.remote.id == remote.id and len(twin.posts) == 1

    on(twin, test)


def test_an_older_post_with_the_same_text_is_a_question_for_a_person(twin: XTwin) -> None:
    async def test(channel: Channel, vault: Vault) -> None:
        remote = await send(X, channel, make_post(X, "Good morning"))
        written = utc_now() - timedelta(hours=3)
        twin.posts[remote.id]["created_at"] = written.strftime("%Y-%m-%dT%H:%M:%S.000Z")
        resolution = await send_and_resolve(X, channel, make_post(X, "Good morning"))
        assert resolution.needs_review and len(twin.posts) == 1
        lookup = await X.find_own_post(make_post(X, "Good morning"), channel, utc_now())
        assert remote.id in lookup.note and "older" in lookup.note

    on(twin, test)


def test_more_posts_than_a_page_are_looked_through(twin: XTwin) -> None:
    async def test(channel: Channel, vault: Vault) -> None:
        post = make_post(X, "The first of many")
        remote = await send(X, channel, post)
        for number in range(150):
            twin._add(f"Another {number}", [], None)
        found = await X.find_own_post(post, channel, post.created_at)
        assert found.found is not None and found.found.id == remote.id
        for number in range(200):
            twin._add(f"More {number}", [], None)
        lost = await X.find_own_post(post, channel, post.created_at)
        assert lost.found is None and not lost.is_certainly_absent and "too many" in lost.note

    on(twin, test)


def test_refusals_are_told_apart_and_no_token_is_in_them(twin: XTwin) -> None:
    now = int(time.time())
    limits = {"x-rate-limit-remaining": "0", "x-rate-limit-reset": str(now + 600)}
    day = limits | {"x-user-limit-24hour-remaining": "0", "x-user-limit-24hour-reset": str(now + 40_000)}

    def problem(detail: str, status: int) -> dict[str, Any]:
        return {"title": "Forbidden", "type": "about:blank", "status": status, "detail": detail}

    cases: list[tuple[int, Any, dict[str, str], type[Exception], str]] = [
        (429, problem("Too Many Requests", 429), limits, RateLimited, "10 minutes"),
        (429, problem("Too Many Requests", 429), day, RateLimited, "24 hours"),
        (402, problem("Your enrolled account has no credits", 402), {}, Rejected, "no credits"),
        (403, problem("Your account is suspended", 403), {}, Rejected, "suspended"),
        (403, problem("You are not allowed to create a Tweet with duplicate content.", 403), {},
         OutcomeUnknown, "posted already"),
        (401, problem("Unauthorized", 401), {}, TemporarilyRejected, "new one"),
        (400, {"errors": [{"message": "text: bad"}], "title": "Invalid Request"}, {}, Rejected, "text: bad"),
        (403, "<html>gate</html>", {}, TemporarilyRejected, "403"),
        (503, problem("Service Unavailable", 503), {}, OutcomeUnknown, "503"),
        (201, {"data": {"text": "no id"}}, {}, OutcomeUnknown, "form"),
    ]  # fmt: skip

    async def test(channel: Channel, vault: Vault) -> None:
        for status, body, headers, error, words in cases:
            twin.override("/2/tweets", status, body, headers)
            with pytest.raises(error, match=words) as raised:
                await send(X, channel, make_post(X, "x"))
            said = str(raised.value) + raised.value.diagnostics  # type: ignore[attr-defined]
            assert "access-" not in said and "refresh-" not in said
        assert twin.posts == {}

    on(twin, test)


# ── tokens ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_token_that_ends_soon_is_renewed_once_however_many_ask(twin: XTwin) -> None:
    async def test(channel: Channel, vault: Vault) -> None:
        old = dict(channel.credentials)
        channel.credentials["access_expires_at"] = time.time() + 30
        posts = [make_post(X, f"Post {n}") for n in range(6)]
        await asyncio.gather(*(X.prepare(post, channel, {}) for post in posts))
        assert twin.oauth.refresh_count == 1
        assert vault.stored["refresh_token"] not in ("", old["refresh_token"])
        assert vault.stored["access_token"] == channel.credentials["access_token"] != old["access_token"]
        assert (await send(X, channel, posts[0])).id

    on(twin, test)


def test_two_processes_that_renew_at_once_use_up_one_refresh_token(twin: XTwin) -> None:
    async def test(channel: Channel, vault: Vault) -> None:
        ended = dict(channel.credentials) | {"access_expires_at": 1.0}
        vault.stored = dict(ended)
        row_lock = asyncio.Lock()
        workers = [
            replace(channel, account_id=name, credentials=dict(ended), renewal_lock=lambda: row_lock)
            for name in ("one process", "another process")
        ]
        await asyncio.gather(*(X.prepare(make_post(X, "a"), worker, {}) for worker in workers))
        assert len({worker.credentials["access_token"] for worker in workers}) == 1
        assert twin.oauth.refresh_count == 1

    on(twin, test)


def test_the_housekeeping_renews_only_what_ends_soon(twin: XTwin) -> None:
    async def test(channel: Channel, vault: Vault) -> None:
        assert isinstance(X, RenewsAhead)
        channel.credentials["access_expires_at"] = time.time() + 3600
        assert not await X.renew_ahead(channel)
        channel.credentials["access_expires_at"] = vault.stored["access_expires_at"] = time.time() + 900
        assert await X.renew_ahead(channel) and twin.oauth.refresh_count == 1

    on(twin, test)


def test_a_token_refused_early_is_replaced_and_the_post_goes_out(twin: XTwin) -> None:
    async def test(channel: Channel, vault: Vault) -> None:
        twin.oauth.access.clear()
        post = make_post(X, "After a new token")
        with pytest.raises(TemporarilyRejected):
            await send(X, channel, post)
        assert twin.posts == {}
        assert (await send(X, channel, post)).id

    on(twin, test)


def test_a_login_that_cannot_be_renewed_asks_for_a_person_and_a_blip_does_not(twin: XTwin) -> None:
    async def test(channel: Channel, vault: Vault) -> None:
        channel.credentials["access_expires_at"] = 1.0
        twin.override("/2/oauth2/token", 503, "busy")
        with pytest.raises(OutcomeUnknown):
            await X.prepare(make_post(X, "x"), channel, {})
        assert vault.saves == [], "an empty answer overwrites nothing"
        twin.oauth.refreshes.clear()
        with pytest.raises(Reauthorise, match="Connect it again"):
            await X.prepare(make_post(X, "x"), channel, {})

    on(twin, test)


def test_without_a_refresh_token_the_end_of_the_login_is_known(twin: XTwin) -> None:
    async def test(channel: Channel, vault: Vault) -> None:
        ends = time.time() + 100
        channel.credentials["access_expires_at"] = ends
        moment = oauth_session.login_ends_at(channel.credentials)
        assert moment is not None and abs(moment.timestamp() - ends) < 1
        assert (await send(X, channel, make_post(X, "Still good"))).id
        channel.credentials["access_expires_at"] = 1.0
        vault.stored["access_expires_at"] = 1.0
        with pytest.raises(Reauthorise, match="expired"):
            await X.prepare(make_post(X, "x"), channel, {})

    on(twin, test, refresh_token="")


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_counts_are_read_and_a_deleted_post_is_left_out(twin: XTwin) -> None:
    async def test(channel: Channel, vault: Vault) -> None:
        kept = await send(X, channel, make_post(X, "kept"))
        gone = await send(X, channel, make_post(X, "gone"))
        await X.delete(gone, channel)
        counts = await XMetrics().counts([kept.id, gone.id, "no id"], channel)
        assert set(counts) == {kept.id}
        found = counts[kept.id]
        assert (found.likes, found.reposts, found.replies, found.views) == (5, 3, 1, 900)
        assert await XMetrics().followers(channel) == 41

    on(twin, test)


@pytest.mark.parametrize("action", ["like", "follow", "unfollow"])
def test_what_x_forbids_to_bots_is_forbidden(action: str) -> None:
    assert not judge("x", action, has_tagged_us=True).is_allowed
    assert not judge("x", "reply", has_tagged_us=False).is_allowed, "a reply by keyword"


# ── the twin against the published description ──────────────────────────────────────────────────────────────────


@needs_specs
def test_the_twin_and_what_we_send_follow_the_published_description(twin: XTwin, tmp_path: Path) -> None:
    seen: list[httpx.Response] = []

    async def test(channel: Channel, vault: Vault) -> None:
        post = make_post(X, "By the book", media=(make_picture(tmp_path),))
        remote = await send(X, channel, post)
        await send(X, channel, make_post(X, "And on", reply_to=remote))
        await X.find_own_post(post, channel, post.created_at)
        await XMetrics().counts([remote.id, "1"], channel)
        await X.check(channel)
        headers = {"Authorization": f"Bearer {channel.credentials['access_token']}"}
        async with httpx.AsyncClient(base_url=twin.url, headers=headers) as http:
            timeline = f"/2/users/{USER['id']}/tweets?post.fields=created_at,entities,conversation_id"
            for path in ("/2/users/me?user.fields=public_metrics", timeline,
                         f"/2/tweets?ids={remote.id}", "/2/tweets?ids=1"):  # fmt: skip
                seen.append(await http.get(path))
            seen.append(await http.post("/2/tweets", json={"text": "described"}))
            seen.append(await http.delete(f"/2/tweets/{remote.id}"))

    on(twin, test)
    names = ["GetUsersMeResponse", "GetUsersPostsResponse", "GetPostsByIdsResponse", "GetPostsByIdsResponse",
             "CreatePostsResponse", "DeletePostsResponse"]  # fmt: skip
    for response, name in zip(seen, names, strict=True):
        assert problems(SPEC, response.json(), schema(SPEC, name), is_strict=True) == [], name
    assert problems(SPEC, {"data": {"nonsense": 1}}, schema(SPEC, "GetUsersMeResponse"), is_strict=True)

    paths = document(SPEC)["paths"]
    for request in twin.requests:
        path = request.path.split("?")[0]
        if path.startswith("/2/oauth2"):
            continue
        template = _template(paths, path)
        operation = paths[template][request.method.lower()]
        described = {_name_of(parameter) for parameter in operation.get("parameters", [])}
        assert set(request.query) <= described, (template, request.query)
        content = operation.get("requestBody", {}).get("content", {})
        if "application/json" in content and request.body:
            assert problems(SPEC, request.json, content["application/json"]["schema"]) == [], template


@needs_specs
def test_the_twin_takes_no_field_that_the_description_does_not_know() -> None:
    assert set(schema(SPEC, "CreatePostsRequest")["properties"]) >= x_twin.POST_FIELDS
    assert schema(SPEC, "CreateMediaMetadataMetadataAltText")["properties"]["text"]["maxLength"] == (
        X.capabilities.media.max_alt_length
    )


def _template(paths: dict[str, Any], path: str) -> str:
    parts = path.split("/")
    for template in sorted(paths, key=lambda item: item.count("{")):
        pieces = template.split("/")
        if len(pieces) == len(parts) and all(
            a == b or a.startswith("{") for a, b in zip(pieces, parts, strict=True)
        ):
            return str(template)
    raise AssertionError(f"{path} is not described")


def _name_of(parameter: dict[str, Any]) -> str:
    if "$ref" in parameter:
        name = parameter["$ref"].rpartition("/")[2]
        parameter = document(SPEC)["components"]["parameters"][name]
    return str(parameter["name"])
