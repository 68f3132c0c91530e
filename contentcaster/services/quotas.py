"""The quota ledger: what each network said of its limits, kept so that every worker knows and people can see.

Each answer to a connector's request is looked at (`observer`); what it says is written about once a second, off the
path of any send. A limit of one channel and a limit that all channels share (our app's, our address's) are separate
rows. Posts wait for a limit that is used up instead of being sent into a refusal (`paused_until`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import structlog
from sqlalchemy import case, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from contentcaster import live
from contentcaster.clock import utc_now
from contentcaster.db import Database
from contentcaster.errors import Unavailable
from contentcaster.models import Account, Job, JobAttempt, Quota
from contentcaster.models.types import database_now
from contentcaster.platforms.quotas import KNOWN_LIMITS, QuotaReading, read_quotas
from contentcaster.security.egress import EgressResponse, Observer
from contentcaster.security.permissions import Permission, Principal
from contentcaster.services import accounts

TOPIC = "quotas"
_FLUSH_SECONDS = 1.0
_SAME_WINDOW = timedelta(seconds=3)
"""Reset times of one window differ by this much at most: they are computed from answers that took their time."""
_MAX_PAUSE = timedelta(hours=24)
_TITLES = {
    "requests": "Requests",
    "publish": "Posts",
    "media": "Media uploads",
    "deletes": "Deletions",
    "logins": "Logins",
    "writes-hour": "Points an hour",
    "writes-day": "Points a day",
    "reading": "Reading",
    "day": "Posts a day",
    "app-day": "Posts a day, whole app",
}
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class QuotaView:
    """One limit as last seen."""

    name: str
    title: str
    allowed: int | None
    used: int | None
    left: int
    percent_used: int
    """0 to 100; 0 where the network does not say how much it allows."""
    resets_at: datetime | None
    """None where it has passed or is not known: the numbers are of the past."""
    window: str
    """"5 minutes", "" if not known."""
    learned_from: str
    """The header's name."""
    is_shared: bool
    is_used_up: bool
    """Nothing is left, and posts wait for it."""
    is_outdated: bool
    """Its window has ended since; the next answer tells anew."""
    seen_at: datetime


@dataclass(frozen=True)
class KnownLimitView:
    sentence: str
    source: str


@dataclass(frozen=True)
class QuotaLedger:
    """All that is known of one channel's limits."""

    account_id: str
    quotas: list[QuotaView]
    known_limits: list[KnownLimitView]
    """What the network's documentation says."""
    sends_last_hour: int
    """Requests to publish that left here, through this channel."""
    sends_last_day: int
    paused_until: datetime | None
    pause_reason: str


# ── learning ────────────────────────────────────────────────────────────────────────────────────────────────


def observer(database: Database, account: Account) -> Observer:
    """Looks at the answers to this channel's requests."""
    account_id, platform, has_own_server = account.id, account.platform, bool(account.instance_url)

    def look(method: str, host: str, path: str, response: EgressResponse) -> None:
        for reading in read_quotas(platform, method, path, response):
            scope = f"channel:{account_id}"
            if reading.is_shared:
                scope = _shared_scope(platform, host if has_own_server else "")
            _writer_of(database).add(scope, None if reading.is_shared else account_id, reading)

    return look


def flush(database: Database) -> None:
    """Write what was learned now, instead of within a second."""
    _writer_of(database).flush()


def _shared_scope(platform: str, host: str) -> str:
    return f"app:{platform}:{host}"[:300]


@dataclass(frozen=True)
class _Noted:
    """A reading and when its window ends by this process's monotonic clock, which nobody sets."""

    account_id: str | None
    reading: QuotaReading
    resets_at: float | None

    def resets_by(self, now: datetime) -> datetime | None:
        """When it ends by the clock that shows `now` at this moment."""
        if self.resets_at is None:
            return None
        return now + timedelta(seconds=self.resets_at - time.monotonic())

    def is_of_the_window_of(self, other: _Noted) -> bool:
        if self.resets_at is None or other.resets_at is None or self.reading.allowed != other.reading.allowed:
            return False
        return abs(self.resets_at - other.resets_at) <= _SAME_WINDOW.total_seconds()


class _Writer:
    """Readings on their way to the database: the newest per limit, written by a thread that ends when idle."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._pending: dict[tuple[str, str], _Noted] = {}
        self._gates: dict[tuple[str, str], _Noted] = {}
        """What this process knows itself, a second before the database does."""
        self._is_running = False

    def add(self, scope: str, account_id: str | None, reading: QuotaReading) -> None:
        wait = reading.resets_in_seconds
        noted = _Noted(account_id, reading, None if wait is None else time.monotonic() + wait)
        with self._lock:
            before = self._pending.get((scope, reading.name))
            if (
                before is not None
                and before.reading.left < reading.left
                and noted.is_of_the_window_of(before)
            ):
                return  # answers overtake each other: within a window the smaller number is the newer
            self._pending[scope, reading.name] = noted
            if reading.is_gate:
                self._gates[scope, reading.name] = noted
            if self._is_running:
                return
            self._is_running = True
        threading.Thread(target=self._run, name="quotas", daemon=True).start()

    def gates(self, scopes: Iterable[str]) -> list[tuple[str, _Noted]]:
        with self._lock:
            return [(key[0], noted) for key, noted in self._gates.items() if key[0] in set(scopes)]

    def flush(self) -> None:
        with self._lock:
            pending, self._pending = self._pending, {}
        if not pending:
            return
        try:
            self._database.write(lambda session: _keep(session, pending))
        except (Unavailable, DBAPIError) as error:
            # The next answer says it again.
            log.info("quotas_not_kept", error=type(error).__name__)

    def _run(self) -> None:
        while True:
            threading.Event().wait(_FLUSH_SECONDS)  # unlike a sleep, not upset by a clock that is stepped
            self.flush()
            with self._lock:
                if not self._pending:
                    self._is_running = False
                    return


_writers: WeakKeyDictionary[Database, _Writer] = WeakKeyDictionary()
_writers_lock = threading.Lock()


def _writer_of(database: Database) -> _Writer:
    with _writers_lock:
        writer = _writers.get(database)
        if writer is None:
            writer = _writers[database] = _Writer(database)
        return writer


def _keep(session: Session, pending: dict[tuple[str, str], _Noted]) -> None:
    # By the database's clock, as all workers read it: by its own, a worker whose clock is an hour off would stop the
    # channel for that hour.
    now = session.execute(select(database_now())).scalar_one()
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    # In one order, so that two workers never wait for each other.
    for (scope, name), noted in sorted(pending.items(), key=itemgetter(0)):
        reading, resets_at = noted.reading, noted.resets_by(now)
        statement = dialect.insert(Quota).values(
            scope=scope,
            name=name,
            account_id=noted.account_id,
            allowed=reading.allowed,
            left=reading.left,
            resets_at=resets_at,
            window_seconds=reading.window_seconds,
            learned_from=reading.learned_from,
            is_gate=reading.is_gate,
            seen_at=now,
        )
        new = statement.excluded
        left = new.left
        if resets_at is not None:
            is_same_window = Quota.resets_at.between(  # type: ignore[union-attr]
                resets_at - _SAME_WINDOW, resets_at + _SAME_WINDOW
            )
            is_older = is_same_window & (Quota.left < new.left) & (Quota.allowed == new.allowed)  # type: ignore[arg-type]
            left = case((is_older, Quota.left), else_=new.left)  # type: ignore[arg-type]
        session.execute(
            statement.on_conflict_do_update(
                index_elements=["scope", "name"],
                set_={
                    "left": left,
                    "allowed": func.coalesce(new.allowed, Quota.allowed),
                    "resets_at": new.resets_at,
                    "window_seconds": func.coalesce(new.window_seconds, Quota.window_seconds),
                    "learned_from": new.learned_from,
                    "is_gate": new.is_gate,
                    "seen_at": new.seen_at,
                },
            )
        )
    live.note(session, TOPIC)


# ── using ───────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Pause:
    """Until when posts of a channel wait, and why."""

    until: datetime
    reason: str


def pause_of(session: Session, account: Account, *, now: datetime | None = None) -> Pause | None:
    """What this channel's posts wait for now: the network's own request to wait, or a limit that is used up."""
    now = now or utc_now()
    pauses = []
    if account.rate_limited_until is not None and account.rate_limited_until > now:
        until = account.rate_limited_until
        pauses.append(Pause(until, f"The network asked for a pause until {until:%H:%M:%S} UTC."))
    for quota in _rows(session, account):
        if quota.is_gate and quota.left <= 0:
            pauses += _pause(quota.name, quota.resets_at, now, is_shared=quota.account_id is None)
    return latest(*pauses)


def gates_of(session: Session, account: Account) -> list[Quota]:
    """The limits that keep posts of this channel back when they are used up."""
    return [quota for quota in _rows(session, account) if quota.is_gate]


def noted_pause(database: Database, scopes: Iterable[str], *, now: datetime) -> Pause | None:
    """As `pause_of`, of what this process itself was told since it last read the database, whose clock shows `now`."""
    pauses = []
    for scope, noted in _writer_of(database).gates(scopes):
        if noted.reading.left <= 0:
            until = noted.resets_by(now)
            pauses += _pause(noted.reading.name, until, now, is_shared=scope.startswith("app:"))
    return latest(*pauses)


def latest(*pauses: Pause | None) -> Pause | None:
    """The pause that lasts longest."""
    return max((pause for pause in pauses if pause), key=lambda pause: pause.until, default=None)


def _pause(name: str, until: datetime | None, now: datetime, *, is_shared: bool) -> list[Pause]:
    if until is None or not now < until <= now + _MAX_PAUSE:
        return []
    whose = "all channels of this server or app" if is_shared else "this channel"
    title = _TITLES.get(name, name).lower()
    return [Pause(until, f"The network allows {whose} no more {title} until {until:%H:%M:%S} UTC.")]


def ledger_of(session: Session, principal: Principal, account_id: str) -> QuotaLedger:
    """What is known of the limits of a channel that the person may see. Raises NotFound."""
    principal.require(Permission.VIEW_ACCOUNTS)
    view = accounts.get_account(session, principal, account_id)
    account = session.get_one(Account, view.id)
    now = utc_now()
    pause = pause_of(session, account, now=now)
    return QuotaLedger(
        account_id=account.id,
        quotas=[_view(quota, now) for quota in _rows(session, account)],
        known_limits=[
            KnownLimitView(limit.sentence, limit.source) for limit in KNOWN_LIMITS.get(account.platform, ())
        ],
        sends_last_hour=_sends(session, account.id, now - timedelta(hours=1)),
        sends_last_day=_sends(session, account.id, now - timedelta(days=1)),
        paused_until=pause.until if pause else None,
        pause_reason=pause.reason if pause else "",
    )


def scopes_of(account: Account) -> list[str]:
    """The limits that this channel is under: its own, and those it shares."""
    hosts = {urlsplit(account.instance_url).hostname or ""}
    # Where an account's data lives elsewhere than its login (Bluesky), answers come from there.
    if home := urlsplit(str(account.limits.get("pds_url") or "")).hostname:
        hosts.add(home)
    return [f"channel:{account.id}", *(_shared_scope(account.platform, host) for host in hosts)]


def _rows(session: Session, account: Account) -> Iterable[Quota]:
    scopes = scopes_of(account)
    return session.execute(
        select(Quota).where(Quota.scope.in_(scopes)).order_by(Quota.account_id.is_(None), Quota.id)  # type: ignore[attr-defined, union-attr]
    ).scalars()


def _sends(session: Session, account_id: str, since: datetime) -> int:
    count: int = session.execute(
        select(func.count())
        .select_from(JobAttempt)
        .join(Job, Job.id == JobAttempt.job_id)
        .where(Job.account_id == account_id, JobAttempt.kind == "send", JobAttempt.sent_at >= since)
    ).scalar_one()
    return count


def _view(quota: Quota, now: datetime) -> QuotaView:
    is_outdated = quota.resets_at is not None and quota.resets_at <= now
    used = None if quota.allowed is None else max(quota.allowed - quota.left, 0)
    return QuotaView(
        name=quota.name,
        title=_TITLES.get(quota.name, quota.name.replace("-", " ").capitalize()),
        allowed=quota.allowed,
        used=used,
        left=quota.left,
        percent_used=min(100, round(100 * used / quota.allowed)) if used and quota.allowed else 0,
        resets_at=None if is_outdated else quota.resets_at,
        window=_span(quota.window_seconds),
        learned_from=quota.learned_from,
        is_shared=quota.account_id is None,
        is_used_up=quota.is_gate and quota.left <= 0 and quota.resets_at is not None and not is_outdated,
        is_outdated=is_outdated,
        seen_at=quota.seen_at,
    )


def _span(seconds: float | None) -> str:
    if not seconds:
        return ""
    for size, name in ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= size:
            amount = round(seconds / size)
            return f"{amount} {name}" + ("" if amount == 1 else "s")
    return ""
