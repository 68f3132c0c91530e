"""`contentcaster doctor`: looks at what must be right for publishing, and says what to do where it is not."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from sqlalchemy import func
from sqlalchemy.exc import DBAPIError
from sqlmodel import select

from contentcaster import migrations
from contentcaster.clock import utc_now
from contentcaster.db import Database
from contentcaster.engine import heartbeat
from contentcaster.errors import Unavailable
from contentcaster.models import AuditEvent
from contentcaster.security import sessions
from contentcaster.security.keys import key_ring
from contentcaster.security.permissions import SYSTEM
from contentcaster.security.vault import create_vault, opens_nothing
from contentcaster.services import audit_chain, oauth_apps
from contentcaster.settings import QUEUES, Settings, SettingsError
from tasks.hint_queue import is_reachable
from tasks.runtime import hueys_of

_CLOCK_TOLERANCE_SECONDS = 1.0
_LOW_DISK_BYTES = 1_000_000_000
_OLD_BACKUP_DAYS = 7


@dataclass(frozen=True)
class Finding:
    """One look: what it was at, how it is, and what to do if it is not well."""

    check: str
    level: Literal["ok", "warn", "bad"]
    sentence: str


def examine(settings: Settings, database: Database) -> list[Finding]:
    """All findings, in the order in which an operator would look."""
    findings: list[Finding] = []
    for name, check in CHECKS.items():
        try:
            findings.extend(check(settings, database))
        except Unavailable as error:
            findings.append(Finding(name, "bad", f"Not checked: {error.message}"))
        except DBAPIError:
            if name == "database":
                raise
            findings.append(
                Finding(name, "bad", "Not checked: its tables are not there as this version expects.")
            )
    return findings


Check = Callable[[Settings, Database], Iterator[Finding]]


def _database(settings: Settings, database: Database) -> Iterator[Finding]:
    database.ping()
    kind = "Postgres" if database.is_postgres else "SQLite"
    if migrations.is_current(database):
        yield Finding("database", "ok", f"{kind} answers and is at this version.")
    elif migrations.is_usable(database):
        yield Finding(
            "database",
            "warn",
            f"{kind} was migrated by a newer version. This one works with it; start the newer one when it is ready.",
        )
    else:
        yield Finding("database", "bad", f"{kind} is at an earlier version. Run `contentcaster migrate`.")


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
    silent = [queue for queue in QUEUES if not all(map(is_reachable, hueys_of(queue)))]
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


def _cookies(settings: Settings, database: Database) -> Iterator[Finding]:
    url = urlsplit(settings.effective_public_url)
    if url.path.strip("/") or url.query:
        yield Finding(
            "cookies",
            "bad",
            f"PUBLIC_URL names a path ({url.path}). The console lives at the root of a host of its own, where its "
            "sign-in cookies and addresses hold. Give it a host name without a path.",
        )
        return
    try:
        key_ring(settings, "jwt")
    except SettingsError as error:
        yield Finding("cookies", "bad", f"Nobody can sign in: {error}")
        return
    name = sessions.cookie_name(settings)
    if name.startswith("__Host-"):
        yield Finding("cookies", "ok", f"Sign-in cookies are {name}: only over TLS, only for this host.")
    else:
        yield Finding(
            "cookies", "ok", f"Sign-in cookies are {name}, without TLS, as fits a try on {url.hostname}."
        )


def _proxy(settings: Settings, database: Database) -> Iterator[Finding]:
    if settings.environment != "production" or settings.trusted_proxies:
        return
    yield Finding(
        "proxy",
        "warn",
        "TRUSTED_PROXIES is empty: behind a proxy all visitors count as one, so that one who guesses passwords locks "
        "out the others, and the audit log names the proxy. Set it to the proxy's address.",
    )


def _redirects(settings: Settings, database: Database) -> Iterator[Finding]:
    with database.reading() as session:
        networks = [network for network in oauth_apps.list_networks(session, SYSTEM) if network.client_id]
    for network in networks:
        if network.redirect_warning:
            yield Finding("redirects", "warn", f"{network.name}: {network.redirect_warning}")
        else:
            yield Finding(
                "redirects", "ok", f"The app at {network.name} must allow exactly {network.redirect_uri}"
            )


def _console_state(settings: Settings, database: Database) -> Iterator[Finding]:
    if not settings.console_redis_url:
        return
    import redis  # noqa: PLC0415 - the simulation does without it

    client = redis.Redis.from_url(settings.console_redis_url, socket_connect_timeout=2, socket_timeout=2)
    try:
        with client:
            client.ping()
            client.config_get("notify-keyspace-events")
        is_open = True
    except redis.ResponseError:
        is_open = False  # a managed Redis that does not let its configuration be seen or set
    except redis.RedisError as error:
        yield Finding(
            "console",
            "bad",
            f"CONSOLE_REDIS_URL does not answer ({type(error).__name__}): pages cannot be shown, posts go out all the "
            "same. Start that Redis, or unset the setting and run one web process.",
        )
        return
    if not is_open:
        yield Finding(
            "console",
            "warn",
            "The Redis of CONSOLE_REDIS_URL hides its configuration: set notify-keyspace-events to K$sgxe there "
            "yourself, or a tab may wait ten seconds when two processes serve it.",
        )
    else:
        yield Finding("console", "ok", "The Redis of the console's state answers.")


def _backup(settings: Settings, database: Database) -> Iterator[Finding]:
    if settings.environment != "production":
        return
    with database.reading() as session:
        last = session.exec(select(func.max(AuditEvent.at)).where(AuditEvent.action == "backup.made")).one()
    days = (utc_now() - last).days if last else None
    if days is None:
        yield Finding(
            "backup", "warn", "No backup was made yet. Run `contentcaster backup FILE`, then by a timer."
        )
    elif days > _OLD_BACKUP_DAYS:
        yield Finding(
            "backup", "warn", f"The last backup is {days} days old. Run `contentcaster backup FILE`."
        )
    else:
        yield Finding("backup", "ok", f"The last backup was made {last:%Y-%m-%d %H:%M} UTC.")


def _keys(settings: Settings, database: Database) -> Iterator[Finding]:
    try:
        vault = create_vault(settings)
    except SettingsError as error:
        yield Finding("keys", "bad", str(error))
        return
    with database.reading() as session:
        if opens_nothing(session, vault):
            yield Finding(
                "keys",
                "bad",
                "ENCRYPTION_KEYS opens none of the channels' logins: nothing can be published. Put the keys back that "
                "were in use; without them every channel must be connected again.",
            )
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


CHECKS: dict[str, Check] = {
    "database": _database,
    "clock": _clock,
    "timing": _timing,
    "queue": _queues,
    "workers": _workers,
    "console": _console_state,
    "public URL": _public_url,
    "cookies": _cookies,
    "proxy": _proxy,
    "redirects": _redirects,
    "keys": _keys,
    "audit log": _audit_log,
    "backup": _backup,
    "disk": _disk,
}
"""What is looked at, in this order; a check that does not concern an installation finds nothing."""
