"""OAuth: the operator's apps, the start of a login, and the address that networks send browsers back to."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ConfigDict, Field

from contentcaster.api.deps import (
    ClientDep,
    CurrentPrincipal,
    DatabaseDep,
    LimitsDep,
    SettingsDep,
    limit_address,
    run_read,
    run_write,
)
from contentcaster.errors import ContentCasterError, NotAllowed
from contentcaster.security import sessions
from contentcaster.services import oauth, oauth_apps
from contentcaster.services.oauth import AttemptView, OAuthRefused, Started
from contentcaster.services.oauth_apps import OAuthNetworkView

router = APIRouter(prefix="/oauth", tags=["oauth"])
browser_router = APIRouter(prefix="/oauth", include_in_schema=False)


class OAuthNetworkList(BaseModel):
    items: list[OAuthNetworkView]


class OAuthAppIn(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"client_id": "abc", "client_secret": "..."}]}
    )

    client_id: str = Field(max_length=255)
    client_secret: str = Field(default="", max_length=500, description="Empty: keep the one that is stored.")


@router.get("")
def list_networks(principal: CurrentPrincipal, database: DatabaseDep) -> OAuthNetworkList:
    """Networks that are connected by OAuth: the redirect URI to register, the scopes asked, whether an app is kept."""
    return OAuthNetworkList(
        items=run_read(database, lambda session: oauth_apps.list_networks(session, principal))
    )


@router.put("/{platform}/app")
def save_app(
    platform: str, body: OAuthAppIn, principal: CurrentPrincipal, database: DatabaseDep
) -> OAuthNetworkView:
    """Keep the operator's own app; the secret is stored encrypted and never given back."""
    return run_write(
        database,
        lambda session: oauth_apps.save_app(
            session, principal, platform, client_id=body.client_id, client_secret=body.client_secret
        ),
    )


@router.delete("/{platform}/app", status_code=204)
def delete_app(platform: str, principal: CurrentPrincipal, database: DatabaseDep) -> Response:
    """Forget the operator's app. Channels that are connected stay so."""
    run_write(database, lambda session: oauth_apps.delete_app(session, principal, platform))
    return Response(status_code=204)


@router.get("/{platform}/start", response_model=Started)
async def start(
    request: Request,
    platform: str,
    principal: CurrentPrincipal,
    database: DatabaseDep,
    instance_url: Annotated[str, Query(max_length=255, description="Mastodon: the server.")] = "",
    organization: Annotated[str, Query(max_length=100, description="LinkedIn page: its number.")] = "",
    is_shared: bool = True,
) -> Response | Started:
    """Begin a login. A program gets the address to open in a browser in which the same person is signed in; a browser
    is sent there."""
    is_browser = "authorization" not in request.headers
    if is_browser and request.headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        raise NotAllowed("A login is started from the console, not from another site.")
    values = {"instance_url": instance_url, "organization": organization}
    started = await oauth.start(
        database, principal, platform, values, is_shared=is_shared, is_browser=is_browser
    )
    if is_browser and "text/html" in request.headers.get("accept", ""):
        return RedirectResponse(started.authorization_url, status_code=303)
    return started


@router.get("/attempts/{attempt_id}")
def read_attempt(attempt_id: str, principal: CurrentPrincipal, database: DatabaseDep) -> AttemptView:
    """What became of a login that you started."""
    return run_read(database, lambda session: oauth.read_attempt(session, principal, attempt_id))


@browser_router.get("/{platform}/callback")
@browser_router.get("/{platform}/callback/{server_key}")
async def callback(
    request: Request,
    platform: str,
    database: DatabaseDep,
    settings: SettingsDep,
    client: ClientDep,
    limits: LimitsDep,
    server_key: str = "",
) -> RedirectResponse:
    """The browser is back from the network. Goes on to the Channels page, which says what became of it."""
    query = request.query_params
    try:
        limit_address(client, limits)
        cookie = request.headers.get("cookie", "")
        principal = (
            run_read(database, lambda s: sessions.principal_from_cookie(s, cookie)) if cookie else None
        )
        if principal is None:
            return _to_channels({"refused": "foreign"})
        path = f"/oauth/{platform}/callback" + (f"/{server_key}" if server_key else "")
        attempt = await oauth.finish(
            database,
            principal,
            redirect_uri=settings.effective_public_url + path,
            state=query.get("state", ""),
            code=query.get("code", "")[:2000],
            error=query.get("error", "")[:100],
        )
    except OAuthRefused as error:
        return _to_channels({"refused": error.reason})
    except ContentCasterError as error:
        return _to_channels({"refused": error.code})
    return _to_channels({"attempt": attempt.id})


def _to_channels(query: dict[str, str]) -> RedirectResponse:
    return RedirectResponse(
        f"/channels?{urlencode(query)}", status_code=303, headers={"Cache-Control": "no-store"}
    )
