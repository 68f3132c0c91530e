"""The mark that every event handler carries: who may call it. Enforced by contentcaster.state.guard.

@guarded(Permission.COMPOSE)      only people whose role holds one of the permissions named
@public                           anybody, also before signing in; keep these few
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, TypeVar

import reflex as rx
from reflex_base.event import EventHandler

from contentcaster.errors import NotSignedIn
from contentcaster.security.permissions import Permission, Principal

Handler = TypeVar("Handler", bound=Callable[..., Any])

_MARK = "__contentcaster_permissions__"

principal_of_event: ContextVar[Principal | None] = ContextVar("contentcaster_principal", default=None)
"""Set by the guard for each event; handlers read it with `current_principal`."""


def guarded(*permissions: Permission, **options: Any) -> Callable[[Handler], Handler]:
    """Make an async method an event handler that one of `permissions` is needed for; options go to rx.event."""
    if not permissions:
        raise TypeError("name at least one permission, or use @public")
    return lambda fn: _marked(fn, frozenset(permissions), options)


def public(fn: Handler) -> Handler:
    """Make an async method an event handler that anybody may call, signed in or not."""
    return _marked(fn, frozenset(), {})


def permissions_of(handler: EventHandler) -> frozenset[Permission] | None:
    """The mark of a handler; empty for a public one, None if it has none and is therefore refused."""
    return getattr(handler.fn, _MARK, None)


def current_principal() -> Principal:
    """The person whose event is being handled, read from the database for this very event.

    Raises:
        NotSignedIn: nobody is signed in (only possible in a @public handler).
    """
    principal = principal_of_event.get()
    if principal is None:
        raise NotSignedIn("Please sign in.")
    return principal


def _marked(fn: Handler, permissions: frozenset[Permission], options: dict[str, Any]) -> Handler:
    if not (inspect.iscoroutinefunction(fn) or inspect.isasyncgenfunction(fn)):
        # Reflex calls a sync handler on the event loop: it would hold up everybody else's console.
        raise TypeError(f"{fn.__qualname__} must be async")
    setattr(fn, _MARK, permissions)
    return rx.event(fn, **options)  # type: ignore[no-any-return]
