"""The only reader of the wall clock in Python code; SQL reads the database's (models/types.py)."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_now() -> datetime:
    """The current time, aware, in UTC."""
    return datetime.now(UTC)
