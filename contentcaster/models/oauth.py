"""OAuth: the operator's apps at the networks, and each attempt to connect through one of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from contentcaster.clock import utc_now
from contentcaster.models.types import UTCDateTime, json_type, long_text, new_id, short_text


class OAuthApp(SQLModel, table=True):
    """A client id and secret: pasted by an admin, or given by a server that lets apps register themselves."""

    __tablename__ = "oauth_app"
    __table_args__ = (UniqueConstraint("platform", "server_url", name="uq_oauth_app_platform"),)

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    platform: str = Field(sa_type=short_text(40))
    server_url: str = Field(default="", sa_type=short_text(255))
    client_id: str = Field(sa_type=short_text(255))
    client_secret_encrypted: str = Field(sa_type=long_text())
    redirect_uri: str = Field(sa_type=long_text())
    """The one that a server was told when it registered us; another one needs another registration."""
    created_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
    updated_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)


class OAuthAttempt(SQLModel, table=True):
    """One trip of a browser to a network and back; its state is good for one use."""

    __tablename__ = "oauth_attempt"

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    state_hash: str = Field(sa_type=short_text(64), unique=True)
    """SHA-256 of the state, which only the browser carries."""
    user_id: str = Field(foreign_key="app_user.id", index=True, ondelete="CASCADE", max_length=26)
    session_id: str = Field(default="", sa_type=short_text(26))
    """The browser session that started it and must end it; "" where a program started it for its user."""
    platform: str = Field(sa_type=short_text(40))
    server_url: str = Field(default="", sa_type=short_text(255))
    redirect_uri: str = Field(sa_type=long_text())
    verifier_encrypted: str = Field(sa_type=long_text())
    """The PKCE verifier, sealed; emptied once it was used."""
    values: dict[str, Any] = Field(default_factory=dict, sa_type=json_type())
    is_shared: bool = True
    status: str = Field(default="pending", sa_type=short_text(20))
    """pending | working | connected | failed"""
    message: str = Field(default="", sa_type=long_text())
    granted: list[str] = Field(default_factory=list, sa_type=json_type())
    account_id: str | None = Field(default=None, max_length=26)
    created_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime, index=True)
    expires_at: datetime = Field(sa_type=UTCDateTime)
