"""Acts on Bluesky (lexicons app.bsky.feed.like, feed.repost, graph.follow, feed.searchPosts, notification.*).

Two likes of one post under different keys are two records, and the counts stay wrong after one is deleted. So the key
comes from channel, action and target (`ActOrder.record_key`), and `putRecord` with `swapRecord: null` creates only.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from contentcaster.platforms.acts import ActOrder, Seen, Standing
from contentcaster.platforms.base import Channel, ConnectorError, Lookup, Reauthorise, Rejected, RemotePost
from contentcaster.platforms.bluesky_record import timestamp
from contentcaster.platforms.bluesky_session import access_token, is_token_refusal
from contentcaster.platforms.calls import about, json_object, rate_limited, reading_failed, send, unusable
from contentcaster.security.egress import EgressResponse

_COLLECTIONS = {
    "like": "app.bsky.feed.like",
    "repost": "app.bsky.feed.repost",
    "follow": "app.bsky.graph.follow",
    "unfollow": "app.bsky.graph.follow",
}
_PROFILE = "app.bsky.actor.profile"
BOT_LABEL = "bot"
_TAGS_US = ("mention", "reply", "quote")
_ABSENT = ("RecordNotFound", "Could not locate record")


class BlueskyActs:
    name = "Bluesky"
    source_kinds = frozenset({"hashtag", "keyword", "followers_of", "posts_of", "list"})

    async def perform(self, order: ActOrder, channel: Channel) -> RemotePost:
        body: dict[str, Any] = {
            "repo": channel.credentials["did"],
            "collection": _COLLECTIONS[order.action],
            "rkey": order.record_key,
        }
        call = "deleteRecord"
        if order.action != "unfollow":
            call = "putRecord"
            body |= {"record": _record(order), "swapRecord": None}
        response = await _call(channel, "POST", f"com.atproto.repo.{call}", json=body)
        answer = json_object(response)
        if response.is_success and (order.action == "unfollow" or isinstance(answer.get("uri"), str)):
            return _proof(order, channel)
        if (
            answer.get("error") == "InvalidSwap"
        ):  # the record is there already: from an earlier try of this act
            return _proof(order, channel)
        raise _refusal(response)

    async def find_act(self, order: ActOrder, channel: Channel) -> Lookup:
        response = await _call(
            channel,
            "GET",
            "com.atproto.repo.getRecord",
            params={
                "repo": channel.credentials["did"],
                "collection": _COLLECTIONS[order.action],
                "rkey": order.record_key,
            },
        )
        body = json_object(response)
        reason = f"{body.get('error')} {body.get('message')}"
        is_there = response.is_success and isinstance(body.get("uri"), str)
        if not is_there and not (response.status in (400, 404) and any(w in reason for w in _ABSENT)):
            raise reading_failed(self.name, response)
        if is_there == (order.action != "unfollow"):
            return Lookup(found=_proof(order, channel))
        return Lookup(is_certainly_absent=True, note="The network shows that it was not done.")

    async def read_source(self, kind: str, value: str, channel: Channel, limit: int) -> list[Seen]:
        limit = min(limit, 100)
        match kind:
            case "hashtag" | "keyword":
                query = f"#{value.lstrip('#')}" if kind == "hashtag" else value
                body = await _get(channel, "app.bsky.feed.searchPosts", q=query, sort="latest", limit=limit)
                rows = _dicts(body.get("posts"))
            case "posts_of":
                feed = await _get(
                    channel,
                    "app.bsky.feed.getAuthorFeed",
                    actor=value.lstrip("@"),
                    filter="posts_no_replies",
                    limit=limit,
                )
                rows = [e["post"] for e in _dicts(feed.get("feed")) if isinstance(e.get("post"), dict)]
            case "list":
                feed = await _get(channel, "app.bsky.feed.getListFeed", list=value, limit=limit)
                rows = [e["post"] for e in _dicts(feed.get("feed")) if isinstance(e.get("post"), dict)]
            case "followers_of":
                body = await _get(
                    channel, "app.bsky.graph.getFollowers", actor=value.lstrip("@"), limit=limit
                )
                people = [_person(row, kind) for row in _dicts(body.get("followers"))]
                return await self._with_counts(people, channel)
            case _:
                raise Rejected(f"{self.name} cannot search by {kind}.")
        return await self._with_counts([_post(row, kind) for row in rows], channel)

    async def notifications(self, since: str, channel: Channel, limit: int) -> tuple[list[Seen], str]:
        body = await _get(channel, "app.bsky.notification.listNotifications", limit=min(limit, 100))
        seen, cursor = [], since
        for row in sorted(_dicts(body.get("notifications")), key=lambda item: str(item.get("indexedAt"))):
            at, reason = str(row.get("indexedAt") or ""), str(row.get("reason") or "")
            if at <= since:
                continue
            cursor = max(cursor, at)
            if reason in _TAGS_US:
                seen.append(_post(row, reason, has_tagged_us=True))
            elif reason == "follow" and isinstance(row.get("author"), dict):
                seen.append(_person(row["author"], "follow", has_tagged_us=True))
        return await self._with_counts(seen, channel), cursor

    async def follows_us(self, refs: Sequence[str], channel: Channel) -> set[str]:
        profiles = await _profiles(refs, channel)
        return {did for did, row in profiles.items() if (row.get("viewer") or {}).get("followedBy")}

    async def standing(self, channel: Channel) -> Standing:
        body = await _get(channel, "app.bsky.actor.getProfile", actor=channel.credentials["did"])
        labels = [str(label.get("val")) for label in _dicts(body.get("labels"))]
        return Standing(
            followers=_number(body.get("followersCount")),
            following=_number(body.get("followsCount")),
            is_flagged_as_bot=BOT_LABEL in labels,
        )

    async def flag_as_bot(self, channel: Channel) -> None:
        """A label that the account puts on itself, in its profile record; everything else in it stays."""
        place = {"repo": channel.credentials["did"], "collection": _PROFILE, "rkey": "self"}
        response = await _call(channel, "GET", "com.atproto.repo.getRecord", params=place)
        body = json_object(response)
        if not response.is_success and not any(
            word in f"{body.get('error')} {body.get('message')}" for word in _ABSENT
        ):
            raise reading_failed(self.name, response)
        found = body.get("value")
        record: dict[str, Any] = dict(found) if isinstance(found, dict) else {"$type": _PROFILE}
        labels = record.get("labels")
        own = _dicts(labels.get("values")) if isinstance(labels, dict) else []
        if any(label.get("val") == BOT_LABEL for label in own):
            return
        record["labels"] = {
            "$type": "com.atproto.label.defs#selfLabels",
            "values": [*own, {"val": BOT_LABEL}],
        }
        # Only on top of what was read: a profile that somebody changes meanwhile is not overwritten.
        swap = {"swapRecord": body.get("cid") if isinstance(found, dict) else None}
        written = await _call(
            channel, "POST", "com.atproto.repo.putRecord", json={**place, "record": record, **swap}
        )
        if not written.is_success:
            raise _refusal(written)

    async def _with_counts(self, seen: list[Seen], channel: Channel) -> list[Seen]:
        """Lists of posts do not carry follower counts; profiles do."""
        profiles = await _profiles(list(dict.fromkeys(item.author_ref for item in seen)), channel)
        return [_counted(item, profiles.get(item.author_ref, {})) for item in seen]


def _counted(item: Seen, profile: dict[str, Any]) -> Seen:
    if not profile:
        return item
    values = {
        **item.__dict__,
        "followers": _number(profile.get("followersCount")),
        "following": _number(profile.get("followsCount")),
        "bio": str(profile.get("description") or item.bio)[:1000],
        "joined_at": _moment(profile.get("createdAt")) or item.joined_at,
    }
    return Seen(**values)


def _record(order: ActOrder) -> dict[str, Any]:
    subject: Any = order.target_ref
    if order.action != "follow":
        subject = {"uri": order.target_ref, "cid": str(order.extra.get("cid") or "")}
    return {
        "$type": _COLLECTIONS[order.action],
        "subject": subject,
        "createdAt": timestamp(order.created_at),
    }


def _proof(order: ActOrder, channel: Channel) -> RemotePost:
    collection = _COLLECTIONS[order.action]
    uri = f"at://{channel.credentials['did']}/{collection}/{order.record_key}"
    return RemotePost(id=f"{order.action}:{uri}", url=order.target_url)


def _refusal(response: EgressResponse) -> ConnectorError:
    body, details = json_object(response), about(response)
    reason = str(body.get("message") or body.get("error") or response.status)[:200]
    if response.status == 429:
        return rate_limited("Bluesky", response)
    if is_token_refusal(response):
        return Reauthorise("Bluesky no longer accepts this channel. Connect it again.", **details)
    if response.status == 408 or response.status >= 500 or response.status < 400:
        return unusable("Bluesky", response)
    return Rejected(f"Bluesky refuses it: {reason}", **details)


async def _call(channel: Channel, method: str, call: str, **more: Any) -> EgressResponse:
    base = str(channel.credentials.get("pds_url") or channel.credentials["service_url"])
    token = await access_token(channel)
    for _ in range(2):
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        response = await send(channel.client, method, f"{base}/xrpc/{call}", headers=headers, **more)
        if not is_token_refusal(response):
            break
        token = await access_token(channel, refused=token)
    return response


async def _get(channel: Channel, call: str, **params: Any) -> dict[str, Any]:
    response = await _call(channel, "GET", call, params=params)
    if response.is_success:
        return json_object(response)
    if is_token_refusal(response):
        raise Reauthorise("Bluesky no longer accepts this channel. Connect it again.", **about(response))
    if response.status in (400, 404):
        reason = str(json_object(response).get("message") or "")[:200]
        raise Rejected(f"Bluesky cannot read this: {reason}", **about(response))
    raise reading_failed("Bluesky", response)


async def _profiles(dids: Sequence[str], channel: Channel) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for start in range(0, len(dids), 25):
        chunk = [did for did in dids[start : start + 25] if did]
        if chunk:
            body = await _get(channel, "app.bsky.actor.getProfiles", actors=chunk)
            found |= {str(row.get("did")): row for row in _dicts(body.get("profiles"))}
    return found


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _number(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _moment(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _person(row: dict[str, Any], event: str, *, has_tagged_us: bool = False) -> Seen:
    did, handle = str(row.get("did") or ""), str(row.get("handle") or "")[:200]
    labels = [str(label.get("val")) for label in _dicts(row.get("labels"))]
    return Seen(
        kind="person",
        ref=did,
        author_ref=did,
        handle=f"@{handle}",
        name=str(row.get("displayName") or "")[:200],
        bio=str(row.get("description") or "")[:1000],
        url=f"https://bsky.app/profile/{handle}",
        event=event,
        has_tagged_us=has_tagged_us,
        is_bot=BOT_LABEL in labels,
        joined_at=_moment(row.get("createdAt")),
    )


def _post(row: dict[str, Any], event: str, *, has_tagged_us: bool = False) -> Seen:
    """A post view, or a notification, which carries its post in the same fields."""
    author_row, record = row.get("author"), row.get("record")
    author = _person(author_row if isinstance(author_row, dict) else {}, event)
    value: dict[str, Any] = record if isinstance(record, dict) else {}
    uri, cid = str(row.get("uri") or ""), str(row.get("cid") or "")
    reply = value.get("reply")
    root = reply.get("root") if isinstance(reply, dict) else None
    languages = value.get("langs")
    return Seen(
        kind="post",
        ref=uri,
        author_ref=author.ref,
        handle=author.handle,
        name=author.name,
        text=str(value.get("text") or "")[:5000],
        url=f"{author.url}/post/{uri.rsplit('/', 1)[-1]}",
        language=str(languages[0])[:20] if isinstance(languages, list) and languages else "",
        event=event,
        has_tagged_us=has_tagged_us,
        is_bot=author.is_bot,
        written_at=_moment(value.get("createdAt")),
        joined_at=author.joined_at,
        extra={"cid": cid, "root": root if isinstance(root, dict) else {"uri": uri, "cid": cid}},
    )
