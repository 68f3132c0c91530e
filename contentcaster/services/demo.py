"""Demo data for a first look: channels on the sandbox network, posts in every state a person meets, bots at work."""

from __future__ import annotations

from datetime import timedelta

from contentcaster.clock import utc_now
from contentcaster.db import Database
from contentcaster.errors import Unavailable
from contentcaster.security.permissions import Principal
from contentcaster.services import connecting, posts
from contentcaster.services.demo_bots import create_demo_bots
from contentcaster.services.drafts import PostDraft, TargetDraft
from contentcaster.services.schedule import Schedule

HANDLES = ("acme", "acme-labs", "acme-news")

_NOW = (
    "We rebuilt our release notes so that people actually read them.\n\nThree things that worked: one screenshot per "
    "change, the “why” first, and a changelog you can subscribe to. https://acme.example/changes #devrel",
    "Status page is back. Thanks for bearing with us this morning.",
)
_LATER = (
    (2, "Office hours in a few minutes: bring your questions about self-hosting. #selfhosting"),
    (45, "Hiring: two engineers who like calm systems and short meetings. https://acme.example/jobs"),
    (60 * 20, "Why we deleted half of our dashboards, and what we look at instead."),
    (60 * 44, "Ask us anything about publishing on time. We answer all week."),
    (60 * 70, "Shipping weekly: what it costs, what it brings, and when we would not do it."),
)
_DRAFTS = (
    "Draft: the story of our first outage, told by the people who slept through it.",
    "Draft: five small habits that made our on-call quieter.",
)


async def create_demo(database: Database, principal: Principal) -> list[str]:
    """Connect three sandbox channels, write posts (some go out now, some wait, some are drafts) and let bots work.

    Returns the ids of the posts. Running it again adds posts, never channels or rules.

    Raises:
        Unavailable: the sandbox network is off or does not answer.
    """
    if not database.settings.is_sandbox_on:
        raise Unavailable("Demo data needs the sandbox network, which is off on this server.")
    channels = [
        (await connecting.connect_account(database, principal, "sandbox", {"handle": handle})).id
        for handle in HANDLES
    ]
    everywhere = tuple(TargetDraft(account_id=account_id) for account_id in channels)
    first = everywhere[:1]
    now = utc_now()
    plan = [(PostDraft(text=text, targets=everywhere), Schedule.now()) for text in _NOW]
    plan += [
        (
            PostDraft(text=text, targets=everywhere if number % 2 else first),
            Schedule.at(now + timedelta(minutes=minutes), principal.timezone),
        )
        for number, (minutes, text) in enumerate(_LATER)
    ]
    drafts = [PostDraft(text=text, targets=first) for text in _DRAFTS]
    with database.transaction() as session:
        made = [posts.create_post(session, principal, draft, when).id for draft, when in plan]
        made += [posts.create_post(session, principal, draft).id for draft in drafts]
    await create_demo_bots(database, principal, channels[0])
    return made
