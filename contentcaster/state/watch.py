"""The web process watches over the workers: nobody else is left to tell when all of them are gone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from sqlalchemy.exc import DBAPIError

from contentcaster.db import get_database
from contentcaster.errors import ContentCasterError
from contentcaster.services import notifications_events, notifications_mail

LOOK_SECONDS = 20.0

log = logging.getLogger(__name__)


@asynccontextmanager
async def running(app: Any) -> AsyncIterator[None]:
    """Look while the web process lives (a Reflex lifespan task)."""
    task = asyncio.create_task(_watch(), name="watch over workers")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _watch() -> None:
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        with suppress(ContentCasterError, DBAPIError):  # a database that is away is said elsewhere
            to_mail = await asyncio.to_thread(notifications_events.tell_of_standstill, get_database())
            if to_mail is not None:
                log.warning("publishing stands still; the admins are told")
                await notifications_mail.send_now(get_database(), to_mail)
