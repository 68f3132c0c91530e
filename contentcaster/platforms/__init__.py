"""The networks: an explicit list, one connector each. The order is the one that people see."""

from __future__ import annotations

from contentcaster.platforms.base import Connector
from contentcaster.platforms.bluesky import BlueskyConnector
from contentcaster.platforms.devto import DevConnector
from contentcaster.platforms.discord import DiscordConnector
from contentcaster.platforms.linkedin import LinkedInConnector, LinkedInPageConnector
from contentcaster.platforms.mail import MailConnector
from contentcaster.platforms.mastodon import MastodonConnector
from contentcaster.platforms.matrix import MatrixConnector
from contentcaster.platforms.nostr import NostrConnector
from contentcaster.platforms.sandbox import SandboxConnector
from contentcaster.platforms.slack import SlackConnector
from contentcaster.platforms.telegram import TelegramConnector
from contentcaster.platforms.webhook import WebhookConnector
from contentcaster.platforms.wordpress import WordPressConnector
from contentcaster.platforms.x import XConnector

_ALL: tuple[Connector, ...] = (
    MastodonConnector(),
    BlueskyConnector(),
    XConnector(),
    LinkedInConnector(),
    LinkedInPageConnector(),
    MatrixConnector(),
    NostrConnector(),
    TelegramConnector(),
    DiscordConnector(),
    SlackConnector(),
    WordPressConnector(),
    DevConnector(),
    MailConnector(),
    WebhookConnector(),
    SandboxConnector(),
)
CONNECTORS: dict[str, Connector] = {connector.capabilities.platform: connector for connector in _ALL}
"""By the platform's name, e.g. "mastodon"."""


def get_connector(platform: str) -> Connector:
    """The connector of `platform`; raises KeyError for a network that we do not know."""
    return CONNECTORS[platform]
