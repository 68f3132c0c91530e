"""The nouns of the sandbox network: accounts, statuses, records, media, effects, recorded requests."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]


def utc_iso(epoch: float, digits: int = 3) -> str:
    """RFC 3339 in UTC with Z; Mastodon and atproto write milliseconds, the recorder microseconds."""
    spec = "milliseconds" if digits == 3 else "microseconds"
    return datetime.fromtimestamp(epoch, UTC).isoformat(timespec=spec).replace("+00:00", "Z")


def _from_json(cls: type[Any], value: Json) -> Any:
    known = {f.name for f in fields(cls)}
    return cls(**{k: v for k, v in value.items() if k in known})


@dataclass(slots=True)
class Account:
    """Somebody on the network. The lists at the end are indexes, rebuilt at load."""

    id: str
    handle: str
    at_handle: str
    did: str
    display_name: str
    protocol: str
    bot: bool
    created_at: float
    access_token: str
    app_password: str
    note: str = ""
    lists: dict[str, Json] = field(default_factory=dict, repr=False)
    statuses: list[int] = field(default_factory=list, repr=False)
    posts: list[Record] = field(default_factory=list, repr=False)
    reposts: list[Record] = field(default_factory=list, repr=False)
    following: dict[str, float] = field(default_factory=dict, repr=False)
    followers: dict[str, float] = field(default_factory=dict, repr=False)
    blocking: dict[str, float] = field(default_factory=dict, repr=False)
    notifications: list[Json] = field(default_factory=list, repr=False)
    collections: dict[str, dict[str, Record]] = field(default_factory=dict, repr=False)
    rev: str = ""

    def dump(self) -> Json:
        return {
            "id": self.id, "handle": self.handle, "at_handle": self.at_handle, "did": self.did,
            "display_name": self.display_name, "protocol": self.protocol, "bot": self.bot,
            "created_at": self.created_at, "access_token": self.access_token,
            "app_password": self.app_password, "note": self.note, "following": self.following,
            "blocking": self.blocking, "lists": self.lists,
            "notifications": self.notifications[-500:],
        }  # fmt: skip

    @classmethod
    def load(cls, value: Json) -> Account:
        return _from_json(cls, value)  # type: ignore[no-any-return]


@dataclass(slots=True)
class Poll:
    options: list[str]
    expires_at: float
    multiple: bool = False
    hide_totals: bool = False
    votes: dict[str, list[int]] = field(default_factory=dict)


@dataclass(slots=True)
class Status:
    """A Mastodon post, or a boost when `reblog_of` is set."""

    id: int
    account_id: str
    text: str
    created_at: float
    visibility: str = "public"
    spoiler_text: str = ""
    sensitive: bool = False
    language: str | None = None
    in_reply_to_id: int | None = None
    reblog_of: int | None = None
    media_ids: list[str] = field(default_factory=list)
    poll: Poll | None = None
    idempotency_key: str | None = None
    application: str = "ContentCaster"
    edited_at: float | None = None
    favourited_by: dict[str, float] = field(default_factory=dict)
    reblogged_by: dict[str, int] = field(default_factory=dict)
    bookmarked_by: dict[str, float] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    mentioned: list[str] = field(default_factory=list)
    replies: list[int] = field(default_factory=list)
    content: str = ""

    def dump(self) -> Json:
        return asdict(self)

    @classmethod
    def load(cls, value: Json) -> Status:
        if value.get("poll"):
            value["poll"] = Poll(**value["poll"])
        return _from_json(cls, value)  # type: ignore[no-any-return]


@dataclass(slots=True)
class Record:
    """A record in an atproto repository."""

    did: str
    collection: str
    rkey: str
    cid: str
    value: Json
    indexed_at: float

    @property
    def uri(self) -> str:
        return f"at://{self.did}/{self.collection}/{self.rkey}"

    def dump(self) -> Json:
        return asdict(self)


@dataclass(slots=True)
class Media:
    """An uploaded file of either protocol; its bytes are kept under `cid`."""

    id: str
    account_id: str
    cid: str
    mime: str
    size: int
    width: int = 0
    height: int = 0
    description: str | None = None
    focus: str | None = None
    created_at: float = field(default_factory=time.time)
    ready_at: float = 0.0
    status_id: int | None = None

    def dump(self) -> Json:
        return asdict(self)

    @property
    def kind(self) -> str:
        major = self.mime.split("/")[0]
        return (
            "gifv"
            if self.mime == "image/gif"
            else major
            if major in ("image", "video", "audio")
            else "unknown"
        )


@dataclass(slots=True)
class Grant:
    """An access or refresh token. `expires_at` 0 never expires, as on Mastodon."""

    token: str
    kind: str  # mastodon | at_access | at_refresh
    account_id: str | None
    scopes: str
    created_at: float
    expires_at: float = 0.0
    revoked: bool = False
    application: str = "ContentCaster"
    family: str = ""  # sessions: access and refresh tokens that are revoked together
    client_id: str = ""

    def dump(self) -> Json:
        return asdict(self)


@dataclass(slots=True)
class App:
    client_id: str
    client_secret: str
    name: str
    redirect_uris: list[str]
    scopes: str
    website: str | None
    id: str

    def dump(self) -> Json:
        return asdict(self)


@dataclass(slots=True)
class Exchange:
    """One recorded request: when it arrived, what it asked, what was done and answered."""

    number: int
    arrived_at: float  # UTC epoch seconds, taken when the head of the request was read
    arrived_monotonic: float
    method: str
    path: str
    query: str
    remote: str = ""
    account: str | None = None
    key: str | None = None
    body_hash: str | None = None
    text: str | None = None
    status: int | None = None  # None while in flight, 0 when the connection was dropped
    fault: str | None = None
    effect: bool = False
    origin: str = "api"  # or "population": an act of the generated people
    ended_at: float | None = None
    grant: Grant | None = field(default=None, repr=False)
    body: Any = field(default=None, repr=False)
    raw: bytes = field(default=b"", repr=False)

    def as_json(self) -> Json:
        return {
            "number": self.number, "arrived_at": utc_iso(self.arrived_at, 6), "arrived_epoch": self.arrived_at,
            "arrived_monotonic": self.arrived_monotonic, "method": self.method, "path": self.path,
            "query": self.query, "account": self.account, "key": self.key, "body_sha256": self.body_hash,
            "text": self.text, "status": self.status, "fault": self.fault, "effect": self.effect,
            "ended_at": None if self.ended_at is None else utc_iso(self.ended_at, 6),
        }  # fmt: skip


@dataclass(slots=True)
class Effect:
    """Something that others on the network can see, and the request that caused it."""

    number: int
    kind: str  # post, reply, like, unlike, repost, unrepost, follow, unfollow, edit, delete
    protocol: str
    account: str
    id: str
    at: float
    request: int
    key: str | None = None
    text: str | None = None
    subject: str | None = None
    url: str | None = None
    visible: bool = True
    origin: str = "api"

    def dump(self) -> Json:
        return asdict(self)

    def as_json(self) -> Json:
        return asdict(self) | {"at": utc_iso(self.at, 6), "at_epoch": self.at}
