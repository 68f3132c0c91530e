"""Failed tasks: grouped by cause, with what happened and what to do; retried, resolved or let go by admins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import func, select
from sqlmodel import Session

from contentcaster.engine import failures
from contentcaster.engine.post_status import MISSED
from contentcaster.errors import Conflict, InvalidInput, NotFound
from contentcaster.models import Account, FailedTask, Job, JobAttempt, JobState, Post, Target
from contentcaster.security.permissions import Permission, Principal
from contentcaster.services import audit
from contentcaster.services.drafts import clean_text
from contentcaster.services.failure_words import advice_for, is_reconnect_advised, title_for
from contentcaster.services.paging import decode_cursor, encode_cursor
from contentcaster.services.platforms import channel_view
from contentcaster.services.views import (
    AttemptView,
    BulkResult,
    FailedGroupView,
    FailedTaskDetail,
    FailedTaskView,
    Page,
)

_GROUP_TASKS = 50
_MAX_BULK = 1_000
_MAX_PROBLEMS = 20
_SETTLEABLE = (JobState.DEAD, JobState.HELD)
_EXCERPT_LENGTH = 140

Act = Callable[[Session, int], object]


def list_groups(session: Session, principal: Principal, *, is_open: bool = True) -> list[FailedGroupView]:
    """Failed tasks by cause: the same reason on the same channel; those that need review first, then by number."""
    principal.require(Permission.VIEW_OPERATIONS)
    query = (
        select(FailedTask.reason, Job.account_id, Job.state, func.count(), func.max(FailedTask.id))
        .join(Job, Job.id == FailedTask.job_id)
        .where(_is_open(is_open))
        .group_by(FailedTask.reason, Job.account_id, Job.state)
    )
    merged: dict[tuple[str, str], list[Any]] = {}
    for reason, account_id, state, count, newest in session.execute(query):
        entry = merged.setdefault((reason, account_id or ""), [0, 0, False])
        entry[0] += count
        entry[1] = max(entry[1], newest)
        entry[2] = entry[2] or _needs_look(state, reason)
    groups = [
        _group(session, reason, account_id, count, is_review, is_open=is_open)
        for (reason, account_id), (count, _newest, is_review) in sorted(
            merged.items(), key=lambda item: (not item[1][2], -item[1][0], -item[1][1])
        )
    ]
    return groups[:200]


def list_failed_tasks(
    session: Session,
    principal: Principal,
    *,
    is_open: bool = True,
    cursor: str = "",
    limit: int = 50,
    account_id: str | None = None,
    reason: str = "",
) -> Page[FailedTaskView]:
    """Failed tasks, newest first; `is_open` False lists the settled ones."""
    principal.require(Permission.VIEW_OPERATIONS)
    limit = max(1, min(limit, 200))
    query = _query().where(_is_open(is_open))
    if account_id is not None:
        query = query.where(func.coalesce(Job.account_id, "") == clean_text(account_id))
    if reason:
        query = query.where(FailedTask.reason == clean_text(reason))
    if cursor:
        query = query.where(FailedTask.id < _id_of(cursor))
    rows = session.execute(query.order_by(FailedTask.id.desc()).limit(limit + 1)).all()
    items = [_view(*row) for row in rows[:limit]]
    next_cursor = encode_cursor(items[-1].created_at, str(items[-1].id)) if len(rows) > limit else ""
    return Page(items, next_cursor)


def get_failed_task(session: Session, principal: Principal, task_id: int) -> FailedTaskDetail:
    """One failed task with every attempt of its job. Raises NotFound."""
    principal.require(Permission.VIEW_OPERATIONS)
    view = _one(session, task_id)
    attempts = session.execute(
        select(JobAttempt)
        .where(JobAttempt.job_id == view.job_id)
        .order_by(JobAttempt.started_at, JobAttempt.id)
    ).scalars()
    job = session.get_one(Job, view.job_id)
    post = session.get(Post, view.post_id) if view.post_id else None
    return FailedTaskDetail(
        task=view,
        history=[attempt_view(attempt) for attempt in attempts],
        payload_text=str(job.payload.get("text", "")),
        post_status=post.status.value if post else "",
    )


def retry_task(session: Session, principal: Principal, task_id: int) -> FailedTaskView:
    """Send it again. For a task under review this says: "I looked, it is not there".

    Raises:
        NotFound: no such task.
        Conflict: it was settled already.
    """
    return _act(session, principal, task_id, "failed_task.retried", _retry(principal))


def resolve_task(
    session: Session, principal: Principal, task_id: int, *, remote_url: str, remote_id: str = ""
) -> FailedTaskView:
    """Record that the post is live at `remote_url`. Nothing is sent.

    Raises:
        InvalidInput: field "remote_url": no http(s) link.
        NotFound, Conflict: as `retry_task`.
    """
    principal.require(Permission.OPERATE)
    url = remote_url.strip()
    if not url.startswith(("https://", "http://")) or len(url) > 2000 or any(char.isspace() for char in url):
        raise InvalidInput("Paste the link of the post, beginning with https://.", field="remote_url")

    def resolve(session: Session, task_id: int) -> None:
        failures.resolve_published(
            session,
            task_id,
            remote_url=url,
            remote_id=remote_id.strip()[:400] or url[:400],
            actor=_actor(principal),
        )

    return _act(session, principal, task_id, "failed_task.resolved", resolve)


def discard_task(session: Session, principal: Principal, task_id: int) -> FailedTaskView:
    """Let it go: nothing is sent any more. Raises NotFound and Conflict as `retry_task`."""
    return _act(session, principal, task_id, "failed_task.discarded", _discard(principal))


def retry_group(session: Session, principal: Principal, group_key: str) -> BulkResult:
    """Send all tasks of one cause again; those under review are skipped: each needs a person's look."""
    return retry_tasks(session, principal, _ids_of_group(session, principal, group_key))


def discard_group(session: Session, principal: Principal, group_key: str) -> BulkResult:
    """Let all tasks of one cause go."""
    return discard_tasks(session, principal, _ids_of_group(session, principal, group_key))


def retry_tasks(session: Session, principal: Principal, task_ids: Sequence[int]) -> BulkResult:
    """Send these again; those under review are skipped, and what was settled meanwhile is reported."""
    principal.require(Permission.OPERATE)
    under_review = set(
        session.execute(
            select(FailedTask.id)
            .join(Job, Job.id == FailedTask.job_id)
            .where(FailedTask.id.in_(task_ids), Job.state == JobState.HELD, Job.first_sent_at.is_not(None))
        ).scalars()
    )
    problems = (
        [f"{len(under_review)} may be live already: look at each of them first."] if under_review else []
    )
    chosen = [task_id for task_id in task_ids if task_id not in under_review]
    return _bulk(
        session, principal, chosen, "failed_task.retried", _retry(principal), len(under_review), problems
    )


def discard_tasks(session: Session, principal: Principal, task_ids: Sequence[int]) -> BulkResult:
    """Let these go."""
    return _bulk(session, principal, task_ids, "failed_task.discarded", _discard(principal), 0, [])


def _actor(principal: Principal) -> str:
    return (principal.name or principal.email)[:120]


def _retry(principal: Principal) -> Act:
    return lambda session, task_id: failures.retry(session, task_id, actor=_actor(principal))


def _discard(principal: Principal) -> Act:
    return lambda session, task_id: failures.discard(session, task_id, actor=_actor(principal))


def _act(session: Session, principal: Principal, task_id: int, action: str, act: Act) -> FailedTaskView:
    principal.require(Permission.OPERATE)
    act(session, task_id)
    audit.record(session, principal, action, "failed_task", str(task_id))
    session.flush()
    return _one(session, task_id)


def _bulk(
    session: Session,
    principal: Principal,
    task_ids: Sequence[int],
    action: str,
    act: Act,
    skipped: int,
    problems: list[str],
) -> BulkResult:
    principal.require(Permission.OPERATE)
    if len(task_ids) > _MAX_BULK:
        raise InvalidInput(f"Choose at most {_MAX_BULK:,} at once.", field="ids")
    done = 0
    settleable = _lock(session, task_ids)
    gone = len(set(task_ids) - settleable)
    if gone:
        skipped += gone
        problems.append(f"{gone} had been settled already, or do not exist.")
    for task_id in sorted(settleable):
        try:
            act(session, task_id)
        except (Conflict, NotFound) as error:
            skipped += 1
            problems.append(error.message)
        else:
            done += 1
            audit.record(session, principal, action, "failed_task", str(task_id))
    return BulkResult(done, skipped, list(dict.fromkeys(problems))[:_MAX_PROBLEMS])


def _lock(session: Session, task_ids: Sequence[int]) -> set[int]:
    """Lock the jobs of these tasks, then their posts, each in order; returns the tasks that can still be settled.

    Jobs that have moved on are left alone: a worker may hold them, and waiting for it while holding others deadlocks.
    """
    rows = session.execute(
        select(FailedTask.id, Job.post_id)
        .join(Job, Job.id == FailedTask.job_id)
        .where(FailedTask.id.in_(task_ids), FailedTask.resolved_at.is_(None), Job.state.in_(_SETTLEABLE))
        .order_by(Job.id)
        .with_for_update(of=Job)
    ).all()
    post_ids = {row.post_id for row in rows if row.post_id}
    session.execute(select(Post.id).where(Post.id.in_(post_ids)).order_by(Post.id).with_for_update()).all()
    return {row.id for row in rows}


def _is_open(is_open: bool) -> Any:
    column = FailedTask.resolved_at
    return column.is_(None) if is_open else column.is_not(None)


def _id_of(cursor: str) -> int:
    _at, text = decode_cursor(cursor)
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise InvalidInput("This cursor is not from an earlier answer. Start without one.", field="cursor")
    return int(text)


def _query() -> Any:
    last_status = (
        select(JobAttempt.http_status)
        .where(JobAttempt.job_id == Job.id)
        .order_by(JobAttempt.id.desc())
        .limit(1)
        .correlate(Job)
        .scalar_subquery()
    )
    return (
        select(FailedTask, Job, Account, Target.id, last_status)
        .join(Job, Job.id == FailedTask.job_id)
        .outerjoin(Account, Account.id == Job.account_id)
        .outerjoin(Target, Target.job_id == Job.id)
        .execution_options(populate_existing=True)
    )


def _one(session: Session, task_id: int) -> FailedTaskView:
    row = session.execute(_query().where(FailedTask.id == task_id)).one_or_none()
    if row is None:
        raise NotFound("This failed task does not exist.")
    return _view(*row)


def _group(
    session: Session, reason: str, account_id: str, count: int, is_review: bool, *, is_open: bool
) -> FailedGroupView:
    query = _query().where(
        _is_open(is_open), FailedTask.reason == reason, func.coalesce(Job.account_id, "") == account_id
    )
    rows = session.execute(query.order_by(FailedTask.id.desc()).limit(_GROUP_TASKS)).all()
    tasks = [_view(*row) for row in rows]
    channel = tasks[0].channel if tasks else None
    return FailedGroupView(
        key=f"{reason}~{account_id}",
        reason=reason,
        title=tasks[0].title if tasks else title_for(reason, 0),
        advice=advice_for(reason, channel),
        is_review=is_review,
        channel=channel,
        count=count,
        tasks=tasks,
        is_reconnect_advised=is_reconnect_advised(reason),
    )


def _ids_of_group(session: Session, principal: Principal, group_key: str) -> list[int]:
    principal.require(Permission.OPERATE)
    reason, separator, account_id = clean_text(group_key).partition("~")
    if not separator:
        raise NotFound("There is no such group of failed tasks.")
    query = (
        select(FailedTask.id)
        .join(Job, Job.id == FailedTask.job_id)
        .where(_is_open(True), FailedTask.reason == reason, func.coalesce(Job.account_id, "") == account_id)
        .order_by(FailedTask.id)
        .limit(_MAX_BULK)
    )
    return [task_id for task_id in session.execute(query).scalars() if task_id is not None]


def _view(
    task: FailedTask, job: Job, account: Account | None, target_id: str | None, http_status: int | None
) -> FailedTaskView:
    channel = channel_view(account) if account else None
    # Told from the job while the task is open, from its reason later: the job has moved on by then.
    is_review = (
        _needs_look(job.state, task.reason) if task.resolved_at is None else task.reason == "needs_review"
    )
    attempts = int(task.snapshot.get("attempt") or job.attempt)
    return FailedTaskView(
        id=task.id or 0,
        job_id=task.job_id,
        post_id=job.post_id or "",
        target_id=target_id or "",
        text=str(job.payload.get("text", ""))[:_EXCERPT_LENGTH],
        channel=channel,
        reason=task.reason,
        title=title_for(task.reason, attempts),
        message=task.message,
        advice=advice_for(task.reason, channel),
        is_review=is_review,
        is_open=task.resolved_at is None,
        scheduled_at=job.scheduled_at,
        created_at=task.created_at,
        attempts=attempts,
        http_status=task.snapshot.get("http_status") or http_status,
        resolved_at=task.resolved_at,
        resolved_by=task.resolved_by or "",
        resolution=task.resolution or "",
    )


def _needs_look(state: JobState, reason: str) -> bool:
    """Whether it may be live: what missed its time is held too, but nothing of it was sent."""
    return state is JobState.HELD and reason != MISSED


def attempt_view(attempt: JobAttempt) -> AttemptView:
    return AttemptView(
        attempt=attempt.attempt,
        kind=attempt.kind,
        worker=attempt.worker,
        started_at=attempt.started_at,
        prepared_at=attempt.prepared_at,
        sent_at=attempt.sent_at,
        ended_at=attempt.ended_at,
        outcome=attempt.outcome,
        http_status=attempt.http_status,
        retry_after_seconds=attempt.retry_after_seconds,
        message=attempt.message or "",
        raw=attempt.diagnostics or "",
    )
