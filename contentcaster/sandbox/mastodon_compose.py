"""Making a Mastodon status: what it may hold, and what happens when it is published."""

from __future__ import annotations

import time
from typing import Any

from .errors import MastodonError
from .network import Network
from .text import hashtags, mastodon_length, mentions
from .things import Account, Exchange, Json, Poll, Status

VISIBILITIES = ("public", "unlisted", "private", "direct")


def body_fields(body: Any) -> Json:
    if body is None:
        return {}
    if not isinstance(body, dict):
        raise MastodonError(400, "Error occurred while parsing request parameters")
    return body


def publish(network: Network, exchange: Exchange, status: Status) -> None:
    """Put a composed status on the network: notifications, ledger, open pages."""
    author, parent = network.accounts[status.account_id], status.in_reply_to_id
    network.add_status(status)
    attach(network, status)
    _tell(network, author, status)
    network.record_effect(
        exchange, "post" if parent is None else "reply", "mastodon", author, str(status.id),
        key=exchange.key, text=status.text, url=f"{network.base_url}/@{author.handle}/{status.id}",
        subject=str(parent) if parent else None,
    )  # fmt: skip
    if status.visibility == "public":
        network.announce("post", status)


def truthy(value: Any) -> bool:
    return value is True or str(value).lower() in ("true", "1", "on", "t")


def texts(value: Any) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []


def compose(network: Network, author: Account, body: Json) -> Status:
    """A checked status that is not on the network yet."""
    if body.get("scheduled_at"):
        raise MastodonError(
            422, "Validation failed: the sandbox network does not schedule posts; publish when due"
        )
    text, spoiler = str(body.get("status") or ""), str(body.get("spoiler_text") or "")
    media_ids = texts(body.get("media_ids"))
    poll = _poll(body.get("poll"))
    if spoiler and not text:
        text, spoiler = spoiler, ""
    if not text.strip() and not media_ids:
        raise MastodonError(422, "Validation failed: Text can't be blank")
    check_length(network, text, spoiler)
    if poll and media_ids:
        raise MastodonError(422, "Validation failed: Cannot attach media to a post with a poll")
    visibility = body.get("visibility") or "public"
    if visibility not in VISIBILITIES:
        raise MastodonError(422, f"'{visibility}' is not a valid visibility")
    check_media(network, author, media_ids)
    parent = _parent(network, author, body.get("in_reply_to_id"))
    return Status(
        id=network.snowflakes.next(), account_id=author.id, text=text, created_at=time.time(), visibility=visibility,
        spoiler_text=spoiler, sensitive=truthy(body.get("sensitive")) or bool(spoiler),
        language=str(body["language"]) if body.get("language") else None,
        in_reply_to_id=parent.id if parent else None, media_ids=media_ids, poll=poll, tags=hashtags(text),
        mentioned=_mentioned(network, text),
    )  # fmt: skip


def check_length(network: Network, text: str, spoiler: str) -> None:
    limit = network.config.max_characters
    if mastodon_length(text, spoiler, network.config.characters_reserved_per_url) > limit:
        raise MastodonError(422, f"Validation failed: Text character limit of {limit} exceeded")


def _mentioned(network: Network, text: str) -> list[str]:
    found = [
        network.by_handle.get(name) for name, domain in mentions(text) if domain in (None, network.domain)
    ]
    return list(dict.fromkeys(a.id for a in found if a))


def _parent(network: Network, author: Account, raw: Any) -> Status | None:
    if raw in (None, ""):
        return None
    parent = network.statuses.get(status_id(raw))
    if parent is None or not can_see(network, parent, author):
        raise MastodonError(404, "The post you are trying to reply to does not appear to exist.")
    return parent


def check_media(network: Network, author: Account, media_ids: list[str], own: int | None = None) -> None:
    if len(media_ids) > network.config.max_media_attachments:
        limit = network.config.max_media_attachments
        raise MastodonError(422, f"Validation failed: Cannot attach more than {limit} files")
    missing = []
    for media_id in media_ids:
        media = network.media.get(media_id)
        if media is None or media.account_id != author.id or media.status_id not in (None, own):
            missing.append(media_id)
    if missing:
        ids = ", ".join(missing)
        raise MastodonError(
            422, f"Validation failed: Media with IDs {ids} not found or already attached to another post"
        )
    media_list = [network.media[i] for i in media_ids]
    if len(media_list) > 1 and any(m.kind in ("video", "audio") for m in media_list):
        raise MastodonError(
            422, "Validation failed: Cannot attach a video to a post that already contains images"
        )
    if any(m.ready_at > time.time() for m in media_list):
        message = "Cannot attach files that have not finished processing. Try again in a moment!"
        raise MastodonError(422, f"Validation failed: {message}")


def _poll(raw: Any) -> Poll | None:
    if not isinstance(raw, dict) or not raw.get("options"):
        return None
    options = texts(raw["options"])
    if not 2 <= len(options) <= 4 or len(set(options)) != len(options) or not all(o.strip() for o in options):
        raise MastodonError(422, "Validation failed: Poll options must be 2 to 4 different texts")
    if any(len(option) > 50 for option in options):
        raise MastodonError(422, "Validation failed: Poll options can't be longer than 50 characters each")
    try:
        seconds = int(raw.get("expires_in", 0))
    except (TypeError, ValueError):
        seconds = 0
    if not 300 <= seconds <= 2629746:
        raise MastodonError(422, "Validation failed: Poll expires in must be from 300 to 2629746 seconds")
    return Poll(options, time.time() + seconds, truthy(raw.get("multiple")), truthy(raw.get("hide_totals")))


def attach(network: Network, status: Status) -> None:
    for media_id in status.media_ids:
        media = network.media[media_id]
        media.status_id = status.id
        network.save_media(media)


def _tell(network: Network, author: Account, status: Status) -> None:
    parent = network.statuses.get(status.in_reply_to_id) if status.in_reply_to_id is not None else None
    notified = list(status.mentioned)
    if parent is not None:
        parent.replies.append(status.id)
        network.save_status(parent)
        network.announce("edit", parent)
        notified.append(parent.account_id)
    for account_id in dict.fromkeys(notified):
        if account_id != author.id:
            note = {"type": "mention", "from": author.id, "status": status.id}
            network.notify(network.accounts[account_id], note)


def status_id(raw: Any) -> int:
    text = str(raw)
    return int(text) if text.isascii() and text.isdigit() else -1


def found(network: Network, status_id: int) -> Status:
    status = network.statuses.get(status_id)
    if status is None:
        raise MastodonError(404, "Record not found")
    return status


def can_see(network: Network, status: Status, account: Account | None) -> bool:
    if account is not None and account.id in network.accounts[status.account_id].blocking:
        return False
    if status.visibility in ("public", "unlisted") or (account and account.id == status.account_id):
        return True
    if account is None:
        return False
    return account.id in status.mentioned or (
        status.visibility == "private" and status.account_id in account.following
    )
