"""What the composer offers while one writes: saved texts, words to complete to, and the tags of links."""

from __future__ import annotations

from typing import Annotated, Any

import reflex as rx
from pydantic import BaseModel, Field

from contentcaster.errors import ContentCasterError, InvalidInput, NotSignedIn
from contentcaster.security.permissions import Permission
from contentcaster.services import completion, link_tags, snippets
from contentcaster.services.views import SnippetView
from contentcaster.state.bridge import read, write
from contentcaster.state.marks import guarded


class SnippetForm(BaseModel):
    """The form of a saved text; `nonce` tells the answer to whom it belongs."""

    nonce: int
    id: Annotated[str, Field(max_length=26)] = ""
    version: int = 0
    kind: Annotated[str, Field(max_length=20)]
    name: Annotated[str, Field(max_length=2_000)]
    text: Annotated[str, Field(max_length=100_000)]
    is_shared: bool = False


class TagsForm(BaseModel):
    nonce: int
    account_id: Annotated[str, Field(max_length=26)]
    source: Annotated[str, Field(max_length=200)] = ""
    medium: Annotated[str, Field(max_length=200)] = ""
    campaign: Annotated[str, Field(max_length=200)] = ""


class LibraryState(rx.State):
    snippets: list[SnippetView] = []
    words: dict[str, list[str]] = {}
    snippet_answer: dict[str, Any] = {}
    tags_answer: dict[str, Any] = {}

    @guarded(Permission.COMPOSE)
    async def load(self) -> None:
        """After the Studio is there: none of it is needed for the first letter."""
        self.snippet_answer, self.tags_answer = {}, {}
        self.snippets = await read(snippets.list_snippets)
        await self._read_words()

    @guarded(Permission.COMPOSE)
    async def save(self, form: SnippetForm) -> None:
        try:
            await write(
                snippets.save_snippet,
                kind=form.kind,
                name=form.name,
                text=form.text,
                is_shared=form.is_shared,
                snippet_id=form.id,
                version=form.version if form.id else None,
            )
        except NotSignedIn:
            raise
        except ContentCasterError as error:
            self.snippet_answer = _refused(form.nonce, error)
            return
        self.snippets = await read(snippets.list_snippets)
        await self._read_words()
        self.snippet_answer = {"nonce": form.nonce, "is_saved": True}

    @guarded(Permission.COMPOSE)
    async def delete(self, snippet_id: Annotated[str, Field(max_length=26)]) -> None:
        await write(snippets.delete_snippet, snippet_id)
        self.snippets = await read(snippets.list_snippets)

    @guarded(Permission.MANAGE_ACCOUNTS)
    async def set_tags(self, form: TagsForm) -> None:
        try:
            await write(
                link_tags.set_link_tags,
                form.account_id,
                source=form.source,
                medium=form.medium,
                campaign=form.campaign,
            )
        except NotSignedIn:
            raise
        except ContentCasterError as error:
            self.tags_answer = _refused(form.nonce, error)
            return
        # The Studio hears of it as everybody does: the channels are a live topic.
        self.tags_answer = {"nonce": form.nonce, "is_saved": True}

    async def _read_words(self) -> None:
        known = await read(completion.list_completions)
        self.words = {"hashtags": known.hashtags, "mentions": known.mentions}


def _refused(nonce: int, error: ContentCasterError) -> dict[str, Any]:
    fields = error.fields if isinstance(error, InvalidInput) else {}
    return {
        "nonce": nonce,
        "is_saved": False,
        "errors": fields,
        "problem": "" if fields else error.message,
    }
