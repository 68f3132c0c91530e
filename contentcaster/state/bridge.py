"""From an event handler to the services: one short transaction in a thread, as the person whose event it is.

rows = await read(posts.list_posts, status="Scheduled")      # posts.list_posts(session, principal, status=...)
post = await write(posts.cancel_post, post_id)               # commits, or raises a ContentCasterError
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlmodel import Session

from contentcaster.db import get_database
from contentcaster.security.permissions import Principal
from contentcaster.state.marks import current_principal
from contentcaster.state.wave import wave_of_event

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
Service = Callable[Concatenate[Session, Principal, Arguments], Result]


async def read(
    service: Service[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
) -> Result:
    """Call a service function in a read transaction; tabs that refresh for the same change share one call.

    What it returns is for showing and is never changed.
    """
    principal = current_principal()

    def run() -> Result:
        with get_database().reading() as session:
            return service(session, principal, *args, **kwargs)

    wave = wave_of_event.get()
    if wave is None:
        return await asyncio.to_thread(run)
    key = (service, principal, args, tuple(sorted(kwargs.items())))
    try:
        hash(key)
    except TypeError:  # an argument that cannot be compared: read for this tab alone
        return await asyncio.to_thread(run)
    return await wave.share(key, lambda: asyncio.to_thread(run))


async def write(
    service: Service[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
) -> Result:
    """Call a service function in a write transaction; it is committed when this returns."""
    principal = current_principal()

    def run(session: Session) -> Result:
        return service(session, principal, *args, **kwargs)

    return await asyncio.to_thread(lambda: get_database().write(run))


async def in_thread(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Run something slow or blocking that opens its own transactions."""
    return await asyncio.to_thread(function, *args, **kwargs)
