"""Channels: who we post as, how healthy each login is, connecting new ones.

Pasted credentials are arguments of `connect` and nothing else: no var holds them, so no tab gets them back.
What was typed stays in the browser's own inputs while an error is shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated
from urllib.parse import parse_qs

import reflex as rx
from pydantic import Field

from contentcaster.clock import utc_now
from contentcaster.db import get_database
from contentcaster.errors import Conflict, ContentCasterError, InvalidInput
from contentcaster.security.permissions import Permission
from contentcaster.services import accounts, connecting, oauth, platforms, posts
from contentcaster.services.views import AccountView, CredentialField, PlatformView, PostRow
from contentcaster.state.bridge import read, write
from contentcaster.state.flash import flash
from contentcaster.state.forms import Form, is_checked, text_of
from contentcaster.state.marks import current_principal, guarded
from contentcaster.state.oauth import OAuthState, arrival_words
from contentcaster.state.page import page_load

TOKEN_WARNING = timedelta(days=14)
SANDBOX = "sandbox"
WAITING = ("Scheduled", "PendingQueue", "Retrying", "PendingApproval")
_UNITS = {
    "characters": "characters",
    "graphemes": "characters",
    "weighted": "characters",
    "utf16": "characters",
}

Id = Annotated[str, Field(max_length=64)]


@dataclass(frozen=True)
class ChannelCard:
    """A channel with what its card says of it."""

    account: AccountView
    initial: str
    is_expiring: bool
    is_expired: bool
    is_rate_limited: bool
    limits: str


@dataclass(frozen=True)
class Network:
    """A choice in the connect dialog."""

    platform: str
    name: str
    initial: str
    color: str
    summary: str
    docs_url: str
    fields: list[CredentialField]


class ChannelsState(rx.State):
    cards: list[ChannelCard] = []
    connected_count: int = 0
    broken_count: int = 0
    checking: list[str] = []

    is_connect_open: bool = False
    networks: list[Network] = []
    platform: str = ""
    """What is being connected; "" while a network is being chosen."""
    network_name: str = ""
    docs_url: str = ""
    fields: list[CredentialField] = []
    defaults: dict[str, str] = {}
    reconnecting: str = ""
    """Name of the channel that gets a new login; "" for a new channel."""
    reconnect_reason: str = ""
    is_connecting: bool = False
    errors: dict[str, str] = {}
    form_error: str = ""
    _reconnect_id: str = ""

    renaming_id: str = ""
    renaming_name: str = ""
    rename_error: str = ""

    removing_id: str = ""
    removing_name: str = ""
    removing_count: int = 0
    removing_posts: list[PostRow] = []
    remove_error: str = ""

    @page_load(Permission.VIEW_ACCOUNTS)
    async def load(self) -> None:
        """Arrive: a link may ask for a new login of one channel (?reconnect=id), or a network has sent the browser
        back (?attempt=id, ?refused=why)."""
        await self._close_dialogs()
        await self._read()
        query = parse_qs(self.router.url.query)
        asked = query.get("reconnect", [""])[-1]
        if not current_principal().can(Permission.MANAGE_ACCOUNTS):
            return
        if asked:
            found = next((card.account for card in self.cards if card.account.id == asked), None)
            if found is not None:
                await self._open_reconnect(found)
        elif "refused" in query:
            sentence = oauth.REFUSALS.get(
                query["refused"][-1], "The login could not be completed. Start it again."
            )
            await flash(self, "bad", sentence)
        elif "attempt" in query:
            await self._arrive(query["attempt"][-1])

    @page_load(Permission.VIEW_ACCOUNTS)
    async def refresh(self) -> None:
        """Something changed: read again and leave an open dialog alone."""
        await self._read()

    # Connecting

    @guarded(Permission.MANAGE_ACCOUNTS)
    async def open_connect(self) -> None:
        await self._close_dialogs()
        self.networks = _networks()
        self.is_connect_open = True

    @guarded(Permission.MANAGE_ACCOUNTS)
    async def open_reconnect(self, account_id: Id) -> None:
        await self._close_dialogs()
        await self._open_reconnect(await read(accounts.get_account, account_id))

    @guarded(Permission.MANAGE_ACCOUNTS)
    async def set_connect_open(self, is_open: bool) -> None:
        if not is_open:
            await self._close_dialogs()

    @guarded(Permission.MANAGE_ACCOUNTS)
    async def choose(self, platform: Id) -> None:
        await self._choose(platform, {})

    @guarded(Permission.MANAGE_ACCOUNTS)
    async def back(self) -> None:
        """To the choice of network."""
        self.platform, self.errors, self.form_error = "", {}, ""
        (await self.get_state(OAuthState))._close()

    @guarded(Permission.MANAGE_ACCOUNTS, background=True)
    async def connect(self, form: Form) -> None:
        """Check what was pasted at the network and keep it encrypted. The network may take seconds to answer."""
        principal = current_principal()
        async with self:
            if self.is_connecting:
                return
            self.is_connecting, self.errors, self.form_error = True, {}, ""
            platform, names = self.platform, [field.name for field in self.fields]
        credentials = {name: text_of(form, name) for name in names if text_of(form, name)}
        is_shared = is_checked(form, "is_shared")
        try:
            account = await connecting.connect_account(
                get_database(), principal, platform, credentials, is_shared=is_shared
            )
        except InvalidInput as error:
            async with self:
                known = {name: text for name, text in error.fields.items() if name in names}
                self.errors, self.form_error = known, "" if known else error.message
        except ContentCasterError as error:
            async with self:
                self.form_error = error.message
        else:
            async with self:
                await self._connected(account)
        finally:
            async with self:
                self.is_connecting = False

    async def _connected(self, account: AccountView) -> None:
        other = self._reconnect_id not in ("", account.id)
        name = f"{account.platform_name} · {account.handle}"
        if other:
            message = f"That login belongs to {name}, which is now connected. {self.reconnecting} still needs its own."
            await flash(self, "warn", message)
        elif self.reconnecting:
            await flash(
                self,
                "ok",
                f"{name} is connected again. What waited for it goes out; failed posts can be retried.",
            )
        else:
            await flash(self, "ok", f"{name} is connected and can be chosen in the Studio.")
        await self._close_dialogs()
        await self._read()

    # One channel

    @guarded(Permission.MANAGE_ACCOUNTS, background=True)
    async def check(self, account_id: Id) -> None:
        """Ask the network whether the login still works."""
        principal = current_principal()
        async with self:
            if account_id in self.checking:
                return
            self.checking = [*self.checking, account_id]
        try:
            account = await connecting.check_account(get_database(), principal, account_id)
            tone, message = _check_result(account)
        except ContentCasterError as error:
            tone, message = "warn", error.message
        async with self:
            self.checking = [other for other in self.checking if other != account_id]
            await self._read()
            await flash(self, tone, message)  # type: ignore[arg-type]

    @guarded(Permission.MANAGE_ACCOUNTS)
    async def set_shared(self, account_id: Id, is_shared: bool) -> None:
        account = await write(accounts.patch_account, account_id, is_shared=is_shared)
        who = "Every creator can post through" if is_shared else "Only its owner and admins can post through"
        await self._changed(f"{who} {account.handle} now.")

    @guarded(Permission.MANAGE_ACCOUNTS)
    async def set_enabled(self, account_id: Id, is_enabled: bool) -> None:
        account = await write(accounts.patch_account, account_id, is_enabled=is_enabled)
        now = (
            "is on again: what came due meanwhile goes out now"
            if is_enabled
            else "is off: its posts wait and lose nothing"
        )
        await self._changed(f"{account.handle} {now}.")

    @guarded(Permission.MANAGE_ACCOUNTS)
    async def ask_name(self, account_id: Id) -> None:
        account = await read(accounts.get_account, account_id)
        self.renaming_id, self.renaming_name, self.rename_error = account.id, account.display_name, ""

    @guarded(Permission.MANAGE_ACCOUNTS)
    async def set_rename_open(self, is_open: bool) -> None:
        if not is_open:
            self.renaming_id = ""

    @guarded(Permission.MANAGE_ACCOUNTS)
    async def rename(self, form: Form) -> None:
        try:
            await write(accounts.patch_account, self.renaming_id, display_name=text_of(form, "display_name"))
        except InvalidInput as error:
            self.rename_error = error.fields.get("display_name", error.message)
            return
        self.renaming_id = ""
        await self._changed("Renamed here. Its name on the network is unchanged.")

    @guarded(Permission.MANAGE_ACCOUNTS)
    async def ask_remove(self, account_id: Id) -> None:
        """Say first which posts depend on it."""
        account = await read(accounts.get_account, account_id)
        waiting = await read(posts.list_posts, account_id=account_id, status=WAITING, limit=5)
        self.removing_posts = waiting.items
        self.removing_id, self.remove_error = account.id, ""
        self.removing_name = f"{account.platform_name} · {account.handle}"
        self.removing_count = account.scheduled_count

    @guarded(Permission.MANAGE_ACCOUNTS)
    async def set_remove_open(self, is_open: bool) -> None:
        if not is_open:
            self.removing_id = ""

    @guarded(Permission.MANAGE_ACCOUNTS)
    async def remove(self, form: Form) -> None:
        is_cancelling = is_checked(form, "is_cancelling")
        try:
            await write(accounts.delete_account, self.removing_id, is_cancelling_scheduled=is_cancelling)
        except Conflict as error:
            self.remove_error = error.message
            return
        self.removing_id = ""
        await self._changed(
            f"{self.removing_name} is removed and its login is forgotten. What it published stays there."
        )

    async def _changed(self, message: str) -> None:
        await self._read()
        await flash(self, "ok", message)

    async def _read(self) -> None:
        views = await read(accounts.list_accounts)
        views.sort(key=lambda view: view.status != "reauthorise")  # stable: what needs a person comes first
        self.cards = [_card(view) for view in views]
        self.connected_count = sum(view.status == "connected" for view in views)
        self.broken_count = sum(view.status == "reauthorise" for view in views)

    async def _arrive(self, attempt_id: str) -> None:
        """A network has sent the browser back: say what became of it, at the form if it failed."""
        attempt = await read(oauth.read_attempt, attempt_id)
        account = next((c.account for c in self.cards if c.account.id == attempt.account_id), None)
        if account is not None:
            tone, sentence = arrival_words(attempt, f"{account.platform_name} · {account.handle}")
            await flash(self, tone, sentence)  # type: ignore[arg-type]
        elif attempt.status == "failed":
            self.networks = _networks()
            await self._choose(attempt.platform, attempt.values, attempt.message)
            self.is_connect_open = True

    async def _open_reconnect(self, account: AccountView) -> None:
        url = account.instance_url
        defaults = {"handle": account.handle.lstrip("@"), "identifier": account.handle.lstrip("@")}
        defaults |= {"instance_url": url, "service_url": url}
        self.networks = _networks()
        await self._choose(account.platform, defaults)
        self._reconnect_id, self.reconnecting = account.id, f"{account.platform_name} · {account.handle}"
        self.reconnect_reason = account.status_reason
        self.is_connect_open = True

    async def _choose(self, platform: str, defaults: dict[str, str], problem: str = "") -> None:
        network = next((network for network in self.networks if network.platform == platform), None)
        if network is None:
            raise InvalidInput("This network cannot be connected here.", field="platform")
        self.platform, self.network_name, self.docs_url = platform, network.name, network.docs_url
        self.fields = network.fields
        # A secret has no default: it is typed or pasted anew.
        self.defaults = {
            field.name: defaults.get(field.name) or field.default
            for field in network.fields
            if not field.is_secret
        }
        self.errors, self.form_error = {}, ""
        await (await self.get_state(OAuthState))._open(platform, defaults, problem)

    async def _close_dialogs(self) -> None:
        self.is_connect_open, self.renaming_id, self.removing_id = False, "", ""
        self.platform, self.fields, self.defaults = "", [], {}
        self.errors, self.form_error = {}, ""
        self._reconnect_id, self.reconnecting, self.reconnect_reason = "", "", ""
        (await self.get_state(OAuthState))._close()


def _check_result(account: AccountView) -> tuple[str, str]:
    name = f"{account.platform_name} · {account.handle}"
    if account.status == "reauthorise":
        return "bad", f"{name} needs a new login: {account.status_reason}"
    return "ok", f"{name} answers and its login works."


def _card(account: AccountView) -> ChannelCard:
    now = utc_now()
    expires, limited = account.token_expires_at, account.rate_limited_until
    images = "no images" if not account.max_images else f"{account.max_images} images"
    images += " or a video" if account.video and account.max_images else ""
    return ChannelCard(
        account=account,
        initial=account.platform_name[:1],
        is_expiring=expires is not None and now < expires < now + TOKEN_WARNING,
        is_expired=expires is not None and expires <= now,
        is_rate_limited=limited is not None and limited > now,
        limits=f"{account.text_rule.max_length:,} {_UNITS[account.text_rule.unit]}, {images}",
    )


def _networks() -> list[Network]:
    """What can be connected: the built-in sandbox first, where it runs."""
    views = platforms.list_platforms()
    return [_network(view) for view in sorted(views, key=lambda view: view.platform != SANDBOX)]


def _network(view: PlatformView) -> Network:
    images = f", {view.max_images} images" if view.max_images else ""
    images += " or a video" if view.video and images else ""
    is_sandbox = view.platform == SANDBOX
    limits = f"{view.text_rule.max_length:,} characters{images}"
    return Network(
        platform=view.platform,
        name=view.name,
        initial=view.name[:1],
        color=view.color,
        summary="Built in: try everything without a real account" if is_sandbox else limits,
        docs_url=view.docs_url,
        fields=view.credential_fields,
    )
