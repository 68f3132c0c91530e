"""Periodic tasks run once per slot, however many consumers fire them: the insert of the slot's row decides."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy.exc import IntegrityError

from contentcaster.clock import utc_now
from contentcaster.db import Database
from contentcaster.models import PeriodicRun


def slot_of(moment: datetime, every_seconds: int) -> datetime:
    """The start of the slot that `moment` falls in."""
    return datetime.fromtimestamp(moment.timestamp() // every_seconds * every_seconds, UTC)


def enter_slot(
    database: Database, task: str, *, every_seconds: int, worker: str = "", moment: datetime | None = None
) -> bool:
    """Whether this caller is the one that runs `task` in the present slot."""
    slot = slot_of(moment or utc_now(), every_seconds)
    try:
        with database.transaction() as session:
            session.add(PeriodicRun(task=task, slot=slot, worker=worker))
    except IntegrityError:
        return False
    return True
