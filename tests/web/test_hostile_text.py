"""Stored XSS: payloads in everything people and networks can write, shown on every page that shows it, in a browser.

A payload that runs opens a dialog or sets a mark; one that is taken for HTML leaves an element. Neither may be.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from contentcaster.clock import utc_now
from contentcaster.models import BotLog, FailedTask, Job, JobState, Media, Post, Role, User
from contentcaster.services import media, posts, webhooks
from contentcaster.services.drafts import MediaDraft, PostDraft, TargetDraft
from contentcaster.services.schedule import Schedule
from tests.services.service_kit import png
from tests.services_for_tests import factories
from tests.services_for_tests.stack import Servers, activated, as_environment
from tests.web.arriving import visit
from tests.web.conftest import Console, NewPage, free_port, running_console

pytestmark = pytest.mark.browser

PAYLOADS = (
    "<img src=x onerror=alert(1)>",
    "<script>window.__ran=1</script>",
    "<svg onload=alert(2)>",
    '"><iframe srcdoc="<script>alert(3)</script>">',
    "'-alert(4)-'",
    "javascript:alert(5)",
    "</script><script>alert(6)</script>",
    "${alert(7)} {{alert(8)}} {alert(9)}",
    "[x](javascript:alert(10)) https://a.example/?q=<b onmouseover=alert(11)>",
)
ALL = " ".join(PAYLOADS)
SHORT = "<img src=x onerror=alert(1)><svg onload=alert(2)>"
PAGES = (
    "/",
    "/posts",
    "/posts/{post}",
    "/studio?post={draft}",
    "/calendar",
    "/media",
    "/failed-tasks",
    "/queues",
    "/channels",
    "/users",
    "/webhooks",
    "/bot-log",
    "/analytics",
    "/approvals",
    "/notifications",
    "/audit",
    "/profile",
)
_INTRUDERS = "img[src='x'], svg[onload], iframe[srcdoc], [onerror], [onmouseover], a[href^='javascript:' i]"


@pytest.fixture(scope="module")
def console(built: object, servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    folder = tmp_path_factory.mktemp("hostile")
    environment = as_environment(
        data_dir=folder, database_url=servers.new_sqlite_database(folder), host="127.0.0.1", port=free_port()
    )
    with activated("sqlite", environment) as stack, running_console(stack, folder) as running:
        yield running


def _plant(console: Console) -> dict[str, str]:
    """Payloads wherever somebody can put words; the ids of two posts."""
    database, user = console.stack.database, console.user(Role.ADMIN)
    admin = factories.principal_for(user)
    picture = media.store_upload(database, admin, filename="cat.png", content=png(), alt=ALL)
    with database.transaction() as session:
        session.get_one(User, user.id).name = SHORT
        account = factories.create_account(session, user, handle=SHORT, display_name=SHORT)
        session.flush()
        draft = PostDraft(
            text=ALL,
            targets=(TargetDraft(account.id),),
            media=(MediaDraft(picture.id),),
            labels=("<img src=x onerror=alert(1)>",),
            options={"content_warning": SHORT},
        )
        waiting = posts.create_post(session, admin, draft, Schedule.at(utc_now() + timedelta(hours=1)))
        sketch = posts.create_post(session, admin, draft)
        made = webhooks.create_endpoint(
            session, admin, name=SHORT, url="https://example.org/<svg>", events=["post.failed"]
        )
        webhooks.send_test(session, admin, made.view.id)
        session.add(
            BotLog(bot="finder", rule_name=SHORT, channel=SHORT, action="reply", target=SHORT,
                   target_url="javascript:alert(12)", outcome="done", why=ALL, actor=SHORT)
        )  # fmt: skip
    with database.transaction() as session:
        job = session.query(Job).filter(Job.post_id == waiting.id).one()  # type: ignore[arg-type]
        job.state, job.ended_at, job.error_message = JobState.DEAD, utc_now(), ALL
        session.add(FailedTask(job_id=job.id, fence=1, reason="rejected", message=ALL))
        session.get_one(Post, waiting.id).status = "Failed"  # type: ignore[assignment]
        assert session.get_one(Media, picture.id).alt == ALL
    return {"post": waiting.id, "draft": sketch.id}


def test_what_people_and_networks_write_is_text_and_nothing_else(new_page: NewPage, console: Console) -> None:
    ids = _plant(console)
    page: Page = new_page(Role.ADMIN)
    page.on("dialog", lambda dialog: pytest.fail(f"a payload ran: {dialog.message}"))
    shown = 0
    for path in PAGES:
        visit(page, console.url + path.format(**ids))
        expect(page.locator("h1").first).to_be_visible()
        page.wait_for_load_state("networkidle")
        assert page.locator(_INTRUDERS).count() == 0, path
        assert page.evaluate("() => window.__ran") is None, path
        shown += "onerror=alert(1)" in page.locator("body").inner_text() or page.locator("textarea").count()
    assert shown >= 8, "the payloads were hardly shown: this proves little"
