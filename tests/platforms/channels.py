"""Channels and posts as the services would hand them to a connector."""

from __future__ import annotations

import io
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from PIL import Image

from contentcaster.clock import utc_now
from contentcaster.platforms.base import (
    Channel,
    Connector,
    Identity,
    OutcomeUnknown,
    OutgoingMedia,
    OutgoingPost,
    RemotePost,
)
from contentcaster.security.egress import EgressClient
from tests.media_files import make_mp4


@dataclass
class Vault:
    """Where a channel's credentials are kept between uses."""

    stored: dict[str, Any]
    saves: list[dict[str, Any]] = field(default_factory=list)


async def connect(
    connector: Connector, client: EgressClient, credentials: dict[str, Any]
) -> tuple[Channel, Vault]:
    """Verify credentials and open the channel."""
    identity, stored = await connector.verify(connector.Credentials.model_validate(credentials), client)
    return open_channel(connector, identity, stored, client)


def open_channel(
    connector: Connector, identity: Identity, stored: dict[str, Any], client: EgressClient
) -> tuple[Channel, Vault]:
    vault = Vault(dict(stored))

    async def save(fresh: dict[str, Any], expires_at: datetime | None) -> None:
        vault.stored = dict(fresh)
        vault.saves.append(dict(fresh))

    async def reload() -> dict[str, Any]:
        return dict(vault.stored)

    channel = Channel(
        account_id=uuid.uuid4().hex,
        platform=connector.capabilities.platform,
        instance_url=str(stored.get("instance_url") or stored.get("service_url") or ""),
        remote_id=identity.remote_id,
        handle=identity.handle,
        limits=identity.limits,
        credentials=dict(stored),
        client=client,
        save_credentials=save,
        reload_credentials=reload,
    )
    return channel, vault


def make_post(connector: Connector, text: str, **more: Any) -> OutgoingPost:
    key = more.pop("idempotency_key", uuid.uuid4().hex)
    now = utc_now()
    return OutgoingPost(
        text=text,
        idempotency_key=key,
        client_ref=connector.new_client_ref(key, now),
        created_at=more.pop("created_at", now),
        **more,
    )


def make_picture(
    folder: Path,
    *,
    name: str = "picture.png",
    size: tuple[int, int] = (64, 48),
    alt: str = "A red box",
    paint: Callable[[Image.Image], None] | None = None,
    kind: str = "PNG",
) -> OutgoingMedia:
    image = Image.new("RGB", size, (200, 30, 30))
    if paint is not None:
        paint(image)
    buffer = io.BytesIO()
    image.save(buffer, kind)
    path = folder / name
    path.write_bytes(buffer.getvalue())
    mime = {"PNG": "image/png", "JPEG": "image/jpeg"}[kind]
    return OutgoingMedia(name, path, mime, size[0], size[1], path.stat().st_size, alt)


def make_video(
    folder: Path,
    *,
    name: str = "film.mp4",
    alt: str = "The sea",
    seconds: float = 12.5,
    size_bytes: int = 90_000,
) -> OutgoingMedia:
    """A video that is whole in its headers; its content is not one that plays."""
    content = make_mp4(seconds=seconds, content=bytes(range(256)) * (size_bytes // 256))
    path = folder / name
    path.write_bytes(content)
    return OutgoingMedia(name, path, "video/mp4", 1280, 720, len(content), alt, seconds)


async def send(connector: Connector, channel: Channel, post: OutgoingPost) -> RemotePost:
    """Prepare and publish, no net below."""
    progress = await connector.prepare(post, channel, {})
    return await connector.publish(post, channel, progress)


@dataclass
class Resolution:
    """What became of a post whose first send met a fault."""

    remote: RemotePost | None
    needs_review: bool = False
    was_unknown: bool = False
    sends: int = 1


async def send_and_resolve(connector: Connector, channel: Channel, post: OutgoingPost) -> Resolution:
    """As the engine does it: an unknown outcome is looked up, and sent again only if that is proved safe."""
    progress = await connector.prepare(post, channel, {})
    first_sent_at = utc_now()
    try:
        return Resolution(await connector.publish(post, channel, progress))
    except OutcomeUnknown:
        pass
    if not connector.resend_is_safe(channel.limits, first_sent_at, utc_now() + timedelta(seconds=1)):
        if not connector.capabilities.can_look_up:
            return Resolution(None, needs_review=True, was_unknown=True)
        lookup = await connector.find_own_post(post, channel, first_sent_at)
        if lookup.found is not None:
            return Resolution(lookup.found, was_unknown=True)
        if not lookup.is_certainly_absent:
            return Resolution(None, needs_review=True, was_unknown=True)
    progress = await connector.prepare(post, channel, progress)
    return Resolution(await connector.publish(post, channel, progress), was_unknown=True, sends=2)
