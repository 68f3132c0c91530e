"""Preflight: what to look at before a post is scheduled, while a person can still act."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import func, or_, select
from sqlmodel import Session

from contentcaster.clock import utc_now
from contentcaster.engine.conditions import is_waiting
from contentcaster.errors import InvalidInput
from contentcaster.models import Account, Job, JobState, Post, PostStatus
from contentcaster.security.permissions import Permission, Principal
from contentcaster.services import quotas
from contentcaster.services.drafts import PostDraft, clean_draft, clean_text
from contentcaster.services.platforms import channel_name
from contentcaster.services.post_checks import Materials, find_problems, load_materials
from contentcaster.services.post_writing import attached_to_post
from contentcaster.services.schedule import Schedule, format_when, known_zone, resolve
from contentcaster.services.views import PreflightItem

_SAME_TEXT_WINDOW = timedelta(hours=24)
_CLASH_WINDOW = timedelta(minutes=5)
_STANDING = tuple(
    status
    for status in PostStatus
    if status not in (PostStatus.DRAFT, PostStatus.FAILED, PostStatus.CANCELLED)
)
_GONE = (JobState.CANCELLED, JobState.DEAD)


def check_draft(
    session: Session,
    principal: Principal,
    draft: PostDraft,
    when: Schedule | None = None,
    *,
    post_id: str = "",
) -> list[PreflightItem]:
    """Stops, then checks, then what is in order. `when` None checks as if it went out now; `post_id` is the post
    being edited, which does not clash with itself. Never raises for what the draft says: that is what it reports."""
    principal.require(Permission.COMPOSE)
    attached = attached_to_post(session, principal, post_id) if post_id else ({}, {})
    try:
        materials = load_materials(session, principal, clean_draft(draft), attached=attached)
    except InvalidInput as error:
        return [PreflightItem("stop", sentence, field) for field, sentence in error.fields.items()]
    items, due_at, timezone = _time_items(principal, when)
    items += inspect(session, materials, due_at=due_at, timezone=timezone, post_id=post_id)
    items += _all_in_order(items, materials)
    rank = {"stop": 0, "check": 1, "ok": 2}
    return sorted(items, key=lambda item: rank[item.level])


def inspect(
    session: Session, materials: Materials, *, due_at: datetime, timezone: str, post_id: str = ""
) -> list[PreflightItem]:
    """All stops and checks of a post at a time: its own, and those of what else is on its channels."""
    items = find_problems(materials, due_at=due_at, timezone=timezone)
    for target in materials.draft.targets:
        account = materials.accounts[target.account_id]
        items += _history_items(session, account, materials.parts_of(target)[0], due_at, timezone, post_id)
        items += _quota_items(session, account, due_at, timezone, post_id)
    return items


def _quota_items(
    session: Session, account: Account, due_at: datetime, timezone: str, post_id: str
) -> list[PreflightItem]:
    """A limit of the network that is used up until after the due time, or will be by what is scheduled before."""
    name, field, now = channel_name(account), f"targets.{account.id}", utc_now()
    for quota in quotas.gates_of(session, account):
        if quota.resets_at is None or not max(now, due_at) < quota.resets_at:
            continue
        when = format_when(quota.resets_at, timezone)
        if quota.left <= 0:
            sentence = f"{name} has used up what the network allows until {when}; this one waits until then."
            return [_check(sentence, field, account)]
        before = session.execute(
            select(func.count())
            .select_from(Job)
            .where(
                is_waiting(),
                Job.account_id == account.id,
                Job.kind == "publish",
                Job.due_at <= due_at,
                or_(Job.post_id.is_(None), Job.post_id != clean_text(post_id)),
            )
        ).scalar_one()
        if before >= quota.left:
            sentence = (
                f"{name} allows {quota.left} more until {when}, and {before} are scheduled before this one; "
                "it may have to wait."
            )
            return [_check(sentence, field, account)]
    return []


def _time_items(principal: Principal, when: Schedule | None) -> tuple[list[PreflightItem], datetime, str]:
    now = utc_now()
    if when is None:
        return [], now, known_zone(principal.timezone)
    try:
        time = resolve(when, now=now)
    except InvalidInput as error:
        stops = [PreflightItem("stop", sentence, field) for field, sentence in error.fields.items()]
        return stops, now, "UTC"
    return [], time.at, time.timezone


def _history_items(
    session: Session, account: Account, text: str, due_at: datetime, timezone: str, post_id: str
) -> list[PreflightItem]:
    """The same text on that channel within a day, and another post within minutes."""
    name, field = channel_name(account), f"targets.{account.id}"
    rows = session.execute(
        select(Job.scheduled_at, Job.payload["text"].as_string())  # type: ignore[index]
        .join(Post, Post.id == Job.post_id)
        .where(
            Post.status.in_(_STANDING),
            Post.scheduled_at >= due_at - _SAME_TEXT_WINDOW,
            Post.scheduled_at <= due_at + _SAME_TEXT_WINDOW,
            Post.deleted_at.is_(None),
            Post.id != clean_text(post_id),
            Job.account_id == account.id,
            Job.kind == "publish",
            Job.state.not_in(_GONE),
            Job.after_job_id.is_(None),
        )
        .order_by(Job.scheduled_at)
        .limit(500)
    ).all()
    items = []
    same = [at for at, other in rows if text and other == text]
    if same:
        when = format_when(same[-1], timezone)
        items.append(_check(f"{name} has the same text already, on {when}.", field, account))
    near = [at for at, _other in rows if abs(at - due_at) <= _CLASH_WINDOW]
    if near and not same:
        when = format_when(near[0], timezone)
        items.append(
            _check(f"{name} has another post within five minutes, on {when}.", "scheduled_at", account)
        )
    return items


def _what_fits(are_videos: list[bool]) -> str:
    kind = "video" if all(are_videos) else "picture" if not any(are_videos) else "attachment"
    return f"The {kind} fits" if len(are_videos) == 1 else f"The {kind}s fit"


def _check(sentence: str, field: str, account: Account) -> PreflightItem:
    return PreflightItem("check", sentence, field, account.id)


def _all_in_order(items: list[PreflightItem], materials: Materials) -> list[PreflightItem]:
    """One line for each kind of thing that is in order, so that an empty list never means "not looked at"."""
    draft = materials.draft
    found = []
    problem_fields = [item.field for item in items]
    if draft.targets and not any(
        field.startswith("targets") and not field.endswith(".text") for field in problem_fields
    ):
        found.append(PreflightItem("ok", "Every channel is connected.", "targets"))
    if (
        draft.text
        and draft.targets
        and not any(field.endswith("text") or field.startswith("thread") for field in problem_fields)
    ):
        found.append(PreflightItem("ok", "The text fits on every channel.", "text"))
    if draft.media and draft.targets and "media" not in problem_fields:
        pictures = _what_fits([materials.media[item.id].duration_seconds > 0 for item in draft.media])
        found.append(PreflightItem("ok", f"{pictures} every channel; alt text is there.", "media"))
    return found
