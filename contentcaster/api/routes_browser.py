"""The console's own forms: signing in and out and first run. They set the cookie and answer with a redirect."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse

from contentcaster.api.deps import (
    ClientDep,
    DatabaseDep,
    LimitsDep,
    SettingsDep,
    limit_address,
    require_own_origin,
    run_read,
    run_write,
)
from contentcaster.errors import Conflict, ContentCasterError, InvalidInput, NotAllowed, TooMany, Unavailable
from contentcaster.security import sessions
from contentcaster.security.origins import local_path
from contentcaster.services import auth, invitations, setup
from contentcaster.services.auth import BrowserSession, WrongCredentials
from contentcaster.services.invitations import InvitationUsedUp
from contentcaster.services.setup import LinkUsedUp
from contentcaster.settings import Settings

router = APIRouter(prefix="/auth", include_in_schema=False)

_MAX_ECHO_CHARACTERS = 320
Text = Annotated[str, Form()]


@router.post("/sign-in")
def sign_in(
    request: Request,
    database: DatabaseDep,
    settings: SettingsDep,
    client: ClientDep,
    limits: LimitsDep,
    email: Text = "",
    password: Text = "",
    otp: Text = "",
    next: Text = "/",
) -> RedirectResponse:
    """Check the password, set the cookie, go on to the page that was wanted."""
    target = local_path(next)
    try:
        require_own_origin(request, settings)
        limit_address(client, limits)
        started = auth.sign_in_browser(
            database,
            email=email,
            password=password,
            otp=otp,
            client=client,
            old_cookie_header=request.headers.get("cookie", ""),
        )
    except ContentCasterError as error:
        back = {"error": _code(error), "email": email, "next": target if target != "/" else ""}
        return _redirect("/sign-in", back)
    return _with_cookie(_redirect(target), settings, started)


@router.post("/sign-out", dependencies=[Depends(require_own_origin)])
def sign_out(request: Request, database: DatabaseDep, settings: SettingsDep) -> RedirectResponse:
    """End the session, in the database and in the browser."""
    cookie = request.headers.get("cookie", "")
    principal = run_read(database, lambda s: sessions.principal_from_cookie(s, cookie)) if cookie else None
    if principal is not None:
        run_write(database, lambda s: auth.sign_out(s, principal))
    response = _redirect("/sign-in", {"signed_out": "1"})
    response.headers["Set-Cookie"] = sessions.clear_cookie(settings)
    return response


@dataclass(frozen=True, repr=False)
class Entrant:
    """What somebody fills in who makes their own account with a link."""

    token: Text = ""
    email: Text = ""
    name: Text = ""
    password: Text = ""
    timezone: Text = ""


@dataclass(frozen=True)
class Entrance:
    """One request of such a person, and what it needs to be let in."""

    request: Request
    database: DatabaseDep
    settings: SettingsDep
    client: ClientDep
    limits: LimitsDep
    entrant: Annotated[Entrant, Depends()]

    def enter(self, make: Callable[..., BrowserSession]) -> RedirectResponse:
        """Make the account and sign in. Raises ContentCasterError as `make` does."""
        require_own_origin(self.request, self.settings)
        limit_address(self.client, self.limits)
        started = make(self.database, client=self.client, **asdict(self.entrant))
        return _with_cookie(_redirect("/"), self.settings, started)

    def back_to(self, path: str, code: str) -> RedirectResponse:
        """The form again, with what was typed but for the password."""
        typed = self.entrant
        return _redirect(
            path, {"token": typed.token, "error": code, "email": typed.email, "name": typed.name}
        )


EntranceDep = Annotated[Entrance, Depends()]


@router.post("/setup")
def complete_setup(entrance: EntranceDep) -> RedirectResponse:
    """Make the first admin with the one-time link and sign them in."""
    try:
        return entrance.enter(setup.complete_setup)
    except ContentCasterError as error:
        return entrance.back_to("/setup", _code(error))


@router.post("/join")
def accept_invitation(entrance: EntranceDep) -> RedirectResponse:
    """Make the account that an invitation offers and sign in."""
    try:
        return entrance.enter(invitations.accept)
    except InvitationUsedUp:
        return _redirect(invitations.PATH, {"error": "invitation"})
    except ContentCasterError as error:
        return entrance.back_to(invitations.PATH, "taken" if isinstance(error, Conflict) else _code(error))


def _code(error: ContentCasterError) -> str:
    """The short code that the page turns into a sentence (state/entrance.py)."""
    if isinstance(error, InvalidInput) and error.fields:
        return next(iter(error.fields))
    codes: dict[type[ContentCasterError], str] = {
        WrongCredentials: "wrong",
        TooMany: "too_many",
        Unavailable: "unavailable",
        NotAllowed: "origin",
        LinkUsedUp: "token",
    }
    return codes.get(type(error), error.code)


def _redirect(path: str, query: dict[str, str] | None = None) -> RedirectResponse:
    values = {key: value[:_MAX_ECHO_CHARACTERS] for key, value in (query or {}).items() if value}
    return RedirectResponse(f"{path}?{urlencode(values)}" if values else path, status_code=303)


def _with_cookie(response: RedirectResponse, settings: Settings, started: BrowserSession) -> RedirectResponse:
    response.headers["Set-Cookie"] = sessions.set_cookie(settings, started.token, started.expires_at)
    return response
