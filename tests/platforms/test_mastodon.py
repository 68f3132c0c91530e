"""The Mastodon connector against the sandbox network, and against servers that misbehave."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from contentcaster.clock import utc_now
from contentcaster.platforms import get_connector
from contentcaster.platforms.base import (
    Channel,
    ConnectorError,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    Reauthorise,
    Rejected,
    RemotePost,
    TemporarilyRejected,
)
from contentcaster.platforms.mastodon_instance import as_server_url
from contentcaster.sandbox.client import SandboxThread
from contentcaster.security.egress import EgressClient
from tests.platforms.channels import connect, make_picture, make_post, send
from tests.platforms.raw_server import Exchange, raw_server

MASTODON = get_connector("mastodon")


@asynccontextmanager
async def _channel(sandbox: SandboxThread, handle: str = "") -> AsyncIterator[Channel]:
    account = sandbox.control.account(handle or f"m{uuid.uuid4().hex[:10]}")
    async with _client(sandbox) as client:
        credentials = {"instance_url": sandbox.base_url, "access_token": account["access_token"]}
        channel, _ = await connect(MASTODON, client, credentials)
        yield channel


def _client(sandbox: SandboxThread, **more: Any) -> EgressClient:
    return EgressClient(allow=frozenset({sandbox.base_url.removeprefix("http://")}), **more)


def _on(sandbox: SandboxThread, test: Callable[[Channel], Awaitable[None]]) -> None:
    async def inner() -> None:
        async with _channel(sandbox) as channel:
            await test(channel)

    asyncio.run(asyncio.wait_for(inner(), 60))


def _status(sandbox: SandboxThread, remote: RemotePost) -> dict[str, Any]:
    answer: dict[str, Any] = sandbox.control.http.get(f"/api/v1/statuses/{remote.id}").json()
    return answer


# ── connecting ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_connecting_learns_who_it_is_and_what_the_server_allows(sandbox: SandboxThread) -> None:
    sandbox.control.config(max_characters=1234, characters_reserved_per_url=25)
    account = sandbox.control.account("ada", display_name="Ada L.")

    async def test() -> None:
        async with _client(sandbox) as client:
            credentials = MASTODON.Credentials.model_validate(
                {"instance_url": sandbox.base_url + "/@ada", "access_token": account["access_token"]}
            )
            identity, stored = await MASTODON.verify(credentials, client)
        assert (identity.remote_id, identity.display_name) == (account["id"], "Ada L.")
        assert identity.handle.startswith("@ada@")
        assert identity.profile_url == account["url"]
        assert stored == {"instance_url": sandbox.base_url, "access_token": account["access_token"]}
        limits = json.loads(json.dumps(identity.limits))
        assert (limits["max_characters"], limits["url_length"], limits["software"]) == (1234, 25, "mastodon")
        rule = MASTODON.text_rule(limits)
        assert (rule.max_length, rule.url_length) == (1234, 25)

    asyncio.run(test())


def test_other_software_is_not_taken_for_mastodon(sandbox: SandboxThread) -> None:
    sandbox.control.config(software="gotosocial")

    async def test(channel: Channel) -> None:
        now = utc_now()
        assert channel.limits["software"] == "gotosocial"
        assert not MASTODON.resend_is_safe(channel.limits, now, now)

    _on(sandbox, test)


def test_a_resend_is_safe_for_fifty_minutes_on_mastodon_only() -> None:
    now = utc_now()
    real = {"software": "mastodon"}
    assert MASTODON.resend_is_safe(real, now - timedelta(minutes=49), now)
    assert not MASTODON.resend_is_safe(real, now - timedelta(minutes=51), now)
    assert not MASTODON.resend_is_safe(real, now + timedelta(minutes=1), now), "clocks disagree: no promise"
    for limits in ({}, {"software": "unknown"}, {"software": "other"}, {"software": "pleroma"}):
        assert not MASTODON.resend_is_safe(limits, now, now)


@pytest.mark.parametrize(
    ("typed", "url"),
    [
        ("mastodon.social", "https://mastodon.social"),
        (" https://Mastodon.Social/ ", "https://mastodon.social"),
        ("https://mastodon.social/@ada?x=1", "https://mastodon.social"),
        ("@ada@mastodon.social", "https://mastodon.social"),
        ("ada@mastodon.social", "https://mastodon.social"),
        ("http://127.0.0.1:8010", "http://127.0.0.1:8010"),
        ("social.example:8443", "https://social.example:8443"),
        ("https://[::1]:3000/x", "https://[::1]:3000"),
    ],
)
def test_the_server_is_found_in_what_people_type(typed: str, url: str) -> None:
    assert as_server_url(typed) == url


@pytest.mark.parametrize(
    "typed", ["", "https://", "ftp://x.example", "https://x y", "https://a:b:c", "https://h:99999"]
)
def test_what_is_no_server_is_refused_with_an_example(typed: str) -> None:
    with pytest.raises(Rejected, match=r"https://mastodon\.social"):
        as_server_url(typed)


def test_a_wrong_token_and_a_wrong_server_are_told_apart(shared_sandbox: SandboxThread) -> None:
    async def verify(url: str, client: EgressClient) -> None:
        credentials = {"instance_url": url, "access_token": "wrong-token-wrong-token"}
        await MASTODON.verify(MASTODON.Credentials.model_validate(credentials), client)

    async def page(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>")

    async def test() -> None:
        async with _client(shared_sandbox) as client:
            with pytest.raises(Reauthorise, match="does not accept this access token"):
                await verify(shared_sandbox.base_url, client)
        async with raw_server(page) as server:
            async with EgressClient(allow=frozenset({server.host})) as client:
                with pytest.raises(Rejected, match="does not speak the Mastodon API"):
                    await verify(server.url, client)
        async with EgressClient() as client:
            with pytest.raises(NotSent):
                await verify("https://no-such-server.invalid", client)
            for inner in ("https://127.0.0.1", "https://localhost:9443", "http://example.org"):
                with pytest.raises(Rejected):
                    await verify(inner, client)

    asyncio.run(test())


# ── publishing ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_all_that_was_chosen_arrives(shared_sandbox: SandboxThread, tmp_path: Path) -> None:
    async def test(channel: Channel) -> None:
        pictures = tuple(make_picture(tmp_path, name=f"{n}.png", alt=f"Alt ünï {n}") for n in range(2))
        options = {"visibility": "unlisted", "language": "de", "content_warning": "Spoiler"}
        post = make_post(MASTODON, "Grüße 👩‍👩‍👧\nhttps://example.com", media=pictures, options=options)
        remote = await send(MASTODON, channel, post)
        status = _status(shared_sandbox, remote)
        assert status["url"] == remote.url
        assert [m["description"] for m in status["media_attachments"]] == ["Alt ünï 0", "Alt ünï 1"]
        chosen = {key: status[key] for key in ("visibility", "language", "spoiler_text", "sensitive")}
        assert chosen == {
            "visibility": "unlisted",
            "language": "de",
            "spoiler_text": "Spoiler",
            "sensitive": True,
        }
        reply = await send(MASTODON, channel, make_post(MASTODON, "Second part", reply_to=remote))
        assert _status(shared_sandbox, reply)["in_reply_to_id"] == remote.id

    _on(shared_sandbox, test)


def test_the_same_job_sent_twice_is_one_post(shared_sandbox: SandboxThread) -> None:
    async def test(channel: Channel) -> None:
        post = make_post(MASTODON, f"Twice {uuid.uuid4().hex}")
        first = await send(MASTODON, channel, post)
        assert (await send(MASTODON, channel, post)).id == first.id
        assert len([p for p in shared_sandbox.control.posts() if p["text"] == post.text]) == 1

    _on(shared_sandbox, test)


def test_pictures_that_take_time_are_waited_for_and_not_uploaded_again(
    sandbox: SandboxThread, tmp_path: Path
) -> None:
    sandbox.control.config(media_processing_ms=600)

    async def test(channel: Channel) -> None:
        post = make_post(MASTODON, "Slow picture", media=(make_picture(tmp_path),))
        before: dict[str, Any] = {"media_ids": {}}
        progress = await MASTODON.prepare(post, channel, dict(before))
        assert before == {"media_ids": {}}, "what is stored may not change behind its owner's back"
        again = await MASTODON.prepare(post, channel, json.loads(json.dumps(progress)))
        assert again == progress
        uploads = sandbox.control.requests(path="/api/v2/media")
        assert [u["status"] for u in uploads] == [202]
        assert 206 in [r["status"] for r in sandbox.control.requests(path="/api/v1/media/")]
        assert (await MASTODON.publish(post, channel, progress)).id

    _on(sandbox, test)


def test_an_upload_that_the_server_has_dropped_is_made_again(
    shared_sandbox: SandboxThread, tmp_path: Path
) -> None:
    async def test(channel: Channel) -> None:
        media = make_picture(tmp_path)
        post = make_post(MASTODON, "Old upload", media=(media,))
        progress = await MASTODON.prepare(post, channel, {"media_ids": {media.media_id: "424242"}})
        assert progress["media_ids"][media.media_id] != "424242"

    _on(shared_sandbox, test)


def test_an_upload_that_succeeded_is_kept_when_a_later_one_fails(
    sandbox: SandboxThread, tmp_path: Path
) -> None:
    async def test(channel: Channel) -> None:
        broken = make_picture(tmp_path, name="broken.png")
        broken.path.write_bytes(b"no picture at all")
        post = make_post(MASTODON, "x", media=(make_picture(tmp_path), broken))
        progress: dict[str, Any] = {}
        with pytest.raises(Rejected, match="refuses a picture"):
            await MASTODON.prepare(post, channel, progress)
        assert list(progress["media_ids"]) == ["picture.png"]

    _on(sandbox, test)


@pytest.mark.parametrize(
    ("dialect", "least", "most"),
    [
        ("retry-after", 6, 8),
        ("http-date", 5, 8.1),
        ("x-ratelimit-iso", 5, 8.1),
        ("x-ratelimit-epoch", 5, 8.1),
        ("x-ratelimit-ms", 5, 8.1),
        ("ratelimit", 5, 8.1),
        ("retry-after-ms", 5, 8.1),
        ("none", 60, 60),
    ],
)
def test_429_says_when_to_come_back_in_every_dialect(
    sandbox: SandboxThread, dialect: str, least: float, most: float
) -> None:
    sandbox.control.fault(
        "rate_limit", {"path": "/api/v1/statuses"}, params={"seconds": 7, "dialect": dialect}
    )

    async def test(channel: Channel) -> None:
        with pytest.raises(RateLimited) as limited:
            await send(MASTODON, channel, make_post(MASTODON, "Too fast"))
        assert least <= limited.value.retry_after_seconds <= most
        assert sandbox.control.posts() == []

    _on(sandbox, test)


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        ((401, '{"error":"The access token was revoked"}'), Reauthorise, "Connect the channel again"),
        ((403, '{"error":"This action is outside the authorized scopes"}'), Reauthorise, "scope write"),
        ((403, '{"error":"Your login is currently disabled"}'), Rejected, "login is currently disabled"),
        ((403, "<html>Attention required</html>"), TemporarilyRejected, "turned the request away"),
        (
            (422, '{"error":"Validation failed: Text character limit of 500 exceeded"}'),
            Rejected,
            "limit of 500",
        ),
        (
            (422, '{"error":"Cannot attach files that have not finished processing."}'),
            TemporarilyRejected,
            "pictures",
        ),
        ((404, '{"error":"Record not found"}'), Rejected, "Record not found"),
        ((413, "too large"), Rejected, "too large"),
        ((301, ""), Rejected, "has moved"),
        ((500, '{"error":"oops"}'), OutcomeUnknown, "server error (500)"),
        ((503, "<html>"), OutcomeUnknown, "server error (503)"),
        ((408, ""), OutcomeUnknown, ""),
        ((200, ""), OutcomeUnknown, "form"),
        ((200, "<html>Welcome</html>"), OutcomeUnknown, "form"),
        ((200, "[]"), OutcomeUnknown, "form"),
        ((200, "null"), OutcomeUnknown, "form"),
        ((200, '{"id": {"a": 1}}'), OutcomeUnknown, "form"),
        ((200, '{"id": "1"'), OutcomeUnknown, "form"),
        ((200, "[" * 100_000), OutcomeUnknown, "form"),
        ((204, ""), OutcomeUnknown, "form"),
    ],
)
def test_every_answer_means_one_thing(
    answer: tuple[int, str], error: type[ConnectorError], says: str
) -> None:
    async def serve(exchange: Exchange) -> None:
        body = answer[1].encode()
        length = b"" if answer[0] == 204 else f"Content-Length: {len(body)}\r\n".encode()
        await exchange.send(f"HTTP/1.1 {answer[0]} X\r\n".encode() + length + b"\r\n" + body)

    async def test() -> None:
        async with raw_server(serve) as server:
            async with EgressClient(allow=frozenset({server.host})) as client:
                channel = _bare_channel(server.url, client)
                with pytest.raises(error) as raised:
                    await MASTODON.publish(make_post(MASTODON, "hi"), channel, {})
                assert type(raised.value) is error
                assert says in raised.value.message
                assert len(raised.value.diagnostics) <= 2000
                assert len(server.exchanges) == 1

    asyncio.run(test())


def _bare_channel(url: str, client: EgressClient) -> Channel:
    from contentcaster.platforms.base import Identity
    from tests.platforms.channels import open_channel

    stored = {"instance_url": url, "access_token": "t0ken"}
    return open_channel(MASTODON, Identity("1", "@a@b", limits={"software": "mastodon"}), stored, client)[0]


# ── looking up ──────────────────────────────────────────────────────────────────────────────────────────────────

TEXTS = [
    "Plain",
    "Two\n\nparagraphs\nand a line",
    "A link https://example.com/a/long/path/that/is/shortened/for/display?q=1#x and more",
    "Odd <b>signs</b> & \"quotes\" 'single' &amp;",
    "#Tags and @nobody@elsewhere.example and @someone",
    "Emoji 👩‍👩‍👧 é e\u0301",
    "  spaces   kept?  ",
    "",
]


@pytest.mark.parametrize("text", TEXTS)
def test_a_post_is_found_by_what_it_says(shared_sandbox: SandboxThread, tmp_path: Path, text: str) -> None:
    async def test(channel: Channel) -> None:
        shared_sandbox.control.account("someone")
        media = () if text else (make_picture(tmp_path),)
        post = make_post(MASTODON, text, media=media)
        await send(MASTODON, channel, make_post(MASTODON, "Something else"))
        remote = await send(MASTODON, channel, post)
        await send(MASTODON, channel, make_post(MASTODON, "Something later"))
        lookup = await MASTODON.find_own_post(post, channel, post.created_at)
        assert lookup.found is not None and lookup.found.id == remote.id and lookup.found.url == remote.url

    _on(shared_sandbox, test)


def test_among_many_posts_that_differ_in_a_number_only_the_right_one_is_found(
    shared_sandbox: SandboxThread,
) -> None:
    async def test(channel: Channel) -> None:
        posts = [make_post(MASTODON, f"Post number {n} of the burst") for n in range(45)]
        remotes = [await send(MASTODON, channel, post) for post in posts]
        for n in (0, 44):
            found = (await MASTODON.find_own_post(posts[n], channel, posts[n].created_at)).found
            assert found is not None and found.id == remotes[n].id

    _on(shared_sandbox, test)


def test_a_similar_post_is_compared_with_its_source_before_absence_is_claimed(sandbox: SandboxThread) -> None:
    async def test(channel: Channel) -> None:
        await send(MASTODON, channel, make_post(MASTODON, "Post number 1 of the burst"))
        missing = make_post(MASTODON, "Post number 2 of the burst")
        assert (await MASTODON.find_own_post(missing, channel, missing.created_at)).is_certainly_absent
        sandbox.control.fault("error_before", {"path": "source"}, times=None, params={"status": 404})
        unsure = await MASTODON.find_own_post(missing, channel, missing.created_at)
        assert unsure.found is None and not unsure.is_certainly_absent and "resembles" in unsure.note

    _on(sandbox, test)


def test_two_posts_with_the_same_words_are_left_to_a_person(shared_sandbox: SandboxThread) -> None:
    async def test(channel: Channel) -> None:
        first, second = (make_post(MASTODON, "Good morning") for _ in range(2))
        await send(MASTODON, channel, first)
        await send(MASTODON, channel, second)
        lookup = await MASTODON.find_own_post(second, channel, first.created_at)
        assert lookup.found is None and not lookup.is_certainly_absent and "2 posts" in lookup.note

    _on(shared_sandbox, test)


def test_another_parent_or_number_of_pictures_is_another_post(
    shared_sandbox: SandboxThread, tmp_path: Path
) -> None:
    async def test(channel: Channel) -> None:
        root = await send(MASTODON, channel, make_post(MASTODON, "Same words"))
        for more in ({"reply_to": root}, {"media": (make_picture(tmp_path),)}):
            post = make_post(MASTODON, "Same words", **more)
            assert (await MASTODON.find_own_post(post, channel, post.created_at)).found is None

    _on(shared_sandbox, test)


def test_posts_from_before_the_first_send_do_not_count(shared_sandbox: SandboxThread) -> None:
    async def test(channel: Channel) -> None:
        post = make_post(MASTODON, "An old one")
        await send(MASTODON, channel, post)
        lookup = await MASTODON.find_own_post(post, channel, utc_now() + timedelta(minutes=10))
        assert lookup.is_certainly_absent

    _on(shared_sandbox, test)


def test_a_server_that_hides_own_posts_proves_nothing(sandbox: SandboxThread) -> None:
    sandbox.control.config(hide_timeline=True)

    async def test(channel: Channel) -> None:
        lookup = await MASTODON.find_own_post(make_post(MASTODON, "x"), channel, utc_now())
        assert lookup.found is None and not lookup.is_certainly_absent and lookup.note

    _on(sandbox, test)


def test_the_check_notices_a_revoked_token(sandbox: SandboxThread) -> None:
    async def test(channel: Channel) -> None:
        assert (await MASTODON.check(channel)).handle == channel.handle
        sandbox.control.fault("revoked_token", {"path": "verify_credentials"})
        with pytest.raises(Reauthorise):
            await MASTODON.check(channel)

    _on(sandbox, test)
