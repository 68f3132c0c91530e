"""Edit and retry: change what one channel refused, and send only that again. What is out elsewhere stays as it is."""

from __future__ import annotations

from sqlalchemy import select, update
from sqlmodel import Session

from contentcaster import live
from contentcaster.errors import Conflict, InvalidInput, NotFound
from contentcaster.models import Account, FailedTask, Job, JobState, Post, Target
from contentcaster.models.types import new_id
from contentcaster.platforms.text import measure
from contentcaster.security.permissions import Permission, Principal
from contentcaster.services import audit, failed_tasks
from contentcaster.services.drafts import clean_text
from contentcaster.services.platforms import channel_name, text_rule_of
from contentcaster.services.views import FailedTaskView


def edit_and_retry(session: Session, principal: Principal, task_id: int, *, text: str) -> FailedTaskView:
    """Send this text instead, to the one channel that failed. Its variant of the post says so from now on.

    Raises:
        InvalidInput: field "text": too long for the channel, or empty where it may not be.
        Conflict: it may be live already, or it is no post, or it was settled meanwhile.
        NotFound: no such task.
    """
    principal.require(Permission.OPERATE)
    job = _locked_job(session, task_id)
    target = session.execute(select(Target).where(Target.job_id == job.id)).scalar_one_or_none()
    account = session.get(Account, job.account_id) if job.account_id else None
    if job.kind != "publish" or target is None or account is None:
        raise Conflict("Only a post can be edited here. Retry it, or let it go.")
    if job.state is not JobState.DEAD and job.first_sent_at is not None:
        raise Conflict("It may be live already, with its first text. Look at the channel first.")
    text = clean_text(text)
    _check(text, job, account)
    before = str(job.payload.get("text", ""))
    if text != before:
        session.execute(
            update(Job)
            .where(Job.id == job.id)
            # Another content is another request: a network that remembers our key must not take it for the first.
            .values(payload=job.payload | {"text": text}, idempotency_key=new_id(), version=Job.version + 1)
            .execution_options(synchronize_session=False)
        )
        if (
            target.part == 0
        ):  # a thread's later parts are the same on every channel: there only the job says it
            target.text = text
            session.add(target)
        if target.post_id:
            session.execute(
                update(Post)
                .where(Post.id == target.post_id)
                .values(version=Post.version + 1)
                .execution_options(synchronize_session=False)
            )
            live.note(session, f"post:{target.post_id}")
        session.flush()
        details = {"job": job.id, "characters": [len(before), len(text)]}
        audit.record(session, principal, "failed_task.edited", "failed_task", str(task_id), details)
    return failed_tasks.retry_task(session, principal, task_id)


def _locked_job(session: Session, task_id: int) -> Job:
    found: Job | None = session.execute(
        select(Job)
        .join(FailedTask, FailedTask.job_id == Job.id)
        .where(FailedTask.id == task_id)
        .with_for_update(of=Job)
        .execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if found is None:
        raise NotFound("This failed task does not exist.")
    return found


def _check(text: str, job: Job, account: Account) -> None:
    rule, name = text_rule_of(account), channel_name(account)
    warning = str((job.payload.get("options") or {}).get("content_warning", ""))
    measured = measure(text, rule, warning)
    if measured.is_too_long:
        raise InvalidInput(f"{name}: {measured.sentence}", field="text")
    if not text and (rule.is_required or not job.payload.get("media")):
        raise InvalidInput(f"{name}: there is nothing to post. Write a text.", field="text")
