"""Counters that slow down guessing of passwords."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field, SQLModel

from contentcaster.models.types import UTCDateTime


class SignInThrottle(SQLModel, table=True):
    """How often a password was tried in a window of time, for one address, one account, or the pair."""

    __tablename__ = "sign_in_throttle"

    key: str = Field(primary_key=True, max_length=80)
    """What is counted and its SHA-256: neither email nor IP address in plain."""
    tries: int
    window_ends_at: datetime = Field(sa_type=UTCDateTime, index=True)
