"""Labels of posts: to find them by and to sum up their numbers."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from contentcaster.api.deps import CurrentPrincipal, DatabaseDep, run_read, run_write
from contentcaster.services import post_labels

router = APIRouter(tags=["posts"])


class Labels(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"labels": ["release"]}]})

    labels: list[str] = Field(max_length=100)


@router.get("/labels")
def list_labels(principal: CurrentPrincipal, database: DatabaseDep) -> Labels:
    """The labels on posts that you may see, by name."""
    return Labels(labels=run_read(database, lambda s: post_labels.choices(s, principal)))


@router.put("/posts/{post_id}/labels")
def set_labels(post_id: str, body: Labels, principal: CurrentPrincipal, database: DatabaseDep) -> Labels:
    """Label a post at any time, also when it is out. Nothing is sent by it."""
    found = run_write(database, lambda s: post_labels.set_labels(s, principal, post_id, body.labels))
    return Labels(labels=found)
