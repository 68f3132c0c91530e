"""Handing the numbers on from the Analytics page: links for people without an account, the report by mail."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

import reflex as rx
from pydantic import Field

from contentcaster.errors import Conflict, InvalidInput
from contentcaster.security.permissions import Permission
from contentcaster.services import analytics_report, analytics_share
from contentcaster.services.analytics_report import ReportView
from contentcaster.services.analytics_share import ShareView
from contentcaster.state.analytics import AnalyticsState
from contentcaster.state.bridge import read, write
from contentcaster.state.flash import flash
from contentcaster.state.forms import Form, text_of
from contentcaster.state.marks import current_principal, guarded
from contentcaster.state.once import forget

DAYS = {"1": "A day", "7": "A week", "30": "30 days", "90": "90 days", "365": "A year"}
CADENCES = {"off": "Off", "weekly": "Every Monday", "monthly": "On the first of each month"}


class SharingState(rx.State):
    is_open: bool = False
    links: list[ShareView] = []
    link: str = ""
    """A new one; shown once."""
    errors: dict[str, str] = {}
    report: ReportView = ReportView("off", None, False)
    is_report_open: bool = False
    report_problem: str = ""

    @guarded(Permission.SHARE_ANALYTICS)
    async def open_sharing(self) -> None:
        self.link, self.errors = "", {}
        await self._read()
        self.is_open = True

    @guarded(Permission.SHARE_ANALYTICS)
    async def set_open(self, is_open: bool) -> None:
        if not is_open:
            self.is_open, self.link = False, ""

    @guarded(Permission.SHARE_ANALYTICS)
    async def create(self, form: Form) -> AsyncIterator[None]:
        """Make a link to what the page shows now, and show it, this once."""
        view = await self.get_state(AnalyticsState)
        days = text_of(form, "share_days")
        try:
            made = await write(
                analytics_share.create_share,
                view=dict(view.query),
                title=text_of(form, "share_title"),
                expires_in_days=int(days) if days.isascii() and days.isdigit() and len(days) < 5 else 0,
            )
        except InvalidInput as error:
            self.errors = error.fields
            return
        except Conflict as error:
            self.errors = {"title": error.message}
            return
        self.errors = {}
        await self._read()
        self.link = made.link
        yield
        forget(self, link="")

    @guarded(Permission.SHARE_ANALYTICS)
    async def revoke(self, share_id: Annotated[str, Field(max_length=26)]) -> None:
        await write(analytics_share.revoke_share, share_id)
        await self._read()
        await flash(self, "ok", "Revoked. The link shows nothing any more.")

    @guarded(Permission.VIEW_ANALYTICS)
    async def open_report(self) -> None:
        self.report_problem = ""
        self.report = await read(analytics_report.get_report)
        self.is_report_open = True

    @guarded(Permission.VIEW_ANALYTICS)
    async def set_report_open(self, is_open: bool) -> None:
        if not is_open:
            self.is_report_open = False

    @guarded(Permission.VIEW_ANALYTICS)
    async def save_report(self, form: Form) -> None:
        """Have it mailed to the person's own address, or not."""
        cadence = text_of(form, "cadence")
        try:
            self.report = await write(analytics_report.set_report, cadence)
        except InvalidInput as error:
            self.report_problem = error.message
            return
        self.is_report_open, self.report_problem = False, ""
        words = {
            "off": "You get no report any more.",
            "weekly": f"The report of each week goes to {current_principal().email} on Mondays at 8.",
            "monthly": f"The report of each month goes to {current_principal().email} on the first at 8.",
        }
        await flash(self, "ok", words[self.report.cadence])

    async def _read(self) -> None:
        views = await read(analytics_share.list_shares)
        self.links = [view for view in views if view.state == "open"]
