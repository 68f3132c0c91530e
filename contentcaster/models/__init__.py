"""All tables. Importing this package registers every one of them on `metadata`."""

from sqlmodel import SQLModel

from contentcaster.models.account import Account, AccountStatus
from contentcaster.models.analytics import (
    FollowerDay,
    MetricChannel,
    MetricPost,
    MetricRollup,
    MetricSnapshot,
)
from contentcaster.models.bot import (
    ActAction,
    ActState,
    BotAct,
    BotChannel,
    BotFollowers,
    BotKind,
    BotLog,
    BotMode,
    BotProspect,
    BotRule,
    BotSeen,
    BotSwitch,
)
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
from contentcaster.models.operations import (
    AuditChain,
    AuditEvent,
    IdempotencyRecord,
    LeaderLease,
    PeriodicRun,
    QueueState,
    Worker,
)
from contentcaster.models.post import Media, MissedPolicy, Post, PostMedia, PostStatus, Target
from contentcaster.models.sign_in import ApiKey, RecoveryCode, SignInThrottle, UserTotp
from contentcaster.models.user import OneTimeToken, Role, User, UserSession

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
    "AuditChain",
    "AuditEvent",
    "BotAct",
    "BotChannel",
    "BotFollowers",
    "BotKind",
    "BotLog",
    "BotMode",
    "BotProspect",
    "BotRule",
    "BotSeen",
    "BotSwitch",
    "FailedTask",
    "FollowerDay",
    "IdempotencyRecord",
    "Job",
    "JobAttempt",
    "JobEvent",
    "JobState",
    "LeaderLease",
    "Media",
    "MetricChannel",
    "MetricPost",
    "MetricRollup",
    "MetricSnapshot",
    "MissedPolicy",
    "OneTimeToken",
    "PeriodicRun",
    "Post",
    "PostMedia",
    "PostStatus",
    "QueueState",
    "RecoveryCode",
    "Role",
    "SignInThrottle",
    "Target",
    "User",
    "UserSession",
    "UserTotp",
    "Worker",
    "metadata",
]
