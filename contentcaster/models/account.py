"""Channel accounts: one login at one network that posts go out through."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from contentcaster.clock import utc_now
from contentcaster.models.types import UTCDateTime, json_type, long_text, new_id, short_text, text_enum


class AccountStatus(StrEnum):
    CONNECTED = "connected"
    REAUTHORISE = "reauthorise"  # the network refused the token; a person must connect again
    DISABLED = "disabled"  # switched off by a person


class Account(SQLModel, table=True):
    __tablename__ = "account"
    __table_args__ = (
        Index(
            "uq_account_remote",
            "platform",
            "instance_url",
            "remote_id",
            unique=True,
            postgresql_where=text("deleted_at IS NULL"),
            sqlite_where=text("deleted_at IS NULL"),
        ),
    )

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    platform: str = Field(sa_type=short_text(40))
    instance_url: str = Field(default="", sa_type=short_text(255))
    remote_id: str = Field(sa_type=short_text(255))
    handle: str = Field(sa_type=short_text(255))
    display_name: str = Field(default="", sa_type=short_text(255))
    profile_url: str = Field(default="", sa_type=long_text())
    owner_id: str = Field(foreign_key="app_user.id", index=True, max_length=26)
    is_shared: bool = True
    """Every creator may post through it; else only its owner and admins."""
    status: AccountStatus = Field(default=AccountStatus.CONNECTED, sa_type=text_enum(AccountStatus))
    status_reason: str = Field(default="", sa_type=long_text())
    credentials_encrypted: str = Field(sa_type=long_text())
    token_expires_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """When a person must connect again; None where the login lasts or renews itself."""
    renewal_owner: str | None = Field(default=None, sa_type=short_text(26))
    """Who is renewing the login at the network now, until `renewal_until`: one at a time."""
    renewal_until: datetime | None = Field(default=None, sa_type=UTCDateTime)
    limits: dict[str, Any] = Field(default_factory=dict, sa_type=json_type())
    """What the network said of itself when connecting (max_characters, software, ...)."""
    rate_limited_until: datetime | None = Field(default=None, sa_type=UTCDateTime)
    created_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
    checked_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    deleted_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    version: int = 1
