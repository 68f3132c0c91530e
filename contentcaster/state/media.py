"""The media library: pictures, one of them opened, and where that one is used."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import parse_qs

import reflex as rx
from pydantic import Field

from contentcaster.db import get_database
from contentcaster.errors import ContentCasterError, InvalidInput, NotFound, NotSignedIn
from contentcaster.security.permissions import Permission
from contentcaster.services import assistant, media, posts
from contentcaster.services.assistant import Question
from contentcaster.services.views import MediaView, PostRow
from contentcaster.settings import get_settings
from contentcaster.state.bridge import read, write
from contentcaster.state.flash import flash
from contentcaster.state.marks import current_principal, guarded
from contentcaster.state.page import page_load

PAGE_SIZE = 48
MAX_SHOWN = 192
"""More files than this are found faster by searching."""

MediaId = Annotated[str, Field(max_length=64)]


class MediaState(rx.State):
    items: list[MediaView] = []
    has_more: bool = False
    search: str = ""
    max_upload_bytes: int = 0
    max_video_bytes: int = 0
    is_open: bool = False
    opened: list[MediaView] = []
    """The picture whose details are shown; none or one."""
    alt_error: str = ""
    alt_suggestion: str = ""
    """What the assistant sees in the opened picture; stands in the field until it is saved or taken back."""
    is_suggesting: bool = False
    can_suggest: bool = False
    uses: list[PostRow] = []
    _wanted: int = PAGE_SIZE

    @page_load(Permission.COMPOSE)
    async def load(self) -> None:
        """Arrive at the newest pictures."""
        self.max_upload_bytes = get_settings().max_upload_mb * 1_000_000
        self.max_video_bytes = get_settings().max_video_mb * 1_000_000
        self.search, self._wanted, self.is_open = "", PAGE_SIZE, False
        await self._read()
        if wanted := parse_qs(self.router.url.query).get("open", [""])[-1][:26]:
            await self._open(wanted)

    @page_load(Permission.COMPOSE)
    async def refresh(self) -> None:
        """A picture came, went or was described; what is typed stays."""
        await self._read()

    async def _read(self) -> None:
        page = await read(media.list_media, search=self.search, limit=self._wanted)
        self.items = page.items
        self.has_more = bool(page.next_cursor) and self._wanted < MAX_SHOWN

    @guarded(Permission.COMPOSE)
    async def set_search(self, value: Annotated[str, Field(max_length=200)]) -> None:
        """Look in file names and alt texts."""
        self.search, self._wanted = value, PAGE_SIZE
        await self._read()

    @guarded(Permission.COMPOSE)
    async def show_more(self) -> None:
        """Older pictures, below."""
        self._wanted = min(self._wanted + PAGE_SIZE, MAX_SHOWN)
        await self._read()

    @guarded(Permission.COMPOSE)
    async def uploaded(self, media_id: MediaId) -> None:
        """A picture has arrived: it stands first, and asks for its alt text."""
        await self._read()
        await self._open(media_id)

    @guarded(Permission.COMPOSE)
    async def open(self, media_id: MediaId) -> None:
        """Show a picture's details."""
        await self._open(media_id)

    async def _open(self, media_id: str) -> None:
        item = await read(media.get_media, media_id)
        is_picture = not item.duration_seconds
        self.alt_suggestion = ""
        self.can_suggest = is_picture and (await read(assistant.get_status)).is_available
        self.opened, self.alt_error, self.is_open = [item], "", True
        self.uses = (await read(posts.list_posts, media_id=media_id, limit=20)).items

    @guarded(Permission.COMPOSE)
    async def set_open(self, is_open: bool) -> None:
        """Close the details."""
        self.is_open = is_open

    @guarded(Permission.COMPOSE)
    async def save_alt(self, form: dict[str, Any]) -> None:
        """Keep the alt text as it stands in the form."""
        if not self.opened:
            return
        try:
            item = await write(media.set_alt_text, self.opened[0].id, str(form.get("alt", "")))
        except InvalidInput as error:
            self.alt_error = error.fields.get("alt", error.message)
            return
        self.opened, self.alt_error, self.alt_suggestion = [item], "", ""
        await self._read()
        await flash(self, "ok", "Alt text saved. Posts that are scheduled already keep theirs.")

    @guarded(Permission.COMPOSE, background=True)
    async def suggest_alt(self) -> None:
        """Have the assistant look at the picture; the text is only put into the field."""
        principal = current_principal()
        async with self:
            if not self.opened or self.is_suggesting:
                return
            self.is_suggesting, self.alt_error = True, ""
            media_id = self.opened[0].id
        text, problem = "", ""
        try:
            question = Question(task="alt_text", media_id=media_id)
            text = (await assistant.answer_to(get_database(), principal, question)).text
        except NotSignedIn:
            raise
        except ContentCasterError as error:
            problem = error.message
        finally:
            async with self:
                self.is_suggesting = False
                if self.opened and self.opened[0].id == media_id:
                    self.alt_suggestion, self.alt_error = text, problem

    @guarded(Permission.COMPOSE)
    async def forget_suggestion(self) -> None:
        """Back to the text that is saved."""
        self.alt_suggestion = ""

    @guarded(Permission.COMPOSE)
    async def delete(self) -> None:
        """Take the opened picture out of the library."""
        if not self.opened:
            return
        try:
            await write(media.delete_media, self.opened[0].id)
        except NotFound:
            await flash(self, "info", "It was deleted already.")
        else:
            await flash(self, "ok", "Deleted. Posts that went out keep showing it.")
        self.is_open = False
        await self._read()
