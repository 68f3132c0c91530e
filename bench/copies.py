"""Many posts that are all alike, written in seconds: what a bench needs whose subject is not the writing."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import insert, text
from sqlmodel import select

from bench.harness import Rig
from contentcaster.models import Job, Post, Target
from contentcaster.models.types import new_id


def schedule_alike(rig: Rig, count: int, due: datetime) -> None:
    """`count` posts due at once, the channels taken in turn: the first of each channel as the Studio writes it, the
    others copies of its rows. Their texts are "bench post <number>"."""
    rig.schedule([due] * min(count, len(rig.account_ids)))
    with rig.stack.database.transaction() as session:
        jobs = list(session.exec(select(Job).order_by(Job.id)).all())  # type: ignore[arg-type]
        originals = [
            (
                session.get_one(Post, job.post_id).model_dump(),
                job.model_dump(),
                session.exec(select(Target).where(Target.job_id == job.id)).one().model_dump(),
            )
            for job in jobs
        ]
        next_id = max(job.id or 0 for job in jobs) + 1
        copies = [
            _copy(originals[number % len(originals)], number, next_id + number - len(jobs))
            for number in range(len(jobs), count)
        ]
        for model, rows in zip((Post, Job, Target), zip(*copies, strict=True), strict=False):
            session.execute(insert(model), list(rows))
        if rig.stack.database.is_postgres:
            session.execute(
                text("SELECT setval(pg_get_serial_sequence('job', 'id'), (SELECT max(id) FROM job))")
            )


def _copy(original: tuple[dict[str, Any], ...], number: int, job_id: int) -> tuple[dict[str, Any], ...]:
    post, job, target = original
    words, post_id, target_id = f"bench post {number}", new_id(), new_id()
    return (
        post | {"id": post_id, "text": words},
        job
        | {
            "id": job_id,
            "post_id": post_id,
            "payload": job["payload"] | {"text": words},
            "dedupe_key": f"publish:{target_id}",
            "idempotency_key": new_id(),
            "state": "pending_queue",
            "hinted_at": None,
        },
        target | {"id": target_id, "post_id": post_id, "job_id": job_id},
    )
