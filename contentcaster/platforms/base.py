"""What every network's connector offers, and the errors that say what to do next.

    ConnectorError
    ├── NotSent              the request provably never left (DNS, refused, TLS): safe to try again
    ├── TemporarilyRejected  a documented refusal that may pass, nothing was created: try again
    ├── RateLimited          the network says when to come back
    ├── OutcomeUnknown       bytes left and no proof came back: look up before anything else
    ├── Reauthorise          the token is refused: a person must connect again
    └── Rejected             a definite no; the sentence says what to change

A connector holds no SQL and no retry loop. `publish` makes exactly one irreversible call.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Protocol

from pydantic import BaseModel

from contentcaster.platforms.automation import BOT_ACTIONS, ActPolicy, policy_of
from contentcaster.security.egress import EgressClient


class ConnectorError(Exception):
    """Something went wrong at a network.

    `message` is for people; `diagnostics` (redacted, cut) for operators.
    """

    code = "connector_error"

    def __init__(self, message: str, *, http_status: int | None = None, diagnostics: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.http_status = http_status
        self.diagnostics = diagnostics


class NotSent(ConnectorError):
    code = "not_sent"


class TemporarilyRejected(ConnectorError):
    code = "temporarily_rejected"


class RateLimited(ConnectorError):
    code = "rate_limited"

    def __init__(self, message: str, *, retry_after_seconds: float, **kw: Any) -> None:
        super().__init__(message, **kw)
        self.retry_after_seconds = retry_after_seconds


class OutcomeUnknown(ConnectorError):
    code = "outcome_unknown"


class Reauthorise(ConnectorError):
    code = "reauthorise"


class Rejected(ConnectorError):
    code = "rejected"


class Feature(StrEnum):
    """What a network's API can do here; drives the Studio, docs and tests."""

    IMAGES = "images"
    VIDEO = "video"
    ALT_TEXT = "alt_text"
    THREAD = "thread"
    FIRST_COMMENT = "first_comment"
    CONTENT_WARNING = "content_warning"
    VISIBILITY = "visibility"
    LANGUAGE = "language"
    POLL = "poll"
    QUOTE = "quote"
    DELETE = "delete"
    LIKE = "like"
    REPLY = "reply"
    REPOST = "repost"
    FOLLOW = "follow"
    SEARCH = "search"
    METRICS = "metrics"


class Idempotency(StrEnum):
    """How a repeated publish is kept from becoming a second post."""

    CLIENT_ID = (
        "client_id"  # we choose the record's id: a repeat is the same record, and can be read back exactly
    )
    SERVER_KEY = "server_key"  # the server remembers our key for `key_life_seconds`
    TWO_PHASE = "two_phase"  # a container id is kept before it is published
    LOOK_UP = "look_up"  # no key; the own timeline can be searched
    NONE = "none"  # no key and no read-back: at most once, a person decides on doubt


class TextUnit(StrEnum):
    CHARACTERS = "characters"  # code points
    GRAPHEMES = "graphemes"  # what a person calls a character
    WEIGHTED = "weighted"  # X: emoji and CJK count 2
    UTF16 = "utf16"


@dataclass(frozen=True)
class TextRule:
    """How long a text may be and how it is counted; the browser counts by the same data."""

    max_length: int
    unit: TextUnit = TextUnit.CHARACTERS
    url_length: int | None = None
    """Every link counts this much, however long; None: as written."""
    max_bytes: int | None = None
    max_length_with_media: int | None = None
    """Telegram: a caption is shorter than a message."""
    is_required: bool = False
    """True: a post needs text even if it has media."""
    ignores_mention_domain: bool = False
    """Mastodon: @user@host counts as @user."""
    counts_bare_domains: bool = False
    """X: example.com counts as a link, too."""
    counts_content_warning: bool = False
    """Mastodon: the content warning and the text share one limit."""


@dataclass(frozen=True)
class MediaRule:
    max_images: int = 0
    max_image_bytes: int = 0
    image_types: tuple[str, ...] = ()
    max_alt_length: int = 0
    max_videos: int = 0
    max_video_bytes: int = 0
    max_video_seconds: float = 0
    """0: the network documents no limit."""
    min_video_seconds: float = 0
    video_types: tuple[str, ...] = ()
    video_codecs: tuple[str, ...] = ()
    """What the network documents; another one may be refused. Empty: it takes or converts whatever it can read."""
    max_video_alt_length: int | None = None
    """None: as long as that of a picture; 0: the network keeps none for videos."""
    mixes_video: bool = False
    """Whether pictures may stand beside a video."""

    def of_server(self, limits: dict[str, Any]) -> MediaRule:
        """The rule of one server, given what it said of its limits when it was connected."""
        stated: dict[str, Any] = {}
        for name in ("max_images", "max_image_bytes", "max_alt_length", "max_video_bytes"):
            if getattr(self, name) and isinstance(limits.get(name), int) and limits[name] > 0:
                stated[name] = limits[name]
        for name in ("image_types", "video_types"):
            told = limits.get(name)
            if isinstance(told, list) and (kept := tuple(t for t in getattr(self, name) if t in told)):
                stated[name] = kept
        return replace(self, **stated) if stated else self


@dataclass(frozen=True)
class Capabilities:
    """One network, described once: counters, previews, preflight, forms, docs and tests read this."""

    platform: str
    name: str
    color: str
    text: TextRule
    media: MediaRule
    idempotency: Idempotency
    features: frozenset[Feature]
    key_life_seconds: float = 0
    """SERVER_KEY: for how long after the first send a resend with the same key is safe."""
    can_look_up: bool = False
    """Whether `find_own_post` can prove presence or absence."""
    docs_url: str = ""
    pulls_media_by_url: bool = False
    """The network fetches pictures from us, so this server must be reachable from outside."""
    proven_on: str = ""
    """What the connector's contract was run against; docs/networks.md repeats it, so it must be the truth."""

    @property
    def automation(self) -> dict[str, ActPolicy]:
        """Like, repost, reply, follow, unfollow -> what the network allows bots, why, and by which document."""
        return {action: policy_of(self.platform, action) for action in BOT_ACTIONS}


@dataclass(frozen=True)
class OutgoingMedia:
    media_id: str
    path: Path
    mime_type: str
    width: int
    height: int
    size_bytes: int
    alt: str = ""
    duration_seconds: float = 0

    @property
    def is_video(self) -> bool:
        return self.mime_type.startswith("video/")


@dataclass(frozen=True)
class RemotePost:
    """A post on the network: the proof that it is there."""

    id: str
    url: str = ""
    extra: dict[str, Any] = field(default_factory=dict)
    """What a reply to it needs beyond the id (Bluesky: cid and the thread's root)."""


@dataclass(frozen=True)
class OutgoingPost:
    """What goes out, frozen when it was scheduled: a repeat is identical byte for byte."""

    text: str
    idempotency_key: str
    client_ref: str
    """The record key or transaction id that `new_client_ref` chose; "" where the network has none."""
    created_at: datetime
    """Frozen: part of the record on networks where the client dates it (Bluesky)."""
    media: tuple[OutgoingMedia, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    """visibility, language, content_warning."""
    reply_to: RemotePost | None = None


@dataclass(frozen=True)
class Lookup:
    """What a search for our own post proved."""

    found: RemotePost | None = None
    is_certainly_absent: bool = False
    """True only if the network's answer proves that it is not there."""
    note: str = ""


@dataclass(frozen=True)
class Identity:
    """Who the credentials belong to, as the network says."""

    remote_id: str
    handle: str
    display_name: str = ""
    profile_url: str = ""
    limits: dict[str, Any] = field(default_factory=dict)
    """What the server told of its limits (max_characters, software, ...)."""
    token_expires_at: datetime | None = None


SaveCredentials = Callable[[dict[str, Any], datetime | None], Awaitable[None]]
"""Keep refreshed credentials, and when a person must connect again (None: never, they renew themselves). What comes
back empty keeps its stored value, and a login that somebody renewed meanwhile is not overwritten."""


@dataclass
class Channel:
    """One channel account, ready to be used by its connector."""

    account_id: str
    platform: str
    instance_url: str
    remote_id: str
    handle: str
    limits: dict[str, Any]
    credentials: dict[str, Any] = field(repr=False)
    client: EgressClient
    save_credentials: SaveCredentials
    reload_credentials: Callable[[], Awaitable[dict[str, Any]]]
    """The credentials as stored now: another worker may have refreshed them already."""
    renewal_lock: Callable[[], AbstractAsyncContextManager[Any]] = nullcontext
    """Held while a login is renewed, by one worker of all; use it through `tokens.renewed`."""


class Connector(Protocol):
    """One network. All methods may raise ConnectorError; nothing else leaves them for a foreseeable failure."""

    capabilities: ClassVar[Capabilities]
    Credentials: ClassVar[type[BaseModel]]
    """What a person pastes to connect; SecretStr fields are never shown again. Draws the connect form."""

    def new_client_ref(self, idempotency_key: str, scheduled_at: datetime) -> str:
        """The id that we choose for the record on the network, or "" where it has none."""
        ...

    def text_rule(self, limits: dict[str, Any]) -> TextRule:
        """The text rule of one server, given what it said of its limits."""
        ...

    async def verify(self, credentials: BaseModel, client: EgressClient) -> tuple[Identity, dict[str, Any]]:
        """Check pasted credentials against the network: who they belong to, and what to store (encrypted)."""
        ...

    async def check(self, channel: Channel) -> Identity:
        """Who the stored credentials belong to now; raises Reauthorise if they are refused."""
        ...

    async def prepare(self, post: OutgoingPost, channel: Channel, progress: dict[str, Any]) -> dict[str, Any]:
        """Everything that may happen before the due time: fresh token, media uploads, a warm connection.

        Returns JSON-able progress (e.g. {"media_ids": [...]}) that is stored and given back on a retry as `progress`,
        so that nothing is uploaded twice. `progress` itself is kept up to date as uploads finish, so that a caller
        can store it even if this raises.
        """
        ...

    async def publish(self, post: OutgoingPost, channel: Channel, progress: dict[str, Any]) -> RemotePost:
        """The one irreversible call, made once."""
        ...

    async def find_own_post(self, post: OutgoingPost, channel: Channel, first_sent_at: datetime) -> Lookup:
        """Look on the network for what `publish` may have created."""
        ...

    def resend_is_safe(self, limits: dict[str, Any], first_sent_at: datetime, now: datetime) -> bool:
        """Whether `publish` may be repeated without a look-up, because the server still remembers our key.

        `limits` are the channel's: what its server said of itself.
        """
        ...

    async def delete(self, remote: RemotePost, channel: Channel) -> None:
        """Remove a post; one that is gone already is success."""
        ...
