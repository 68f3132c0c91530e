"""Telegram, Discord, Slack and signed webhooks on their twins: networks where a post is sent at most once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from contentcaster.platforms import get_connector
from contentcaster.platforms.base import (
    Channel,
    Connector,
    OutcomeUnknown,
    RateLimited,
    Reauthorise,
    Rejected,
    TemporarilyRejected,
)
from contentcaster.security.egress import EgressClient
from tests.platforms.channels import Vault, connect, make_picture, make_post, send
from tests.platforms.contract import ConnectorContract
from tests.platforms.specs import document, needs_specs
from tests.platforms.twins import discord as discord_twin
from tests.platforms.twins import telegram as telegram_twin
from tests.platforms.twins.discord import DiscordTwin
from tests.platforms.twins.hooks import SLACK_PATH, SlackTwin, WebhookTwin
from tests.platforms.twins.server import Twin
from tests.platforms.twins.telegram import CHAT, TOKEN, TelegramTwin

TELEGRAM, DISCORD, SLACK, WEBHOOK = map(get_connector, ("telegram", "discord", "slack", "webhook"))


@pytest.fixture
def telegram() -> Iterator[TelegramTwin]:
    with TelegramTwin() as twin:
        yield twin


@pytest.fixture
def discord() -> Iterator[DiscordTwin]:
    with DiscordTwin() as twin:
        yield twin


@pytest.fixture
def slack() -> Iterator[SlackTwin]:
    with SlackTwin() as twin:
        yield twin


@pytest.fixture
def hook() -> Iterator[WebhookTwin]:
    with WebhookTwin() as twin:
        yield twin


def telegram_credentials(url: str, **more: str) -> dict[str, Any]:
    return {"bot_token": TOKEN, "chat": "@acme_news", "api_url": url, **more}


def discord_credentials(url: str) -> dict[str, Any]:
    return {"webhook_url": f"{url}/api/webhooks/{discord_twin.ID}/{discord_twin.TOKEN}?x=y"}


def slack_credentials(url: str) -> dict[str, Any]:
    return {"webhook_url": url + SLACK_PATH, "name": "#news"}


def hook_credentials(url: str, **more: str) -> dict[str, Any]:
    return {"url": f"{url}/hook", "secret": WebhookTwin.secret, "name": "Our site", **more}


def on(
    connector: Connector,
    twin: Twin,
    credentials: dict[str, Any],
    test: Callable[[Channel, Vault], Awaitable[None]],
) -> None:
    async def inner() -> None:
        async with EgressClient(allow=frozenset({twin.host})) as client:
            await test(*await connect(connector, client, credentials))

    asyncio.run(asyncio.wait_for(inner(), 30))


class TestTelegramContract(ConnectorContract):
    connector = TELEGRAM
    publish_path = "/sendMessage"

    @pytest.fixture(autouse=True)
    def _use(self, telegram: TelegramTwin) -> None:
        self.twin = telegram

    def upstream(self) -> str:
        return self.twin.url

    def new_credentials(self, proxy_url: str) -> dict[str, Any]:
        return telegram_credentials(proxy_url)

    def visible(self, text: str) -> list[str]:
        return self.twin.visible(text)


class TestDiscordContract(ConnectorContract):
    connector = DISCORD
    publish_path = discord_twin.TOKEN

    @pytest.fixture(autouse=True)
    def _use(self, discord: DiscordTwin) -> None:
        self.twin = discord

    def upstream(self) -> str:
        return self.twin.url

    def new_credentials(self, proxy_url: str) -> dict[str, Any]:
        return discord_credentials(proxy_url)

    def visible(self, text: str) -> list[str]:
        return self.twin.visible(text)


class TestSlackContract(ConnectorContract):
    connector = SLACK
    publish_path = SLACK_PATH

    @pytest.fixture(autouse=True)
    def _use(self, slack: SlackTwin) -> None:
        self.twin = slack
        self.ids: list[str] = []

    def upstream(self) -> str:
        return self.twin.url

    def new_credentials(self, proxy_url: str) -> dict[str, Any]:
        return slack_credentials(proxy_url)

    def visible(self, text: str) -> list[str]:
        return [f"slack-{n}" for n, found in enumerate(self.twin.texts) if found == text]

    def test_a_post_is_published_once_and_its_id_is_the_networks(self) -> None:
        """Slack gives no id, so there is none to compare."""

        async def test(channel: Channel, proxy: Any) -> None:
            before = proxy.publishes  # connecting asks the webhook, without content
            post = make_post(SLACK, self.text())
            remote = await send(SLACK, channel, post)
            assert len(self.visible(post.text)) == 1
            assert remote.id == f"webhook:{post.idempotency_key}"
            assert proxy.publishes - before == 1

        self.run(test)


class TestWebhookContract(ConnectorContract):
    connector = WEBHOOK
    takes_any_success = True
    publish_path = "/hook"

    @pytest.fixture(autouse=True)
    def _use(self, hook: WebhookTwin) -> None:
        self.twin = hook

    def upstream(self) -> str:
        return self.twin.url

    def new_credentials(self, proxy_url: str) -> dict[str, Any]:
        return hook_credentials(proxy_url)

    def visible(self, text: str) -> list[str]:
        return [f"webhook:{e['webhook-id']}" for e in self.twin.events if e["data"]["text"] == text]


# ── Telegram ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_telegram_connects_by_bot_and_channel(telegram: TelegramTwin) -> None:
    async def test(channel: Channel, vault: Vault) -> None:
        assert (channel.handle, channel.remote_id) == ("@acme_news", str(CHAT["id"]))
        with pytest.raises(Reauthorise):
            other = TOKEN[:-4] + "XXXX"
            await connect(TELEGRAM, channel.client, telegram_credentials(telegram.url, bot_token=other))
        with pytest.raises(Rejected, match="administrator"):
            await connect(TELEGRAM, channel.client, telegram_credentials(telegram.url, chat="@elsewhere"))

    on(TELEGRAM, telegram, telegram_credentials(telegram.url), test)


def test_telegram_pictures_travel_with_the_post(telegram: TelegramTwin, tmp_path: Path) -> None:
    async def test(channel: Channel, vault: Vault) -> None:
        pictures = tuple(make_picture(tmp_path, name=f"{n}.png") for n in range(3))
        one = await send(TELEGRAM, channel, make_post(TELEGRAM, "One", media=pictures[:1]))
        many = await send(TELEGRAM, channel, make_post(TELEGRAM, "Many", media=pictures, reply_to=one))
        assert one.url == f"https://t.me/acme_news/{one.extra['message_ids'][0]}"
        assert len(many.extra["message_ids"]) == 3
        assert telegram.messages[many.extra["message_ids"][0]]["reply"] == one.extra["message_ids"][0]
        with pytest.raises(Rejected, match="1,024"):
            await TELEGRAM.prepare(make_post(TELEGRAM, "x" * 1025, media=pictures[:1]), channel, {})
        await TELEGRAM.delete(many, channel)
        assert list(telegram.messages) == one.extra["message_ids"]

    on(TELEGRAM, telegram, telegram_credentials(telegram.url), test)


def test_telegram_refusals_are_told_apart_and_the_token_is_in_none(telegram: TelegramTwin) -> None:
    answers: list[tuple[int, Any, type[Exception]]] = [
        (
            429,
            {"ok": False, "error_code": 429, "description": "x", "parameters": {"retry_after": 9}},
            RateLimited,
        ),
        (401, {"ok": False, "error_code": 401, "description": "Unauthorized"}, Reauthorise),
        (403, {"ok": False, "description": "Forbidden: bot was kicked from the channel chat"}, Rejected),
        (400, {"ok": False, "description": "Bad Request: message is too long"}, Rejected),
        (502, "<html>", OutcomeUnknown),
        (200, {"ok": True, "result": {}}, OutcomeUnknown),
    ]

    async def test(channel: Channel, vault: Vault) -> None:
        for status, answer, error in answers:
            telegram.override("sendMessage", status, answer)
            with pytest.raises(error) as raised:
                await send(TELEGRAM, channel, make_post(TELEGRAM, "x"))
            assert TOKEN not in str(raised.value) + raised.value.diagnostics  # type: ignore[attr-defined]
        assert telegram.messages == {}

    on(TELEGRAM, telegram, telegram_credentials(telegram.url), test)


def test_telegram_follows_a_group_that_became_a_supergroup(telegram: TelegramTwin) -> None:
    async def test(channel: Channel, vault: Vault) -> None:
        moved = {
            "ok": False,
            "description": "group chat was upgraded",
            "parameters": {"migrate_to_chat_id": CHAT["id"]},
        }
        telegram.override("sendMessage", 400, moved)
        with pytest.raises(TemporarilyRejected):
            await send(TELEGRAM, channel, make_post(TELEGRAM, "x"))
        assert vault.stored["chat"] == str(CHAT["id"])
        assert (await send(TELEGRAM, channel, make_post(TELEGRAM, "y"))).id

    on(TELEGRAM, telegram, telegram_credentials(telegram.url), test)


# ── Discord ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_discord_posts_with_pictures_and_rings_for_nobody(discord: DiscordTwin, tmp_path: Path) -> None:
    async def test(channel: Channel, vault: Vault) -> None:
        assert (channel.handle, channel.remote_id) == ("News", discord_twin.ID)
        pictures = tuple(make_picture(tmp_path, name=f"{n}.png", alt=f"Alt {n}") for n in range(2))
        remote = await send(DISCORD, channel, make_post(DISCORD, "@everyone look", media=pictures))
        assert remote.url == f"https://discord.com/channels/88/77/{remote.id}"
        message = discord.messages[remote.id]
        assert message["payload"]["allowed_mentions"] == {"parse": []}
        assert [a["description"] for a in message["payload"]["attachments"]] == ["Alt 0", "Alt 1"]
        assert message["files"] == ["files[0]", "files[1]"]

    on(DISCORD, discord, discord_credentials(discord.url), test)


def test_discord_refusals_are_told_apart(discord: DiscordTwin) -> None:
    async def test(channel: Channel, vault: Vault) -> None:
        discord.override(discord_twin.TOKEN, 429, {"message": "x", "retry_after": 0.65, "global": False})
        with pytest.raises(RateLimited) as limited:
            await send(DISCORD, channel, make_post(DISCORD, "x"))
        assert limited.value.retry_after_seconds == 1
        with pytest.raises(Rejected, match="Invalid Form Body"):
            await send(DISCORD, channel, make_post(DISCORD, "x" * 2001))
        discord.override(discord_twin.TOKEN, 404, {"message": "Unknown Webhook", "code": 10015})
        with pytest.raises(Reauthorise):
            await send(DISCORD, channel, make_post(DISCORD, "x"))

    on(DISCORD, discord, discord_credentials(discord.url), test)


@pytest.mark.parametrize(
    "url", ["https://discord.com/", "https://discord.com/api/webhooks/1", "ftp://x/api/webhooks/1/a" * 2]
)
def test_discord_wants_the_address_of_a_webhook(url: str) -> None:
    async def test() -> None:
        async with EgressClient() as client:
            with pytest.raises(Rejected, match="no Discord webhook"):
                await connect(DISCORD, client, {"webhook_url": url})

    asyncio.run(test())


# ── Slack ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_slack_is_verified_without_posting_and_escapes_its_signs(slack: SlackTwin) -> None:
    async def test(channel: Channel, vault: Vault) -> None:
        assert slack.texts == []
        assert channel.remote_id == "T0AAAAAAA/B0BBBBBBB", "the secret part of the address is no name"
        await send(SLACK, channel, make_post(SLACK, "<!channel> a & b"))
        assert slack.texts == ["&lt;!channel&gt; a &amp; b"]
        slack.override(SLACK_PATH, 404, "channel_not_found")
        with pytest.raises(Rejected, match="channel not found"):
            await send(SLACK, channel, make_post(SLACK, "x"))
        slack.override(SLACK_PATH, 403, "invalid_token")
        with pytest.raises(Reauthorise):
            await send(SLACK, channel, make_post(SLACK, "x"))
        with pytest.raises(Reauthorise):
            wrong = slack_credentials(slack.url) | {"webhook_url": f"{slack.url}/services/T1/B1/other"}
            await connect(SLACK, channel.client, wrong)

    on(SLACK, slack, slack_credentials(slack.url), test)


# ── signed webhook ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_webhook_is_signed_and_says_all_about_the_post(hook: WebhookTwin) -> None:
    async def test(channel: Channel, vault: Vault) -> None:
        options = {"visibility": "public", "language": "de", "content_warning": ""}
        first = make_post(WEBHOOK, "Grüße", options=options)
        remote = await send(WEBHOOK, channel, first)
        await send(WEBHOOK, channel, make_post(WEBHOOK, "Part two", reply_to=remote))
        one, two = hook.events
        assert one["type"] == "post.published" and one["webhook-id"] == first.idempotency_key
        expected = {"id": first.idempotency_key, "text": "Grüße", "visibility": "public", "language": "de"}
        assert one["data"] == expected
        assert two["data"]["in_reply_to"] == remote.id
        with pytest.raises(Reauthorise):
            await connect(WEBHOOK, channel.client, hook_credentials(hook.url, secret="another secret, long"))

    on(WEBHOOK, hook, hook_credentials(hook.url), test)


def test_a_receiver_may_name_the_post(hook: WebhookTwin) -> None:
    async def test(channel: Channel, vault: Vault) -> None:
        hook.override("/hook", 201, {"id": "p-9", "url": "https://site.example/p-9"})
        remote = await send(WEBHOOK, channel, make_post(WEBHOOK, "x"))
        assert (remote.id, remote.url) == ("p-9", "https://site.example/p-9")
        hook.override("/hook", 200, {"id": "p-10", "url": "javascript:alert(1)"})
        assert (await send(WEBHOOK, channel, make_post(WEBHOOK, "y"))).url == ""

    on(WEBHOOK, hook, hook_credentials(hook.url), test)


# ── the twins against the published descriptions ────────────────────────────────────────────────────────────────


@needs_specs
def test_the_twins_know_no_parameter_that_the_published_descriptions_do_not() -> None:
    methods = document("telegram-api.json")["methods"]
    for method, fields in telegram_twin.FIELDS.items():
        assert fields <= {field["name"] for field in methods[method].get("fields", [])}, method
    schemas = document("discord-openapi.json")["components"]["schemas"]
    assert set(schemas["IncomingWebhookRequestPartial"]["properties"]) >= discord_twin.FIELDS
