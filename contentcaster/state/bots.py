"""Bots: rules, the approval inbox, what each channel may still do, and the switches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import reflex as rx
from pydantic import Field

from contentcaster.db import get_database
from contentcaster.errors import InvalidInput
from contentcaster.security.permissions import Permission
from contentcaster.services import (
    assistant,
    bots,
    bots_channels,
    bots_charts,
    bots_flag,
    bots_overview,
    bots_prospects,
)
from contentcaster.services.bots_charts import ActionSeries, OutcomeShare
from contentcaster.services.bots_views import (
    ActView,
    BotChannelView,
    BotState,
    CapView,
    ProspectView,
    RuleView,
    SimulatedAct,
)
from contentcaster.services.views import ChannelView
from contentcaster.state import bots_form
from contentcaster.state.bridge import read, write
from contentcaster.state.drawing import bars_path
from contentcaster.state.flash import flash
from contentcaster.state.marks import current_principal, guarded
from contentcaster.state.page import page_load

Id = Annotated[str, Field(max_length=26)]
Bot = Annotated[str, Field(pattern="^(finder|engagement|growth)$")]
Form = dict[str, Annotated[str, Field(max_length=20_000)] | bool | None]
"""Checkboxes come as booleans, fields of the other bots as None."""
TITLES = {"engagement": "Engagement", "growth": "Growth", "finder": "Finder"}

_FINDS = 6
"""The best of what finders found stand on the page."""
_CAP_FIELDS = ("per_minute", "per_hour", "per_day", "spacing_seconds", "jitter_seconds")
ACTIONS = ("like", "repost", "reply", "follow", "unfollow")
_LISTS = ("keep_list", "deny_list", "blocked_words", "link_hosts")
_RAIL_FIELDS = ("timezone", "quiet_from", "quiet_to", "warm_up_days", "max_follow_ratio", *_LISTS, *ACTIONS)


def _no_errors() -> dict[str, str]:
    return dict.fromkeys((*bots_form.BLANK, *_RAIL_FIELDS, "rule", "filters", "then"), "")


@dataclass(frozen=True)
class BotCard:
    state: BotState
    title: str
    bars: str


@dataclass(frozen=True)
class ActionChart:
    series: ActionSeries
    bars: str
    words: str


@dataclass(frozen=True)
class ChannelCard:
    view: BotChannelView
    caps: list[CapView]
    growth: str
    """Followers over time as bars; empty without data."""
    growth_words: str


class BotsState(rx.State):
    cards: list[BotCard] = []
    charts: list[ActionChart] = []
    outcomes: list[OutcomeShare] = []
    rules: list[RuleView] = []
    channels: list[ChannelCard] = []
    choices: list[ChannelView] = []
    waiting: list[ActView] = []
    waiting_count: int = 0
    chosen: list[str] = []
    finds: list[ProspectView] = []
    find_count: int = 0
    is_stopped: bool = False
    stopped_words: str = ""
    # the rule editor
    editor: str = ""
    """The bot whose rule is edited; "" closes the editor."""
    editing_id: str = ""
    form: dict[str, str] = dict(bots_form.BLANK)
    form_key: int = 0
    has_assistant: bool = False
    assistant_words: str = ""
    """Why the assistant cannot write replies, or what to know of the one that does."""
    errors: dict[str, str] = _no_errors()
    """Field -> what is wrong with it; every field has a key, as the browser asks for each."""
    # the editor of rails
    rails_of: str = ""
    rails_name: str = ""
    rails: dict[str, str] = {}
    # simulate
    simulated: list[SimulatedAct] = []
    simulated_name: str = ""
    # a reply to change
    reply_id: str = ""
    reply_text: str = ""
    reply_error: str = ""

    @page_load(Permission.VIEW_BOTS)
    async def load(self) -> None:
        self.editor, self.rails_of, self.simulated_name, self.reply_id, self.chosen = "", "", "", "", []
        await self._read()

    @page_load(Permission.VIEW_BOTS)
    async def refresh(self) -> None:
        """Something changed: read again, and leave alone what is being typed."""
        await self._read()

    # ── rules ───────────────────────────────────────────────────────────────────────────────────────────────

    @guarded(Permission.MANAGE_BOTS)
    async def new_rule(self, bot: Bot) -> None:
        await self._open_editor(bot, "", bots_form.example(bot))

    @guarded(Permission.MANAGE_BOTS)
    async def use_example(self, number: Annotated[int, Field(ge=0, le=20)]) -> None:
        await self._open_editor(
            self.editor or "finder", self.editing_id, bots_form.example(self.editor or "finder", number)
        )

    @guarded(Permission.MANAGE_BOTS)
    async def edit_rule(self, rule_id: Id) -> None:
        rule = await read(bots.get_rule, rule_id)
        form = bots_form.to_form(rule.bot, rule.spec)
        await self._open_editor(
            rule.bot, rule.id, form | {"name": rule.name, "account_id": rule.channel.account_id}
        )

    @guarded(Permission.MANAGE_BOTS)
    async def set_editor_open(self, is_open: bool) -> None:
        if not is_open:
            self.editor = ""

    @guarded(Permission.MANAGE_BOTS)
    async def save_rule(self, form: Form) -> None:
        typed = bots_form.BLANK | {
            key: _typed(value) for key, value in form.items() if key in bots_form.BLANK
        }
        self.form = typed
        try:
            await write(
                bots.save_rule, bot=self.editor, name=typed["name"], account_id=typed["account_id"],
                spec=bots_form.to_spec(self.editor, typed), rule_id=self.editing_id,
            )  # fmt: skip
        except InvalidInput as error:
            self.errors = _no_errors() | (bots_form.at_fields(error.fields) or {"rule": error.message})
            return
        self.editor, self.errors = "", _no_errors()
        await self._read()
        await flash(self, "ok", "Saved. The rule is off and in dry run until you switch it on.")

    @guarded(Permission.MANAGE_BOTS)
    async def set_enabled(self, rule_id: Id, is_enabled: bool) -> None:
        await write(bots.set_enabled, rule_id, is_enabled)
        await self._read()

    @guarded(Permission.MANAGE_BOTS)
    async def set_mode(self, rule_id: Id, mode: Annotated[str, Field(max_length=12)]) -> None:
        await write(bots.set_mode, rule_id, mode)
        await self._read()

    @guarded(Permission.MANAGE_BOTS)
    async def run_now(self, rule_id: Id) -> None:
        await write(bots.run_now, rule_id)
        await flash(self, "ok", "It runs now. Follow it in the bot log.")

    @guarded(Permission.MANAGE_BOTS)
    async def delete_rule(self, rule_id: Id) -> None:
        await write(bots.delete_rule, rule_id)
        await self._read()
        await flash(self, "ok", "Deleted. What it had planned is called off; what it did stays in the log.")

    @guarded(Permission.VIEW_BOTS)
    async def simulate(self, rule_id: Id) -> None:
        """What would it do now, and why? Nothing is done."""
        rule = await read(bots.get_rule, rule_id)
        self.simulated = await bots_overview.simulate(get_database(), current_principal(), rule_id)
        self.simulated_name = rule.name

    @guarded(Permission.VIEW_BOTS)
    async def set_simulation_open(self, is_open: bool) -> None:
        if not is_open:
            self.simulated, self.simulated_name = [], ""

    # ── inbox ───────────────────────────────────────────────────────────────────────────────────────────────

    @guarded(Permission.MANAGE_BOTS)
    async def choose(self, act_id: Id) -> None:
        kept = [one for one in self.chosen if one != act_id]
        self.chosen = kept if len(kept) < len(self.chosen) else [*self.chosen, act_id]

    @guarded(Permission.MANAGE_BOTS)
    async def choose_all(self) -> None:
        everything = [act.id for act in self.waiting]
        self.chosen = [] if len(self.chosen) == len(everything) else everything

    @guarded(Permission.MANAGE_BOTS)
    async def approve(self, act_id: Id) -> None:
        """One, or with "" all that are chosen."""
        await self._decide(bots.approve, [act_id] if act_id else self.chosen, "will go out within the caps")

    @guarded(Permission.MANAGE_BOTS)
    async def reject(self, act_id: Id) -> None:
        await self._decide(bots.reject, [act_id] if act_id else self.chosen, "rejected")

    @guarded(Permission.MANAGE_BOTS)
    async def edit_reply(self, act_id: Id) -> None:
        self.reply_text = next((act.text for act in self.waiting if act.id == act_id), "")
        self.reply_id, self.reply_error = act_id, ""

    @guarded(Permission.MANAGE_BOTS)
    async def set_reply_open(self, is_open: bool) -> None:
        if not is_open:
            self.reply_id = ""

    @guarded(Permission.MANAGE_BOTS)
    async def approve_reply(self, form: Form) -> None:
        try:
            result = await write(bots.approve, [self.reply_id], text=_typed(form.get("reply_text", "")))
        except InvalidInput as error:
            self.reply_error = error.fields.get("text", error.message)
            return
        self.reply_id = ""
        await self._read()
        tone = "warn" if result.problems else "ok"
        await flash(self, tone, result.problems[0] if result.problems else "It will go out within the caps.")

    async def _decide(self, service: Any, act_ids: list[str], words: str) -> None:
        result = await write(service, act_ids)
        self.chosen = []
        await self._read()
        message = f"{result.done} {words}." + (
            f" {result.skipped} not: {result.problems[0]}" if result.skipped else ""
        )
        await flash(self, "warn" if result.skipped else "ok", message)

    @guarded(Permission.MANAGE_BOTS)
    async def dismiss_find(self, prospect_id: Id) -> None:
        await write(bots_prospects.dismiss, prospect_id)
        await self._read()

    # ── channels and switches ───────────────────────────────────────────────────────────────────────────────

    @guarded(Permission.MANAGE_BOTS)
    async def edit_rails(self, account_id: Id) -> None:
        card = next(card for card in self.channels if card.view.channel.account_id == account_id)
        self.rails = _rails_form(card.view.rails)
        self.rails_of, self.rails_name, self.errors = account_id, card.view.channel.handle, _no_errors()

    @guarded(Permission.MANAGE_BOTS)
    async def set_rails_open(self, is_open: bool) -> None:
        if not is_open:
            self.rails_of = ""

    @guarded(Permission.MANAGE_BOTS)
    async def save_rails(self, form: Form) -> None:
        typed = {key: _typed(value) for key, value in form.items()}
        self.rails = self.rails | typed
        try:
            await write(bots_channels.save_rails, self.rails_of, _rails_values(typed))
        except InvalidInput as error:
            self.errors = _no_errors() | {_rails_place(place): why for place, why in error.fields.items()}
            return
        self.rails_of = ""
        await self._read()
        await flash(
            self, "ok", "Saved. Acts that are planned already are checked against it before they go out."
        )

    @guarded(Permission.MANAGE_BOTS)
    async def flag_as_bot(self, account_id: Id) -> None:
        await bots_flag.flag_as_bot(get_database(), current_principal(), account_id)
        await self._read()
        await flash(self, "ok", "The network now shows this account as automated.")

    @guarded(Permission.MANAGE_BOTS)
    async def stop_channel(self, account_id: Id) -> None:
        count = await write(bots_channels.stop_channel, account_id)
        await self._read()
        await flash(
            self, "ok", f"The bots of this channel are stopped. {count} waiting acts were called off."
        )

    @guarded(Permission.MANAGE_BOTS)
    async def resume_channel(self, account_id: Id) -> None:
        await write(bots_channels.resume_channel, account_id)
        await self._read()

    @guarded(Permission.MANAGE_BOTS)
    async def stop_all(self) -> None:
        count = await write(bots_channels.stop_all)
        await self._read()
        await flash(self, "ok", f"All bots are stopped. {count} waiting acts were called off.")

    @guarded(Permission.MANAGE_BOTS)
    async def resume_all(self) -> None:
        await write(bots_channels.resume_all)
        await self._read()
        await flash(self, "ok", "The bots may act again, within their caps.")

    async def _open_editor(self, bot: str, rule_id: str, form: dict[str, str]) -> None:
        if not form["account_id"] and self.choices:
            form = form | {"account_id": self.choices[0].account_id}
        self.editor, self.editing_id, self.form, self.errors = bot, rule_id, form, _no_errors()
        self.form_key += 1
        status = await read(assistant.get_status)
        self.has_assistant, self.assistant_words = status.is_available, status.sentence

    async def _read(self) -> None:
        states = await read(bots_overview.list_bots)
        self.cards = [BotCard(state, TITLES[state.bot], bars_path(state.hours)) for state in states]
        charts = await read(bots_charts.get_charts)
        self.charts = [
            ActionChart(
                one,
                bars_path(one.days),
                f"{one.action}: {one.total:,} went out in {len(one.days)} days, {one.days[-1]:,} of them today",
            )
            for one in charts.actions
        ]
        self.outcomes = charts.outcomes
        self.rules = await read(bots.list_rules)
        views = await read(bots_overview.list_channels)
        self.choices = [view.channel for view in views]
        self.channels = [await self._card(view) for view in views]
        page = await read(bots.list_waiting, limit=100)
        self.waiting, self.waiting_count = page.items, await read(bots.count_waiting)
        self.chosen = [one for one in self.chosen if one in {act.id for act in page.items}]
        finds = await read(bots_prospects.list_prospects, limit=4 * _FINDS)
        # A post and who wrote it are two finds; here the better of them stands for both.
        best = {find.handle: find for find in reversed(finds.items)}
        self.finds = [find for find in finds.items if best[find.handle] is find][:_FINDS]
        self.find_count = await read(bots_prospects.count_prospects)
        switch = await read(bots_overview.get_switch)
        self.is_stopped = switch.is_stopped
        self.stopped_words = f"Stopped by {switch.by}" + (f": {switch.reason}" if switch.reason else "")

    async def _card(self, view: BotChannelView) -> ChannelCard:
        points = await read(bots_overview.follower_history, view.channel.account_id)
        numbers = [point.followers for point in points][-60:]
        low = min(numbers, default=0)
        words = ""
        if len(numbers) > 1:
            gained = numbers[-1] - numbers[0]
            words = f"{numbers[-1]:,} followers, {gained:+,} since the first of {len(numbers)} readings"
        elif view.followers is not None:
            words = f"{view.followers:,} followers, follows {view.following or 0:,}"
        drawn = bars_path([number - low + 1 for number in numbers]) if len(numbers) > 1 else ""
        return ChannelCard(view, view.caps, drawn, words)


def _rails_form(rails: dict[str, Any]) -> dict[str, str]:
    form = {"timezone": rails["timezone"], "warm_up_days": str(rails["warm_up_days"])}
    form |= {name: str(rails[name] or "")[:5] for name in ("quiet_from", "quiet_to")}
    form |= {name: ", ".join(rails[name]) for name in _LISTS}
    form["max_follow_ratio"] = f"{rails['max_follow_ratio']:g}"
    for action in ACTIONS:
        form |= {f"{action}.{name}": str(rails["caps"][action][name]) for name in _CAP_FIELDS}
    return form


def _rails_values(form: dict[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {"timezone": form.get("timezone", "UTC").strip()}
    for name in ("warm_up_days", "max_follow_ratio"):
        if form.get(name):
            values[name] = form[name]
    for name in ("quiet_from", "quiet_to"):
        values[name] = form.get(name) or None
    for name in _LISTS:
        values[name] = [
            word.strip() for word in form.get(name, "").replace("\n", ",").split(",") if word.strip()
        ]
    values["caps"] = {
        action: {name: form[f"{action}.{name}"] for name in _CAP_FIELDS if form.get(f"{action}.{name}")}
        for action in ACTIONS
    }
    return values


def _rails_place(place: str) -> str:
    parts = place.split(".")
    return parts[1] if parts[0] == "caps" and len(parts) > 1 else parts[0]


def _typed(value: str | bool | None) -> str:
    if value is None or isinstance(value, bool):
        return "on" if value else ""
    return value.strip()
