"""The bot log: the newest lines live, filters, one line explained."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated
from urllib.parse import parse_qs, urlencode

import reflex as rx
from pydantic import Field

from contentcaster.clock import utc_now
from contentcaster.security.permissions import Permission
from contentcaster.services import bots, bots_channels, bots_explain, bots_log, bots_overview
from contentcaster.services.bots_explain import Step
from contentcaster.services.bots_log import LogFilter, LogView
from contentcaster.state.bridge import read, write
from contentcaster.state.flash import flash
from contentcaster.state.marks import guarded
from contentcaster.state.page import page_load

PAGE_SIZE = 50
BOTS = {"engagement": "Engagement", "growth": "Growth", "finder": "Finder", "all": "All bots"}
ACTIONS = ("like", "repost", "reply", "follow", "unfollow", "discover", "score", "run", "rule", "switch")
OUTCOMES: dict[str, tuple[str, str]] = {
    "done": ("done", "ok"),
    "planned": ("planned", "info"),
    "waiting": ("waiting for approval", "acc"),
    "would_do": ("dry run: would do", "info"),
    "skipped": ("skipped", ""),
    "refused": ("refused", "bad"),
    "rejected": ("rejected by a person", ""),
    "snoozed": ("snoozed", "warn"),
    "failed": ("failed", "bad"),
    "in_doubt": ("needs review", "warn"),
    "found": ("found", "info"),
    "stopped": ("stopped", "bad"),
    "resumed": ("resumed", "ok"),
    "changed": ("changed", ""),
}
"""Outcome -> words and tone."""
SPANS = {"0": "Any time", "1": "Last hour", "24": "Last 24 h", "168": "Last 7 days", "720": "Last 30 days"}

Short = Annotated[str, Field(max_length=200)]


@dataclass(frozen=True)
class LogRow:
    """A line as it is drawn."""

    id: int
    at: datetime
    bot: str
    action: str
    target: str
    target_url: str
    words: str
    tone: str
    outcome: str
    why: str
    budget: str
    rule_name: str
    channel: str
    actor: str
    is_old: bool
    """Longer ago than half a day: the date is shown too."""


@dataclass(frozen=True)
class Choice:
    value: str
    label: str


class BotLogState(rx.State):
    rows: list[LogRow] = []
    next_cursor: str = ""
    page: int = 1
    bot: str = ""
    rule_id: str = ""
    account_id: str = ""
    action: str = ""
    outcome: str = ""
    text: str = ""
    hours: str = "0"
    rules: list[Choice] = []
    channels: list[Choice] = []
    line_count: str = ""
    last_day: str = ""
    is_stopped: bool = False
    stopped_words: str = ""
    export_url: str = ""
    explained: list[LogRow] = []
    """The line that the dialog explains; none or one."""
    steps: list[Step] = []
    _cursors: list[str] = [""]

    @page_load(Permission.VIEW_BOT_LOG)
    async def load(self) -> None:
        """Arrive; the address may name a rule, a bot, a channel or an outcome."""
        asked = {name: values[-1][:40] for name, values in parse_qs(self.router.url.query).items()}
        self.bot = asked.get("bot", "") if asked.get("bot", "") in BOTS else ""
        self.outcome = asked.get("outcome", "") if asked.get("outcome", "") in OUTCOMES else ""
        self.rule_id, self.account_id = asked.get("rule", ""), asked.get("channel", "")
        self.action, self.text, self.hours, self.explained = "", "", "0", []
        await self._first_page()

    @page_load(Permission.VIEW_BOT_LOG)
    async def refresh(self) -> None:
        """A line was written: the newest page shows it; an older page stays as it is read."""
        if self.page == 1:
            await self._read("")
        await self._read_head()

    @guarded(Permission.VIEW_BOT_LOG)
    async def set_text(self, value: Short) -> None:
        self.text = value
        await self._first_page()

    @guarded(Permission.VIEW_BOT_LOG)
    async def set_bot(self, value: Short) -> None:
        self.bot = value
        await self._first_page()

    @guarded(Permission.VIEW_BOT_LOG)
    async def set_rule(self, value: Short) -> None:
        self.rule_id = value
        await self._first_page()

    @guarded(Permission.VIEW_BOT_LOG)
    async def set_channel(self, value: Short) -> None:
        self.account_id = value
        await self._first_page()

    @guarded(Permission.VIEW_BOT_LOG)
    async def set_action(self, value: Short) -> None:
        self.action = value
        await self._first_page()

    @guarded(Permission.VIEW_BOT_LOG)
    async def set_outcome(self, value: Annotated[str, Field(pattern="^[a-z_]{0,12}$")]) -> None:
        self.outcome = value
        await self._first_page()

    @guarded(Permission.VIEW_BOT_LOG)
    async def set_hours(self, value: Annotated[str, Field(pattern="^[0-9]{1,4}$")]) -> None:
        self.hours = value
        await self._first_page()

    @guarded(Permission.VIEW_BOT_LOG)
    async def clear(self) -> None:
        """Show everything again."""
        self.bot = self.rule_id = self.account_id = self.action = self.outcome = self.text = ""
        self.hours = "0"
        await self._first_page()

    @guarded(Permission.VIEW_BOT_LOG)
    async def older(self) -> None:
        if self.next_cursor:
            self._cursors = [*self._cursors[: self.page], self.next_cursor]
            self.page += 1
            await self._read(self.next_cursor)

    @guarded(Permission.VIEW_BOT_LOG)
    async def newer(self) -> None:
        if self.page > 1:
            self.page -= 1
            await self._read(self._cursors[self.page - 1])

    @guarded(Permission.VIEW_BOT_LOG)
    async def explain(self, line_id: int) -> None:
        """Show how this act came about and what happened to it, step by step."""
        self.explained = [row for row in self.rows if row.id == line_id]
        self.steps = await read(bots_explain.explain_line, line_id)

    @guarded(Permission.VIEW_BOT_LOG)
    async def set_explain_open(self, is_open: bool) -> None:
        if not is_open:
            self.explained, self.steps = [], []

    @guarded(Permission.MANAGE_BOTS)
    async def stop_all(self) -> None:
        count = await write(bots_channels.stop_all)
        await self._after_switch(f"All bots are stopped. {count} waiting acts were called off.")

    @guarded(Permission.MANAGE_BOTS)
    async def resume_all(self) -> None:
        await write(bots_channels.resume_all)
        await self._after_switch("The bots may act again, within their caps.")

    async def _after_switch(self, message: str) -> None:
        await self._first_page()
        await flash(self, "ok", message)

    async def _first_page(self) -> None:
        self.page, self._cursors = 1, [""]
        await self._read("")
        await self._read_head()

    def _filter(self) -> LogFilter:
        return LogFilter(
            bot=self.bot,
            rule_id=self.rule_id,
            account_id=self.account_id,
            action=self.action,
            outcome=self.outcome,
            text=self.text,
            hours=int(self.hours),
        )

    async def _read(self, cursor: str) -> None:
        page = await read(bots_log.list_lines, self._filter(), cursor=cursor, limit=PAGE_SIZE)
        self.rows, self.next_cursor = [_row(line) for line in page.items], page.next_cursor

    async def _read_head(self) -> None:
        summary = await read(bots_log.summarise)
        switch = await read(bots_overview.get_switch)
        self.line_count = f"{summary.lines:,} line" + ("" if summary.lines == 1 else "s")
        day = summary.last_day
        parts = [
            (day.get("done", 0), "done"),
            (day.get("waiting", 0), "waiting"),
            (day.get("refused", 0), "refused"),
        ]
        self.last_day = ", ".join(f"{count:,} {word}" for count, word in parts)
        self.is_stopped, self.stopped_words = switch.is_stopped, _stopped(switch.by, switch.reason)
        known = await read(bots.list_rules)
        self.rules = [Choice(rule.id, rule.name) for rule in known]
        views = {rule.channel.account_id: rule.channel for rule in known}
        self.channels = [Choice(key, f"{view.platform_name} · {view.handle}") for key, view in views.items()]
        filled = {name: value for name, value in self._filter().__dict__.items() if value}
        self.export_url = "/api/v1/bots/log.csv?" + urlencode(filled)


def _stopped(by: str, reason: str) -> str:
    return f"Stopped by {by}" + (f": {reason}" if reason else "")


def _row(line: LogView) -> LogRow:
    words, tone = OUTCOMES.get(line.outcome, (line.outcome, ""))
    if line.detail and line.outcome == "found":
        words = line.detail
    return LogRow(
        id=line.id,
        at=line.at,
        bot=BOTS.get(line.bot, line.bot),
        action=line.action,
        target=line.target or "—",
        target_url=line.target_url if line.target_url.startswith(("https://", "http://")) else "",
        words=words,
        tone=tone,
        outcome=line.outcome,
        why=line.why,
        budget=line.budget or "—",
        rule_name=line.rule_name,
        channel=line.channel,
        actor=line.actor,
        is_old=line.at < utc_now() - timedelta(hours=12),
    )
