"""Acts on Mastodon and servers that speak its API (docs.joinmastodon.org: methods/statuses, accounts, notifications).

Favourite, reblog, follow and unfollow are idempotent on the server and readable back, so doubt is always resolved.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from contentcaster.platforms.acts import ActOrder, Seen, Standing
from contentcaster.platforms.base import Channel, ConnectorError, Lookup, Reauthorise, Rejected, RemotePost
from contentcaster.platforms.calls import about, json_object, rate_limited, reading_failed, send, unusable
from contentcaster.security.egress import EgressResponse

_PATHS = {
    "like": "/api/v1/statuses/{}/favourite",
    "repost": "/api/v1/statuses/{}/reblog",
    "follow": "/api/v1/accounts/{}/follow",
    "unfollow": "/api/v1/accounts/{}/unfollow",
}
_EVENTS = {"mention": "mention", "follow": "follow"}
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class MastodonActs:
    name = "Mastodon"
    source_kinds = frozenset({"hashtag", "keyword", "followers_of", "posts_of", "list"})

    async def perform(self, order: ActOrder, channel: Channel) -> RemotePost:
        if not _ID.fullmatch(order.target_ref):
            raise Rejected("This target is not an id of this server.")
        response = await _call(channel, "POST", _PATHS[order.action].format(order.target_ref))
        body = json_object(response)
        if response.is_success and _took_effect(order.action, body):
            return _proof(order)
        raise _refusal(response, order.action)

    async def find_act(self, order: ActOrder, channel: Channel) -> Lookup:
        if order.action in ("like", "repost"):
            response = await _call(channel, "GET", f"/api/v1/statuses/{order.target_ref}")
            if response.status == 404:
                return Lookup(is_certainly_absent=True, note="The post is no longer there.")
            body = json_object(response)
            key = "favourited" if order.action == "like" else "reblogged"
            if not response.is_success or not isinstance(body.get(key), bool):
                raise reading_failed(self.name, response)
            is_done = bool(body[key])
        else:
            relation = await self._relations([order.target_ref], channel)
            if not relation:
                return Lookup(is_certainly_absent=True, note="The account is no longer there.")
            is_done = bool(relation[0].get("following")) == (order.action == "follow")
        if is_done:
            return Lookup(found=_proof(order))
        return Lookup(is_certainly_absent=True, note="The network shows that it was not done.")

    async def read_source(self, kind: str, value: str, channel: Channel, limit: int) -> list[Seen]:
        match kind:
            case "hashtag":
                tag = quote(value.lstrip("#").strip(), safe="")
                rows = await _list(channel, f"/api/v1/timelines/tag/{tag}", limit=limit)
            case "keyword":
                found = await _get(channel, "/api/v2/search", q=value, type="statuses", limit=min(limit, 40))
                rows = _dicts(json_object(found).get("statuses"))
            case "posts_of":
                account = await self._account(value, channel)
                rows = await _list(
                    channel, f"/api/v1/accounts/{account}/statuses", limit=limit, exclude_reblogs="true"
                )
            case "followers_of":
                account = await self._account(value, channel)
                people = await _list(channel, f"/api/v1/accounts/{account}/followers", limit=limit)
                return [_person(row, kind) for row in people]
            case "list":
                rows = await _list(channel, f"/api/v1/timelines/list/{quote(value, safe='')}", limit=limit)
            case _:
                raise Rejected(f"{self.name} cannot search by {kind}.")
        return [_post(row, kind) for row in rows]

    async def notifications(self, since: str, channel: Channel, limit: int) -> tuple[list[Seen], str]:
        params: dict[str, Any] = {"limit": min(limit, 80), "types[]": ["mention", "follow"]}
        if since:
            params["min_id"] = since
        rows = _dicts(_array(await _get(channel, "/api/v1/notifications", **params)))
        seen, cursor = [], since
        for row in sorted(rows, key=lambda item: _number(item.get("id"))):
            event = _EVENTS.get(str(row.get("type")), "")
            status = row.get("status")
            if event == "mention" and isinstance(status, dict):
                is_answer = status.get("in_reply_to_account_id") == channel.remote_id
                seen.append(_post(status, "reply" if is_answer else "mention", has_tagged_us=True))
            elif event == "follow" and isinstance(row.get("account"), dict):
                seen.append(_person(row["account"], "follow", has_tagged_us=True))
            cursor = str(row.get("id") or cursor)
        return seen, cursor

    async def follows_us(self, refs: Sequence[str], channel: Channel) -> set[str]:
        found: set[str] = set()
        for start in range(0, len(refs), 40):
            rows = await self._relations(refs[start : start + 40], channel)
            found |= {str(row.get("id")) for row in rows if row.get("followed_by")}
        return found

    async def standing(self, channel: Channel) -> Standing:
        body = json_object(await _get(channel, "/api/v1/accounts/verify_credentials"))
        return Standing(
            followers=_number(body.get("followers_count")),
            following=_number(body.get("following_count")),
            is_flagged_as_bot=bool(body.get("bot")),
        )

    async def flag_as_bot(self, channel: Channel) -> None:
        """docs.joinmastodon.org/methods/accounts#update_credentials; needs write:accounts."""
        response = await _call(channel, "PATCH", "/api/v1/accounts/update_credentials", json={"bot": True})
        if response.status == 403:
            raise Rejected(
                "This login may not change the profile. Switch “This is an automated account” on in the profile there.",
                **about(response),
            )
        if not response.is_success or json_object(response).get("bot") is not True:
            raise _refusal(response, "flag")

    async def _account(self, handle: str, channel: Channel) -> str:
        response = await _call(
            channel, "GET", "/api/v1/accounts/lookup", params={"acct": handle.strip().lstrip("@")}
        )
        body = json_object(response)
        if response.status == 404:
            raise Rejected(f"There is no account {handle[:80]} on this server.")
        if not response.is_success or not body.get("id"):
            raise _reading(response)
        return str(body["id"])

    async def _relations(self, refs: Sequence[str], channel: Channel) -> list[dict[str, Any]]:
        params = {"id[]": [ref for ref in refs if _ID.fullmatch(ref)]}
        return _dicts(_array(await _get(channel, "/api/v1/accounts/relationships", **params)))


def _took_effect(action: str, body: dict[str, Any]) -> bool:
    if action == "follow":  # a locked account: the request is what can be done
        return bool(body.get("following") or body.get("requested"))
    if action == "unfollow":
        return body.get("following") is False
    return bool(body.get("id")) and ("content" in body)


def _proof(order: ActOrder) -> RemotePost:
    return RemotePost(id=f"{order.action}:{order.target_ref}", url=order.target_url)


def _refusal(response: EgressResponse, action: str) -> ConnectorError:
    reason, details = str(json_object(response).get("error") or "")[:200], about(response)
    if response.status == 429:
        return rate_limited("Mastodon", response)
    if response.status == 401 or (response.status == 403 and "scope" in reason.lower()):
        return Reauthorise(
            "Mastodon no longer lets this access token act. Connect the channel again.", **details
        )
    if response.status in (403, 404, 410, 422):
        words = {
            403: "does not allow it (blocked, or locked)",
            404: "has it no longer",
            410: "has it no longer",
        }
        return Rejected(
            f"Mastodon {words.get(response.status, 'refuses it')}: {reason or action}.", **details
        )
    return unusable("Mastodon", response)


async def _call(channel: Channel, method: str, path: str, **more: Any) -> EgressResponse:
    url = str(channel.credentials.get("instance_url") or channel.instance_url).rstrip("/")
    headers = {"Authorization": f"Bearer {channel.credentials['access_token']}", "Accept": "application/json"}
    return await send(channel.client, method, url + path, headers=headers, **more)


async def _get(channel: Channel, path: str, **params: Any) -> EgressResponse:
    response = await _call(channel, "GET", path, params=params)
    if not response.is_success:
        raise _reading(response)
    return response


def _reading(response: EgressResponse) -> ConnectorError:
    if response.status in (401, 403):
        return Reauthorise("Mastodon does not let this access token read.", **about(response))
    if response.status == 404:
        return Rejected("What this rule reads is not there on this server.", **about(response))
    return reading_failed("Mastodon", response)


async def _list(channel: Channel, path: str, *, limit: int, **params: Any) -> list[dict[str, Any]]:
    return _dicts(_array(await _get(channel, path, limit=min(limit, 40), **params)))


def _array(response: EgressResponse) -> list[Any]:
    try:
        body = response.json()
    except (ValueError, RecursionError):
        raise unusable("Mastodon", response) from None
    return body if isinstance(body, list) else []


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _number(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return 0


def _moment(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def plain_text(content: Any) -> str:
    """A stranger's HTML as text, cut; tags go, words stay."""
    text = re.sub(r"<(?:br|/p)[^>]{0,200}>", "\n", str(content or "")[:20_000], flags=re.IGNORECASE)
    return html.unescape(re.sub(r"<[^>]{0,2000}>", "", text)).strip()[:5000]


def _person(row: dict[str, Any], event: str, *, has_tagged_us: bool = False) -> Seen:
    ref = str(row.get("id") or "")
    return Seen(
        kind="person",
        ref=ref,
        author_ref=ref,
        handle="@" + str(row.get("acct") or row.get("username") or "")[:200],
        name=str(row.get("display_name") or "")[:200],
        bio=plain_text(row.get("note"))[:1000],
        url=str(row.get("url") or "")[:1000],
        event=event,
        has_tagged_us=has_tagged_us,
        followers=_number(row.get("followers_count")),
        following=_number(row.get("following_count")),
        is_bot=bool(row.get("bot")),
        joined_at=_moment(row.get("created_at")),
        written_at=_moment(row.get("last_status_at")),
    )


def _post(row: dict[str, Any], event: str, *, has_tagged_us: bool = False) -> Seen:
    shown = row["reblog"] if isinstance(row.get("reblog"), dict) else row
    account = shown.get("account")
    author = _person(account if isinstance(account, dict) else {}, event)
    return Seen(
        kind="post",
        ref=str(shown.get("id") or ""),
        author_ref=author.ref,
        handle=author.handle,
        name=author.name,
        text=plain_text(shown.get("content")),
        bio=author.bio,
        url=str(shown.get("url") or "")[:1000],
        language=str(shown.get("language") or "")[:20],
        event=event,
        has_tagged_us=has_tagged_us,
        followers=author.followers,
        following=author.following,
        is_bot=author.is_bot,
        written_at=_moment(shown.get("created_at")),
        joined_at=author.joined_at,
        extra={"visibility": str(shown.get("visibility") or "public")},
    )
