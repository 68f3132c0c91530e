"""Queue slots: each channel's week, changed with one click and saved at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import reflex as rx
from pydantic import Field

from contentcaster.clock import utc_now
from contentcaster.errors import Conflict, InvalidInput
from contentcaster.security.permissions import Permission
from contentcaster.services import slots
from contentcaster.services.slots import WEEKDAYS, SlotPlanView
from contentcaster.state.bridge import read, write
from contentcaster.state.flash import flash
from contentcaster.state.forms import Form, text_of
from contentcaster.state.marks import guarded
from contentcaster.state.page import page_load

DAYS = {
    "all": ("Every day", range(7)),
    "work": ("Weekdays", range(5)),
    "rest": ("Weekend", range(5, 7)),
} | {str(number): (name, range(number, number + 1)) for number, name in enumerate(WEEKDAYS)}
"""What can be chosen when a time is added -> its title and weekdays."""

_Id = Annotated[str, Field(max_length=26)]


@dataclass(frozen=True)
class Day:
    weekday: int
    name: str
    times: list[str]


@dataclass(frozen=True)
class Week:
    """One channel's slots as they are drawn."""

    account_id: str
    platform_name: str
    handle: str
    color: str
    initial: str
    status: str
    timezone: str
    count: int
    days: list[Day]
    next_free_at: datetime | None
    notes: list[str]
    """What clock changes do to them."""
    is_manageable: bool
    error: str


class SlotsState(rx.State):
    weeks: list[Week] = []
    _plans: dict[str, SlotPlanView] = {}
    _errors: dict[str, str] = {}

    @page_load(Permission.COMPOSE)
    async def load(self) -> None:
        self._errors = {}
        await self._read()

    @page_load(Permission.COMPOSE)
    async def refresh(self) -> None:
        await self._read()

    @guarded(Permission.MANAGE_ACCOUNTS)
    async def add(self, form: Form) -> None:
        """Add one time on the chosen days."""
        account_id, time = text_of(form, "account_id"), text_of(form, "time")
        _title, days = DAYS.get(text_of(form, "days"), DAYS["all"])
        plan = self._plans.get(account_id)
        if plan is None:
            return
        added = [(day, time) for day in days]
        await self._save(plan, [*_times(plan), *added], plan.timezone)

    @guarded(Permission.MANAGE_ACCOUNTS)
    async def remove(self, account_id: _Id, weekday: int, time: Annotated[str, Field(max_length=8)]) -> None:
        plan = self._plans.get(account_id)
        if plan is not None:
            left = [each for each in _times(plan) if each != (weekday, time)]
            await self._save(plan, left, plan.timezone)

    @guarded(Permission.MANAGE_ACCOUNTS)
    async def set_zone(self, account_id: _Id, zone: Annotated[str, Field(max_length=80)]) -> None:
        plan = self._plans.get(account_id)
        if plan is not None and zone != plan.timezone:
            await self._save(plan, _times(plan), zone)

    @guarded(Permission.MANAGE_ACCOUNTS)
    async def clear(self, account_id: _Id) -> None:
        plan = self._plans.get(account_id)
        if plan is not None:
            await self._save(plan, [], plan.timezone)

    async def _save(self, plan: SlotPlanView, times: list[tuple[int, str]], zone: str) -> None:
        rest = {key: value for key, value in self._errors.items() if key != plan.account_id}
        try:
            await write(slots.set_plan, plan.account_id, timezone=zone, times=times, version=plan.version)
        except InvalidInput as error:
            self._errors = rest | {plan.account_id: error.message}
        except Conflict as error:
            self._errors = rest
            await flash(self, "warn", error.message)
        else:
            self._errors = rest
        await self._read()

    async def _read(self) -> None:
        plans = await read(slots.list_plans)
        self._plans = {plan.account_id: plan for plan in plans}
        self.weeks = [_week(plan, self._errors.get(plan.account_id, "")) for plan in plans]


def _times(plan: SlotPlanView) -> list[tuple[int, str]]:
    return [(each.weekday, each.time) for each in plan.times]


def _week(plan: SlotPlanView, error: str) -> Week:
    minutes = [(each.weekday, int(each.time[:2]) * 60 + int(each.time[3:])) for each in plan.times]
    return Week(
        account_id=plan.account_id,
        platform_name=plan.channel.platform_name,
        handle=plan.channel.handle,
        color=plan.channel.color,
        initial=plan.channel.platform_name[:1],
        status=plan.channel.status,
        timezone=plan.timezone,
        count=len(plan.times),
        days=[
            Day(number, name, [each.time for each in plan.times if each.weekday == number])
            for number, name in enumerate(WEEKDAYS)
        ],
        next_free_at=plan.next_free_at,
        notes=slots.describe_clock_changes(minutes, plan.timezone, utc_now())[:4],
        is_manageable=plan.is_manageable,
        error=error,
    )
