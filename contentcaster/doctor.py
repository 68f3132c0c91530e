"""`contentcaster doctor`: looks at what must be right for publishing, and says what to do where it is not."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from contentcaster import migrations
from contentcaster.clock import utc_now
from contentcaster.db import Database
from contentcaster.engine import heartbeat
from contentcaster.errors import Unavailable
from contentcaster.security.vault import create_vault
from contentcaster.services import audit_chain
from contentcaster.settings import QUEUES, Settings, SettingsError
from tasks.hint_queue import is_reachable
from tasks.runtime import huey_of

_CLOCK_TOLERANCE_SECONDS = 1.0
_LOW_DISK_BYTES = 1_000_000_000


@dataclass(frozen=True)
class Finding:
    """One look: what it was at, how it is, and what to do if it is not well."""

    check: str
    level: Literal["ok", "warn", "bad"]
    sentence: str


def examine(settings: Settings, database: Database) -> list[Finding]:
    """All findings, in the order in which an operator would look."""
    findings: list[Finding] = []
    for check in (_database, _clock, _timing, _queues, _workers, _public_url, _keys, _audit_log, _disk):
        try:
            findings.extend(check(settings, database))
        except Unavailable as error:
            findings.append(Finding(check.__name__.strip("_"), "bad", error.message))
    return findings


Check = Callable[[Settings, Database], Iterator[Finding]]


def _database(settings: Settings, database: Database) -> Iterator[Finding]:
    database.ping()
    kind = "Postgres" if database.is_postgres else "SQLite"
    if migrations.is_current(database):
        yield Finding("database", "ok", f"{kind} answers and is at this version.")
    else:
        yield Finding("database", "bad", f"{kind} is at another version. Run `contentcaster migrate`.")


def _clock(settings: Settings, database: Database) -> Iterator[Finding]:
    before = utc_now()
    with database.reading() as session:
        told = heartbeat.read_clock(session)
    after = utc_now()
    off = max((before - told).total_seconds(), (told - after).total_seconds(), 0.0)
    if off <= _CLOCK_TOLERANCE_SECONDS:
        yield Finding("clock", "ok", "This machine's clock and the database's agree.")
    else:
        yield Finding(
            "clock",
            "warn",
            f"This machine's clock and the database's differ by {off:.1f} s; set up NTP on both.",
        )


def _timing(settings: Settings, database: Database) -> Iterator[Finding]:
    if settings.settles_too_soon:
        yield Finding(
            "timing",
            "warn",
            "SETTLE_SECONDS is not greater than SEND_DEADLINE_SECONDS: a post could be looked up, not found and sent "
            "again while its first request is still under way.",
        )


def _queues(settings: Settings, database: Database) -> Iterator[Finding]:
    kind = "Redis" if settings.redis_url else "The SQLite queue"
    silent = [queue for queue in QUEUES if not is_reachable(huey_of(queue))]
    if silent:
        yield Finding(
            "queue",
            "warn",
            f"{kind} does not answer for: {', '.join(silent)}. Posts still go out from the database.",
        )
    else:
        yield Finding("queue", "ok", f"{kind} answers.")


def _workers(settings: Settings, database: Database) -> Iterator[Finding]:
    with database.reading() as session:
        view = heartbeat.read_heartbeat(session)
    yield Finding("workers", view.level, view.sentence)


def _public_url(settings: Settings, database: Database) -> Iterator[Finding]:
    url = urlsplit(settings.effective_public_url)
    is_local = url.hostname in ("127.0.0.1", "localhost", "::1")
    if url.scheme == "https" or is_local:
        yield Finding("public URL", "ok", f"People reach the console at {settings.effective_public_url}.")
    else:
        yield Finding(
            "public URL",
            "warn",
            "PUBLIC_URL is plain http: sign-in cookies travel unprotected. Put TLS in front.",
        )


def _keys(settings: Settings, database: Database) -> Iterator[Finding]:
    try:
        create_vault(settings)
    except SettingsError as error:
        yield Finding("keys", "bad", str(error))
        return
    folder = settings.data_dir / "keys"
    loose = [path.name for path in folder.glob("*") if stat.S_IMODE(path.stat().st_mode) & 0o077]
    if loose:
        yield Finding("keys", "bad", f"Others can read {', '.join(loose)} in {folder}; set mode 0600.")
    else:
        yield Finding("keys", "ok", "The key ring opens.")


def _audit_log(settings: Settings, database: Database) -> Iterator[Finding]:
    with database.reading() as session:
        if audit_chain.can_continue(session):
            yield Finding(
                "audit log", "ok", "The audit log's key opens; `contentcaster audit verify` checks it."
            )
        else:
            yield Finding(
                "audit log",
                "bad",
                "ENCRYPTION_KEYS does not hold the audit log's key: acts that are recorded are refused. "
                "Put the key back that was in use.",
            )


def _disk(settings: Settings, database: Database) -> Iterator[Finding]:
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    free = shutil.disk_usage(settings.data_dir).free
    if not os.access(settings.data_dir, os.W_OK):
        yield Finding("disk", "bad", f"{settings.data_dir} cannot be written.")
    elif free < _LOW_DISK_BYTES:
        yield Finding("disk", "warn", f"Only {free / 1e6:.0f} MB are free in {settings.data_dir}.")
    else:
        yield Finding("disk", "ok", f"{free / 1e9:.0f} GB are free in {settings.data_dir}.")
