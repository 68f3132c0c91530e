"""People, for admins."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from contentcaster.api.deps import CurrentPrincipal, DatabaseDep, run_read, run_write
from contentcaster.services import users
from contentcaster.services.users import UserView

router = APIRouter(prefix="/users", tags=["users"])


class UserOut(BaseModel):
    id: str
    email: str
    name: str
    role: str
    is_active: bool
    needs_approval: bool
    timezone: str
    created_at: datetime
    last_seen_at: datetime | None
    version: int
    has_second_factor: bool


class UserPage(BaseModel):
    items: list[UserOut]
    next_cursor: str = Field(description="Send it as `cursor` for the next page; empty on the last one.")


class NewUser(BaseModel):
    model_config = ConfigDict(extra="forbid")

    email: str
    name: str
    role: str = Field(description="admin, creator, monitor or viewer")
    password: str = Field(max_length=1024, description="A first password; at least 12 characters.")
    timezone: str = "UTC"
    needs_approval: bool = False


class UserChange(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str | None = None
    role: str | None = None
    is_active: bool | None = None
    needs_approval: bool | None = None
    version: int | None = Field(default=None, description="Refused if the person changed since this version.")


class PasswordReset(BaseModel):
    model_config = ConfigDict(extra="forbid")

    password: str = Field(max_length=1024)


@router.get("")
def list_users(
    principal: CurrentPrincipal,
    database: DatabaseDep,
    search: Annotated[str, Query(max_length=200)] = "",
    cursor: Annotated[str, Query(max_length=320)] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 100,
) -> UserPage:
    """People in the order of their addresses."""
    page = run_read(
        database, lambda s: users.list_users(s, principal, search=search, cursor=cursor, limit=limit)
    )
    return UserPage(items=[_out(user) for user in page.items], next_cursor=page.next_cursor)


@router.post("", status_code=201)
def create_user(
    body: NewUser, principal: CurrentPrincipal, database: DatabaseDep, response: Response
) -> UserOut:
    """Add a person with a first password."""
    user = users.create_user(database, principal, **body.model_dump())
    response.headers["Location"] = f"/api/v1/users/{user.id}"
    return _out(user)


@router.get("/{user_id}")
def get_user(user_id: str, principal: CurrentPrincipal, database: DatabaseDep) -> UserOut:
    """One person."""
    return _out(run_read(database, lambda s: users.get_user(s, principal, user_id)))


@router.patch("/{user_id}")
def change_user(
    user_id: str, body: UserChange, principal: CurrentPrincipal, database: DatabaseDep
) -> UserOut:
    """Change a person; a new role or disabling signs them out everywhere."""
    change = body.model_dump()
    return _out(run_write(database, lambda s: users.update_user(s, principal, user_id, **change)))


@router.post("/{user_id}/password", status_code=204)
def reset_password(
    user_id: str, body: PasswordReset, principal: CurrentPrincipal, database: DatabaseDep
) -> Response:
    """Give a person a new password and sign them out everywhere."""
    users.reset_password(database, principal, user_id, password=body.password)
    return Response(status_code=204)


def _out(user: UserView) -> UserOut:
    return UserOut.model_validate(asdict(user))
