"""People, their sessions, and the one-time link that makes the first admin."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlmodel import Field, SQLModel

from contentcaster.clock import utc_now
from contentcaster.models.types import UTCDateTime, new_id, short_text, text_enum


class Role(StrEnum):
    ADMIN = "admin"
    CREATOR = "creator"
    MONITOR = "monitor"
    VIEWER = "viewer"


class User(SQLModel, table=True):
    __tablename__ = "app_user"  # "user" is a reserved word in Postgres

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    email: str = Field(sa_type=short_text(320), unique=True)  # stored lower case
    name: str = Field(sa_type=short_text(120))
    role: Role = Field(sa_type=text_enum(Role))
    password_hash: str = Field(sa_type=short_text(255))
    is_active: bool = True
    needs_approval: bool = False
    timezone: str = Field(default="UTC", sa_type=short_text(64))
    created_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
    last_seen_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    version: int = 1


class UserSession(SQLModel, table=True):
    """One signed-in browser or API client; a token is only as alive as its row."""

    __tablename__ = "user_session"

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    user_id: str = Field(foreign_key="app_user.id", index=True, ondelete="CASCADE", max_length=26)
    kind: str = Field(default="browser", sa_type=short_text(16))  # browser | api
    refresh_hash: str | None = Field(default=None, sa_type=short_text(64), unique=True)
    created_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
    last_seen_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
    expires_at: datetime = Field(sa_type=UTCDateTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    ip: str = Field(default="", sa_type=short_text(64))
    user_agent: str = Field(default="", sa_type=short_text(300))


class Invitation(SQLModel, table=True):
    """A link with which somebody makes their own account, once, with the role that was chosen for them."""

    __tablename__ = "invitation"

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    token_hash: str = Field(sa_type=short_text(64), unique=True)
    email: str = Field(default="", sa_type=short_text(320))
    """Whom it is for; "" when whoever has the link may use it."""
    role: Role = Field(sa_type=text_enum(Role))
    needs_approval: bool = False
    created_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
    created_by: str = Field(default="", sa_type=short_text(320))
    expires_at: datetime = Field(sa_type=UTCDateTime)
    accepted_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    accepted_by: str = Field(default="", sa_type=short_text(320))
    """The address of the account that was made with it."""
    revoked_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class OneTimeToken(SQLModel, table=True):
    """A link that works once: the first admin's set-up, later invitations and password resets."""

    __tablename__ = "one_time_token"

    token_hash: str = Field(primary_key=True, max_length=64)
    purpose: str = Field(sa_type=short_text(32))
    user_id: str | None = Field(default=None, foreign_key="app_user.id", ondelete="CASCADE", max_length=26)
    created_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
    expires_at: datetime = Field(sa_type=UTCDateTime)
    used_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
