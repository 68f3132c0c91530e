"""Default-deny for every event handler: what may be called, by whom, with which arguments.

Any websocket client can call any public handler of any State with any payload, whatever page it shows. So each
handler carries a mark, and `Guard` (an rx.Middleware) refuses every event whose handler has none (marks.py).
The session row is read for each event, so signing out or disabling a person stops an open tab at its next event.
A tab's state belongs to the session that filled it: another cookie with the same tab token finds it empty.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import quote

import pydantic
import reflex as rx
from reflex.istate.manager import get_state_manager
from reflex.state import BaseState, OnLoadInternalState, StateUpdate
from reflex_base.event import Event, EventHandler, EventSpec
from reflex_base.registry import RegistrationContext
from reflex_base.utils.form import transform_form_data

from contentcaster.db import get_database
from contentcaster.errors import ContentCasterError, NotAllowed, NotSignedIn
from contentcaster.security import sessions
from contentcaster.security.permissions import Principal
from contentcaster.settings import get_settings
from contentcaster.state.flash import FlashState, flash
from contentcaster.state.flood import EventLimit
from contentcaster.state.hub import hub
from contentcaster.state.marks import permissions_of, principal_of_event
from contentcaster.state.page import is_page_load, show_problem
from contentcaster.state.wave import wave_of_event

log = logging.getLogger(__name__)

SIGN_IN = "/sign-in"
SET_UP_OTP = "/profile"
"""Where somebody goes whose role needs a second factor that they have not set up: nothing else is open to them."""
NOT_ALLOWED = "Your role does not allow this. An admin can do it or change your role."
UNREADABLE = "That could not be read. Reload the page and try again."


limit = EventLimit()


class OwnerState(rx.State):
    """Remembers, on the server only, which session filled this tab's state."""

    _session_id: str = ""


@dataclass
class Guard(rx.Middleware):
    """Runs before every handler, foreground and background, also for events that no page would send."""

    async def preprocess(self, app: rx.App, state: BaseState, event: Event) -> StateUpdate | None:
        root = state._get_root_state()
        if limit.is_exceeded(root.router.session.client_token):
            return StateUpdate()
        handler = RegistrationContext.get().event_handlers[event.name].handler
        wave_of_event.set(hub.wave_of(root.router.session.client_token, event.name))
        try:
            principal = await _read_principal(root.router.headers.cookie)
        except ContentCasterError as error:
            return await _without_database(root, event, handler, error)
        principal_of_event.set(principal)
        await _own_tab(root, principal)
        hub.follow(root, is_known=principal is not None)
        if event.name in machinery():
            await _forget_old_messages(root, event)
            return None
        return await _check(root, event, handler, principal)


async def _check(
    root: BaseState, event: Event, handler: EventHandler, principal: Principal | None
) -> StateUpdate | None:
    permissions = permissions_of(handler)
    if permissions is None:
        return await _refuse(root, event, handler, "no permission is declared for this handler")
    if permissions and principal is None:
        return await _to_sign_in(root, event)
    if (
        permissions
        and principal is not None
        and not any(principal.can(permission) for permission in permissions)
    ):
        if principal.must_set_up_otp and is_page_load(handler):
            return await _answer(root, rx.redirect(SET_UP_OTP))
        return await _refuse(root, event, handler, "the role does not allow it")
    if (problem := _validate_payload(handler, event)) is not None:
        return await _refuse(root, event, handler, problem, UNREADABLE)
    return None


async def _without_database(
    root: BaseState, event: Event, handler: EventHandler, error: ContentCasterError
) -> StateUpdate | None:
    """Nobody can be recognised now: show nothing new, run nothing, keep what the tab already shows."""
    principal_of_event.set(None)
    hub.follow(root, is_known=True)  # hears of it when the database is back
    if event.name in machinery():
        if event.name.endswith(("hydrate", "hydrate_and_load")):
            # A (re)connecting tab cannot prove that the state kept for its token is its own.
            await _own_tab(root, None)
        return None
    if is_page_load(handler):
        await show_problem(root, error)
    else:
        await flash(root, "warn", error.message)
    return await _answer(root)


@cache
def machinery() -> frozenset[str]:
    """Reflex's own events that a console page needs; each only sends a tab what is already its own.

    Left out, and so refused: `setvar` of every State and `update_vars_internal`, which set what the browser says.
    """
    own = {
        rx.State: ("hydrate", "hydrate_and_load", "set_is_hydrated"),
        OnLoadInternalState: ("on_load_internal", "set_is_hydrated"),
    }
    names = {f"{state.get_full_name()}.{name}" for state, handlers in own.items() for name in handlers}
    frontend = "reflex___state____frontend_event_exception_state.handle_frontend_exception"
    return frozenset(names | {f"{rx.State.get_full_name()}.{frontend}"})


async def _read_principal(cookie_header: str) -> Principal | None:
    def read() -> Principal | None:
        return sessions.read_browser_principal(get_database(), cookie_header)

    if not cookie_header:
        return None
    wave = wave_of_event.get()
    if wave is None:
        return await asyncio.to_thread(read)
    return await wave.share(("principal", cookie_header), lambda: asyncio.to_thread(read))


async def _own_tab(root: BaseState, principal: Principal | None) -> None:
    """Empty the tab's whole state when another session, or none, comes with its token."""
    owner = await root.get_state(OwnerState)
    session_id = principal.session_id if principal is not None else ""
    if owner._session_id != session_id:
        await _load_all(root)
        is_hydrated = root.is_hydrated
        root.reset()
        root.is_hydrated = is_hydrated
        owner._session_id = session_id


async def _load_all(root: BaseState) -> None:
    """Where state is kept in Redis only what an event needs is there, and what is not there would not be emptied."""
    if not get_settings().console_redis_url:
        return
    token = rx.BaseStateToken(ident=root.router.session.client_token, cls=rx.State)
    await get_state_manager().get_state(token, for_state_instance=root)  # type: ignore[call-arg]


async def _forget_old_messages(root: BaseState, event: Event) -> None:
    if event.name.rpartition(".")[2] in ("hydrate", "hydrate_and_load"):
        # A message shown once must not come again with the next page load.
        (await root.get_state(FlashState))._clear()


async def _to_sign_in(root: BaseState, event: Event) -> StateUpdate:
    log.info("event refused: not signed in (%s)", event.name)
    page = root.router.url.path
    target = SIGN_IN if page.strip("/") == "" else f"{SIGN_IN}?next={quote(page)}"
    return await _answer(root, rx.redirect(target))


async def _refuse(
    root: BaseState, event: Event, handler: EventHandler, reason: str, message: str = NOT_ALLOWED
) -> StateUpdate:
    principal = principal_of_event.get()
    log.warning(
        "event refused: %s (%s, user %s)", reason, event.name, principal.user_id if principal else "-"
    )
    if is_page_load(handler):
        await show_problem(root, NotAllowed(message))
    else:
        await flash(root, "bad", message)
    return await _answer(root)


async def _answer(root: BaseState, *events: EventSpec) -> StateUpdate:
    delta = await root._get_resolved_delta()
    root._clean()
    return StateUpdate(delta=delta, events=Event.from_event_type(list(events)) if events else [])


def _validate_payload(handler: EventHandler, event: Event) -> str | None:
    """Check the payload against the handler's annotations and put the checked values in its place.

    Returns what is wrong, for the log, without the values.
    """
    model = _arguments_model(handler.fn)
    values = {name: _unwrap_form(value) for name, value in event.payload.items()}
    try:
        checked = model.model_validate(values)
    except pydantic.ValidationError as error:
        return "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['type']}" for e in error.errors()[:5])
    event.payload.clear()
    event.payload.update({name: getattr(checked, name) for name in checked.model_fields_set})
    return None


def _unwrap_form(value: Any) -> Any:
    """The submitted form as a dict; anything else unchanged."""
    return transform_form_data(value, dict)


@cache
def _arguments_model(fn: Callable[..., Any]) -> type[pydantic.BaseModel]:
    """A model of the handler's parameters; unknown names are refused."""
    hints = inspect.get_annotations(fn, eval_str=True)
    fields: dict[str, Any] = {}
    for name, parameter in list(inspect.signature(fn).parameters.items())[1:]:
        default = ... if parameter.default is inspect.Parameter.empty else parameter.default
        fields[name] = (hints.get(name, Any), default)
    config = pydantic.ConfigDict(extra="forbid", arbitrary_types_allowed=True)
    return pydantic.create_model(f"{fn.__qualname__}Arguments", __config__=config, **fields)


def handle_exception(exception: Exception) -> EventSpec | None:
    """What Reflex calls when a handler raised: a sentence for the person, everything else for the log."""
    if isinstance(exception, NotSignedIn):
        return rx.redirect(SIGN_IN)
    if isinstance(exception, ContentCasterError):
        log.info("refused: %s %s", exception.code, exception.details)
        return FlashState.show("bad", exception.message)
    reference = secrets.token_hex(4)
    log.error("error %s in an event handler", reference, exc_info=exception)
    return FlashState.show(
        "bad",
        f"Something went wrong on our side. Nothing was lost; try again. Reference {reference} for your admin.",
    )
