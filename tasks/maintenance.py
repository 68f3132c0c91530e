"""The maintenance queue: housekeeping once per slot. Run it with `huey_consumer tasks.maintenance.huey`."""

from __future__ import annotations

import threading

import structlog
from huey import crontab

from contentcaster.db import Database, get_database
from contentcaster.engine import periodic, reconciler
from contentcaster.services import (
    analytics_collect,
    analytics_prune,
    analytics_report,
    assistant_ledger,
    bots_plan,
    notifications,
    notifications_events,
    preflight_due,
    series_making,
    token_renewal,
    video_preparation,
    webhooks,
)
from tasks import runtime
from tasks.hint_queue import create_huey

huey = create_huey("maintenance")
runtime.serve(huey, "maintenance")
log = structlog.get_logger(__name__)


@huey.task(name="run")
def run(job_id: int) -> None:
    """Look at the ledger: job `job_id` is about due."""
    runtime.wake("maintenance", job_id)


@huey.periodic_task(crontab(minute="*/10"), name="tidy")
def tidy() -> None:
    """Forget what nobody needs any more; once per slot, however many consumers run."""
    database = get_database()
    if periodic.enter_slot(database, "tidy", every_seconds=600, worker=runtime.worker_id()):
        with database.transaction() as session:
            reconciler.tidy(session)
    if periodic.enter_slot(database, "webhooks_forget", every_seconds=86_400, worker=runtime.worker_id()):
        database.write(webhooks.forget)


@huey.periodic_task(crontab(minute="*"), name="bots")
def bots() -> None:
    """Have the rules run that are due, once per minute; once a day forget what is past its time."""
    database = get_database()
    if periodic.enter_slot(database, "bots", every_seconds=60, worker=runtime.worker_id()):
        bots_plan.tick(database)
    if periodic.enter_slot(database, "bots_forget", every_seconds=86_400, worker=runtime.worker_id()):
        bots_plan.forget(database)


@huey.periodic_task(crontab(minute="*"), name="metrics")
def metrics() -> None:
    """Ask the networks for the numbers of posts that are due for it, once per minute."""
    database = get_database()
    if periodic.enter_slot(database, "metrics", every_seconds=60, worker=runtime.worker_id()):
        analytics_collect.collect(database)


@huey.periodic_task(crontab(minute="*/10"), name="reports")
def reports() -> None:
    """Mail the reports that are due; once a day thin out old snapshots."""
    database = get_database()
    if periodic.enter_slot(database, "reports", every_seconds=600, worker=runtime.worker_id()):
        analytics_report.plan_due(database)
    if periodic.enter_slot(database, "metrics_prune", every_seconds=86_400, worker=runtime.worker_id()):
        analytics_prune.prune(database)


@huey.periodic_task(crontab(minute="*/10"), name="logins")
def logins() -> None:
    """Renew the logins that end soon; once an hour warn of those that only a person can renew."""
    database = get_database()
    if periodic.enter_slot(database, "logins", every_seconds=600, worker=runtime.worker_id()):
        token_renewal.renew_due(database)
    if periodic.enter_slot(database, "login_warnings", every_seconds=3600, worker=runtime.worker_id()):
        database.write(notifications_events.tell_of_endings)


@huey.periodic_task(crontab(minute="*"), name="notifications")
def notify() -> None:
    """Tell people of failures that nobody was told of yet; once a day forget what is old."""
    database = get_database()
    if periodic.enter_slot(database, "notifications", every_seconds=60, worker=runtime.worker_id()):
        notifications_events.tell_of_failures(database)
    if periodic.enter_slot(
        database, "notifications_forget", every_seconds=86_400, worker=runtime.worker_id()
    ):
        with database.transaction() as session:
            notifications.forget(session)
            assistant_ledger.mark_abandoned(session)


@huey.periodic_task(crontab(minute="*/5"), name="repeat")
def repeat() -> None:
    """Make the posts of repeating series for the coming days."""
    database = get_database()
    if periodic.enter_slot(database, "repeat", every_seconds=300, worker=runtime.worker_id()):
        series_making.make_due(database)


@huey.periodic_task(crontab(minute="*"), name="checks")
def checks() -> None:
    """Look once more at the posts that are due within half an hour, once per minute."""
    database = get_database()
    if periodic.enter_slot(database, "checks", every_seconds=60, worker=runtime.worker_id()):
        preflight_due.look_at_due(database)


@huey.periodic_task(crontab(minute="*"), name="videos")
def videos() -> None:
    """Upload the videos of posts due within a quarter of an hour; that takes minutes, and upkeep goes on beside it."""
    database = get_database()
    if periodic.enter_slot(database, "videos", every_seconds=60, worker=runtime.worker_id()):
        threading.Thread(target=_prepare_videos, args=(database,), name="videos", daemon=True).start()


_preparing = threading.Lock()


def _prepare_videos(database: Database) -> None:
    if not _preparing.acquire(blocking=False):
        return  # the last pass is not through yet; the next minute asks again
    try:
        video_preparation.prepare_ahead(database)
    except Exception:
        log.exception("videos_failed")
    finally:
        _preparing.release()
