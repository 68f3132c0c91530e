"""Notifications: one's own inbox, and what one wants to be told."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from contentcaster.api.deps import CurrentPrincipal, DatabaseDep, run_read, run_write
from contentcaster.models import NotificationKind
from contentcaster.services import notifications
from contentcaster.services.notifications import NotificationView, PreferenceView

router = APIRouter(prefix="/notifications", tags=["notifications"])


class NotificationPage(BaseModel):
    items: list[NotificationView]
    unread: int
    next_cursor: str = Field(description="Send it as `cursor` for the next page; empty on the last one.")


class PreferenceList(BaseModel):
    items: list[PreferenceView]


class ReadRequest(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"ids": None}]})

    ids: list[Annotated[str, Field(max_length=26)]] | None = Field(
        default=None, max_length=1000, description="Absent: all of them."
    )


class ReadAnswer(BaseModel):
    marked: int


class Wish(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"in_app": True, "email": False}]}
    )

    in_app: bool
    email: bool


@router.get("")
def list_notifications(
    principal: CurrentPrincipal,
    database: DatabaseDep,
    unread: Annotated[bool, Query(description="Only what is unread.")] = False,
    cursor: Annotated[str, Query(max_length=200)] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> NotificationPage:
    """One's own notifications, newest first."""
    page = run_read(
        database,
        lambda session: notifications.list_notifications(
            session, principal, unread_only=unread, cursor=cursor, limit=limit
        ),
    )
    count = run_read(database, lambda session: notifications.count_unread(session, principal))
    return NotificationPage(items=page.items, unread=count, next_cursor=page.next_cursor)


@router.post("/read")
def mark_read(body: ReadRequest, principal: CurrentPrincipal, database: DatabaseDep) -> ReadAnswer:
    """Mark some or all as read."""
    return ReadAnswer(
        marked=run_write(database, lambda session: notifications.mark_read(session, principal, body.ids))
    )


@router.get("/preferences")
def list_preferences(principal: CurrentPrincipal, database: DatabaseDep) -> PreferenceList:
    """Which kinds one wants in the inbox and by mail."""
    return PreferenceList(
        items=run_read(database, lambda session: notifications.list_preferences(session, principal))
    )


@router.put("/preferences/{kind}")
def set_preference(
    kind: NotificationKind, body: Wish, principal: CurrentPrincipal, database: DatabaseDep
) -> PreferenceList:
    """Choose for one kind."""
    run_write(
        database,
        lambda session: notifications.set_preference(
            session, principal, kind, in_app=body.in_app, email=body.email
        ),
    )
    return list_preferences(principal, database)
