"""API keys and two-factor sign-in: each person's own, and what admins see and take back."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from contentcaster.api.deps import CurrentPrincipal, DatabaseDep, limit_address, run_read, run_write
from contentcaster.services import api_keys, second_factor

router = APIRouter(tags=["auth"])


class ApiKeyOut(BaseModel):
    id: str
    name: str
    hint: str = Field(description="The key's beginning.")
    owner: str
    permissions: list[str]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    last_used_ip: str
    is_active: bool


class ApiKeyCreated(ApiKeyOut):
    key: str = Field(description="The key itself; shown only this once.")


class NewApiKeyIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=200)
    permissions: list[str] = Field(
        max_length=50, description="What it may do, of one's own permissions in GET /me."
    )
    expires_in_days: int = Field(default=90, ge=1, le=api_keys.MAX_DAYS)


@router.get("/api-keys")
def list_api_keys(
    principal: CurrentPrincipal,
    database: DatabaseDep,
    everyones: Annotated[bool, Query(description="Everybody's, for admins.")] = False,
) -> list[ApiKeyOut]:
    """Keys that were not revoked, the newest first."""
    found = run_read(database, lambda s: api_keys.list_keys(s, principal, is_everyones=everyones))
    return [ApiKeyOut.model_validate(asdict(view)) for view in found]


@router.post("/api-keys", status_code=201)
def create_api_key(body: NewApiKeyIn, principal: CurrentPrincipal, database: DatabaseDep) -> ApiKeyCreated:
    """Make a key that acts as oneself, with at most these permissions. Only a signed-in person can."""
    made = run_write(database, lambda s: api_keys.create_key(s, principal, **body.model_dump()))
    return ApiKeyCreated.model_validate(asdict(made.view) | {"key": made.key})


@router.delete("/api-keys/{key_id}", status_code=204)
def revoke_api_key(key_id: str, principal: CurrentPrincipal, database: DatabaseDep) -> Response:
    """End a key at once."""
    run_write(database, lambda s: api_keys.revoke_key(s, principal, key_id))
    return Response(status_code=204)


class SecondFactorOut(BaseModel):
    is_on: bool
    is_required: bool
    since: datetime | None
    recovery_codes_left: int


class SetupOut(BaseModel):
    secret: str = Field(description="For the authenticator app, base32; shown only this once.")
    uri: str = Field(description="The same as otpauth:// address.")


class Code(BaseModel):
    model_config = ConfigDict(extra="forbid")

    code: str = Field(max_length=40)


class RecoveryCodes(BaseModel):
    recovery_codes: list[str] = Field(description="Each stands in for the app once; shown only now.")


@router.get("/me/second-factor")
def read_second_factor(principal: CurrentPrincipal, database: DatabaseDep) -> SecondFactorOut:
    """Whether one's own sign-in needs a second factor."""
    view = run_read(database, lambda s: second_factor.get_status(s, principal))
    return SecondFactorOut.model_validate(asdict(view))


@router.post("/me/second-factor/setup")
def begin_second_factor(principal: CurrentPrincipal, database: DatabaseDep) -> SetupOut:
    """A secret for an authenticator app; nothing changes until it is confirmed."""
    setup = run_write(database, lambda s: second_factor.begin_setup(s, principal))
    return SetupOut(secret=setup.secret, uri=setup.uri)


@router.post("/me/second-factor/confirm", dependencies=[Depends(limit_address)])
def confirm_second_factor(body: Code, principal: CurrentPrincipal, database: DatabaseDep) -> RecoveryCodes:
    """Turn it on with the app's first code; all other sessions end."""
    codes = run_write(database, lambda s: second_factor.confirm_setup(s, principal, code=body.code))
    return RecoveryCodes(recovery_codes=codes)


@router.post("/me/second-factor/recovery-codes", dependencies=[Depends(limit_address)])
def renew_codes(body: Code, principal: CurrentPrincipal, database: DatabaseDep) -> RecoveryCodes:
    """New recovery codes; the old ones stop working."""
    codes = second_factor.renew_recovery_codes(database, principal, code=body.code)
    return RecoveryCodes(recovery_codes=codes)


@router.post("/me/second-factor/turn-off", status_code=204, dependencies=[Depends(limit_address)])
def turn_off_second_factor(body: Code, principal: CurrentPrincipal, database: DatabaseDep) -> Response:
    """Sign in with the password alone again."""
    second_factor.turn_off(database, principal, code=body.code)
    return Response(status_code=204)


@router.post("/users/{user_id}/second-factor/reset", status_code=204)
def reset_second_factor(user_id: str, principal: CurrentPrincipal, database: DatabaseDep) -> Response:
    """For somebody who lost phone and codes: take it away and sign them out everywhere."""
    run_write(database, lambda s: second_factor.reset(s, principal, user_id))
    return Response(status_code=204)
