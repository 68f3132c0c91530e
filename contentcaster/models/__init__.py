"""All tables. Importing this package registers every one of them on `metadata`."""

from sqlmodel import SQLModel

from contentcaster.models.account import Account, AccountStatus
from contentcaster.models.analytics import (
    FollowerDay,
    MetricChannel,
    MetricHalfHour,
    MetricPost,
    MetricRollup,
    MetricSnapshot,
)
from contentcaster.models.assistant import AssistantSetup, AssistantUse
from contentcaster.models.bot import (
    ActAction,
    ActState,
    BotAct,
    BotChannel,
    BotFollowers,
    BotKind,
    BotLog,
    BotLogFacet,
    BotMode,
    BotProspect,
    BotRule,
    BotSeen,
    BotSwitch,
)
from contentcaster.models.channel_health import PostCheck, Quota, TokenWarning
from contentcaster.models.job import (
    CLAIMABLE,
    LEASED,
    TERMINAL,
    FailedTask,
    Job,
    JobAttempt,
    JobEvent,
    JobState,
)
from contentcaster.models.notification import Notification, NotificationKind, NotificationPreference
from contentcaster.models.oauth import OAuthApp, OAuthAttempt
from contentcaster.models.operations import (
    AuditChain,
    AuditEvent,
    IdempotencyRecord,
    LeaderLease,
    PeriodicRun,
    QueueState,
    Worker,
)
from contentcaster.models.planning import (
    ImportBatch,
    ImportState,
    OccurrenceState,
    PostWords,
    Series,
    SeriesOccurrence,
    SeriesState,
    SlotBooking,
    SlotPlan,
    SlotTime,
)
from contentcaster.models.post import Media, MissedPolicy, Post, PostMedia, PostStatus, Target
from contentcaster.models.review import PostReview, ReviewKind
from contentcaster.models.sign_in import ApiKey, RecoveryCode, SignInThrottle, UserTotp
from contentcaster.models.snippet import LinkTags, Snippet, SnippetKind
from contentcaster.models.user import Invitation, OneTimeToken, Role, User, UserSession
from contentcaster.models.webhook import WebhookDelivery, WebhookEndpoint, WebhookEvent

metadata = SQLModel.metadata

__all__ = [
    "CLAIMABLE",
    "LEASED",
    "TERMINAL",
    "Account",
    "AccountStatus",
    "ActAction",
    "ActState",
    "ApiKey",
    "AssistantSetup",
    "AssistantUse",
    "AuditChain",
    "AuditEvent",
    "BotAct",
    "BotChannel",
    "BotFollowers",
    "BotKind",
    "BotLog",
    "BotLogFacet",
    "BotMode",
    "BotProspect",
    "BotRule",
    "BotSeen",
    "BotSwitch",
    "FailedTask",
    "FollowerDay",
    "IdempotencyRecord",
    "ImportBatch",
    "ImportState",
    "Invitation",
    "Job",
    "JobAttempt",
    "JobEvent",
    "JobState",
    "LeaderLease",
    "LinkTags",
    "Media",
    "MetricChannel",
    "MetricHalfHour",
    "MetricPost",
    "MetricRollup",
    "MetricSnapshot",
    "MissedPolicy",
    "Notification",
    "NotificationKind",
    "NotificationPreference",
    "OAuthApp",
    "OAuthAttempt",
    "OccurrenceState",
    "OneTimeToken",
    "PeriodicRun",
    "Post",
    "PostCheck",
    "PostMedia",
    "PostReview",
    "PostStatus",
    "PostWords",
    "QueueState",
    "Quota",
    "RecoveryCode",
    "ReviewKind",
    "Role",
    "Series",
    "SeriesOccurrence",
    "SeriesState",
    "SignInThrottle",
    "SlotBooking",
    "SlotPlan",
    "SlotTime",
    "Snippet",
    "SnippetKind",
    "Target",
    "TokenWarning",
    "User",
    "UserSession",
    "UserTotp",
    "WebhookDelivery",
    "WebhookEndpoint",
    "WebhookEvent",
    "Worker",
    "metadata",
]
