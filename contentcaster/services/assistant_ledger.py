"""What the assistant costs: tokens per use, a daily cap per person and for the bots, and the admin's settings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select, update
from sqlmodel import Session

from contentcaster.assistant.model import Usage
from contentcaster.clock import utc_now
from contentcaster.errors import InvalidInput, TooMany
from contentcaster.models import AssistantSetup, AssistantUse, User
from contentcaster.security.permissions import Permission, Principal
from contentcaster.services import audit
from contentcaster.services.drafts import clean_text
from contentcaster.services.schedule import format_when, known_zone, load_zone

MAX_VOICE_CHARACTERS = 4000
MAX_DAILY_TOKENS = 1_000_000_000
_STALE = timedelta(minutes=10)
"""A use that has not ended by then died with its process; what it reserved is free again."""
_DEFAULT = {
    "daily_tokens_per_person": 100_000,
    "daily_tokens_of_bots": 200_000,
    # The published list price of gemini-2.5-flash; an admin enters what their contract says.
    "input_usd_per_million": 0.30,
    "output_usd_per_million": 2.50,
}


@dataclass(frozen=True)
class SetupView:
    brand_voice: str
    daily_tokens_per_person: int
    daily_tokens_of_bots: int
    input_usd_per_million: float
    output_usd_per_million: float
    updated_by: str


@dataclass(frozen=True)
class PersonUse:
    """What one person, or the bots, took in a span."""

    user_id: str
    name: str
    uses: int
    failed: int
    input_tokens: int
    output_tokens: int
    cost_usd: float
    tokens_today: int


@dataclass(frozen=True)
class UseReport:
    since: datetime
    people: list[PersonUse]
    uses: int
    tokens: int
    cost_usd: float


def get_setup(session: Session) -> SetupView:
    """The settings, or their defaults; for the assistant itself."""
    row = session.get(AssistantSetup, 1)
    if row is None:
        return SetupView("", updated_by="", **_DEFAULT)  # type: ignore[arg-type]
    return SetupView(
        row.brand_voice,
        row.daily_tokens_per_person,
        row.daily_tokens_of_bots,
        row.input_usd_per_million,
        row.output_usd_per_million,
        row.updated_by,
    )


def read_setup(session: Session, principal: Principal) -> SetupView:
    """The settings, for an admin."""
    principal.require(Permission.MANAGE_SETTINGS)
    return get_setup(session)


def save_setup(
    session: Session,
    principal: Principal,
    *,
    brand_voice: str,
    daily_tokens_per_person: int,
    daily_tokens_of_bots: int,
    input_usd_per_million: float,
    output_usd_per_million: float,
) -> SetupView:
    """Keep what an admin set.

    Raises:
        InvalidInput: `fields` names what is out of bounds.
    """
    principal.require(Permission.MANAGE_SETTINGS)
    voice = clean_text(brand_voice).strip()
    problems = {}
    if len(voice) > MAX_VOICE_CHARACTERS:
        problems["brand_voice"] = (
            f"Use at most {MAX_VOICE_CHARACTERS:,} characters; it goes with every request."
        )
    for name, value in (
        ("daily_tokens_per_person", daily_tokens_per_person),
        ("daily_tokens_of_bots", daily_tokens_of_bots),
    ):
        if not 0 <= value <= MAX_DAILY_TOKENS:
            problems[name] = f"Enter a number of tokens from 0 to {MAX_DAILY_TOKENS:,}; 0 turns it off."
    for name, price in (
        ("input_usd_per_million", input_usd_per_million),
        ("output_usd_per_million", output_usd_per_million),
    ):
        if not 0 <= price <= 10_000:
            problems[name] = "Enter a price in US dollars per million tokens, such as 0.30."
    if problems:
        raise InvalidInput(next(iter(problems.values())), fields=problems)
    row = session.get(AssistantSetup, 1, with_for_update=True) or AssistantSetup(**_DEFAULT)
    row.brand_voice = voice
    row.daily_tokens_per_person, row.daily_tokens_of_bots = daily_tokens_per_person, daily_tokens_of_bots
    row.input_usd_per_million, row.output_usd_per_million = input_usd_per_million, output_usd_per_million
    row.updated_at, row.updated_by = utc_now(), principal.email
    session.add(row)
    audit.record(
        session,
        principal,
        "assistant.changed",
        "assistant",
        "",
        {"voice_characters": len(voice), "daily_per_person": daily_tokens_per_person},
    )
    session.flush()
    return get_setup(session)


def begin(
    session: Session, user_id: str | None, *, task: str, model: str, is_offline: bool, estimate: int
) -> int:
    """Reserve an estimate for one question, under a lock, so that many at once cannot pass the cap.

    Raises:
        TooMany: the day's tokens are used up; the sentence says when there are new ones.
    """
    now, setup = utc_now(), get_setup(session)
    cap, timezone = setup.daily_tokens_of_bots, "UTC"
    if user_id is not None:
        user = session.execute(select(User).where(User.id == user_id).with_for_update()).scalar_one()
        cap, timezone = setup.daily_tokens_per_person, known_zone(user.timezone)
    start = _day_start(now, timezone)
    spent = tokens_since(session, user_id, start, now=now)
    if not is_offline and spent + estimate > cap:
        again = format_when(start + timedelta(days=1), timezone)
        raise TooMany(
            f"The assistant's tokens for today are used up: {spent:,} of {cap:,}, and this needs about {estimate:,}. "
            f"There are new ones on {again}; an admin can raise the cap. Writing and scheduling go on as ever.",
            retry_after_seconds=(start + timedelta(days=1) - now).total_seconds(),
        )
    row = AssistantUse(
        at=now,
        user_id=user_id,
        task=task,
        model=model,
        is_offline=is_offline,
        reserved_tokens=0 if is_offline else estimate,
    )
    session.add(row)
    session.flush()
    assert row.id is not None
    return row.id


def finish(session: Session, use_id: int, *, outcome: str, usage: Usage, took_ms: int) -> None:
    """Write what one question really took; its reservation ends."""
    setup = get_setup(session)
    row = session.get_one(AssistantUse, use_id)
    row.outcome, row.took_ms, row.reserved_tokens = outcome[:30], took_ms, 0
    row.input_tokens, row.output_tokens = usage.input_tokens, usage.output_tokens
    if not row.is_offline:
        # US dollars per million tokens are millionths of a dollar per token.
        row.cost_micro_usd = round(
            usage.input_tokens * setup.input_usd_per_million
            + usage.output_tokens * setup.output_usd_per_million
        )


def tokens_since(
    session: Session, user_id: str | None, start: datetime, *, now: datetime | None = None
) -> int:
    """Tokens that count against the cap since `start`, with what runs now."""
    now = now or utc_now()
    owner = AssistantUse.user_id.is_(None) if user_id is None else AssistantUse.user_id == user_id
    total = session.execute(
        select(func.coalesce(func.sum(AssistantUse.input_tokens + AssistantUse.output_tokens), 0)).where(
            owner, AssistantUse.at >= start, AssistantUse.is_offline.is_(False)
        )
    ).scalar_one()
    running = session.execute(
        select(func.coalesce(func.sum(AssistantUse.reserved_tokens), 0)).where(
            owner, AssistantUse.at >= max(start, now - _STALE)
        )
    ).scalar_one()
    return int(total) + int(running)


def left_today(session: Session, principal: Principal) -> int:
    """Tokens that the person may still use today."""
    start = _day_start(utc_now(), known_zone(principal.timezone))
    used = tokens_since(session, principal.user_id, start)
    return max(0, get_setup(session).daily_tokens_per_person - used)


def report(session: Session, principal: Principal, *, days: int = 30) -> UseReport:
    """Who used how much in the last days, for an admin."""
    principal.require(Permission.MANAGE_SETTINGS)
    now = utc_now()
    since = now - timedelta(days=max(1, min(days, 365)))
    today = _day_start(now, known_zone(principal.timezone))
    rows = session.execute(
        select(
            AssistantUse.user_id,
            func.count(),
            func.sum(AssistantUse.input_tokens),
            func.sum(AssistantUse.output_tokens),
            func.sum(AssistantUse.cost_micro_usd),
        )
        .where(AssistantUse.at >= since)
        .group_by(AssistantUse.user_id)
    ).all()
    failed: dict[str | None, int] = dict(
        session.execute(
            select(AssistantUse.user_id, func.count())
            .where(AssistantUse.at >= since, AssistantUse.outcome.not_in(("ok", "running")))
            .group_by(AssistantUse.user_id)
        ).all()
    )
    names: dict[str | None, str] = dict(session.execute(select(User.id, User.name)).all())
    people = [
        PersonUse(
            user_id or "",
            names.get(user_id, "Bots and people who are gone"),
            uses,
            failed.get(user_id, 0),
            int(asked or 0),
            int(said or 0),
            int(cost or 0) / 1_000_000,
            tokens_since(session, user_id, today, now=now),
        )
        for user_id, uses, asked, said, cost in rows
    ]
    people.sort(key=lambda row: (-row.cost_usd, -row.uses, row.name))
    return UseReport(
        since,
        people,
        sum(row.uses for row in people),
        sum(row.input_tokens + row.output_tokens for row in people),
        sum(row.cost_usd for row in people),
    )


def _day_start(now: datetime, timezone: str) -> datetime:
    local = now.astimezone(load_zone(timezone))
    return local.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)


def mark_abandoned(session: Session, *, now: datetime | None = None) -> int:
    """Uses whose process died while they ran."""
    result = session.execute(
        update(AssistantUse)
        .where(AssistantUse.outcome == "running", AssistantUse.at < (now or utc_now()) - _STALE)
        .values(outcome="abandoned", reserved_tokens=0)
        .execution_options(synchronize_session=False)
    )
    return int(result.rowcount)
