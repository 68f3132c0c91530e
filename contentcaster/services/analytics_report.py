"""The numbers of a week or a month by mail, for whoever asked for it: one job per person and slot, so once each.

The mail is written when it is sent, with what the person may see by then.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import select
from sqlmodel import Session, col

from contentcaster.clock import utc_now
from contentcaster.db import Database
from contentcaster.engine import ledger
from contentcaster.engine.ledger import ClaimedJob
from contentcaster.errors import InvalidInput
from contentcaster.models import AnalyticsReport, ReportCadence, User
from contentcaster.models.types import new_id
from contentcaster.security import sessions
from contentcaster.security.permissions import Permission, Principal
from contentcaster.services import analytics
from contentcaster.services.analytics_asked import Asked
from contentcaster.services.analytics_period import Period
from contentcaster.services.analytics_read import read_all
from contentcaster.services.analytics_report_mail import make_report
from contentcaster.services.notifications import is_mail_set_up
from contentcaster.services.notifications_mail import MailExecutor, message_id
from contentcaster.services.planning_hints import LOOK_BACK_DAYS
from contentcaster.services.schedule import load_zone

KIND = "analytics_report"
"""The kind of the job that sends one report."""
OFF = "off"
AT_HOUR = 8
"""By the person's clock: on Mondays, or on the first of the month."""
_LIFE = timedelta(hours=48)
_AT_ONCE = 100


@dataclass(frozen=True)
class ReportView:
    cadence: str
    """off | weekly | monthly"""
    next_at: datetime | None
    can_mail: bool
    """Whether an operator has given a mail server."""


def get_report(session: Session, principal: Principal) -> ReportView:
    """Whether the person gets their report, and when next."""
    principal.require(Permission.VIEW_ANALYTICS)
    row = session.get(AnalyticsReport, principal.user_id)
    if row is None:
        return ReportView(OFF, None, is_mail_set_up())
    return ReportView(row.cadence.value, row.next_at, is_mail_set_up())


def set_report(session: Session, principal: Principal, cadence: str) -> ReportView:
    """Have the report mailed weekly or monthly to the person's own address, or "off".

    Raises:
        InvalidInput: field "cadence": no such word, or no mail server is set up.
    """
    principal.require(Permission.VIEW_ANALYTICS)
    principal.require_person()
    row = session.get(AnalyticsReport, principal.user_id, with_for_update=True)
    if cadence == OFF:
        if row is not None:
            session.delete(row)
            session.flush()
        return get_report(session, principal)
    if cadence not in set(ReportCadence):
        raise InvalidInput("Choose off, weekly or monthly.", field="cadence")
    if not is_mail_set_up():
        raise InvalidInput("No mail server is set up (SMTP_URL). An operator can add one.", field="cadence")
    chosen = ReportCadence(cadence)
    next_at = next_report(chosen, principal.timezone, utc_now())
    if row is None:
        session.add(AnalyticsReport(user_id=principal.user_id, cadence=chosen, next_at=next_at))
    else:
        row.cadence, row.next_at = chosen, next_at
    session.flush()
    return get_report(session, principal)


def next_report(cadence: ReportCadence, zone: str, now: datetime) -> datetime:
    """The next Monday or first of the month, at 8 by the person's clock."""
    day = now.astimezone(load_zone(zone)).date()
    while True:
        at = datetime(day.year, day.month, day.day, AT_HOUR, tzinfo=load_zone(zone)).astimezone(UTC)
        is_day = day.weekday() == 0 if cadence is ReportCadence.WEEKLY else day.day == 1
        if is_day and at > now:
            return at
        day += timedelta(days=1)


def period_of_report(cadence: ReportCadence, zone: str, now: datetime) -> Period:
    """The last whole week (from Monday on) or month before `now`."""
    today = now.astimezone(load_zone(zone)).date()
    if cadence is ReportCadence.WEEKLY:
        last = today - timedelta(days=today.weekday() + 1)
        return Period(last - timedelta(days=6), last, zone)
    last = today.replace(day=1) - timedelta(days=1)
    return Period(last.replace(day=1), last, zone)


def plan_due(database: Database, *, now: datetime | None = None) -> int:
    """Make the jobs of the reports that are due; returns how many. A slot that was missed is made up for, once."""
    now = now or utc_now()
    return database.write(lambda session: _plan(session, now))


def _plan(session: Session, now: datetime) -> int:
    rows = session.execute(
        select(AnalyticsReport, User)
        .join(User, User.id == AnalyticsReport.user_id)
        .where(col(AnalyticsReport.next_at) <= now)
        .limit(_AT_ONCE)
        .with_for_update(of=AnalyticsReport, skip_locked=True)
    ).all()
    planned = 0
    for row, user in rows:
        slot, zone = row.next_at, user.timezone
        row.next_at = next_report(row.cadence, zone, now)
        if not is_mail_set_up() or _reader(user) is None:
            continue
        period = period_of_report(row.cadence, zone, now)
        planned += 1
        ledger.add_jobs(
            session,
            [
                ledger.NewJob(
                    queue="maintenance",
                    kind=KIND,
                    dedupe_key=f"report:{user.id}:{slot:%Y%m%d%H}",
                    account_id=None,
                    payload={
                        "user_id": user.id,
                        "cadence": row.cadence.value,
                        "first": period.first.isoformat(),
                        "last": period.last.isoformat(),
                    },
                    due_at=now,
                    expires_at=now + _LIFE,
                    idempotency_key=new_id(),
                    client_ref=f"cc-{new_id()}",
                    priority=200,
                    max_attempts=6,
                )
            ],
            actor="ContentCaster",
        )
    return planned


def _reader(user: User | None) -> Principal | None:
    """The person as they may read now; None if they may not."""
    if user is None or not user.is_active:
        return None
    principal = sessions.principal_of(user)
    return principal if principal.can(Permission.VIEW_ANALYTICS) else None


class ReportExecutor(MailExecutor):
    """Sends reports as mails of notifications are sent: tried again while the mail server is away, never twice."""

    def _write(self, job: ClaimedJob) -> tuple[str, bytes] | None:
        settings = self._database.settings
        with self._database.reading() as session:
            principal = _reader(session.get(User, str(job.payload.get("user_id"))))
            if principal is None:
                return None
            first, last = (date.fromisoformat(str(job.payload[name])) for name in ("first", "last"))
            asked = Asked(Period(first, last, principal.timezone), days="")
            found = read_all(session, principal, asked)
            # A week has too few posts to say when to post next.
            lately = Period(last - timedelta(days=LOOK_BACK_DAYS - 1), last, principal.timezone)
            cells = analytics.heat_map(session, principal, lately)
        found = replace(found, cells=cells, cells_days=LOOK_BACK_DAYS)
        cadence = str(job.payload.get("cadence"))
        return principal.email, make_report(
            found, principal, settings, cadence=cadence, message_id=message_id(job.client_ref, settings)
        )
