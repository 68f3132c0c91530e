"""What each row of an imported table is going to be, and the posts that are written of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlmodel import Session

from contentcaster.errors import InvalidInput
from contentcaster.models import Account, NotificationKind, Post, PostStatus, ReviewKind, Target
from contentcaster.platforms.link_tags import LinkTagRule
from contentcaster.security.permissions import Permission, Principal
from contentcaster.services import accounts, approval, post_jobs, slots
from contentcaster.services import post_writing as writing
from contentcaster.services.csv_rows import Channels, draft_of_row, find_date_order, schedule_of_row
from contentcaster.services.csv_tables import Row, Table
from contentcaster.services.drafts import PostDraft, clean_draft
from contentcaster.services.link_tags import rules_of
from contentcaster.services.notifications import notify
from contentcaster.services.post_checks import Materials
from contentcaster.services.schedule import ResolvedTime, Schedule, known_zone

WITHOUT_TIME = ("draft", "queue", "refuse")
"""What becomes of a row without a time: a draft, the next free queue slot, or an error."""


@dataclass(frozen=True)
class Choices:
    columns: dict[str, str]
    """Column number, from "0" on -> one of `csv_tables.FIELDS`."""
    account_ids: list[str] = field(default_factory=list)
    """For rows that name no channel."""
    timezone: str = "UTC"
    without_time: str = "draft"
    date_order: str = ""
    """dmy | mdy | "": as the dates themselves tell."""


@dataclass
class RowPlan:
    """What one row is going to be."""

    row: Row
    draft: PostDraft
    when: Schedule | None = None
    is_queued: bool = False
    materials: Materials | None = None
    time: ResolvedTime | None = None
    problems: list[str] = field(default_factory=list)
    checks: list[str] = field(default_factory=list)


def plan_rows(
    session: Session, principal: Principal, table: Table, choices: Choices
) -> tuple[list[RowPlan], dict[str, Account]]:
    """What each row would be, with all that is wrong with it; and the channels that the person may use."""
    ids = [view.id for view in accounts.list_channels_for_compose(session, principal)]
    usable = accounts.usable_accounts(session, principal, ids)
    channels = Channels.of(usable.values())
    order = choices.date_order or order_of_dates(table, choices.columns)
    rules = rules_of(session, list(usable))
    plans = [_plan_row(row, channels, usable, choices, order, rules) for row in table.rows]
    _find_doubles(plans)
    return plans, usable


def _plan_row(
    row: Row,
    channels: Channels,
    usable: dict[str, Account],
    choices: Choices,
    order: str,
    link_rules: dict[str, LinkTagRule],
) -> RowPlan:
    cells = {name: row.cells[int(number)] for number, name in choices.columns.items()}
    draft, problems = draft_of_row(cells, channels, choices.account_ids)
    plan = RowPlan(row, draft, problems=[row.problem] if row.problem else [])
    if row.problem:
        return plan
    plan.problems += problems
    try:
        plan.when = schedule_of_row(cells, choices.timezone, order)
    except InvalidInput as error:
        plan.problems.append(error.message)
        return plan
    plan.is_queued = plan.when is None and choices.without_time == "queue"
    if plan.when is None and choices.without_time == "refuse":
        plan.problems.append("It has no time.")
    if not problems:
        _look_over(plan, usable, link_rules)
    return plan


def _look_over(plan: RowPlan, usable: dict[str, Account], link_rules: dict[str, LinkTagRule]) -> None:
    """The same checks that refuse a post in the Studio."""
    try:
        plan.draft = clean_draft(plan.draft)
        if any(target.account_id not in usable for target in plan.draft.targets):
            raise InvalidInput("A chosen channel does not exist any more, or it is not yours to use.")
        plan.materials = Materials(plan.draft, usable, {}, link_rules)
        if plan.when is not None:
            plan.time = writing.check_all(plan.materials, plan.when)
        elif plan.is_queued:
            writing.check_all(plan.materials, Schedule.now())
        elif not plan.draft.targets:
            plan.checks.append("It names no channel; it becomes a draft without one.")
    except InvalidInput as error:
        plan.problems += list(dict.fromkeys(error.fields.values())) or [error.message]


def _find_doubles(plans: Sequence[RowPlan]) -> None:
    seen: dict[tuple[str, tuple[str, ...]], int] = {}
    for plan in plans:
        if plan.problems or not plan.draft.text:
            continue
        key = (plan.draft.text, tuple(target.account_id for target in plan.draft.targets))
        if key in seen:
            plan.checks.append(f"The same text for the same channels stands in line {seen[key]}.")
        seen.setdefault(key, plan.row.line)


def give_slots(session: Session, principal: Principal, plans: Sequence[RowPlan]) -> None:
    """Take the next free slots for the rows that go into the queue. Raises InvalidInput: there are none."""
    queued = [plan for plan in plans if plan.is_queued]
    if not queued:
        return
    wanted = [[target.account_id for target in plan.draft.targets] for plan in queued]
    for plan, slot in zip(queued, slots.take_many(session, principal, wanted), strict=True):
        assert plan.materials is not None
        plan.time = writing.check_all(plan.materials, Schedule.at(slot.at, slot.timezone))


def write_posts(session: Session, principal: Principal, plans: Sequence[RowPlan]) -> list[str]:
    """All posts with few statements: a thousand rows are a matter of seconds."""
    needs_approval = approval.needs_approval(principal)
    zone = known_zone(principal.timezone)
    made: list[tuple[Post, RowPlan]] = []
    for plan in plans:
        is_asking = plan.time is not None and needs_approval
        post = Post(
            author_id=principal.user_id,
            text=plan.draft.text,
            labels=list(plan.draft.labels),
            options=dict(plan.draft.options),
            status=PostStatus.PENDING_APPROVAL if is_asking else PostStatus.DRAFT,
            timezone=plan.time.timezone if plan.time else zone,
            scheduled_at=plan.time.at if plan.time else None,
            wall_time=plan.time.wall_time if plan.time else "",
        )
        made.append((post, plan))
    session.add_all(post for post, _plan in made)
    session.flush()
    targets = [
        [Target(post_id=post.id, account_id=each.account_id, part=0) for each in plan.draft.targets]
        for post, plan in made
    ]
    session.add_all(target for group in targets for target in group)
    session.flush()
    if needs_approval:
        _ask_for_approval(session, principal, [post for post, plan in made if plan.time is not None])
    else:
        post_jobs.add_jobs_of_many(
            session,
            [
                (post, plan.materials, group)
                for (post, plan), group in zip(made, targets, strict=True)
                if plan.time is not None and plan.materials is not None
            ],
            actor=writing.actor_of(principal),
        )
    return [post.id for post, _plan in made]


def _ask_for_approval(session: Session, principal: Principal, asked: Sequence[Post]) -> None:
    """A line in the conversation of each post, and one message about all of them."""
    for post in asked:
        approval.record(session, principal, post.id, ReviewKind.REQUESTED)
    who = principal.name or principal.email
    if asked:
        notify(
            session,
            NotificationKind.APPROVAL_REQUESTED,
            key=f"approval:{asked[0].id}:import",
            title=f"{who} asks for your approval of {counted(len(asked), 'imported post')}",
            body="Nothing of them is sent before you decide.",
            href="/approvals",
            permission=Permission.APPROVE_POSTS,
            except_user_id=principal.user_id,
        )


def order_of_dates(table: Table, columns: dict[str, str]) -> str:
    """dmy or mdy, as the dates of the table tell; "" if they tell nothing."""
    numbers = [int(number) for number, name in columns.items() if name in ("date", "scheduled_at")]
    return find_date_order(row.cells[number] for row in table.rows for number in numbers)


def counted(count: int, noun: str) -> str:
    """ "1 row", "2 rows"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
