"""The assistant beside the composer: passes questions on and shows answers while they are written; and its set-up."""

from __future__ import annotations

import time
from contextlib import aclosing
from dataclasses import asdict
from typing import Annotated, Any

import reflex as rx
from pydantic import BaseModel, ConfigDict, Field

from contentcaster.assistant.tasks import Task, Tone
from contentcaster.db import get_database
from contentcaster.errors import ContentCasterError, InvalidInput, NotSignedIn
from contentcaster.security.permissions import Permission
from contentcaster.services import assistant, assistant_ledger
from contentcaster.services.assistant import Answer, Question
from contentcaster.services.assistant_ledger import PersonUse
from contentcaster.state.bridge import read, write
from contentcaster.state.flash import flash
from contentcaster.state.forms import Form, text_of
from contentcaster.state.marks import current_principal, guarded
from contentcaster.state.page import page_load

SHOW_EVERY_SECONDS = 0.08
"""Pieces that come faster are shown together: the eye does not see more, the websocket does."""

_Id = Annotated[str, Field(max_length=64)]


class Ask(BaseModel):
    """One question of the composer (assets/js/composer_assistant.js)."""

    model_config = ConfigDict(extra="ignore")

    id: _Id
    task: Task
    text: str = Field(default="", max_length=400_000)
    tone: Tone = ""
    account_ids: list[_Id] = Field(default_factory=list, max_length=200)
    language: str = Field(default="", max_length=80)
    url: str = Field(default="", max_length=2000)
    media_id: _Id = ""
    has_media: bool = False
    options: dict[Annotated[str, Field(max_length=40)], Annotated[str | None, Field(max_length=2000)]] = (
        Field(default_factory=dict)
    )

    def to_question(self) -> Question:
        values = self.model_dump(exclude={"id"})
        kept = {name: value for name, value in self.options.items() if value}
        return Question(**(values | {"account_ids": tuple(self.account_ids), "options": kept}))


class AssistantState(rx.State):
    status: dict[str, Any] = {}
    reply: dict[str, Any] = {}
    """The question that runs or ran last: id, text so far, state (running | done | failed), answer, error."""
    _wanted: str = ""

    @guarded(Permission.COMPOSE)
    async def arrive(self) -> None:
        """Say whether it can be used; runs with the page that shows it."""
        self.reply, self._wanted = {}, ""
        await self._read_status()

    async def _read_status(self) -> None:
        self.status = asdict(await read(assistant.get_status))

    @guarded(Permission.COMPOSE, background=True)
    async def ask(self, ask: Ask) -> None:
        """Show the suggestion as it is written. A newer question, or Stop, ends this one."""
        principal = current_principal()
        async with self:
            self._wanted = ask.id
            self.reply = {"id": ask.id, "state": "running", "text": ""}
        text, answer, shown_at = "", None, 0.0
        try:
            async with aclosing(assistant.ask(get_database(), principal, ask.to_question())) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Answer):
                        answer = piece
                        break
                    text = piece.text if piece.starts_over else text + piece.text
                    if time.monotonic() - shown_at < SHOW_EVERY_SECONDS:
                        continue
                    shown_at = time.monotonic()
                    async with self:
                        if self._wanted != ask.id:
                            return
                        self.reply = {"id": ask.id, "state": "running", "text": text}
        except NotSignedIn:
            raise
        except ContentCasterError as error:
            fields = error.fields if isinstance(error, InvalidInput) else {}
            failed = {"error": error.message, "field": next(iter(fields), "")}
            async with self:
                if self._wanted == ask.id:
                    self.reply = {"id": ask.id, "state": "failed", "text": "", **failed}
            return
        async with self:
            if self._wanted == ask.id and answer is not None:
                self.reply = {"id": ask.id, "state": "done", "text": answer.text, "answer": asdict(answer)}
            await self._read_status()

    @guarded(Permission.COMPOSE)
    async def stop(self, ask_id: _Id) -> None:
        """Nobody waits for it any more."""
        if self._wanted == ask_id:
            self._wanted = ""
            self.reply = {"id": ask_id, "state": "stopped", "text": ""}


class AssistantSetupState(rx.State):
    """The admin's page: brand voice, caps, prices, and what was used."""

    brand_voice: str = ""
    numbers: dict[str, str] = {}
    errors: dict[str, str] = {}
    people: list[PersonUse] = []
    uses: int = 0
    tokens: int = 0
    cost_usd: str = ""
    status: dict[str, Any] = {}
    form_version: int = 0
    """Makes the form anew with what was saved."""

    @page_load(Permission.MANAGE_SETTINGS)
    async def load(self) -> None:
        """The settings and the last 30 days."""
        self.errors = {}
        await self._read()
        self.form_version += 1

    async def _read(self) -> None:
        setup = await read(assistant_ledger.read_setup)
        self.brand_voice = setup.brand_voice
        self.numbers = {name: f"{getattr(setup, name):g}" if "usd" in name else str(getattr(setup, name))
                        for name in _NUMBERS}  # fmt: skip
        report = await read(assistant_ledger.report)
        self.people, self.uses, self.tokens = report.people, report.uses, report.tokens
        self.cost_usd = f"{report.cost_usd:.2f}"
        self.status = asdict(await read(assistant.get_status))

    @guarded(Permission.MANAGE_SETTINGS)
    async def save(self, form: Form) -> None:
        """Keep what is in the form; what cannot be used is said at its field."""
        values: dict[str, Any] = {}
        errors: dict[str, str] = {}
        for name, kind in _NUMBERS.items():
            try:
                values[name] = kind(text_of(form, name).strip().replace(",", ""))
            except ValueError:
                errors[name] = "Enter a number."
        if not errors:
            try:
                await write(assistant_ledger.save_setup, brand_voice=text_of(form, "brand_voice"), **values)
            except InvalidInput as error:
                errors = error.fields
        self.errors = errors
        if errors:
            return
        await self._read()
        await flash(self, "ok", "Saved. The next question uses it.")


_NUMBERS: dict[str, type[int] | type[float]] = {
    "daily_tokens_per_person": int,
    "daily_tokens_of_bots": int,
    "input_usd_per_million": float,
    "output_usd_per_million": float,
}
