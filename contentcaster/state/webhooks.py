"""Webhooks: the endpoints, their deliveries, and the one delivery that is looked at. A new secret is shown once."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

import reflex as rx
from pydantic import Field

from contentcaster.errors import Conflict, InvalidInput
from contentcaster.security.permissions import Permission
from contentcaster.services import webhooks
from contentcaster.services.webhooks import EVENTS, DeliveryView, EndpointView, TryView
from contentcaster.state.bridge import read, write
from contentcaster.state.flash import flash
from contentcaster.state.forms import Form, is_checked, text_of
from contentcaster.state.marks import guarded
from contentcaster.state.once import forget
from contentcaster.state.page import page_load

PAGE_SIZE = 30
MAX_ROWS = 200

OUTCOMES: dict[str, tuple[str, str]] = {
    "waiting": ("Waiting", "info"),
    "retrying": ("Trying again", "warn"),
    "delivered": ("Delivered", "ok"),
    "failed": ("Given up", "bad"),
    "dropped": ("Dropped", ""),
}
"""Word of the service -> words and tone."""

Id = Annotated[str, Field(max_length=64)]


@dataclass(frozen=True)
class EndpointCard:
    view: EndpointView
    events: str
    """"Everything", or what was chosen."""


class WebhooksState(rx.State):
    endpoints: list[EndpointCard] = []
    deliveries: list[DeliveryView] = []
    has_more: bool = False
    filter_endpoint: str = ""
    filter_outcome: str = ""
    dialog: str = ""
    """edit | secret | delivery | "" (closed)"""
    subject_id: str = ""
    """The endpoint that is edited; "" while a new one is made."""
    subject_name: str = ""
    subject_url: str = ""
    subject_events: list[str] = []
    secret: str = ""
    errors: dict[str, str] = {}
    form_error: str = ""
    shown: list[DeliveryView] = []
    """The delivery that is looked at; none or one."""
    tries: list[TryView] = []
    body: str = ""
    _version: int = 0
    _wanted: int = PAGE_SIZE

    @page_load(Permission.MANAGE_SETTINGS)
    async def load(self) -> None:
        self.dialog, self.filter_endpoint, self.filter_outcome, self._wanted = "", "", "", PAGE_SIZE
        await self._read()

    @page_load(Permission.MANAGE_SETTINGS)
    async def refresh(self) -> None:
        """Something was delivered or changed: read again and leave what is typed."""
        await self._read()
        if self.dialog == "delivery" and self.shown:
            await self._read_delivery(self.shown[0].id)

    @guarded(Permission.MANAGE_SETTINGS)
    async def set_filter_endpoint(self, endpoint_id: Id) -> None:
        self.filter_endpoint, self._wanted = endpoint_id, PAGE_SIZE
        await self._read()

    @guarded(Permission.MANAGE_SETTINGS)
    async def set_filter_outcome(self, outcome: Annotated[str, Field(max_length=20)]) -> None:
        self.filter_outcome, self._wanted = outcome if outcome in OUTCOMES else "", PAGE_SIZE
        await self._read()

    @guarded(Permission.MANAGE_SETTINGS)
    async def show_more(self) -> None:
        self._wanted = min(self._wanted + PAGE_SIZE, MAX_ROWS)
        await self._read()

    @guarded(Permission.MANAGE_SETTINGS)
    async def open_new(self) -> None:
        self.dialog, self.errors, self.form_error = "edit", {}, ""
        self.subject_id, self.subject_name, self.subject_url = "", "", ""
        self.subject_events = list(EVENTS)

    @guarded(Permission.MANAGE_SETTINGS)
    async def open_edit(self, endpoint_id: Id) -> None:
        view = await read(webhooks.get_endpoint, endpoint_id)
        self.dialog, self.errors, self.form_error = "edit", {}, ""
        self.subject_id, self.subject_name, self.subject_url = view.id, view.name, view.url
        self.subject_events, self._version = view.events, view.version

    @guarded(Permission.MANAGE_SETTINGS)
    async def set_open(self, is_open: bool) -> None:
        if not is_open:
            self.dialog, self.secret, self.shown = "", "", []

    @guarded(Permission.MANAGE_SETTINGS)
    async def save(self, form: Form) -> AsyncIterator[None]:
        """Make or change an endpoint; the secret of a new one is shown, this once."""
        name, url = text_of(form, "webhook_name"), text_of(form, "webhook_url")
        events = [event for event in EVENTS if is_checked(form, event.replace(".", "_"))]
        try:
            if self.subject_id:
                await write(
                    webhooks.update_endpoint,
                    self.subject_id,
                    name=name,
                    url=url,
                    events=events,
                    version=self._version,
                )
                self.dialog = ""
                await self._read()
                await flash(self, "ok", "Saved. It holds from the next event on.")
                return
            made = await write(webhooks.create_endpoint, name=name, url=url, events=events)
        except InvalidInput as error:
            self.errors, self.form_error = error.fields, "" if error.fields else error.message
            return
        except Conflict as error:
            self.errors, self.form_error = {}, error.message
            return
        await self._read()
        async for _ in self._show_secret(made.view.name, made.secret):
            yield

    @guarded(Permission.MANAGE_SETTINGS)
    async def renew_secret(self, endpoint_id: Id) -> AsyncIterator[None]:
        made = await write(webhooks.rotate_secret, endpoint_id)
        await self._read()
        async for _ in self._show_secret(made.view.name, made.secret):
            yield

    @guarded(Permission.MANAGE_SETTINGS)
    async def set_enabled(self, endpoint_id: Id, is_enabled: bool) -> None:
        await write(webhooks.update_endpoint, endpoint_id, is_enabled=is_enabled)
        await self._read()
        words = (
            "On. It hears of what happens from now on." if is_enabled else "Off. Nothing more is sent to it."
        )
        await flash(self, "ok", words)

    @guarded(Permission.MANAGE_SETTINGS)
    async def send_test(self, endpoint_id: Id) -> None:
        await write(webhooks.send_test, endpoint_id)
        await self._read()
        await flash(self, "ok", "A test event is on its way. The list below shows how it goes.")

    @guarded(Permission.MANAGE_SETTINGS)
    async def remove(self, endpoint_id: Id) -> None:
        await write(webhooks.delete_endpoint, endpoint_id)
        await self._read()
        await flash(self, "ok", "Removed. What waited for it is dropped.")

    @guarded(Permission.MANAGE_SETTINGS)
    async def open_delivery(self, delivery_id: int) -> None:
        self.dialog = "delivery"
        await self._read_delivery(delivery_id)

    @guarded(Permission.MANAGE_SETTINGS)
    async def replay(self, delivery_id: int) -> None:
        await write(webhooks.replay, delivery_id)
        self.dialog = ""
        await self._read()
        await flash(self, "ok", "Sent again, with the same event id.")

    async def _show_secret(self, name: str, secret: str) -> AsyncIterator[None]:
        self.dialog, self.subject_name, self.errors = "secret", name, {}
        self.secret = secret
        yield
        forget(self, secret="")

    async def _read_delivery(self, delivery_id: int) -> None:
        detail = await read(webhooks.get_delivery, delivery_id)
        self.shown, self.tries = [detail.delivery], detail.tries
        self.body = json.dumps(detail.body, indent=2, ensure_ascii=False)

    async def _read(self) -> None:
        views = await read(webhooks.list_endpoints)
        self.endpoints = [EndpointCard(view, _chosen(view.events)) for view in views]
        page = await read(
            webhooks.list_deliveries,
            endpoint_id=self.filter_endpoint,
            outcome=self.filter_outcome,
            limit=self._wanted,
        )
        self.deliveries = page.items
        self.has_more = bool(page.next_cursor) and self._wanted < MAX_ROWS


def _chosen(events: list[str]) -> str:
    if len(events) == len(EVENTS):
        return "Everything"
    return ", ".join(event.partition(".")[2].replace("_", " ") for event in events)
