"""One channel: its login, its limits as they are learned, its latest sends."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import reflex as rx

from contentcaster.db import get_database
from contentcaster.errors import ContentCasterError
from contentcaster.security.permissions import Permission
from contentcaster.services import channel_health, connecting
from contentcaster.services.channel_health import AttemptLine, ChannelHealth
from contentcaster.services.quotas import KnownLimitView, QuotaView
from contentcaster.services.token_warnings import BreakingPost
from contentcaster.services.views import PostRow
from contentcaster.state.bridge import read
from contentcaster.state.flash import flash
from contentcaster.state.marks import current_principal, guarded
from contentcaster.state.page import page_load


@dataclass(frozen=True)
class QuotaLine:
    """A limit with what its line says and draws."""

    quota: QuotaView
    amount: str
    """"3 of 300 used", or what is left where the network does not say how much it allows."""
    width: str
    tone: str


class ChannelState(rx.State):
    name: str = ""
    platform_name: str = ""
    handle: str = ""
    initial: str = ""
    color: str = ""
    status: str = ""
    status_reason: str = ""
    profile_url: str = ""
    instance_url: str = ""
    owner: str = ""
    is_shared: bool = False
    is_manageable: bool = False
    connected_at: datetime | None = None
    checked_at: datetime | None = None
    expires_at: datetime | None = None
    text_limit: str = ""
    image_limit: str = ""
    video_limit: str = ""

    login_sentence: str = ""
    """"" while the login lasts."""
    is_login_over: bool = False
    breaking: list[BreakingPost] = []
    breaking_more: int = 0

    quotas: list[QuotaLine] = []
    known_limits: list[KnownLimitView] = []
    sends_last_hour: int = 0
    sends_last_day: int = 0
    pause_reason: str = ""
    recent: list[AttemptLine] = []
    waiting: list[PostRow] = []
    waiting_count: int = 0
    is_checking: bool = False

    @page_load(Permission.VIEW_ACCOUNTS)
    async def load(self) -> None:
        """Read the channel; runs again as limits are learned and posts go out."""
        self._show(await read(channel_health.get_health, self._id))

    @guarded(Permission.MANAGE_ACCOUNTS, background=True)
    async def check(self) -> None:
        """Ask the network whether the login still works."""
        principal = current_principal()
        async with self:
            if self.is_checking:
                return
            self.is_checking, account_id = True, self._id
        try:
            account = await connecting.check_account(get_database(), principal, account_id)
            works = account.status != "reauthorise"
            tone, message = (
                ("ok", "The network answers and the login works.")
                if works
                else ("bad", f"It needs a new login: {account.status_reason}")
            )
        except ContentCasterError as error:
            tone, message = "warn", error.message
        async with self:
            self.is_checking = False
            self._show(await read(channel_health.get_health, self._id))
            await flash(self, tone, message)  # type: ignore[arg-type]

    @property
    def _id(self) -> str:
        return str(self.account_id)[:64]

    def _show(self, health: ChannelHealth) -> None:
        account, ledger, end = health.account, health.quotas, health.login_end
        self.name, self.platform_name = account.display_name or account.handle, account.platform_name
        self.handle, self.initial, self.color = account.handle, account.platform_name[:1], account.color
        self.status, self.status_reason = account.status, account.status_reason
        self.profile_url, self.instance_url = account.profile_url, account.instance_url
        self.owner, self.is_shared = account.owner_name, account.is_shared
        self.is_manageable = account.is_manageable
        self.connected_at, self.checked_at = account.created_at, account.checked_at
        self.expires_at = account.token_expires_at
        self.text_limit, self.image_limit = health.text_limit, health.image_limit
        self.video_limit = health.video_limit
        self.login_sentence = end.sentence if end else ""
        self.is_login_over = end is not None and end.is_over
        self.breaking = end.posts if end else []
        self.breaking_more = end.post_count - len(end.posts) if end else 0
        self.quotas = [_line(quota) for quota in ledger.quotas]
        self.known_limits = ledger.known_limits
        self.sends_last_hour, self.sends_last_day = ledger.sends_last_hour, ledger.sends_last_day
        self.pause_reason = ledger.pause_reason
        self.recent, self.waiting, self.waiting_count = health.recent, health.waiting, account.scheduled_count


def _line(quota: QuotaView) -> QuotaLine:
    if quota.is_outdated:
        amount = f"{quota.allowed:,} allowed" if quota.allowed is not None else "free again"
        return QuotaLine(quota, amount, "0%", "")
    if quota.allowed is None or quota.used is None:
        return QuotaLine(quota, f"{quota.left:,} left", "0%", "bad" if quota.is_used_up else "")
    tone = "bad" if quota.left <= 0 else "warn" if quota.percent_used >= 80 else ""
    amount = f"{quota.used:,} of {quota.allowed:,} used"
    return QuotaLine(quota, amount, f"{max(quota.percent_used, 1 if quota.used else 0)}%", tone)
