"""Posts that were missed or refused, decided over in a real browser."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from sqlmodel import select

from contentcaster.clock import utc_now
from contentcaster.engine import reconciler
from contentcaster.engine.policy import CLOCK
from contentcaster.models import FailedTask, Job, JobState, MissedPolicy, Role
from contentcaster.services import posts
from contentcaster.services.drafts import PostDraft, TargetDraft
from contentcaster.services.schedule import Schedule
from tests.services_for_tests import factories
from tests.web.accessibility import accessibility_problems
from tests.web.conftest import Console, NewPage

pytestmark = pytest.mark.browser


def _post(console: Console, text: str) -> str:
    """A post that is due in an hour and wants a person if it is missed."""
    admin = factories.principal_for(console.user(Role.ADMIN))
    with console.stack.database.transaction() as session:
        account = factories.create_account(session, console.user(Role.ADMIN))
        draft = PostDraft(text=text, targets=(TargetDraft(account.id),), missed_policy=MissedPolicy.HOLD)
        return posts.create_post(session, admin, draft, Schedule.at(utc_now() + timedelta(hours=1))).id


def _miss(console: Console) -> None:
    def later(offset_seconds: float) -> Any:
        return CLOCK(offset_seconds + 7200)

    with console.stack.database.transaction() as session:
        reconciler.hold_missed(session, now=later)


def _choose(page: Page, label: str) -> None:
    """Its state is the server's, so it changes a moment after the click."""
    box = page.get_by_label(label) if label != "Choose all" else page.locator("#pick-all")
    box.click()
    expect(box).to_be_checked()


def _job(console: Console, post_id: str) -> Job:
    with console.stack.database.reading() as session:
        return session.exec(select(Job).where(Job.post_id == post_id)).one()


def test_what_was_missed_is_chosen_and_published_rescheduled_or_let_go(
    new_page: NewPage, console: Console
) -> None:
    now, later, never = (_post(console, f"Missed {word}") for word in ("now", "later", "never"))
    _miss(console)
    page = new_page(Role.ADMIN, "/failed-tasks")
    page.get_by_role("link", name="Decide over them").click()
    expect(page.locator("tbody tr")).to_have_count(3)
    assert accessibility_problems(page) == []
    _choose(page, "Choose: Missed now")
    page.get_by_role("button", name="Publish now").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Publish now").click()
    expect(page.locator("tbody tr")).to_have_count(2)
    _choose(page, "Choose: Missed later")
    page.get_by_role("button", name="New time").click()
    page.get_by_label("When").fill("2020-01-01T09:00")
    page.get_by_role("button", name="Schedule").click()
    expect(page.locator("#new_time-error")).to_be_visible()
    assert accessibility_problems(page) == []
    page.get_by_label("When").fill("2031-01-01T09:00")
    page.get_by_role("button", name="Schedule").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    _choose(page, "Choose all")
    page.get_by_role("button", name="Let go").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Let go").click()
    expect(page.get_by_text("Nothing was missed")).to_be_visible()
    assert _job(console, now).state in (JobState.PENDING_QUEUE, JobState.QUEUED)
    assert _job(console, later).due_at.year == 2031
    assert _job(console, never).state is JobState.CANCELLED


def test_a_refused_text_is_changed_and_sent_to_the_channel_that_refused_it(
    new_page: NewPage, console: Console
) -> None:
    post_id = _post(console, "Wrnog word")
    job_id = _job(console, post_id).id or 0
    with console.stack.database.transaction() as session:
        job = session.get_one(Job, job_id)
        job.state, job.ended_at, job.error_message = JobState.DEAD, utc_now(), "No."
        session.add(FailedTask(job_id=job_id, fence=1, reason="rejected", message="It does not like it."))
    page = new_page(Role.ADMIN, "/failed-tasks")
    page.get_by_role("button", name="Change the text and send it again").click()
    page.get_by_label("Text for this channel").fill("")
    page.get_by_role("button", name="Save and send").click()
    expect(page.locator("#edit_text-error")).to_contain_text("nothing to post")
    assert accessibility_problems(page) == []
    page.get_by_label("Text for this channel").fill("Wrong word")
    page.get_by_role("button", name="Save and send").click()
    expect(page.locator("[data-sonner-toast]").first).to_contain_text("this channel only")
    job = _job(console, post_id)
    assert job.payload["text"] == "Wrong word" and job.state in (JobState.PENDING_QUEUE, JobState.QUEUED)
