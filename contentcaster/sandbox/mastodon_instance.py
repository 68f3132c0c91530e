"""What the server says about itself: /api/v2/instance, /api/v1/instance, nodeinfo."""

from __future__ import annotations

import time

from aiohttp import web

from .errors import answer
from .gateway import network_of
from .network import Network
from .things import Json

MAX_IMAGE_BYTES = 16_777_216
MAX_VIDEO_BYTES = 103_809_024
MIME_TYPES = [
    "image/jpeg", "image/png", "image/gif", "image/webp", "image/avif", "video/webm", "video/mp4", "video/quicktime",
    "audio/wav", "audio/ogg", "audio/mpeg",
]  # fmt: skip
_ABOUT = "A network on this machine for trying things out. Nothing here leaves it."


def _configuration(network: Network) -> Json:
    config = network.config
    return {
        "urls": {"streaming": None, "status": None, "about": network.base_url, "privacy_policy": None,
                 "terms_of_service": None},
        "vapid": {"public_key": ""},
        "accounts": {"max_featured_tags": 10, "max_pinned_statuses": 5, "max_display_name_length": 30,
                     "max_note_length": 500, "max_profile_fields": 4, "profile_field_name_limit": 255,
                     "profile_field_value_limit": 255, "max_avatar_description_length": 150,
                     "max_header_description_length": 150},
        "statuses": {"max_characters": config.max_characters,
                     "max_media_attachments": config.max_media_attachments,
                     "characters_reserved_per_url": config.characters_reserved_per_url},
        "media_attachments": {"description_limit": 1500, "image_matrix_limit": 33177600,
                              "image_size_limit": MAX_IMAGE_BYTES, "supported_mime_types": MIME_TYPES,
                              "video_frame_rate_limit": 120, "video_matrix_limit": 8294400,
                              "video_size_limit": MAX_VIDEO_BYTES},
        "polls": {"max_options": 4, "max_characters_per_option": 50, "min_expiration": 300,
                  "max_expiration": 2629746},
        "translation": {"enabled": False}, "limited_federation": False,
    }  # fmt: skip


def _version(network: Network) -> str:
    """Other software with this API says "4.7.0 (compatible; Name 1.2.3)"."""
    config = network.config
    if config.software == "mastodon":
        return config.software_version
    return f"4.7.0 (compatible; {config.software} {config.software_version})"


async def v2(request: web.Request) -> web.Response:
    network = network_of(request)
    image = f"{network.base_url}/sandbox/header.svg"
    return answer({
        "domain": network.domain, "title": "Sandbox network", "version": _version(network),
        "source_url": "https://github.com/mastodon/mastodon", "description": _ABOUT,
        "usage": {"users": {"active_month": len(network.accounts)}},
        "thumbnail": {"url": image, "blurhash": None, "versions": {}, "description": ""},
        "icon": [{"src": image, "size": "36x36"}], "languages": ["en"], "configuration": _configuration(network),
        "registrations": {"enabled": False, "approval_required": False, "reason_required": False, "message": None,
                          "min_age": None, "url": None},
        "api_versions": {"mastodon": 7},
        "contact": {"email": "operator@sandbox.test", "account": None}, "rules": [], "wrapstodon": None,
    })  # fmt: skip


async def v1(request: web.Request) -> web.Response:
    network = network_of(request)
    configuration = _configuration(network)
    return answer({
        "uri": network.domain, "title": "Sandbox network", "short_description": _ABOUT, "description": _ABOUT,
        "email": "operator@sandbox.test", "version": _version(network),
        "urls": {"streaming_api": network.base_url.replace("http", "ws", 1)},
        "stats": {"user_count": len(network.accounts), "status_count": len(network.statuses), "domain_count": 1},
        "thumbnail": f"{network.base_url}/sandbox/header.svg", "languages": ["en"], "registrations": False,
        "approval_required": False, "invites_enabled": False, "contact_account": None, "rules": [],
        "configuration": {k: configuration[k] for k in ("accounts", "statuses", "media_attachments", "polls")},
    })  # fmt: skip


async def nodeinfo_links(request: web.Request) -> web.Response:
    href = f"{network_of(request).base_url}/nodeinfo/2.0"
    return answer({"links": [{"rel": "http://nodeinfo.diaspora.software/ns/schema/2.0", "href": href}]})


async def nodeinfo(request: web.Request) -> web.Response:
    network = network_of(request)
    config, recent = network.config, time.time() - 30 * 86400
    active = len({s.account_id for s in network.statuses.values() if s.created_at >= recent})
    return answer({
        "version": "2.0", "software": {"name": config.software, "version": config.software_version},
        "protocols": ["activitypub"], "services": {"outbound": [], "inbound": []},
        "usage": {"users": {"total": len(network.accounts), "activeMonth": active, "activeHalfyear": active},
                  "localPosts": len(network.statuses)},
        "openRegistrations": False, "metadata": {"nodeName": "Sandbox network"},
    })  # fmt: skip
