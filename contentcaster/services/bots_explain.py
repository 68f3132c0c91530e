"""One line of the bot log, step by step: found, decided, planned, each attempt with its answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlmodel import Session

from contentcaster.bots.candidates import label, unpack
from contentcaster.errors import NotFound
from contentcaster.models import BotAct, BotLog, BotRule, Job, JobAttempt, JobEvent
from contentcaster.security.permissions import Permission, Principal

_TONES = {
    "published": "ok",
    "retry_later": "warn",
    "snooze": "warn",
    "unknown": "bad",
    "refused": "bad",
    "lost": "bad",
}
_ATTEMPTS = {
    "published": "Done: the network confirms it",
    "released": "Given back unsent",
    "retry_later": "Not done, tried again later",
    "snooze": "The network asked to wait",
    "unknown": "No answer: it is looked up, never simply repeated",
    "refused": "The network said no",
    "safe_to_send": "Looked up: it was not done",
    "cannot_tell": "Looked up: it cannot be told",
    "lookup_failed": "The look-up failed",
    "lost": "The worker stopped answering",
}


@dataclass(frozen=True)
class Step:
    at: datetime
    title: str
    text: str
    tone: str


def explain_line(session: Session, principal: Principal, line_id: int) -> list[Step]:
    """The steps of the act behind a line, oldest first; a line without an act is its own only step.

    Raises:
        NotFound: no such line (any more).
    """
    principal.require(Permission.VIEW_BOT_LOG)
    line = session.get(BotLog, line_id)
    if line is None:
        raise NotFound("This line is no longer in the log.")
    act = session.get(BotAct, line.act_id) if line.act_id else None
    if act is None:
        return [Step(line.at, f"{line.action}: {line.outcome.replace('_', ' ')}", line.why, "info")]
    return sorted([*_of_act(session, act), *_of_job(session, act)], key=lambda step: step.at)


def _of_act(session: Session, act: BotAct) -> list[Step]:
    rule = session.get(BotRule, act.rule_id) if act.rule_id else None
    candidate = unpack(act.target)
    found = f"{label(candidate)}: {act.why}"
    steps = [Step(act.created_at, f"Considered by “{rule.name}”" if rule else "Considered", found, "info")]
    if act.text:
        steps.append(
            Step(act.created_at, "Reply drafted by the assistant" if act.is_ai else "Reply", act.text, "")
        )
    for line in session.execute(
        select(BotLog).where(BotLog.act_id == act.id).order_by(BotLog.id).limit(50)
    ).scalars():
        if line.outcome in ("waiting", "refused", "rejected", "would_do", "planned", "stopped"):
            who = "" if line.actor == "ContentCaster" else f" by {line.actor}"
            tone = {"refused": "bad", "stopped": "bad", "planned": "info"}.get(line.outcome, "")
            steps.append(Step(line.at, line.outcome.replace("_", " ").capitalize() + who, line.why, tone))
    return steps


def _of_job(session: Session, act: BotAct) -> list[Step]:
    job = session.get(Job, act.job_id) if act.job_id else None
    if job is None:
        return []
    events = session.execute(select(JobEvent).where(JobEvent.job_id == job.id)).scalars()
    steps = [
        Step(event.at, event.name.replace("_", " ").capitalize(), event.message or f"by {event.actor}", "")
        for event in events
        if event.name != "scheduled"
    ]
    for attempt in session.execute(select(JobAttempt).where(JobAttempt.job_id == job.id)).scalars():
        title = _ATTEMPTS.get(attempt.outcome, attempt.outcome)
        text = " ".join(
            part for part in (attempt.message or "", f"HTTP {attempt.http_status}." if attempt.http_status else "")
            if part
        )  # fmt: skip
        steps.append(Step(attempt.ended_at, title, text, _TONES.get(attempt.outcome, "")))
    return steps
