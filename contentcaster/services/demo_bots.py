"""Demo bots: generated people on the sandbox network, who follow back, answer and block, and rules that meet them."""

from __future__ import annotations

import asyncio
from typing import Any

from sqlalchemy import select
from sqlmodel import Session

from contentcaster.clock import utc_now
from contentcaster.db import Database
from contentcaster.engine import ledger
from contentcaster.errors import Unavailable
from contentcaster.models import BotRule
from contentcaster.platforms.base import ConnectorError
from contentcaster.platforms.calls import send
from contentcaster.security.egress import EgressClient
from contentcaster.security.permissions import Principal
from contentcaster.services import bots, bots_channels, bots_plan

PEOPLE = {"people": 60, "posts": 400, "days": 3, "chatter_per_minute": 4, "react": True}
_FILTERS = {"languages": ["en"], "skip_bots": True}
# name, bot, mode, spec: a finder that feeds the two others, and one rule of each mode.
_RULES: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    (
        "People who write about coffee and code", "finder", "automatic",
        {
            "sources": [{"kind": "hashtag", "value": tag} for tag in ("coffee", "python")],
            "every_minutes": 5, "filters": _FILTERS,
            "scoring": {"keywords": {"coffee": 10, "grinder": 10, "python": 10}, "min_score": 60},
        },
    ),
    (
        "Thank those who answer us", "engagement", "automatic",
        {
            "when": "reply", "every_minutes": 1, "filters": {"sentiment": "not_negative"},
            "then": [
                {"action": "like"},
                {"action": "reply", "templates": ["Thank you, {name}!", "Good to hear, {name}. Thank you!"]},
            ],
        },
    ),
    (
        "Like what the finder found", "engagement", "automatic",
        {"when": "finder", "value": "65", "every_minutes": 2, "per_run": 10, "then": [{"action": "like"}]},
    ),
    (
        "Talk to people who bake", "engagement", "approve",
        {
            "when": "hashtag", "value": "baking", "every_minutes": 10, "per_run": 5,
            "then": [{"action": "reply", "templates": ["{name}, how long do you let it rise?"]}],
        },
    ),
    (
        "Follow by score", "growth", "approve",
        {"follow": True, "min_score": 70, "unfollow_after_days": 14, "every_minutes": 10, "per_run": 8},
    ),
    (
        "Cyclists, tried out", "engagement", "dry_run",
        {"when": "hashtag", "value": "cycling", "every_minutes": 5, "per_run": 10, "then": [{"action": "like"}]},
    ),
)  # fmt: skip


async def create_demo_bots(database: Database, principal: Principal, account_id: str) -> int:
    """Let generated people live on the sandbox network and have rules meet them; returns how many rules are new.

    Raises:
        Unavailable: the sandbox network does not answer.
    """
    settings = database.settings
    async with EgressClient(allow=settings.allowed_private_hosts, deadline_seconds=20) as client:
        try:
            answer = await send(client, "POST", f"{settings.sandbox_url}/sandbox/population", json=PEOPLE)
        except ConnectorError as error:
            raise Unavailable(f"The sandbox network does not answer: {error.message}") from None
    if not answer.is_success:
        raise Unavailable(f"The sandbox network answered {answer.status}.")
    return await asyncio.to_thread(database.write, lambda session: _write(session, principal, account_id))


def _write(session: Session, principal: Principal, account_id: str) -> int:
    known = set(session.execute(select(BotRule.name).where(BotRule.account_id == account_id)).scalars())
    if not known:
        # Awake around the clock and warm: a first look happens at any hour and takes minutes.
        rails = {
            "timezone": principal.timezone, "quiet_from": None, "quiet_to": None, "warm_up_days": 0,
            "keep_list": ["@acme-labs", "@acme-news"], "blocked_words": ["voucher", "crypto"],
        }  # fmt: skip
        bots_channels.save_rails(session, principal, account_id, rails)
    made = 0
    for name, bot, mode, spec in _RULES:
        if name in known:
            continue
        view = bots.save_rule(session, principal, bot=bot, name=name, account_id=account_id, spec=spec)
        bots.set_mode(session, principal, view.id, mode)
        bots.set_enabled(session, principal, view.id, True)
        made += 1
        if bot == "finder":  # at once, so that the others find something at their first turn
            rule, now = session.get_one(BotRule, view.id), utc_now()
            ledger.add_jobs(session, [bots_plan.new_run(rule, now, now)], actor=principal.name)
    return made
