"""What a server with the Mastodon API says of itself: its limits and the software behind it."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from contentcaster.platforms.base import ConnectorError, Rejected
from contentcaster.platforms.calls import json_object, send
from contentcaster.security.egress import EgressClient

_HANDLE = re.compile(r"@?[^@/\s]+@([^@/\s]+)")


def as_server_url(typed: str) -> str:
    """https://host of what a person typed: a bare host, an address with path, a whole handle.

    Raises:
        Rejected: there is no host in it.
    """
    typed = typed.strip()
    if "://" not in typed:
        handle = _HANDLE.fullmatch(typed)
        typed = "https://" + (handle.group(1) if handle else typed)
    try:
        parts = urlsplit(typed)
        port = parts.port
    except ValueError:
        raise Rejected("This is no server address. Use one such as https://mastodon.social.") from None
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not host or " " in host:
        raise Rejected("This is no server address. Use one such as https://mastodon.social.")
    name = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{name}" + (f":{port}" if port else "")


def server_host(url: str) -> str:
    return urlsplit(url).netloc


async def read_limits(client: EgressClient, url: str) -> dict[str, Any]:
    """max_characters, url_length, media limits, software and version; {} stands for Mastodon's own defaults."""
    instance = await _object(client, f"{url}/api/v2/instance") or await _object(
        client, f"{url}/api/v1/instance"
    )
    configuration = _dict(instance.get("configuration"))
    statuses = _dict(configuration.get("statuses"))
    media = _dict(configuration.get("media_attachments"))
    types = media.get("supported_mime_types")
    limits: dict[str, Any] = {
        "max_characters": _positive(statuses.get("max_characters"))
        or _positive(instance.get("max_toot_chars")),
        "url_length": _positive(statuses.get("characters_reserved_per_url")),
        "max_images": _positive(statuses.get("max_media_attachments")),
        "max_image_bytes": _positive(media.get("image_size_limit")),
        "max_video_bytes": _positive(media.get("video_size_limit")),
        "max_alt_length": _positive(media.get("description_limit")),
        "image_types": [t for t in types if isinstance(t, str) and t.startswith("image/")]
        if isinstance(types, list)
        else None,
        "video_types": [t for t in types if isinstance(t, str) and t.startswith("video/")]
        if isinstance(types, list)
        else None,
        "domain": str(instance.get("domain") or instance.get("uri") or "")[:255] or None,
        "version": str(instance.get("version") or "")[:100] or None,
    }
    limits |= await _software(client, url, str(instance.get("version") or ""))
    return {key: value for key, value in limits.items() if value}


async def _software(client: EgressClient, url: str, version: str) -> dict[str, Any]:
    """The name in nodeinfo. A version such as "2.7.2 (compatible; Pleroma 2.9)" overrules a claim to be Mastodon."""
    links = (await _object(client, f"{url}/.well-known/nodeinfo")).get("links")
    for link in reversed(links) if isinstance(links, list) else []:
        href = link.get("href") if isinstance(link, dict) else None
        # Only on the server itself: a document elsewhere says nothing of it.
        if not isinstance(href, str) or urlsplit(href).netloc != server_host(url):
            continue
        name = _dict((await _object(client, href)).get("software")).get("name")
        if isinstance(name, str) and name:
            is_other = name.lower() == "mastodon" and "compatible" in version.lower()
            return {"software": "other" if is_other else name.lower()[:100]}
    return {"software": "unknown"}


async def _object(client: EgressClient, url: str) -> dict[str, Any]:
    """A JSON object, {} where the server has none: only limits are read, and defaults stand for them."""
    try:
        response = await send(client, "GET", url, max_redirects=2, headers={"Accept": "application/json"})
    except ConnectorError:
        return {}
    return json_object(response) if response.is_success else {}


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _positive(value: Any) -> int | None:
    return (
        value
        if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1_000_000_000
        else None
    )
