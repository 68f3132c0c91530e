"""Slows down guessing of passwords: counters per pair of account and address, per account, and per address.

They live in the database, so neither a restart nor a second web process gives new tries. A try is counted before the
password is looked at, so that many at the same time gain nothing; a right password gives its try back. Accounts that
do not exist count the same, so the answer tells nobody which ones do.
"""

from __future__ import annotations

import hashlib
import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import case
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, delete, update

from contentcaster.clock import utc_now
from contentcaster.errors import TooMany
from contentcaster.models import SignInThrottle


@dataclass(frozen=True)
class Limit:
    """At most `tries` in a window of `window`."""

    tries: int
    window: timedelta


PAIR = Limit(10, timedelta(minutes=15))
ADDRESS = Limit(50, timedelta(minutes=15))
ACCOUNT = Limit(100, timedelta(hours=1))
"""High, because anybody can reach it for anybody's account; the pair stops an ordinary guesser long before."""


def count_try(session: Session, *, email: str, ip: str) -> None:
    """Count one try; commit it before checking the password.

    Raises:
        TooMany: a limit is reached. Nothing is counted then, so waiting is enough.
    """
    now = utc_now()
    session.execute(
        delete(SignInThrottle).where(col(SignInThrottle.window_ends_at) < now - timedelta(days=1))
    )
    for key, limit in _counters(email, ip):
        tries, window_ends_at = _add_one(session, key, limit, now)
        if tries > limit.tries:
            seconds = max(1.0, (window_ends_at - now).total_seconds())
            minutes = int(seconds // 60) + 1
            raise TooMany(
                f"Too many tries. Wait {minutes} minute{'s' if minutes != 1 else ''}, then try again.",
                retry_after_seconds=seconds,
            )


def give_back(session: Session, *, email: str, ip: str) -> None:
    """The password was right: forget the pair's tries and take this one off the other counters."""
    pair, *others = [key for key, _ in _counters(email, ip)]
    session.execute(delete(SignInThrottle).where(col(SignInThrottle.key) == pair))
    for key in others:  # one by one, in the order of count_try, so that two of us never wait for each other
        counted = (col(SignInThrottle.key) == key) & (col(SignInThrottle.tries) > 0)
        session.execute(update(SignInThrottle).where(counted).values(tries=col(SignInThrottle.tries) - 1))


def _counters(email: str, ip: str) -> list[tuple[str, Limit]]:
    network = _network(ip)
    return [
        (_key("pair", f"{email}\n{network}"), PAIR),
        (_key("account", email), ACCOUNT),
        (_key("address", network), ADDRESS),
    ]


def _key(kind: str, value: str) -> str:
    return f"{kind}:{hashlib.sha256(value.encode()).hexdigest()}"


def _network(ip: str) -> str:
    """The address itself; for IPv6 its /64, which one person has to himself."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return ip
    return str(ipaddress.ip_network(f"{ip}/64", strict=False)) if address.version == 6 else ip


def _add_one(session: Session, key: str, limit: Limit, now: datetime) -> tuple[int, datetime]:
    dialect: Any = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    table = SignInThrottle.__table__
    ends_at = now + limit.window
    has_lapsed = table.c.window_ends_at <= now
    statement = (
        dialect.insert(table)
        .values(key=key, tries=1, window_ends_at=ends_at)
        .on_conflict_do_update(
            index_elements=["key"],
            set_={
                "tries": case((has_lapsed, 1), else_=table.c.tries + 1),
                "window_ends_at": case((has_lapsed, ends_at), else_=table.c.window_ends_at),
            },
        )
        .returning(table.c.tries, table.c.window_ends_at)
    )
    tries, window_ends_at = session.execute(statement).one()
    return int(tries), window_ends_at
