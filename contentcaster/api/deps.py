"""What the routes need: the database, who is asking, and from where.

Endpoints are plain `def` functions, which FastAPI runs in threads, so the database never holds up the event loop.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, TypeVar

from fastapi import Depends, Request
from fastapi.security import HTTPBearer
from sqlmodel import Session

from contentcaster.api.rate_limit import Limits
from contentcaster.db import Database, get_database
from contentcaster.errors import NotAllowed, NotSignedIn
from contentcaster.security import origins, sessions
from contentcaster.security.permissions import Permission, Principal
from contentcaster.services import api_keys
from contentcaster.services.auth import Client
from contentcaster.settings import Settings, get_settings

Value = TypeVar("Value")

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")

DatabaseDep = Annotated[Database, Depends(get_database)]
SettingsDep = Annotated[Settings, Depends(get_settings)]

_bearer = HTTPBearer(
    auto_error=False, description="The access token from POST /api/v1/auth/token, or an API key."
)


def run_read(database: Database, read: Callable[[Session], Value]) -> Value:
    """Run `read` in one read transaction."""
    with database.reading() as session:
        return read(session)


def run_write(database: Database, write: Callable[[Session], Value]) -> Value:
    """Run `write` in one transaction, which commits if it returns."""
    return database.write(write)


def client_of(request: Request, settings: SettingsDep) -> Client:
    """Where the request comes from."""
    peer = request.client.host if request.client else ""
    forwarded_for = ",".join(request.headers.getlist("x-forwarded-for"))
    return Client(
        ip=origins.client_ip(settings, peer, forwarded_for),
        user_agent=request.headers.get("user-agent", "")[:300],
    )


def limits_of(request: Request) -> Limits:
    """How often each caller may call this application."""
    limits = request.app.state.limits
    assert isinstance(limits, Limits)
    return limits


ClientDep = Annotated[Client, Depends(client_of)]
LimitsDep = Annotated[Limits, Depends(limits_of)]


def current_principal(
    request: Request,
    database: DatabaseDep,
    settings: SettingsDep,
    client: ClientDep,
    limits: LimitsDep,
    _documented: Annotated[object, Depends(_bearer)],
) -> Principal:
    """The person asking, read from the database for this request: by access token or API key, else cookie.

    Raises:
        NotSignedIn: neither is good.
        NotAllowed: a page of another site sent the browser here.
        TooMany: the person asks too often.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme:
        # Whoever sends a token means it: never fall back to a cookie.
        is_bearer = scheme.lower() == "bearer"
        principal = _principal_of_token(database, token.strip(), client) if is_bearer else None
    else:
        principal = _principal_of_browser(request, database, settings)
    if principal is None:
        limits.by_address.take(client.ip)
        raise NotSignedIn("Sign in first: send an access token as `Authorization: Bearer ...`.")
    limits.by_principal.take(principal.user_id)
    sessions.keep_alive(database, principal)
    return replace(principal, ip=client.ip)


def _principal_of_token(database: Database, token: str, client: Client) -> Principal | None:
    """By an access token, or by an API key, which says what it is."""
    if token.startswith(api_keys.PREFIX):
        return api_keys.read_principal(database, token, client)
    return run_read(database, lambda s: sessions.principal_from_token(s, token))


CurrentPrincipal = Annotated[Principal, Depends(current_principal)]


def _principal_of_browser(request: Request, database: Database, settings: Settings) -> Principal | None:
    cookie = request.headers.get("cookie", "")
    if not cookie:
        return None
    principal = run_read(database, lambda s: sessions.principal_from_cookie(s, cookie))
    if principal is not None and request.method not in SAFE_METHODS:
        require_own_origin(request, settings)
    return principal


def require_own_origin(request: Request, settings: SettingsDep) -> None:
    """Refuse what another site made the browser send.

    Raises:
        NotAllowed: the Origin header is missing or foreign.
    """
    origin = request.headers.get("origin")
    if not origins.is_own_origin(settings, origin):
        raise NotAllowed(
            f"This request did not come from a page of {settings.effective_public_url}. "
            "If you opened the console at another address, set CONTENTCASTER_PUBLIC_URL to it."
        )


def limit_address(client: ClientDep, limits: LimitsDep) -> None:
    """Slow down calls that come before anybody is known.

    Raises:
        TooMany: the address asks too often.
    """
    limits.by_address.take(client.ip)


def require(permission: Permission) -> Callable[[Principal], Principal]:
    """A dependency: the principal, whose role must hold `permission` (the services check again)."""

    def check(principal: CurrentPrincipal) -> Principal:
        principal.require(permission)
        return principal

    return check
