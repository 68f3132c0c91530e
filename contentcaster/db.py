"""The database: one engine per process, short transactions, and what must happen at their commit.

A transaction collects live topics (`live.note(session, ...)`). On Postgres they leave as a NOTIFY inside the same
commit, so nobody hears of what did not happen; on SQLite they are sent right after it.
"""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import structlog
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlmodel import Session

from contentcaster import live
from contentcaster.errors import ContentCasterError, Unavailable
from contentcaster.settings import Settings, get_settings
from contentcaster.turns import Turns

_BUSY_TIMEOUT_SECONDS = 15
_LOCK_RETRY_SECONDS = (0.001, 0.004)
"""Between two tries at SQLite's lock for writing, by chance, so that processes that wait do not go in step."""
_CONNECT_TIMEOUT_SECONDS = 3


log = structlog.get_logger(__name__)

_BEFORE_COMMIT = "before_commit"
_AFTER_COMMIT = "after_commit"
_DEADLOCK = "40P01"
_DEADLOCK_RETRIES = 3
_DEADLOCK_PAUSE_SECONDS = (0.02, 0.1)
Result = TypeVar("Result")
AfterCommit = Callable[["Database"], object]


def before_commit(session: Session, action: Callable[[Session], object]) -> None:
    """Run `action` as the transaction's last statements, once, however often the same one is given.

    For rows that every transaction of a kind must lock: held only for the commit, nobody waits for another's work
    and no two transactions can wait for each other.
    """
    actions: list[Callable[[Session], object]] = session.info[_BEFORE_COMMIT]
    if action not in actions:
        actions.append(action)


def after_commit(session: Session, action: AfterCommit) -> None:
    """Run `action` once this transaction has committed, outside it."""
    session.info[_AFTER_COMMIT].append(action)


class Database:
    """An engine and the two kinds of transaction: `transaction()` writes, `reading()` does not."""

    def __init__(self, settings: Settings, *, pool_size: int = 10) -> None:
        self.settings = settings
        self.url = settings.effective_database_url
        self.is_postgres = self.url.startswith("postgresql")
        self.engine = _postgres(self.url, pool_size) if self.is_postgres else _sqlite(self.url)
        self._writers = None if self.is_postgres else Turns()
        self._announcer = live.create_announcer(settings)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """One write transaction: commits at the end, rolls back on any exception.

        Raises:
            Unavailable: the database does not answer.
        """
        with self._turn_to_write(), self._session(is_writing=True) as session:
            topics: set[str] = set()
            session.info[live.TOPICS] = topics
            session.info[_BEFORE_COMMIT] = []
            session.info[_AFTER_COMMIT] = []
            yield session
            session.flush()
            for finish in session.info[_BEFORE_COMMIT]:
                finish(session)
            session.flush()
            if topics and self.is_postgres:
                session.execute(text("SELECT pg_notify(:channel, :payload)"), live.notify_arguments(topics))
            session.commit()
            actions: list[AfterCommit] = session.info[_AFTER_COMMIT]
        if topics and not self.is_postgres:
            self._announcer.announce(topics)
        for action in actions:
            try:
                action(self)
            except (
                ContentCasterError,
                DBAPIError,
            ):  # the commit stands; the reconciler does what this would have done
                log.exception("after_commit_failed")

    @contextmanager
    def _turn_to_write(self) -> Iterator[None]:
        """On SQLite the threads of a process write one after the other, in the order in which they came."""
        if self._writers is None:
            yield
            return
        if not self._writers.acquire(_BUSY_TIMEOUT_SECONDS):
            raise Unavailable(
                "The database is busy right now. Nothing was changed; try again in a moment.",
                details="waited in vain for the turn to write",
            )
        try:
            yield
        finally:
            self._writers.release()

    def write(self, work: Callable[[Session], Result]) -> Result:
        """Run `work` in one transaction; again, at most three times, if the database broke a deadlock by ending this
        one. A moment later: at once, the loser could take the lock that it just let go from under the winner."""
        for _ in range(_DEADLOCK_RETRIES):
            try:
                with self.transaction() as session:
                    return work(session)
            except OperationalError as error:
                if getattr(error.orig, "sqlstate", None) != _DEADLOCK:
                    raise
            time.sleep(random.uniform(*_DEADLOCK_PAUSE_SECONDS))
        with self.transaction() as session:
            return work(session)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """One read transaction; whatever it changes is dropped."""
        with self._session(is_writing=False) as session:
            yield session

    @contextmanager
    def _session(self, *, is_writing: bool) -> Iterator[Session]:
        try:
            with Session(self.engine, expire_on_commit=False) as session:
                if not self.is_postgres and is_writing:
                    session.connection(execution_options={"sqlite_begin": "IMMEDIATE"})
                yield session
        except PoolTimeoutError as error:
            raise Unavailable(
                "The server is very busy right now. Nothing was changed; try again in a moment.",
                details="all database connections are in use",
            ) from error
        except (OperationalError, InterfaceError) as error:
            if is_unavailable(error):
                raise Unavailable(
                    "The database does not answer right now. Nothing was changed; try again in a moment.",
                    details=type(error.orig).__name__,
                ) from error
            raise

    def ping(self) -> None:
        """Raise Unavailable unless the database answers."""
        with self.reading() as session:
            session.execute(text("SELECT 1"))

    def dispose(self) -> None:
        self.engine.dispose()


def is_unavailable(error: DBAPIError) -> bool:
    """Whether the error means that the server is away, as opposed to a statement it refused."""
    if error.connection_invalidated:
        return True
    sqlstate = getattr(error.orig, "sqlstate", None)
    message = str(error.orig).lower()
    if sqlstate is not None:  # 08: connection, 57P: shutdown, 53: out of resources
        return str(sqlstate).startswith(("08", "57P", "53"))
    return any(
        hint in message for hint in ("connection", "locked", "unable to open", "timeout", "server closed")
    )


@lru_cache(maxsize=1)
def get_database() -> Database:
    """The database of this process."""
    return Database(get_settings())


def _postgres(url: str, pool_size: int) -> Engine:
    return create_engine(
        url,
        pool_size=pool_size,
        max_overflow=10,
        pool_pre_ping=True,
        pool_timeout=5,
        pool_recycle=1800,
        connect_args={
            "connect_timeout": _CONNECT_TIMEOUT_SECONDS,
            "application_name": "contentcaster",
            # Compiling a statement that runs for a millisecond takes half a second: no jit.
            "options": "-c timezone=UTC -c jit=off -c idle_in_transaction_session_timeout=60000",
            # Finds a silently dropped connection within seconds instead of the system's two hours.
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "tcp_user_timeout": 10_000,
        },
    )


def _sqlite(url: str) -> Engine:
    path = url.removeprefix("sqlite:///")
    _make_private_folder(path)
    engine = create_engine(url, connect_args={"timeout": _BUSY_TIMEOUT_SECONDS, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # SQLAlchemy's "begin" event below decides, not the driver
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",  # a commit before a send must survive a power cut
            "foreign_keys=ON",
            f"busy_timeout={_BUSY_TIMEOUT_SECONDS * 1000}",
            "temp_store=MEMORY",
            "cache_size=-16000",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        if connection.get_execution_options().get("sqlite_begin") == "IMMEDIATE":
            _begin_writing(connection)
        else:
            connection.exec_driver_sql("BEGIN DEFERRED")

    return engine


def _begin_writing(connection: Any) -> None:
    """Take the lock for writing at once: a read that later writes cannot fail half way with SQLITE_BUSY.

    SQLite's own waiting sleeps up to a tenth of a second between two tries and so loses, again and again, to whoever
    comes by at the right moment: among twelve writers in three processes one waited up to 1.4 s, with this 0.12 s.
    """
    driver: sqlite3.Connection = connection.connection.dbapi_connection
    driver.execute("PRAGMA busy_timeout=0")
    try:
        give_up_at = time.monotonic() + _BUSY_TIMEOUT_SECONDS
        while time.monotonic() < give_up_at:
            try:
                driver.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:  # the low byte: the rest says why
                    break
            time.sleep(random.uniform(*_LOCK_RETRY_SECONDS))
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # a last time, for the error in SQLAlchemy's words
    finally:
        driver.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_SECONDS * 1000}")


def _make_private_folder(path: str) -> None:
    if path and path != ":memory:":
        Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
