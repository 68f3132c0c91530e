"""Which service carries out which kind of job; the worker processes hand this to their senders."""

from __future__ import annotations

from contentcaster.db import Database
from contentcaster.engine.sender import Executor
from contentcaster.services.analytics_report import KIND as REPORT
from contentcaster.services.analytics_report import ReportExecutor
from contentcaster.services.assistant import Drafter
from contentcaster.services.assistant_scores import Scorer
from contentcaster.services.bots_executor import ActExecutor
from contentcaster.services.bots_run import RunExecutor
from contentcaster.services.notifications import MAIL
from contentcaster.services.notifications_mail import MailExecutor
from contentcaster.services.publishing import PublishExecutor
from contentcaster.services.webhook_events import JOB_KIND as WEBHOOK
from contentcaster.services.webhooks_executor import WebhookExecutor


def create_executors(database: Database) -> dict[str, Executor]:
    """One executor per kind of job; each belongs to one sender and its event loop."""
    return {
        "publish": PublishExecutor(database),
        "run_rule": RunExecutor(database, drafter=Drafter(database), scorer=Scorer(database)),
        MAIL: MailExecutor(database),
        REPORT: ReportExecutor(database),
        WEBHOOK: WebhookExecutor(database),
        # One for all acts of a sender: it tells the bot log what became of them.
        **dict.fromkeys(("like", "repost", "reply", "follow", "unfollow"), ActExecutor(database)),
    }
