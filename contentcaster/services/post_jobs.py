"""From a post to the ledger: one job per channel and part, its content frozen; and back out again.

Jobs that an edit replaces are cancelled and let go of the post, so that they do not count in its status.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import delete, select, update
from sqlmodel import Session

from contentcaster.engine import ledger
from contentcaster.engine.settlement import resolve_open_failures
from contentcaster.errors import Conflict
from contentcaster.models import CLAIMABLE, LEASED, Job, JobState, MissedPolicy, Post, Target
from contentcaster.models.types import new_id
from contentcaster.platforms.quotes import can_quote
from contentcaster.services.drafts import TargetDraft
from contentcaster.services.media import freeze
from contentcaster.services.platforms import find_connector, media_rule_of
from contentcaster.services.post_checks import Materials
from contentcaster.settings import Settings, get_settings

_JUST_BEGUN = (
    "It has just begun to be sent and can no longer be changed. "
    "Nothing was changed; what you typed is still here."
)


@dataclass(frozen=True)
class JobFacts:
    """What decides whether a post may still be changed."""

    id: int
    account_id: str | None
    state: JobState
    first_sent_at: datetime | None


def lock_jobs(session: Session, post_id: str) -> list[JobFacts]:
    """The jobs of a post, locked. Jobs are locked before their post, as the engine does: no deadlock between them."""
    rows = session.execute(
        select(Job.id, Job.account_id, Job.state, Job.first_sent_at)
        .where(Job.post_id == post_id)
        .order_by(Job.id)
        .with_for_update()
    )
    return [JobFacts(*row) for row in rows]


def job_ids(session: Session, post_id: str) -> set[int]:
    """Ids of the post's jobs as they are committed now."""
    return set(session.execute(select(Job.id).where(Job.post_id == post_id)).scalars())


def locked_reason(jobs: Sequence[JobFacts]) -> str:
    """Why a post with these jobs cannot be changed, for people; "" if it can.

    It can as long as nothing of it may be on a network: waiting and never sent, cancelled before, or refused for good.
    """
    if any(job.state in LEASED or job.state is JobState.UNKNOWN for job in jobs):
        return "It is being sent right now. Wait for the outcome."
    if any(job.state in (JobState.PUBLISHED, JobState.DONE) for job in jobs):
        return "It has gone out already. Duplicate it to post a changed version."
    if any(job.state is JobState.HELD and job.first_sent_at for job in jobs):
        return "It may be live already: say so under Failed tasks first."
    if any(job.first_sent_at and job.state is not JobState.DEAD for job in jobs):
        return "It was tried already. Cancel it, or duplicate it to post a changed version."
    return ""


def add_jobs(
    session: Session, post: Post, materials: Materials, targets: Sequence[Target], *, actor: str
) -> None:
    """Freeze these targets as jobs of the ledger, due at the post's time; each thread part waits for the one before."""
    add_jobs_of_many(session, [(post, materials, targets)], actor=actor)


def add_jobs_of_many(
    session: Session, posts: Sequence[tuple[Post, Materials, Sequence[Target]]], *, actor: str
) -> None:
    """As `add_jobs`, for many posts at once."""
    settings = get_settings()
    jobs: list[ledger.NewJob] = []
    ordered: list[Target] = []
    for post, materials, targets in posts:
        last_index: dict[str, int] = {}
        for target in sorted(targets, key=lambda target: (target.account_id, target.part)):
            jobs.append(_new_job(post, materials, target, last_index.get(target.account_id), settings))
            last_index[target.account_id] = len(jobs) - 1
            ordered.append(target)
    for target, job_id in zip(ordered, ledger.add_jobs(session, jobs, actor=actor), strict=True):
        target.job_id = job_id
        session.add(target)
    session.flush()


def move_jobs(
    session: Session, post: Post, materials: Materials, targets: Sequence[Target], *, actor: str
) -> None:
    """Re-freeze waiting jobs of these targets: new content, new time.

    Raises:
        Conflict: a worker has taken one meanwhile.
    """
    settings = get_settings()
    due_at = _due_at(post)
    by_job = {target.job_id: target for target in targets if target.job_id is not None}
    if not by_job:
        return
    keys: dict[int, str] = dict(
        session.execute(select(Job.id, Job.idempotency_key).where(Job.id.in_(by_job))).all()
    )
    payloads = {job_id: _payload(post, materials, target, settings) for job_id, target in by_job.items()}
    references = {
        job_id: _client_ref(materials, target, keys[job_id], due_at) for job_id, target in by_job.items()
    }
    changed = ledger.reschedule_jobs(
        session,
        list(by_job),
        due_at=due_at,
        expires_at=_expires_at(due_at, settings),
        late_until=_late_until(post, settings),
        on_missed=_on_missed(post),
        payloads=payloads,
        client_refs=references,
        actor=actor,
    )
    if len(changed) < len(by_job):
        raise Conflict(_JUST_BEGUN)


def drop_jobs(session: Session, job_ids: Sequence[int], *, actor: str) -> None:
    """Cancel jobs that an edit replaces and let them go of their post.

    Raises:
        Conflict: a worker has taken one meanwhile.
    """
    if not job_ids:
        return
    ledger.cancel_jobs(session, job_ids, actor=actor)
    close_failures(session, job_ids, actor=actor, resolution="rescheduled")
    states = session.execute(select(Job.state).where(Job.id.in_(job_ids))).scalars()
    if any(state not in (JobState.CANCELLED, JobState.DEAD) for state in states):
        raise Conflict(_JUST_BEGUN)
    session.execute(
        update(Job)
        .where(Job.id.in_(job_ids))
        .values(post_id=None, version=Job.version + 1)
        .execution_options(synchronize_session=False)
    )


def cancel_waiting(session: Session, jobs: Sequence[JobFacts], *, actor: str) -> int:
    """Cancel everything that nobody is sending; returns how many were cancelled.

    Raises:
        Conflict: one is being sent, or its outcome is not known yet.
    """
    if any(job.state in (JobState.SENDING, JobState.UNKNOWN, JobState.RESOLVING) for job in jobs):
        raise Conflict("It is being sent right now and can no longer be stopped. Wait for the outcome.")
    waiting = [job.id for job in jobs if job.state in (*CLAIMABLE, JobState.CLAIMED, JobState.HELD)]
    cancelled = ledger.cancel_jobs(session, waiting, actor=actor)
    if len(cancelled) < len(waiting):
        raise Conflict("It has just begun to be sent and can no longer be stopped. Wait for the outcome.")
    close_failures(session, waiting, actor=actor, resolution="discarded")
    return len(cancelled)


def close_failures(session: Session, job_ids: Sequence[int], *, actor: str, resolution: str) -> None:
    """Close what stands open under Failed tasks for jobs that a person has dealt with here."""
    if job_ids:
        resolve_open_failures(session, job_ids, by=actor, resolution=resolution)


def delete_targets(session: Session, targets: Sequence[Target]) -> None:
    if targets:
        ids = [target.id for target in targets]
        for target in targets:
            session.expunge(target)
        session.execute(delete(Target).where(Target.id.in_(ids)).execution_options(synchronize_session=False))


def _new_job(
    post: Post, materials: Materials, target: Target, after_index: int | None, settings: Settings
) -> ledger.NewJob:
    due_at = _due_at(post)
    key = new_id()
    return ledger.NewJob(
        queue="publish",
        kind="publish",
        dedupe_key=f"publish:{target.id}",
        account_id=target.account_id,
        post_id=post.id,
        payload=_payload(post, materials, target, settings),
        due_at=due_at,
        expires_at=_expires_at(due_at, settings),
        late_until=_late_until(post, settings),
        on_missed=_on_missed(post),
        idempotency_key=key,
        client_ref=_client_ref(materials, target, key, due_at),
        after_index=after_index,
        max_attempts=settings.publish_retries + 1,
    )


def _payload(post: Post, materials: Materials, target: Target, settings: Settings) -> dict[str, Any]:
    """What goes out, frozen: a repeat is identical byte for byte."""
    account = materials.accounts[target.account_id]
    rule = media_rule_of(account)
    media = []
    for item, row in materials.media_of(target.part):
        frozen = freeze(row, settings, max_bytes=rule.max_image_bytes, allowed_types=rule.image_types)
        media.append(
            {
                "media_id": frozen.media_id,
                "storage_key": frozen.storage_key,
                "mime_type": frozen.mime_type,
                "width": frozen.width,
                "height": frozen.height,
                "size_bytes": frozen.size_bytes,
                "alt": materials.alt_of(item),
            }
            | ({"duration_seconds": row.duration_seconds} if row.duration_seconds else {})
        )
    # A millisecond apart, so that networks which sort by the client's time keep a thread in order.
    created_at = _due_at(post) + timedelta(milliseconds=target.part)
    return {
        "text": _text(materials, target),
        "media": media,
        "options": _network_options(account.platform, target.part, materials.draft.options | target.options),
        "created_at": created_at.astimezone(UTC).isoformat(),
        "part": target.part,
    } | ({"is_comment": True} if target.part > len(materials.draft.thread) else {})


def _network_options(platform: str, part: int, options: dict[str, Any]) -> dict[str, Any]:
    """What a network is told: how links were tagged is in the text already, and only the first part quotes."""
    told = {name: value for name, value in options.items() if name not in ("link_tags", "campaign")}
    if part or not can_quote(platform, str(told.get("quote", ""))):
        told.pop("quote", None)
    return told


def _text(materials: Materials, target: Target) -> str:
    parts = materials.parts_of(TargetDraft(target.account_id, target.text, dict(target.options)))
    return parts[target.part]


def _client_ref(materials: Materials, target: Target, key: str, due_at: datetime) -> str:
    connector = find_connector(materials.accounts[target.account_id].platform)
    return connector.new_client_ref(key, due_at)


def _due_at(post: Post) -> datetime:
    assert post.scheduled_at is not None
    return post.scheduled_at


def _late_until(post: Post, settings: Settings) -> datetime | None:
    if post.missed_policy is MissedPolicy.PUBLISH_LATE:
        return None
    return _due_at(post) + timedelta(minutes=settings.missed_after_minutes)


def _on_missed(post: Post) -> str:
    return "skip" if post.missed_policy is MissedPolicy.SKIP else "hold"


def _expires_at(due_at: datetime, settings: Settings) -> datetime:
    return due_at + timedelta(hours=settings.max_snooze_hours)
