"""Tokens for API clients, and who one is."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from contentcaster.api.deps import (
    ClientDep,
    CurrentPrincipal,
    DatabaseDep,
    limit_address,
    run_read,
    run_write,
)
from contentcaster.services import auth, users
from contentcaster.services.auth import TokenPair
from contentcaster.services.users import UserView

router = APIRouter(tags=["auth"])


class Credentials(BaseModel):
    model_config = ConfigDict(extra="forbid")

    email: str = Field(max_length=320)
    password: str = Field(max_length=1024)
    otp: str | None = Field(
        default=None,
        max_length=32,
        description="The authenticator app's code or a recovery code; the error `otp_required` asks for it.",
    )


class RefreshToken(BaseModel):
    model_config = ConfigDict(extra="forbid")

    refresh_token: str = Field(max_length=1024)


class Tokens(BaseModel):
    access_token: str
    refresh_token: str = Field(description="Works once; each use gives a new one.")
    token_type: str = "bearer"  # noqa: S105 - RFC 6750's name
    expires_in: int = Field(description="Seconds until the access token expires.")


class Me(BaseModel):
    id: str
    email: str
    name: str
    role: str
    timezone: str
    needs_approval: bool
    permissions: list[str]


@router.post("/auth/token", dependencies=[Depends(limit_address)])
def create_token(body: Credentials, database: DatabaseDep, client: ClientDep) -> Tokens:
    """Sign in with email and password, and the second factor where there is one."""
    pair = auth.sign_in_api(
        database, email=body.email, password=body.password, otp=body.otp or "", client=client
    )
    return _tokens(pair)


@router.post("/auth/refresh", dependencies=[Depends(limit_address)])
def refresh_token(body: RefreshToken, database: DatabaseDep, client: ClientDep) -> Tokens:
    """Exchange a refresh token for new tokens; using one twice ends the session."""
    return _tokens(auth.refresh(database, refresh_token=body.refresh_token, client=client))


@router.post("/auth/logout", status_code=204)
def log_out(principal: CurrentPrincipal, database: DatabaseDep) -> Response:
    """End this session: its access and refresh tokens stop working at once."""
    run_write(database, lambda s: auth.sign_out(s, principal))
    return Response(status_code=204)


@router.get("/me")
def read_me(principal: CurrentPrincipal, database: DatabaseDep) -> Me:
    """Who the token belongs to and what they may do."""
    return _me(run_read(database, lambda s: users.get_profile(s, principal)), principal)


class ProfileChange(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str | None = None
    timezone: str | None = Field(default=None, description="IANA name, e.g. Europe/Berlin.")


@router.patch("/me")
def change_me(body: ProfileChange, principal: CurrentPrincipal, database: DatabaseDep) -> Me:
    """Change one's own name and time zone."""
    change = run_write(
        database, lambda s: users.update_profile(s, principal, name=body.name, timezone=body.timezone)
    )
    return _me(change, principal)


class PasswordChange(BaseModel):
    model_config = ConfigDict(extra="forbid")

    current_password: str = Field(max_length=1024)
    new_password: str = Field(max_length=1024)


@router.post("/me/password", status_code=204, dependencies=[Depends(limit_address)])
def change_password(body: PasswordChange, principal: CurrentPrincipal, database: DatabaseDep) -> Response:
    """Change one's own password; all other sessions end."""
    users.change_password(
        database, principal, current_password=body.current_password, new_password=body.new_password
    )
    return Response(status_code=204)


def _me(user: UserView, principal: CurrentPrincipal) -> Me:
    return Me(
        id=user.id,
        email=user.email,
        name=user.name,
        role=user.role,
        timezone=user.timezone,
        needs_approval=user.needs_approval,
        permissions=sorted(principal.permissions),
    )


def _tokens(pair: TokenPair) -> Tokens:
    return Tokens(
        access_token=pair.access_token, refresh_token=pair.refresh_token, expires_in=pair.expires_in_seconds
    )
