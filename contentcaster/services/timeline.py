"""Explain this post: everything that happened to it, in order and in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlmodel import Session

from contentcaster.models import (
    CLAIMABLE,
    Account,
    FailedTask,
    Job,
    JobAttempt,
    JobEvent,
    JobState,
    Post,
    Target,
    User,
)
from contentcaster.security.permissions import Permission, Principal
from contentcaster.services.ids import is_id
from contentcaster.services.platforms import channel_name
from contentcaster.services.post_looks import entries_of
from contentcaster.services.post_queries import not_found, scope
from contentcaster.services.schedule import format_when, known_zone
from contentcaster.services.video_preparation import VIDEO_UNDER_WAY
from contentcaster.services.views import TimelineEntry

_ONE_ACT = timedelta(seconds=2)
"""Events of several channels this close, by the same person, are one act of theirs."""


@dataclass(frozen=True)
class _Lane:
    """One job of the post, with what its entries are labelled by."""

    job: Job
    target_id: str
    channel: str
    timezone: str
    is_raw_shown: bool


def get_timeline(session: Session, principal: Principal, post_id: str) -> list[TimelineEntry]:
    """What happened to a post, oldest first; what is still to come is last.

    Raises:
        NotFound: no such post, or not theirs.
    """
    principal.require(Permission.VIEW_TIMELINE)
    visible = scope(principal)
    if not is_id(post_id):
        raise not_found()
    row = session.execute(
        select(Post, User.name)
        .join(User, User.id == Post.author_id)
        .where(Post.id == post_id, visible)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if row is None:
        raise not_found()
    post, author_name = row
    lanes = _lanes(session, principal, post)
    entries = [_created(post, author_name, lanes), *_together(_of_events(session, lanes), len(lanes))]
    entries += [entry for attempt, lane in _attempts(session, lanes) for entry in _of_attempt(attempt, lane)]
    entries += entries_of(session, post)
    entries.sort(key=lambda entry: entry.at)
    return entries + [entry for lane in lanes.values() for entry in _still_open(session, lane)]


def _lanes(session: Session, principal: Principal, post: Post) -> dict[int, _Lane]:
    rows = session.execute(
        select(Job, Account, Target.id)
        .outerjoin(Account, Account.id == Job.account_id)
        .outerjoin(Target, Target.job_id == Job.id)
        .where(Job.post_id == post.id)
        .order_by(Job.id)
        .execution_options(populate_existing=True)
    )
    is_raw_shown = principal.can(Permission.VIEW_OPERATIONS)
    lanes = {}
    for job, account, target_id in rows:
        name = channel_name(account) if account else ""
        part = int(job.payload.get("part", 0))
        lanes[job.id] = _Lane(
            job,
            target_id or "",
            name + _part_name(part, is_comment=bool(job.payload.get("is_comment"))),
            known_zone(principal.timezone),
            is_raw_shown,
        )
    return lanes


def _part_name(part: int, *, is_comment: bool) -> str:
    if is_comment:
        return " · first comment"
    return f" · part {part + 1}" if part else ""


def _created(post: Post, author_name: str, lanes: dict[int, _Lane]) -> TimelineEntry:
    note = "" if lanes else "a draft: nothing is scheduled"
    return TimelineEntry(
        at=post.created_at,
        kind="created",
        level="ok",
        title="Written",
        detail=f"by {author_name}",
        note=note,
        worker="",
        account_id="",
        channel="",
        target_id="",
        raw="",
    )


def _entry(
    lane: _Lane, at: datetime, kind: str, level: str, title: str, detail: str = "", **more: str
) -> TimelineEntry:
    return TimelineEntry(
        at=at,
        kind=kind,
        level=level,
        title=title,
        detail=detail,
        note=more.get("note", ""),
        worker=more.get("worker", ""),
        account_id=lane.job.account_id or "",
        channel=lane.channel,
        target_id=lane.target_id,
        raw=more.get("raw", "") if lane.is_raw_shown else "",
    )


def _of_events(session: Session, lanes: dict[int, _Lane]) -> list[TimelineEntry]:
    events = session.execute(
        select(JobEvent).where(JobEvent.job_id.in_(lanes)).order_by(JobEvent.at, JobEvent.id)
    ).scalars()
    return [_of_event(event, lanes[event.job_id]) for event in events]


def _of_event(event: JobEvent, lane: _Lane) -> TimelineEntry:
    by = f"by {event.actor}" if event.actor else ""
    due = f"for {format_when(lane.job.scheduled_at, lane.timezone)}"
    match event.name:
        case "scheduled":
            return _entry(lane, event.at, "scheduled", "ok", "Scheduled", by)
        case "rescheduled":
            return _entry(lane, event.at, "edited", "ok", "Changed", by, note=f"now {due}")
        case "cancelled":
            return _entry(lane, event.at, "cancelled", "warn", "Cancelled", by, note="nothing more is sent")
        case "retried":
            return _entry(lane, event.at, "retry", "ok", "Sent again", by)
        case "published":
            detail = f"{by}: it is live".lstrip(": ")
            return _entry(lane, event.at, "published", "ok", "Resolved", detail, note=event.message)
        case "discarded":
            return _entry(lane, event.at, "cancelled", "warn", "Let go", by, note="nothing more is sent")
        case "restored":
            return _entry(lane, event.at, "retry", "warn", "In doubt", note=event.message)
        case "missed":
            return _entry(
                lane, event.at, "failed", "bad", "Missed", "its time passed while publishing was down"
            )
        case "duplicate_incident":
            return _entry(lane, event.at, "failed", "bad", "Doubled", event.message, worker=event.actor)
        case _:
            title = event.name.replace("_", " ").capitalize()
            return _entry(lane, event.at, "event", "ok", title, by, note=event.message)


def _together(entries: list[TimelineEntry], lane_count: int) -> list[TimelineEntry]:
    """One entry for what one person did to several channels at once; `entries` are in order of time."""
    merged: list[tuple[TimelineEntry, int]] = []
    for entry in entries:
        index = next((i for i, (other, _count) in enumerate(merged) if _is_one_act(other, entry)), None)
        if index is None:
            merged.append((entry, 1))
        else:
            merged[index] = (merged[index][0], merged[index][1] + 1)
    return [_merged(entry, count, lane_count) for entry, count in merged]


def _is_one_act(first: TimelineEntry, other: TimelineEntry) -> bool:
    same = (first.kind, first.title, first.detail) == (other.kind, other.title, other.detail)
    return same and other.at - first.at <= _ONE_ACT


def _merged(entry: TimelineEntry, count: int, lane_count: int) -> TimelineEntry:
    if count == 1:
        return entry
    how_many = f"{count} sends" if count == lane_count else f"{count} of {lane_count} sends"
    note = " · ".join(part for part in (how_many, entry.note) if part)
    return replace(entry, note=note, account_id="", channel="", target_id="")


def _attempts(session: Session, lanes: dict[int, _Lane]) -> Iterable[tuple[JobAttempt, _Lane]]:
    query = (
        select(JobAttempt).where(JobAttempt.job_id.in_(lanes)).order_by(JobAttempt.started_at, JobAttempt.id)
    )
    return [(attempt, lanes[attempt.job_id]) for attempt in session.execute(query).scalars()]


def _of_attempt(attempt: JobAttempt, lane: _Lane) -> list[TimelineEntry]:
    entries = []
    if attempt.prepared_at is not None and attempt.kind == "send":
        entries.append(_prepared(attempt, lane))
    if attempt.sent_at is not None:
        entries.append(_sending(attempt, lane))
    entries.append(_outcome(attempt, lane))
    if attempt.outcome == "published" and lane.job.remote_extra.get("refused"):
        entries.append(_not_for_all(attempt, lane))
    return entries


def _not_for_all(attempt: JobAttempt, lane: _Lane) -> TimelineEntry:
    """A mail that was taken for some of its recipients only."""
    refused = lane.job.remote_extra["refused"]
    rows = sorted(refused.items()) if isinstance(refused, dict) else []
    people = "1 recipient" if len(rows) == 1 else f"{len(rows)} recipients"
    named = "; ".join(f"{address} ({answer})" for address, answer in rows[:10])
    more = f"; and {len(rows) - 10} more" if len(rows) > 10 else ""
    return _entry(
        lane,
        attempt.ended_at,
        "rejected",
        "warn",
        "Not for all",
        f"the mail server refused {people}: {named}{more}",
        note="the others have it · it is not sent again",
    )


def _prepared(attempt: JobAttempt, lane: _Lane) -> TimelineEntry:
    assert attempt.prepared_at is not None
    early_seconds = (lane.job.scheduled_at - attempt.prepared_at).total_seconds()
    is_first = attempt.attempt <= 1
    when = f"{early_seconds:.1f} s early " if is_first and early_seconds >= 0.05 else ""
    done = "media uploaded, login fresh" if lane.job.payload.get("media") else "login fresh"
    detail = f"{when}on worker {attempt.worker}"
    return _entry(
        lane, attempt.prepared_at, "prepared", "ok", "Prepared", detail, note=done, worker=attempt.worker
    )


def _sending(attempt: JobAttempt, lane: _Lane) -> TimelineEntry:
    assert attempt.sent_at is not None
    late_seconds = (attempt.sent_at - lane.job.scheduled_at).total_seconds()
    if attempt.attempt > 1:
        detail = f"again, try {attempt.attempt} of {lane.job.max_attempts}"
    elif late_seconds < 0.5:
        detail = "at the due time"
    else:
        detail = f"{_span(late_seconds)} after the due time"
    note = f"attempt {attempt.attempt} · fence {attempt.fence}"
    return _entry(lane, attempt.sent_at, "sending", "ok", "Sending", detail, note=note, worker=attempt.worker)


def _outcome(attempt: JobAttempt, lane: _Lane) -> TimelineEntry:
    is_lookup = attempt.kind == "lookup"
    message = attempt.message or ""
    status = f"{attempt.http_status}" if attempt.http_status else ""
    kind, level, title, detail, note = {
        "published": (
            "published",
            "ok",
            "Found on the network" if is_lookup else "Published",
            message,
            "it was not sent again" if is_lookup and not message else "",
        ),
        "retry_later": ("retry", "warn", "Not sent", message, "it will be tried again"),
        "snooze": ("event", "ok", "Video on its way", message, "waiting costs no try")
        if attempt.error_class == VIDEO_UNDER_WAY
        else ("rate_limited", "warn", "Asked to wait", message, _wait(attempt)),
        "unknown": (
            "no_answer",
            "warn",
            "No answer",
            message,
            "outcome unknown · it is looked up, not sent again",
        ),
        "refused": ("rejected", "bad", "Refused", message, ""),
        "safe_to_send": ("looked_up", "ok", "Looked up", message or "it is not there", "safe to send again"),
        "lookup_failed": ("looked_up", "warn", "Look-up failed", message, "it is looked up again later"),
        "cannot_tell": ("looked_up", "warn", "Looked up", message, "held for a person"),
        "released": ("event", "warn", "Given back", message, "nothing was sent"),
        "lost": ("no_answer", "warn", "Worker lost", message, _lost(attempt)),
    }.get(attempt.outcome, ("event", "ok", attempt.outcome.replace("_", " ").capitalize(), message, ""))
    note = " · ".join(part for part in (status, note) if part)
    return _entry(
        lane,
        attempt.ended_at,
        kind,
        level,
        title,
        detail,
        note=note,
        worker=attempt.worker,
        raw=attempt.diagnostics or "",
    )


def _wait(attempt: JobAttempt) -> str:
    return f"for {_span(attempt.retry_after_seconds)}" if attempt.retry_after_seconds else ""


def _lost(attempt: JobAttempt) -> str:
    return "it may have been sent: it is looked up" if attempt.sent_at else "nothing was sent"


def _still_open(session: Session, lane: _Lane) -> list[TimelineEntry]:
    """What comes next, as the hollow dot at the end."""
    job = lane.job
    when = format_when(job.due_at, lane.timezone)
    if job.state in CLAIMABLE and job.attempt == 0 and job.snoozes == 0:
        saved = "saved" if job.state is JobState.PENDING_QUEUE else "in the queue"
        return [_entry(lane, job.due_at, "waiting", "idle", "Due", when, note=saved)]
    if job.state in CLAIMABLE:
        return [_entry(lane, job.due_at, "waiting", "idle", "Next try", when)]
    if job.state in (JobState.UNKNOWN, JobState.RESOLVING):
        return [
            _entry(lane, job.due_at, "waiting", "idle", "Next look-up", when, note="nothing is sent before")
        ]
    if job.state is JobState.HELD:
        note = "Nothing is sent until you decide"
        return [_entry(lane, job.ended_at or job.due_at, "waiting", "idle", "Waiting for you", "", note=note)]
    if job.state is JobState.DEAD:
        return [_given_up(session, lane)]
    return []


def _given_up(session: Session, lane: _Lane) -> TimelineEntry:
    task = session.execute(
        select(FailedTask)
        .where(FailedTask.job_id == lane.job.id, or_(FailedTask.resolved_at.is_(None)))
        .order_by(FailedTask.id.desc())
        .limit(1)
    ).scalar_one_or_none()
    at = task.created_at if task else (lane.job.ended_at or lane.job.due_at)
    message = (task.message if task else lane.job.error_message) or ""
    return _entry(lane, at, "failed", "bad", "Given up", message, note="see Failed tasks")


def _span(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
