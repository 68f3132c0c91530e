"""The networks as the console and the REST contract show them, read from the connectors' own capabilities."""

from __future__ import annotations

from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from contentcaster.errors import InvalidInput
from contentcaster.models import Account, AccountStatus
from contentcaster.platforms import CONNECTORS, get_connector
from contentcaster.platforms.base import Capabilities, Connector, MediaRule, TextRule
from contentcaster.services.views import (
    ChannelView,
    CredentialField,
    PlatformView,
    TextRuleView,
    VideoRuleView,
)
from contentcaster.settings import get_settings

DELETED = "deleted"


def list_platforms() -> list[PlatformView]:
    """Every network that can be connected here, in the order of `platforms.CONNECTORS`."""
    return [_platform_view(connector) for connector in _connectable()]


def get_platform(platform: str) -> PlatformView:
    """One network. Raises InvalidInput, field "platform"."""
    return _platform_view(find_connector(platform))


def find_connector(platform: str) -> Connector:
    """The connector of that network.

    Raises:
        InvalidInput: field "platform": there is none.
    """
    try:
        return get_connector(platform)
    except KeyError:
        known = ", ".join(connector.capabilities.platform for connector in _connectable())
        sentence = f"{platform[:40]!r} is no network we know. There are: {known}."
        raise InvalidInput(sentence, field="platform") from None


def _connectable() -> list[Connector]:
    """The sandbox is no choice where it is off, as in production."""
    is_sandbox_on = get_settings().is_sandbox_on
    return [connector for name, connector in CONNECTORS.items() if name != "sandbox" or is_sandbox_on]


def _find_capabilities(platform: str) -> Capabilities | None:
    """Also for rows of a network that this version does not know any more: lists must still show them."""
    try:
        return get_connector(platform).capabilities
    except KeyError:
        return None


def is_known_network(platform: str) -> bool:
    """Whether this version has a connector for it."""
    return platform in CONNECTORS


def text_rule_of(account: Account) -> TextRule:
    """How long a text may be on this account's server."""
    return find_connector(account.platform).text_rule(account.limits)


def account_limits(account: Account) -> tuple[TextRuleView, list[str], MediaRule]:
    """For showing: the rules and the features; nothing for a network we do not know."""
    capabilities = _find_capabilities(account.platform)
    if capabilities is None:
        return text_rule_view(TextRule(0)), [], MediaRule()
    features = sorted(feature.value for feature in capabilities.features)
    return text_rule_view(text_rule_of(account)), features, media_rule_of(account)


def media_rule_of(account: Account) -> MediaRule:
    """Which pictures and videos this account's server takes."""
    return find_connector(account.platform).capabilities.media.of_server(account.limits)


def capabilities_of(account: Account) -> Capabilities:
    return find_connector(account.platform).capabilities


def channel_view(account: Account) -> ChannelView:
    """The chip of a channel account, also of one that is deleted."""
    capabilities = _find_capabilities(account.platform)
    status = account.status if account.deleted_at is None else DELETED
    return ChannelView(
        account_id=account.id,
        platform=account.platform,
        platform_name=capabilities.name if capabilities else account.platform,
        color=capabilities.color if capabilities else "#8b8d98",
        handle=account.handle,
        display_name=account.display_name or account.handle,
        status=status.value if isinstance(status, AccountStatus) else status,
    )


def channel_name(account: Account) -> str:
    """How sentences call a channel: Mastodon · @acme@fosstodon.org."""
    view = channel_view(account)
    return f"{view.platform_name} · {view.handle}"


def text_rule_view(rule: TextRule) -> TextRuleView:
    return TextRuleView(
        max_length=rule.max_length,
        unit=rule.unit.value,
        url_length=rule.url_length,
        max_bytes=rule.max_bytes,
        ignores_mention_domain=rule.ignores_mention_domain,
        counts_content_warning=rule.counts_content_warning,
        counts_bare_domains=rule.counts_bare_domains,
        max_length_with_media=rule.max_length_with_media,
    )


def video_rule_view(rule: MediaRule) -> VideoRuleView | None:
    """What the Studio hints from; None for a network that takes no videos."""
    if not rule.max_videos:
        return None
    return VideoRuleView(
        max_bytes=rule.max_video_bytes,
        min_seconds=rule.min_video_seconds,
        max_seconds=rule.max_video_seconds,
        types=list(rule.video_types),
        codecs=list(rule.video_codecs),
        mixes=rule.mixes_video,
    )


def _platform_view(connector: Connector) -> PlatformView:
    capabilities = connector.capabilities
    return PlatformView(
        platform=capabilities.platform,
        name=capabilities.name,
        color=capabilities.color,
        text_rule=text_rule_view(capabilities.text),
        max_images=capabilities.media.max_images,
        max_image_bytes=capabilities.media.max_image_bytes,
        image_types=list(capabilities.media.image_types),
        max_alt_length=capabilities.media.max_alt_length,
        features=sorted(feature.value for feature in capabilities.features),
        idempotency=capabilities.idempotency.value,
        can_look_up=capabilities.can_look_up,
        docs_url=capabilities.docs_url,
        credential_fields=[
            _credential_field(name, field) for name, field in connector.Credentials.model_fields.items()
        ],
        video=video_rule_view(capabilities.media),
    )


def _credential_field(name: str, field: FieldInfo) -> CredentialField:
    extra: dict[str, Any] = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    is_secret = field.annotation is SecretStr
    default = field.default if isinstance(field.default, str) and not is_secret else ""
    return CredentialField(
        name=name,
        title=field.title or name.replace("_", " ").capitalize(),
        help=field.description or "",
        placeholder=str(extra.get("placeholder") or next(iter(field.examples or ()), "")),
        is_secret=is_secret,
        is_required=field.is_required(),
        default=default,
    )
