"""Saved texts (hashtag sets, signatures, templates) and the tags that links get per channel."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from contentcaster.api.deps import CurrentPrincipal, DatabaseDep, run_read, run_write
from contentcaster.services import accounts, link_tags, snippets
from contentcaster.services.views import AccountView, SnippetView

router = APIRouter(prefix="/snippets", tags=["posts"])
accounts_router = APIRouter(prefix="/accounts", tags=["accounts"])


class SnippetIn(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"kind": "template", "name": "Release", "text": "{{ask: Version}} is out, {{date}}."}
            ]
        },
    )

    kind: Literal["hashtags", "signature", "template"]
    name: str
    text: str = Field(
        description="Variables: {{date}} {{weekday}} {{time}} {{month}} {{year}} {{author}} {{ask: …}}"
    )
    is_shared: bool = Field(default=False, description="For everybody who writes (Admin).")
    version: int | None = Field(default=None, description="The version you read, when you change one.")


class SnippetList(BaseModel):
    items: list[SnippetView]


class LinkTagsIn(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"source": "mastodon", "medium": "social", "campaign": "spring"}]},
    )

    source: str = ""
    medium: str = ""
    campaign: str = ""


@router.get("")
def list_snippets(principal: CurrentPrincipal, database: DatabaseDep) -> SnippetList:
    """Your saved texts and those shared with everybody."""
    return SnippetList(items=run_read(database, lambda s: snippets.list_snippets(s, principal)))


@router.post("", status_code=201)
def create_snippet(body: SnippetIn, principal: CurrentPrincipal, database: DatabaseDep) -> SnippetView:
    """Keep a text; one with an unknown variable is refused."""
    return _save(body, principal, database, "")


@router.put("/{snippet_id}")
def change_snippet(
    snippet_id: str, body: SnippetIn, principal: CurrentPrincipal, database: DatabaseDep
) -> SnippetView:
    """Change one of yours; shared ones are changed by admins."""
    return _save(body, principal, database, snippet_id)


@router.delete("/{snippet_id}", status_code=204)
def delete_snippet(snippet_id: str, principal: CurrentPrincipal, database: DatabaseDep) -> Response:
    """Remove one; posts that were written with it keep their words."""
    run_write(database, lambda session: snippets.delete_snippet(session, principal, snippet_id))
    return Response(status_code=204)


@accounts_router.put("/{account_id}/link-tags")
def set_link_tags(
    account_id: str, body: LinkTagsIn, principal: CurrentPrincipal, database: DatabaseDep
) -> AccountView:
    """Choose utm_source, utm_medium and utm_campaign of this channel's links; all empty: links stay as they are."""
    run_write(
        database,
        lambda s: link_tags.set_link_tags(
            s, principal, account_id, source=body.source, medium=body.medium, campaign=body.campaign
        ),
    )
    return run_read(database, lambda session: accounts.get_account(session, principal, account_id))


def _save(
    body: SnippetIn, principal: CurrentPrincipal, database: DatabaseDep, snippet_id: str
) -> SnippetView:
    return run_write(
        database,
        lambda session: snippets.save_snippet(
            session,
            principal,
            kind=body.kind,
            name=body.name,
            text=body.text,
            is_shared=body.is_shared,
            snippet_id=snippet_id,
            version=body.version,
        ),
    )
