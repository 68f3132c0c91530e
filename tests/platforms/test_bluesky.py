"""The Bluesky connector against the sandbox's PDS: records, sessions, and the answers that servers give."""

from __future__ import annotations

import asyncio
import io
import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from contentcaster.clock import utc_now
from contentcaster.platforms import get_connector
from contentcaster.platforms.base import (
    Channel,
    ConnectorError,
    Identity,
    OutcomeUnknown,
    RateLimited,
    Reauthorise,
    Rejected,
)
from contentcaster.platforms.bluesky_images import MAX_BLOB_BYTES, fit_image
from contentcaster.platforms.bluesky_record import label_of, make_facets, make_tid
from contentcaster.sandbox.client import SandboxThread
from contentcaster.sandbox.ids import is_tid
from contentcaster.security.egress import EgressClient
from tests.platforms.channels import Vault, connect, make_picture, make_post, open_channel, send
from tests.platforms.raw_server import Exchange, raw_server

BLUESKY = get_connector("bluesky")


@asynccontextmanager
async def _opened(sandbox: SandboxThread, handle: str = "") -> AsyncIterator[tuple[Channel, Vault]]:
    account = sandbox.control.account(handle or f"b{uuid.uuid4().hex[:10]}")
    async with EgressClient(allow=frozenset({sandbox.base_url.removeprefix("http://")})) as client:
        credentials = {
            "service_url": sandbox.base_url,
            "identifier": "@" + account["at_handle"],
            "app_password": account["app_password"],
        }
        yield await connect(BLUESKY, client, credentials)


def _on(sandbox: SandboxThread, test: Callable[[Channel, Vault], Awaitable[None]]) -> None:
    async def inner() -> None:
        async with _opened(sandbox) as (channel, vault):
            await test(channel, vault)

    asyncio.run(asyncio.wait_for(inner(), 60))


def _record(sandbox: SandboxThread, uri: str) -> dict[str, Any]:
    repo, collection, rkey = uri.removeprefix("at://").split("/")
    answer = sandbox.control.http.get(
        "/xrpc/com.atproto.repo.getRecord", params={"repo": repo, "collection": collection, "rkey": rkey}
    )
    found: dict[str, Any] = answer.json()
    return found


# ── keys ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_job_has_one_record_key_for_ever_and_it_is_a_tid() -> None:
    when = datetime(2026, 11, 24, 12, 0, 0, 250_000, tzinfo=UTC)
    first = make_tid("key-1", when)
    assert first == make_tid("key-1", when.replace(microsecond=0)), "only the second counts"
    assert is_tid(first) and len(first) == 13
    assert make_tid("key-2", when) != first
    later = make_tid("key-1", when + timedelta(seconds=1))
    assert later > first, "keys sort by time"
    assert len({make_tid(f"key-{n}", when) for n in range(5_000)}) == 5_000


# ── text ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _marked(text: str, dids: dict[str, str] | None = None) -> list[tuple[str, str]]:
    """What each facet's byte range covers, and what it says."""
    data = text.encode()
    found = []
    for facet in make_facets(text, dids or {}):
        feature = facet["features"][0]
        covered = data[facet["index"]["byteStart"] : facet["index"]["byteEnd"]].decode()
        found.append((covered, feature.get("uri") or feature.get("did") or feature.get("tag")))
    return found


def test_links_mentions_and_tags_are_marked_by_byte_offset() -> None:
    text = "Größe 👩‍👩‍👧 https://exämple.com/ä?b=1#c, @Ada.Test und @nobody.test: #Grüße #日本 #1 #a-b. me@host.example"
    assert _marked(text, {"ada.test": "did:plc:ada"}) == [
        ("https://exämple.com/ä?b=1#c", "https://exämple.com/ä?b=1#c"),
        ("@Ada.Test", "did:plc:ada"),
        ("#Grüße", "Grüße"),
        ("#日本", "日本"),
        ("#a-b", "a-b"),
    ]


@pytest.mark.parametrize(
    "text", ["", "#", "@", "# x", "#123", "@ada", "http://", "a#b", "x@y.z", "#" + "a" * 65]
)
def test_what_only_looks_like_an_entity_is_not_marked(text: str) -> None:
    assert _marked(text, {"y.z": "did:plc:y"}) == []


def test_facets_do_not_overlap() -> None:
    text = "https://a.test/@ada.test#tag #x@ada.test"
    ends = 0
    for facet in make_facets(text, {"ada.test": "did:plc:ada"}):
        assert facet["index"]["byteStart"] >= ends
        ends = facet["index"]["byteEnd"]


def test_a_warning_in_free_words_becomes_the_nearest_label() -> None:
    cases = {"Nudity": "nudity", "NSFW": "porn", "Adult humour": "sexual", "Blood": "graphic-media"}
    assert {warning: label_of(warning) for warning in cases} == cases


def test_the_whole_post_arrives(shared_sandbox: SandboxThread, tmp_path: Path) -> None:
    friend = shared_sandbox.control.account("friend")

    async def test(channel: Channel, vault: Vault) -> None:
        picture = make_picture(tmp_path, size=(320, 200), alt="Ein rotes Feld")
        post = make_post(
            BLUESKY,
            f"Hallo @{friend['at_handle']} https://example.com #tag",
            media=(picture,),
            options={"language": "de", "content_warning": "Blood"},
        )
        remote = await send(BLUESKY, channel, post)
        stored = _record(shared_sandbox, remote.id)
        record = stored["value"]
        assert remote.id == f"at://{channel.remote_id}/app.bsky.feed.post/{post.client_ref}"
        assert remote.extra == {
            "cid": stored["cid"],
            "root": {"uri": remote.id, "cid": stored["cid"]},
        }
        assert shared_sandbox.control.http.get(remote.url).status_code == 200
        assert record["langs"] == ["de"]
        assert record["labels"]["values"] == [{"val": "graphic-media"}]
        image = record["embed"]["images"][0]
        assert (image["alt"], image["aspectRatio"]) == ("Ein rotes Feld", {"width": 320, "height": 200})
        features = [facet["features"][0] for facet in record["facets"]]
        assert [f["$type"].split("#")[1] for f in features] == ["mention", "link", "tag"]
        assert features[0]["did"] == friend["did"]
        assert record["createdAt"] == post.created_at.isoformat(timespec="milliseconds").replace(
            "+00:00", "Z"
        )

    _on(shared_sandbox, test)


def test_a_thread_hangs_on_its_root(shared_sandbox: SandboxThread) -> None:
    async def test(channel: Channel, vault: Vault) -> None:
        first = await send(BLUESKY, channel, make_post(BLUESKY, "One"))
        second = await send(BLUESKY, channel, make_post(BLUESKY, "Two", reply_to=first))
        third = await send(BLUESKY, channel, make_post(BLUESKY, "Three", reply_to=second))
        reply = _record(shared_sandbox, third.id)["value"]["reply"]
        assert (reply["root"]["uri"], reply["parent"]["uri"]) == (first.id, second.id)
        assert reply["root"]["cid"] == first.extra["cid"]

    _on(shared_sandbox, test)


def test_a_repeat_is_the_same_record_and_a_changed_one_never_overwrites_it(
    shared_sandbox: SandboxThread,
) -> None:
    async def test(channel: Channel, vault: Vault) -> None:
        post = make_post(BLUESKY, "As it was")
        first = await send(BLUESKY, channel, post)
        again = await send(BLUESKY, channel, post)
        assert (again.id, again.extra) == (first.id, first.extra)
        changed = await send(BLUESKY, channel, replace(post, text="Rewritten by mistake"))
        assert (changed.id, changed.extra) == (first.id, first.extra)
        assert _record(shared_sandbox, first.id)["value"]["text"] == "As it was"

    _on(shared_sandbox, test)


def test_a_foreign_record_under_our_key_is_not_taken_for_ours(shared_sandbox: SandboxThread) -> None:
    async def test(channel: Channel, vault: Vault) -> None:
        post = make_post(BLUESKY, "Mine")
        await send(BLUESKY, channel, post)
        other = replace(post, text="Another job's", created_at=post.created_at + timedelta(seconds=1))
        with pytest.raises(OutcomeUnknown):
            await send(BLUESKY, channel, other)
        lookup = await BLUESKY.find_own_post(other, channel, utc_now())
        assert lookup.found is None and not lookup.is_certainly_absent

    _on(shared_sandbox, test)


def test_who_a_mention_means_is_settled_once(shared_sandbox: SandboxThread) -> None:
    async def test(channel: Channel, vault: Vault) -> None:
        handle = f"late{uuid.uuid4().hex[:6]}"
        post = make_post(BLUESKY, f"Hi @{handle}.sandbox.test")
        progress = await BLUESKY.prepare(post, channel, {})
        shared_sandbox.control.account(handle)
        assert (await BLUESKY.prepare(post, channel, progress))["dids"] == {}

    _on(shared_sandbox, test)


# ── pictures ────────────────────────────────────────────────────────────────────────────────────────────────────


def _noise(image: Image.Image) -> None:
    image.frombytes(random.Random(7).randbytes(image.width * image.height * 3))


def test_a_large_picture_is_made_to_fit_and_a_small_one_is_left_alone(
    shared_sandbox: SandboxThread, tmp_path: Path
) -> None:
    small = make_picture(tmp_path, name="small.png")
    assert fit_image(small.path, small.mime_type).content == small.path.read_bytes()
    large = make_picture(tmp_path, name="large.png", size=(1500, 1100), paint=_noise)
    assert large.size_bytes > 4 * MAX_BLOB_BYTES
    fitted = fit_image(large.path, large.mime_type)
    assert len(fitted.content) < MAX_BLOB_BYTES and fitted.mime_type == "image/jpeg"
    with Image.open(io.BytesIO(fitted.content)) as image:
        assert image.size == (fitted.width, fitted.height)

    async def test(channel: Channel, vault: Vault) -> None:
        remote = await send(BLUESKY, channel, make_post(BLUESKY, "Large", media=(large,)))
        blob = _record(shared_sandbox, remote.id)["value"]["embed"]["images"][0]["image"]
        assert blob["size"] == len(fitted.content)

    _on(shared_sandbox, test)


def test_transparency_becomes_white_and_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "clear.png"
    noise = Image.frombytes("RGBA", (800, 800), random.Random(1).randbytes(800 * 800 * 4))
    noise.paste((0, 0, 0, 0), (0, 0, 400, 400))
    noise.save(path)
    with Image.open(io.BytesIO(fit_image(path, "image/png").content)) as image:
        assert min(image.getpixel((100, 100))) > 240
    damaged = tmp_path / "damaged.png"
    damaged.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(Rejected, match="damaged"):
        fit_image(damaged, "image/png")


def test_pictures_are_uploaded_once_for_all_tries(shared_sandbox: SandboxThread, tmp_path: Path) -> None:
    async def test(channel: Channel, vault: Vault) -> None:
        post = make_post(BLUESKY, "Once", media=(make_picture(tmp_path),))
        progress = await BLUESKY.prepare(post, channel, {})
        await BLUESKY.prepare(post, channel, progress)
        handle = channel.handle[1:].split(".")[0]
        assert len(shared_sandbox.control.requests(path="uploadBlob", account=handle)) == 1
        progress["blobs"]["picture.png"]["uploaded_at"] -= 3600
        await BLUESKY.prepare(post, channel, progress)
        assert len(shared_sandbox.control.requests(path="uploadBlob", account=handle)) == 2

    _on(shared_sandbox, test)


# ── sessions ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_wrong_password_and_a_wrong_server_are_told_apart(shared_sandbox: SandboxThread) -> None:
    account = shared_sandbox.control.account("signer")

    async def page(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 6\r\n\r\n<html>")

    async def attempt(client: EgressClient, url: str) -> None:
        credentials = {"service_url": url, "identifier": account["at_handle"], "app_password": "nope-nope"}
        await connect(BLUESKY, client, credentials)

    async def test() -> None:
        async with raw_server(page) as server:
            hosts = {server.host, shared_sandbox.base_url.removeprefix("http://")}
            async with EgressClient(allow=frozenset(hosts)) as client:
                with pytest.raises(Reauthorise, match="handle and app password"):
                    await attempt(client, shared_sandbox.base_url)
                with pytest.raises(Rejected, match="no Bluesky server"):
                    await attempt(client, server.url)

    asyncio.run(test())


def test_an_expiring_token_is_renewed_once_by_all_who_need_it_and_stored_before_use(
    sandbox: SandboxThread,
) -> None:
    sandbox.control.config(token_life_seconds=60)  # less than a send may need

    async def test(channel: Channel, vault: Vault) -> None:
        sandbox.control.config(token_life_seconds=7200)
        old = dict(channel.credentials)
        posts = [make_post(BLUESKY, f"Post {n}") for n in range(8)]
        await asyncio.gather(*(BLUESKY.prepare(post, channel, {}) for post in posts))
        assert len(sandbox.control.requests(path="refreshSession")) == 1
        assert len(vault.saves) == 1
        assert vault.stored["refresh_jwt"] not in ("", old["refresh_jwt"])
        assert channel.credentials["access_jwt"] == vault.stored["access_jwt"]
        assert vault.stored["app_password"] == old["app_password"]

    _on(sandbox, test)


def test_what_another_worker_has_renewed_is_used_instead_of_renewing_again(sandbox: SandboxThread) -> None:
    sandbox.control.config(token_life_seconds=60)

    async def test(channel: Channel, vault: Vault) -> None:
        sandbox.control.config(token_life_seconds=7200)
        elsewhere, other_vault = open_channel(
            BLUESKY, Identity(channel.remote_id, channel.handle), dict(channel.credentials), channel.client
        )
        await BLUESKY.prepare(make_post(BLUESKY, "x"), elsewhere, {})
        vault.stored = dict(other_vault.stored)
        await BLUESKY.prepare(make_post(BLUESKY, "y"), channel, {})
        assert len(sandbox.control.requests(path="refreshSession")) == 1
        assert vault.saves == []

    _on(sandbox, test)


def test_a_token_refused_at_the_last_moment_is_renewed_and_the_post_goes_out_once(
    sandbox: SandboxThread,
) -> None:
    async def test(channel: Channel, vault: Vault) -> None:
        post = make_post(BLUESKY, "In the nick of time")
        progress = await BLUESKY.prepare(post, channel, {})
        sandbox.control.fault("expired_token", {"path": "com.atproto.repo.putRecord"})
        remote = await BLUESKY.publish(post, channel, progress)
        assert [p["id"] for p in sandbox.control.posts()] == [remote.id]
        assert len(vault.saves) == 1

    _on(sandbox, test)


def test_a_dead_refresh_token_falls_back_to_the_app_password(sandbox: SandboxThread) -> None:
    async def test(channel: Channel, vault: Vault) -> None:
        channel.credentials["refresh_jwt"] = vault.stored["refresh_jwt"] = "dead"
        channel.credentials["access_jwt"] = vault.stored["access_jwt"] = "dead"
        remote = await send(BLUESKY, channel, make_post(BLUESKY, "Signed in again"))
        assert remote.id and vault.stored["access_jwt"] != "dead"

    _on(sandbox, test)


def test_only_a_refused_app_password_disconnects_and_a_blip_does_not(sandbox: SandboxThread) -> None:
    async def test(channel: Channel, vault: Vault) -> None:
        for credentials in (channel.credentials, vault.stored):
            credentials.update(access_jwt="", refresh_jwt="dead")
        for kind in ("drop_before", "error_before", "rate_limit"):
            sandbox.control.fault(kind, {"path": "com.atproto.server.createSession"})
            sandbox.control.fault(kind, {"path": "com.atproto.server.refreshSession"})
            with pytest.raises(ConnectorError) as raised:
                await BLUESKY.prepare(make_post(BLUESKY, "x"), channel, {})
            assert not isinstance(raised.value, Reauthorise | Rejected), kind
            sandbox.control.clear_faults()
        assert vault.saves == []
        channel.credentials["app_password"] = vault.stored["app_password"] = "revoked"
        with pytest.raises(Reauthorise, match="Connect it again"):
            await BLUESKY.prepare(make_post(BLUESKY, "x"), channel, {})

    _on(sandbox, test)


def test_the_check_says_who_the_channel_is(shared_sandbox: SandboxThread) -> None:
    async def test(channel: Channel, vault: Vault) -> None:
        identity = await BLUESKY.check(channel)
        assert (identity.remote_id, identity.handle) == (channel.remote_id, channel.handle)

    _on(shared_sandbox, test)


# ── answers ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_rate_limits_and_refusals_of_the_real_words(sandbox: SandboxThread) -> None:
    async def test(channel: Channel, vault: Vault) -> None:
        params = {"seconds": 9, "dialect": "ratelimit"}
        sandbox.control.fault("rate_limit", {"path": "com.atproto.repo.putRecord"}, params=params)
        with pytest.raises(RateLimited) as limited:
            await send(BLUESKY, channel, make_post(BLUESKY, "Too fast"))
        assert 5 < limited.value.retry_after_seconds <= 10
        with pytest.raises(Rejected, match="300"):
            await send(BLUESKY, channel, make_post(BLUESKY, "x" * 301))

    _on(sandbox, test)


@pytest.mark.parametrize("kind", ["error_after", "malformed", "html", "wrong_shape"])
def test_a_bad_answer_after_the_effect_is_settled_by_reading_the_record(
    sandbox: SandboxThread, kind: str
) -> None:
    async def test(channel: Channel, vault: Vault) -> None:
        sandbox.control.fault(kind, {"path": "com.atproto.repo.putRecord"})
        remote = await send(BLUESKY, channel, make_post(BLUESKY, "There after all"))
        assert [p["id"] for p in sandbox.control.posts()] == [remote.id]

    _on(sandbox, test)


@pytest.mark.parametrize("kind", ["error_before", "malformed_before", "drop_before"])
def test_a_bad_answer_without_the_effect_stays_in_doubt_until_it_is_looked_up(
    sandbox: SandboxThread, kind: str
) -> None:
    async def test(channel: Channel, vault: Vault) -> None:
        sandbox.control.fault(kind, {"path": "com.atproto.repo.putRecord"})
        post = make_post(BLUESKY, "Not there")
        with pytest.raises(OutcomeUnknown):
            await send(BLUESKY, channel, post)
        assert (await BLUESKY.find_own_post(post, channel, utc_now())).is_certainly_absent

    _on(sandbox, test)


def test_a_look_up_that_fails_proves_nothing(sandbox: SandboxThread) -> None:
    async def test(channel: Channel, vault: Vault) -> None:
        post = make_post(BLUESKY, "Unreadable")
        for kind in ("error_before", "html", "malformed_before", "rate_limit"):
            sandbox.control.fault(kind, {"path": "com.atproto.repo.getRecord"})
            with pytest.raises(ConnectorError):
                await BLUESKY.find_own_post(post, channel, utc_now())

    _on(sandbox, test)
