"""How people and programs prove who they are: second factors, API keys, and counters that slow down guessing."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field, SQLModel

from contentcaster.clock import utc_now
from contentcaster.models.types import UTCDateTime, json_type, long_text, new_id, short_text


class SignInThrottle(SQLModel, table=True):
    """How often a password was tried in a window of time, for one address, one account, or the pair."""

    __tablename__ = "sign_in_throttle"

    key: str = Field(primary_key=True, max_length=80)
    """What is counted and its SHA-256: neither email nor IP address in plain."""
    tries: int
    window_ends_at: datetime = Field(sa_type=UTCDateTime, index=True)


class UserTotp(SQLModel, table=True):
    """A person's authenticator app (RFC 6238); counts only once a first code has confirmed it."""

    __tablename__ = "user_totp"

    user_id: str = Field(primary_key=True, foreign_key="app_user.id", ondelete="CASCADE", max_length=26)
    secret_encrypted: str = Field(sa_type=long_text())
    created_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
    confirmed_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    last_step: int = 0
    """The time step of the latest code that was accepted: none at or before it is accepted again."""


class RecoveryCode(SQLModel, table=True):
    """Stands in for the authenticator app once."""

    __tablename__ = "recovery_code"

    code_hash: str = Field(primary_key=True, max_length=64)
    user_id: str = Field(foreign_key="app_user.id", index=True, ondelete="CASCADE", max_length=26)
    used_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class ApiKey(SQLModel, table=True):
    """A program's key: acts as its owner, with at most these permissions, until it expires."""

    __tablename__ = "api_key"

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    user_id: str = Field(foreign_key="app_user.id", index=True, ondelete="CASCADE", max_length=26)
    name: str = Field(sa_type=short_text(80))
    key_hash: str = Field(sa_type=short_text(64), unique=True)
    hint: str = Field(sa_type=short_text(16))
    """The key's beginning, so that people can tell theirs apart."""
    permissions: list[str] = Field(default_factory=list, sa_type=json_type())
    created_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
    expires_at: datetime = Field(sa_type=UTCDateTime)
    last_used_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    last_used_ip: str = Field(default="", sa_type=short_text(64))
    revoked_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
