"""What services hand out: frozen values without secrets, safe to show and to send to a browser.

Every datetime is aware and in UTC; the edge shows it in the person's zone. Statuses are the words of the REST
contract (`PostStatus`), as plain strings. Lists, not tuples, because the console's templates iterate over them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page of a keyset-paged list; `next_cursor` is "" on the last one."""

    items: list[T]
    next_cursor: str = ""


# Channels


@dataclass(frozen=True)
class ChannelView:
    """Just enough of a channel account to draw its chip."""

    account_id: str
    platform: str
    platform_name: str
    color: str
    handle: str
    display_name: str
    status: str
    """Of the channel: connected | reauthorise | disabled | deleted."""


@dataclass(frozen=True)
class TextRuleView:
    """How long a text may be on one channel; the Studio's live counter is fed with this."""

    max_length: int
    unit: str
    """characters | graphemes | weighted | utf16"""
    url_length: int | None
    max_bytes: int | None
    ignores_mention_domain: bool
    counts_content_warning: bool
    counts_bare_domains: bool = False
    """Whether example.com counts as a link, too."""
    max_length_with_media: int | None = None
    """Under a picture or video a text may be only this long; None: as long as without."""


@dataclass(frozen=True)
class VideoRuleView:
    """Which videos a channel takes, one per post."""

    max_bytes: int
    min_seconds: float
    max_seconds: float
    """0: no limit."""
    types: list[str]
    codecs: list[str]
    """What the network documents; empty: whatever it can read."""
    mixes: bool
    """Whether pictures may stand beside it."""


@dataclass(frozen=True)
class LinkTagsView:
    """utm_source, utm_medium and utm_campaign of a channel; "" is left out."""

    source: str
    medium: str
    campaign: str


@dataclass(frozen=True)
class AccountView:
    id: str
    platform: str
    platform_name: str
    color: str
    instance_url: str
    handle: str
    display_name: str
    profile_url: str
    status: str
    """connected | reauthorise | disabled"""
    status_reason: str
    owner_id: str
    owner_name: str
    is_shared: bool
    is_manageable: bool
    """Whether the person who asked may change, check or delete it."""
    token_expires_at: datetime | None
    rate_limited_until: datetime | None
    created_at: datetime
    checked_at: datetime | None
    scheduled_count: int
    """Targets that still wait to go out through it."""
    text_rule: TextRuleView
    features: list[str]
    max_images: int
    version: int
    link_tags: LinkTagsView | None = None
    """What is added to links on this channel; None: nothing."""
    video: VideoRuleView | None = None
    """None: it takes no videos."""
    granted_scopes: list[str] = field(default_factory=list)
    """Rights that the network granted at the last login, where it says so."""


@dataclass(frozen=True)
class CredentialField:
    """One input of the connect form."""

    name: str
    title: str
    help: str
    placeholder: str
    is_secret: bool
    is_required: bool
    default: str


@dataclass(frozen=True)
class PlatformView:
    """One network with its limits, from its connector's capabilities."""

    platform: str
    name: str
    color: str
    text_rule: TextRuleView
    max_images: int
    max_image_bytes: int
    image_types: list[str]
    max_alt_length: int
    features: list[str]
    idempotency: str
    can_look_up: bool
    docs_url: str
    credential_fields: list[CredentialField]
    video: VideoRuleView | None = None


# Media


@dataclass(frozen=True)
class MediaView:
    id: str
    owner_id: str
    filename: str
    mime_type: str
    width: int
    height: int
    size_bytes: int
    alt: str
    created_at: datetime
    used_in_posts: int
    thumb_url: str
    """Path on this server; needs the browser's session cookie."""
    full_url: str
    duration_seconds: float = 0
    """Of a video; 0: a picture."""
    duration: str = ""
    """The same for people: 1:05."""
    codec: str = ""


@dataclass(frozen=True)
class PostMediaView:
    """An image or video as it is attached to one post."""

    id: str
    filename: str
    mime_type: str
    width: int
    height: int
    size_bytes: int
    alt: str
    part: int
    thumb_url: str
    full_url: str
    duration_seconds: float = 0
    codec: str = ""


# Posts


@dataclass(frozen=True)
class PostRow:
    """One line of a list of posts."""

    id: str
    text: str
    """The first 280 characters."""
    status: str
    scheduled_at: datetime | None
    wall_time: str
    timezone: str
    author_id: str
    author_name: str
    labels: list[str]
    channels: list[ChannelView]
    media_count: int
    thread_count: int
    """Parts after the first."""
    remote_url: str
    """The first published target's link, or ""."""
    created_at: datetime
    updated_at: datetime
    version: int


@dataclass(frozen=True)
class TargetView:
    """One part of a post on one channel, and how far it has come."""

    id: str
    account_id: str
    channel: ChannelView
    part: int
    text: str
    """What goes out: the variant, else the post's text."""
    own_text: str | None
    options: dict[str, Any]
    status: str
    job_id: int | None
    job_state: str
    due_at: datetime | None
    next_action_at: datetime | None
    attempts: int
    max_attempts: int
    remote_id: str
    remote_url: str
    published_at: datetime | None
    error: str
    """A sentence for people, "" if nothing is wrong."""
    failed_task_id: int | None
    is_comment: bool = False
    """The first comment: the part after the last."""


@dataclass(frozen=True)
class PostDetail:
    id: str
    text: str
    thread: list[str]
    """Texts of the parts after the first."""
    status: str
    scheduled_at: datetime | None
    wall_time: str
    timezone: str
    author_id: str
    author_name: str
    labels: list[str]
    options: dict[str, Any]
    targets: list[TargetView]
    media: list[PostMediaView]
    created_at: datetime
    updated_at: datetime
    version: int
    is_editable: bool
    is_cancellable: bool
    is_deletable: bool
    locked_reason: str
    """Why it cannot be edited, for people; "" if it can."""
    needs_approval_by_admin: bool
    missed_policy: str = "publish_late"
    """publish_late | hold | skip: what becomes of it if nothing could publish at its time."""
    review_state: str = ""
    """The last step of its approval: "", requested, approved or returned."""
    problems: list[PreflightItem] = field(default_factory=list)
    """What the look half an hour before its time found; it stops nothing by itself."""
    first_comment: str = ""
    """A reply to the last part, on the networks that take one."""


@dataclass(frozen=True)
class SnippetView:
    """A saved text."""

    id: str
    kind: str
    """hashtags | signature | template"""
    name: str
    text: str
    is_shared: bool
    owner_name: str
    """"" for the person's own."""
    is_editable: bool
    version: int


@dataclass(frozen=True)
class PostReviewView:
    """One line of the conversation about a post."""

    id: str
    kind: str
    """requested | changed | approved | returned | comment"""
    author_id: str
    author_name: str
    text: str
    at: datetime


@dataclass(frozen=True)
class VariantView:
    """What goes out on one channel instead of the common text."""

    channel: ChannelView
    text: str


@dataclass(frozen=True)
class PendingPostView:
    """A post that waits for approval, with all that would go out."""

    id: str
    version: int
    """What is approved: a post that was changed meanwhile is not."""
    text: str
    thread: list[str]
    variants: list[VariantView]
    channels: list[ChannelView]
    media: list[PostMediaView]
    content_warning: str
    visibility: str
    scheduled_at: datetime | None
    timezone: str
    author_name: str
    labels: list[str]
    reviews: list[PostReviewView]
    first_comment: str = ""


@dataclass(frozen=True)
class PreflightItem:
    level: str
    """ok | check | stop; a stop keeps the post from being scheduled."""
    sentence: str
    field: str = ""
    account_id: str = ""


@dataclass(frozen=True)
class TimelineEntry:
    at: datetime
    kind: str
    """scheduled | queued | checked | prepared | sending | published | no_answer | looked_up | retry | rate_limited |
    rejected | failed | waiting | edited | cancelled | event"""
    level: str
    """ok | warn | bad | idle (idle: nothing happened yet, the hollow dot)"""
    title: str
    """Bold in the console, e.g. "No answer"."""
    detail: str
    """Follows the title, e.g. "connection reset after the request"."""
    note: str
    """The small line, e.g. "attempt 1 · fence 2"."""
    worker: str
    account_id: str
    channel: str
    """"Mastodon · @acme", so that entries of several channels can be told apart."""
    target_id: str
    raw: str
    """The network's answer, redacted; only for people who may see operations, else ""."""


# Operations


@dataclass(frozen=True)
class AttemptView:
    attempt: int
    kind: str
    """send | lookup"""
    worker: str
    started_at: datetime
    prepared_at: datetime | None
    sent_at: datetime | None
    ended_at: datetime
    outcome: str
    http_status: int | None
    retry_after_seconds: float | None
    message: str
    raw: str


@dataclass(frozen=True)
class FailedTaskView:
    id: int
    job_id: int
    post_id: str
    target_id: str
    text: str
    """The first 140 characters of what should go out."""
    channel: ChannelView | None
    reason: str
    title: str
    """The badge: "Token revoked", "Gave up after 4 tries", "Needs review", ..."""
    message: str
    advice: str
    is_review: bool
    """True: whether it is live is not known; a person must say."""
    is_open: bool
    scheduled_at: datetime
    created_at: datetime
    attempts: int
    http_status: int | None
    resolved_at: datetime | None
    resolved_by: str
    resolution: str
    """retried | published | discarded | "" """


@dataclass(frozen=True)
class FailedTaskDetail:
    task: FailedTaskView
    history: list[AttemptView]
    payload_text: str
    post_status: str


@dataclass(frozen=True)
class FailedGroupView:
    """Failed tasks with one cause: the same reason on the same channel."""

    key: str
    reason: str
    title: str
    advice: str
    is_review: bool
    channel: ChannelView | None
    count: int
    tasks: list[FailedTaskView]
    """The newest 50."""
    is_reconnect_advised: bool


@dataclass(frozen=True)
class BulkResult:
    done: int
    skipped: int
    problems: list[str] = field(default_factory=list)
    """One sentence each, at most 20."""


@dataclass(frozen=True)
class QueueView:
    name: str
    title: str
    is_paused: bool
    paused_at: datetime | None
    paused_by: str
    paused_reason: str
    waiting: int
    in_flight: int
    states: dict[str, int]
    """Job state -> number, only non-terminal ones."""
    overdue: int
    oldest_due_at: datetime | None
    lag_seconds: float
    """How late the oldest job is that is due and not taken; 0 if none."""
    finished_last_5_min: int
    per_minute: float
    sparkline: list[int]
    """Jobs ended per minute over the last 30 minutes, oldest first."""


@dataclass(frozen=True)
class WorkerView:
    id: str
    hostname: str
    pid: int
    version: str
    queues: list[str]
    started_at: datetime
    heartbeat_at: datetime
    age_seconds: float
    """Since its last heartbeat."""
    uptime_seconds: float
    is_alive: bool
    status: str
    """alive | silent | stopped"""
    rss_mb: float
    in_flight: int
    is_queue_reachable: bool


@dataclass(frozen=True)
class SidebarCounts:
    scheduled_posts: int
    failed_open: int
    """Open failed tasks, those that need review included; 0 for people who may not see operations."""
    needs_review: int
    channels_broken: int
    awaiting_approval: int


@dataclass(frozen=True)
class AttentionItem:
    """One thing on Home that wants a person."""

    kind: str
    """failed | at_risk | review | channel | token | approval | paused | queue"""
    level: str
    """warn | bad"""
    title: str
    sentence: str
    href: str
    count: int


@dataclass(frozen=True)
class HomeView:
    timezone: str
    day: str
    """Today in that zone, ISO."""
    today: list[PostRow]
    """By time; at most 50."""
    today_count: int
    next_up: PostRow | None
    attention: list[AttentionItem]
    published_today: int
    counts: SidebarCounts
    channels_connected: int
