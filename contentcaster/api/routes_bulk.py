"""One act on many posts."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from contentcaster.api.deps import CurrentPrincipal, DatabaseDep
from contentcaster.services import bulk
from contentcaster.services.bulk import Act, Refusal

router = APIRouter(tags=["posts"])


class PostRef(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: str = Field(max_length=26)
    version: int = Field(default=0, description="The version you read; `approve` is refused without it.")


class BulkIn(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"act": "shift", "posts": [{"id": "01jd5x8v3k9m2n4p6q8r0s2t4v"}], "days": 1}]
        },
    )

    act: Act
    posts: list[PostRef] = Field(max_length=bulk.MAX_AT_ONCE)
    days: int = Field(default=0, description="For `shift`; the hour stays, also when the clocks change.")
    minutes: int = Field(default=0, description="For `shift`.")


class BulkOut(BaseModel):
    act: str
    done: list[str]
    refused: list[Refusal]


@router.post("/posts/bulk")
def run(body: BulkIn, principal: CurrentPrincipal, database: DatabaseDep) -> BulkOut:
    """Do one thing with many posts, each by itself; the answer names what was refused and why."""
    chosen = [(post.id, post.version) for post in body.posts]
    outcome = bulk.run(database, principal, body.act, chosen, days=body.days, minutes=body.minutes)
    return BulkOut(act=outcome.act, done=outcome.done, refused=outcome.refused)
