"""The writing assistant: suggestions, who used it, and its set-up."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from contentcaster.api.deps import CurrentPrincipal, DatabaseDep, run_read, run_write
from contentcaster.assistant.tasks import Task, Tone
from contentcaster.services import assistant, assistant_ledger
from contentcaster.services.assistant import Answer, AssistantStatus, Question
from contentcaster.services.assistant_ledger import SetupView, UseReport

router = APIRouter(prefix="/assistant", tags=["assistant"])


class Suggest(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"task": "hashtags", "text": "Our roastery opens on Saturday."}]},
    )

    task: Task
    text: str = Field(
        default="",
        max_length=40_000,
        description="The post; for a draft the brief, for a thread the article.",
    )
    tone: Tone = ""
    account_ids: list[Annotated[str, Field(max_length=26)]] = Field(
        default_factory=list, max_length=100, description="Channels that it has to fit."
    )
    language: str = Field(default="", max_length=40)
    url: str = Field(default="", max_length=2000, description="Of an article, for a thread.")
    media_id: str = Field(default="", max_length=26, description="Of the picture, for alt_text.")
    has_media: bool = Field(default=False, description="The text stands under pictures.")
    options: dict[str, Annotated[str, Field(max_length=2000)]] = Field(
        default_factory=dict, max_length=20, description="Those of the post that count against the length."
    )


class Setup(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "brand_voice": "Warm, short.",
                    "daily_tokens_per_person": 100000,
                    "daily_tokens_of_bots": 200000,
                    "input_usd_per_million": 0.3,
                    "output_usd_per_million": 2.5,
                }
            ]
        },
    )

    brand_voice: str = Field(max_length=4000)
    daily_tokens_per_person: int
    daily_tokens_of_bots: int
    input_usd_per_million: float
    output_usd_per_million: float


@router.get("")
def get_status(principal: CurrentPrincipal, database: DatabaseDep) -> AssistantStatus:
    """Whether it can be asked, and what one has left today."""
    return run_read(database, lambda session: assistant.get_status(session, principal))


@router.post("/suggest")
async def suggest(body: Suggest, principal: CurrentPrincipal, database: DatabaseDep) -> Answer:
    """A suggestion, checked; nothing is changed by it."""
    values = body.model_dump() | {"account_ids": tuple(body.account_ids)}
    return await assistant.answer_to(database, principal, Question(**values))


@router.get("/usage")
def get_usage(
    principal: CurrentPrincipal, database: DatabaseDep, days: Annotated[int, Query(ge=1, le=365)] = 30
) -> UseReport:
    """Questions, tokens and estimated cost per person (Admin)."""
    return run_read(database, lambda session: assistant_ledger.report(session, principal, days=days))


@router.get("/setup")
def get_setup(principal: CurrentPrincipal, database: DatabaseDep) -> SetupView:
    """Brand voice, caps and prices (Admin)."""
    return run_read(database, lambda session: assistant_ledger.read_setup(session, principal))


@router.put("/setup")
def save_setup(body: Setup, principal: CurrentPrincipal, database: DatabaseDep) -> SetupView:
    """Replace them (Admin)."""
    return run_write(
        database, lambda session: assistant_ledger.save_setup(session, principal, **body.model_dump())
    )
