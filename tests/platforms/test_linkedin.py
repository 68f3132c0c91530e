"""LinkedIn on its twin: members and pages are two networks, because LinkedIn gives them to different apps."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contentcaster.clock import utc_now
from contentcaster.platforms import get_connector, linkedin_api
from contentcaster.platforms.acts import judge
from contentcaster.platforms.base import (
    Channel,
    Connector,
    OutcomeUnknown,
    RateLimited,
    Reauthorise,
    Rejected,
)
from contentcaster.platforms.linkedin_metrics import LinkedInPageMetrics
from contentcaster.platforms.linkedin_text import from_little, to_little
from contentcaster.platforms.text import measure
from contentcaster.security.egress import EgressClient
from tests.platforms.channels import Vault, connect, make_picture, make_post, send, send_and_resolve
from tests.platforms.contract import ConnectorContract
from tests.platforms.twins.linkedin import MEMBER, PAGE_SCOPES, LinkedInTwin, read_little

MEMBERS, PAGES = get_connector("linkedin"), get_connector("linkedin-page")


@pytest.fixture
def twin(monkeypatch: pytest.MonkeyPatch) -> Iterator[LinkedInTwin]:
    with LinkedInTwin() as running:
        monkeypatch.setattr(linkedin_api, "base_url", lambda: running.url)
        yield running


@pytest.fixture
def page_twin(monkeypatch: pytest.MonkeyPatch) -> Iterator[LinkedInTwin]:
    with LinkedInTwin(PAGE_SCOPES) as running:
        monkeypatch.setattr(linkedin_api, "base_url", lambda: running.url)
        yield running


def on(
    connector: Connector,
    twin: LinkedInTwin,
    test: Callable[[Channel, Vault], Awaitable[None]],
    **more: str,
) -> None:
    async def inner() -> None:
        async with EgressClient(allow=frozenset({twin.host})) as client:
            given = {"access_token": twin.oauth.new_access_token(), **more}
            await test(*await connect(connector, client, given))

    asyncio.run(asyncio.wait_for(inner(), 30))


class TestLinkedInMemberContract(ConnectorContract):
    connector = MEMBERS
    publish_path = "/rest/posts"

    @pytest.fixture(autouse=True)
    def _use(self, twin: LinkedInTwin, monkeypatch: pytest.MonkeyPatch) -> None:
        self.twin, self.monkeypatch = twin, monkeypatch

    def upstream(self) -> str:
        return self.twin.url

    def new_credentials(self, proxy_url: str) -> dict[str, Any]:
        self.monkeypatch.setattr(linkedin_api, "base_url", lambda: proxy_url)
        return {"access_token": self.twin.oauth.new_access_token()}

    def visible(self, text: str) -> list[str]:
        return self.twin.visible(text)


class TestLinkedInPageContract(TestLinkedInMemberContract):
    connector = PAGES

    @pytest.fixture(autouse=True)
    def _use(self, page_twin: LinkedInTwin, monkeypatch: pytest.MonkeyPatch) -> None:
        self.twin, self.monkeypatch = page_twin, monkeypatch


# ── little text ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "text",
    [
        "Growth (4%) is [not] {a} <tag> | *bold* _or_ ~wave~ @home \\ back",
        "#hashtag and # alone, C# and a#b, mail@example.org",
        "(starts with one",
    ],
)
def test_nothing_is_cut_off_by_a_reserved_character(twin: LinkedInTwin, text: str) -> None:
    async def test(channel: Channel, vault: Vault) -> None:
        remote = await send(MEMBERS, channel, make_post(MEMBERS, text))
        assert twin.posts[remote.id]["shown"] == text
        assert from_little(twin.posts[remote.id]["commentary"]) == text

    on(MEMBERS, twin, test)


@given(st.text(alphabet="ab1 #@()[]{}<>|\\*_~é本\n", max_size=40))
def test_any_text_comes_out_as_it_went_in(text: str) -> None:
    assert read_little(to_little(text)) == text
    assert from_little(to_little(text)) == text


def test_a_hashtag_stays_one() -> None:
    assert to_little("On #AI, item #1") == "On #AI, item #1"
    assert from_little(r"On {hashtag|\#|AI}") == "On #AI"


def test_three_thousand_characters_fit_and_one_more_does_not(twin: LinkedInTwin) -> None:
    async def test(channel: Channel, vault: Vault) -> None:
        full = "🎉" + "(" * 2998
        assert not measure(full, MEMBERS.capabilities.text).is_too_long
        assert (await send(MEMBERS, channel, make_post(MEMBERS, full))).id
        assert measure(full + "x", MEMBERS.capabilities.text).is_too_long
        with pytest.raises(Rejected, match="too long"):
            await send(MEMBERS, channel, make_post(MEMBERS, full + "x"))

    on(MEMBERS, twin, test)


# ── publishing ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("count", [1, 3])
def test_pictures_are_uploaded_with_their_alt_text_and_only_once(
    twin: LinkedInTwin, tmp_path: Path, count: int
) -> None:
    async def test(channel: Channel, vault: Vault) -> None:
        pictures = tuple(make_picture(tmp_path, name=f"{n}.png", alt=f"Alt {n}") for n in range(count))
        post = make_post(MEMBERS, "Look", media=pictures)
        progress = await MEMBERS.prepare(post, channel, {})
        assert await MEMBERS.prepare(post, channel, progress) == progress
        remote = await MEMBERS.publish(post, channel, progress)
        assert len(twin.images) == count
        content = twin.posts[remote.id]["content"]
        images = [content["media"]] if count == 1 else content["multiImage"]["images"]
        assert [image["altText"] for image in images] == [picture.alt for picture in pictures]
        assert twin.images[images[0]["id"]]["owner"] == MEMBER
        assert twin.images[images[0]["id"]]["content"] == pictures[0].path.read_bytes()

    on(MEMBERS, twin, test)


def test_the_token_goes_to_no_address_but_linkedins(twin: LinkedInTwin, tmp_path: Path) -> None:
    async def test(channel: Channel, vault: Vault) -> None:
        value = {"uploadUrl": "https://evil.example/up", "image": "urn:li:image:1"}
        twin.override("/rest/images", 200, {"value": value})
        with pytest.raises(Rejected, match="not its own"):
            await MEMBERS.prepare(make_post(MEMBERS, "x", media=(make_picture(tmp_path),)), channel, {})

    on(MEMBERS, twin, test)
    assert linkedin_api.may_send_token_to(
        "https://www.linkedin.com/dms-uploads/x", "https://api.linkedin.com"
    )
    for url in (
        "http://www.linkedin.com/x",
        "https://linkedin.com.evil.example/",
        "https://evillinkedin.com/",
    ):
        assert not linkedin_api.may_send_token_to(url, "https://api.linkedin.com")


def test_a_members_doubt_is_a_question_for_a_person(twin: LinkedInTwin) -> None:
    async def test(channel: Channel, vault: Vault) -> None:
        await send(MEMBERS, channel, make_post(MEMBERS, "Same words"))
        with pytest.raises(OutcomeUnknown, match=r"urn:li:share:\d+"):
            await send(MEMBERS, channel, make_post(MEMBERS, "Same words"))
        resolution = await send_and_resolve(MEMBERS, channel, make_post(MEMBERS, "Same words"))
        assert resolution.needs_review and len(twin.posts) == 1

    on(MEMBERS, twin, test)


def test_a_pages_doubt_is_looked_up(page_twin: LinkedInTwin) -> None:
    async def test(channel: Channel, vault: Vault) -> None:
        post = make_post(PAGES, "Our (new) page, #launch")
        remote = await send(PAGES, channel, post)
        resolution = await send_and_resolve(PAGES, channel, post)
        assert resolution.was_unknown and resolution.remote is not None
        assert resolution.remote.id == remote.id and len(page_twin.posts) == 1
        page_twin.posts[remote.id]["createdAt"] -= 3_600_000
        page_twin.posts[remote.id]["publishedAt"] -= 3_600_000
        older = await PAGES.find_own_post(post, channel, utc_now())
        assert older.found is None and not older.is_certainly_absent and remote.id in older.note

    on(PAGES, page_twin, test)


def test_a_post_that_linkedin_cut_is_no_proof_of_absence(page_twin: LinkedInTwin) -> None:
    async def test(channel: Channel, vault: Vault) -> None:
        post = make_post(PAGES, "A sentence that goes on for some time and then some more of it")
        remote = await send(PAGES, channel, post)
        page_twin.posts[remote.id]["commentary"] = post.text[:45]
        lookup = await PAGES.find_own_post(post, channel, post.created_at)
        assert lookup.found is None and not lookup.is_certainly_absent and "similar" in lookup.note

    on(PAGES, page_twin, test)


def test_the_counts_of_a_page_are_read_and_a_deleted_post_is_left_out(page_twin: LinkedInTwin) -> None:
    async def test(channel: Channel, vault: Vault) -> None:
        kept = await send(PAGES, channel, make_post(PAGES, "kept"))
        gone = await send(PAGES, channel, make_post(PAGES, "gone"))
        await PAGES.delete(gone, channel)
        reader = LinkedInPageMetrics()
        counts = await reader.counts([kept.id, gone.id, "no urn"], channel)
        assert set(counts) == {kept.id}
        found = counts[kept.id]
        assert (found.likes, found.reposts, found.replies, found.views) == (5, 2, 1, 900)
        assert await reader.followers(channel) == 219_145
        page_twin.override("/rest/organizationalEntityShareStatistics", 200, {"elements": "none"})
        with pytest.raises(OutcomeUnknown):
            await reader.counts([kept.id], channel)

    on(PAGES, page_twin, test)


# ── connecting ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_member_and_a_page_are_told_apart(twin: LinkedInTwin) -> None:
    async def test(channel: Channel, vault: Vault) -> None:
        assert channel.credentials["author"] == MEMBER and channel.handle == "Ada Member"
        with pytest.raises(Reauthorise, match="permissions"):
            await connect(PAGES, channel.client, {"access_token": twin.oauth.new_access_token()})

    on(MEMBERS, twin, test)


def test_of_several_pages_one_must_be_named(page_twin: LinkedInTwin) -> None:
    page_twin.pages = ("2414183", "5515715")

    async def test(channel: Channel, vault: Vault) -> None:
        assert (channel.remote_id, channel.handle) == ("5515715", "acme-corp")
        assert channel.credentials["author"] == "urn:li:organization:5515715"
        token = page_twin.oauth.new_access_token()
        for organization, words in (("", "several pages: 2414183, 5515715"), ("99", "does not manage")):
            with pytest.raises(Rejected, match=words):
                await connect(PAGES, channel.client, {"access_token": token, "organization": organization})
        page_twin.pages = ()
        with pytest.raises(Rejected, match="manages no LinkedIn page"):
            await connect(PAGES, channel.client, {"access_token": token})

    on(PAGES, page_twin, test, organization="urn:li:organization:5515715")


def test_an_ended_login_without_a_refresh_token_asks_for_a_person(twin: LinkedInTwin) -> None:
    async def test(channel: Channel, vault: Vault) -> None:
        twin.oauth.access.clear()
        with pytest.raises(Reauthorise, match="Connect it again"):
            await send(MEMBERS, channel, make_post(MEMBERS, "x"))
        channel.credentials["access_expires_at"] = vault.stored["access_expires_at"] = time.time() - 5
        with pytest.raises(Reauthorise, match="expired"):
            await MEMBERS.prepare(make_post(MEMBERS, "x"), channel, {})

    on(MEMBERS, twin, test)


def test_refusals_are_told_apart(twin: LinkedInTwin) -> None:
    day = {
        "message": "Resource level throttle DAY limit for calls to this resource is reached.",
        "status": 429,
    }
    denied = {"message": "Not enough permissions to access: POST /posts", "status": 403}
    version = {
        "status": 426,
        "code": "NONEXISTENT_VERSION",
        "message": "Requested version 20250401 is not active",
    }
    cases: list[tuple[int, Any, type[Exception], str]] = [
        (429, day, RateLimited, "midnight UTC"),
        (403, denied, Reauthorise, "permissions"),
        (426, version, Rejected, "CONTENTCASTER_LINKEDIN_VERSION"),
        (422, {"message": "Image is not available", "status": 422}, Rejected, "Image"),
        (500, {"message": "Internal", "status": 500}, OutcomeUnknown, "500"),
        (201, {}, OutcomeUnknown, "form"),
    ]

    async def test(channel: Channel, vault: Vault) -> None:
        for status, body, error, words in cases:
            twin.override("/rest/posts", status, body)
            with pytest.raises(error, match=re.escape(words)) as raised:
                await send(MEMBERS, channel, make_post(MEMBERS, "x"))
            assert "access-" not in str(raised.value) + raised.value.diagnostics  # type: ignore[attr-defined]
            if isinstance(raised.value, RateLimited):
                assert 60 <= raised.value.retry_after_seconds <= 86_460
        assert twin.posts == {}

    on(MEMBERS, twin, test)


@pytest.mark.parametrize("platform", ["linkedin", "linkedin-page"])
@pytest.mark.parametrize("action", ["like", "repost", "reply", "follow"])
def test_linkedin_allows_bots_nothing(platform: str, action: str) -> None:
    assert not judge(platform, action, has_tagged_us=True).is_allowed
