"""What the composer sends, checked for its shape here and for its content by the services."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from contentcaster.models import MissedPolicy, PostStatus
from contentcaster.services.drafts import MediaDraft, PostDraft, TargetDraft
from contentcaster.services.schedule import Schedule
from contentcaster.services.series_edit import SeriesContent
from contentcaster.services.views import PostDetail

# Far above what the services accept: their sentence is for people, this one only keeps nonsense out.
_Text = Annotated[str, Field(max_length=400_000)]
_Id = Annotated[str, Field(max_length=64)]
_Options = dict[Annotated[str, Field(max_length=40)], Annotated[str | None, Field(max_length=2000)]]

Action = Literal["draft", "now", "schedule", "queue", "repeat"]

IDLE = (PostStatus.DRAFT, PostStatus.CANCELLED, PostStatus.MISSED)
"""A post in one of these goes nowhere by itself, so it may be saved while somebody is still typing."""


SERIES = "Series"
"""What stands in a document's status while a series is changed: nothing of it is saved while somebody types."""


class ScheduleForm(BaseModel):
    """What stands in the date, time and zone fields."""

    date: str = Field(default="", max_length=20)
    time: str = Field(default="", max_length=20)
    zone: str = Field(default="", max_length=80)
    fold: Literal[0, 1] | None = None
    chosen: bool = False
    """Whether a person chose it, or it only stands there as a proposal."""

    @property
    def wall_time(self) -> str:
        return f"{self.date}T{self.time}"

    def to_schedule(self) -> Schedule:
        return Schedule.wall(self.wall_time, self.zone, self.fold)


class MediaForm(BaseModel):
    id: _Id
    alt: Annotated[str, Field(max_length=20_000)] | None = None
    part: int = Field(default=0, ge=0, le=200)


class DocumentForm(BaseModel):
    """The post as it stands in the browser (assets/js/composer_store.js)."""

    model_config = ConfigDict(extra="ignore")

    post_id: _Id = ""
    version: int = 0
    status: Annotated[str, Field(max_length=40)] = PostStatus.DRAFT
    """As the browser knows it: whether saving a draft has to stop a scheduled post first."""
    key: _Id = ""
    """Names this piece of writing before it has a post id, so that an answer that got lost makes no second draft."""
    text: _Text = ""
    thread: list[_Text] = Field(default_factory=list, max_length=200)
    targets: list[_Id] = Field(default_factory=list, max_length=200)
    variants: dict[_Id, _Text] = Field(default_factory=dict)
    target_options: dict[_Id, _Options] = Field(default_factory=dict)
    media: list[MediaForm] = Field(default_factory=list, max_length=200)
    labels: list[Annotated[str, Field(max_length=200)]] = Field(default_factory=list, max_length=100)
    options: _Options = Field(default_factory=dict)
    schedule: ScheduleForm = Field(default_factory=ScheduleForm)
    missed_policy: MissedPolicy = MissedPolicy.PUBLISH_LATE
    first_comment: _Text = ""
    series_id: _Id = ""
    """Of the series that is being changed; it is no post then."""
    series_version: int = 0

    def to_draft(self) -> PostDraft:
        """For the services. Thread parts without text and picture are left out."""
        kept = [
            part
            for part in range(1, len(self.thread) + 1)
            if self.thread[part - 1].strip() or any(item.part == part for item in self.media)
        ]
        numbers = {0: 0} | {part: number for number, part in enumerate(kept, start=1)}
        return PostDraft(
            text=self.text,
            thread=tuple(self.thread[part - 1] for part in kept),
            targets=tuple(
                TargetDraft(
                    account_id, self.variants.get(account_id), self.target_options.get(account_id, {})
                )
                for account_id in self.targets
            ),
            media=tuple(MediaDraft(item.id, item.alt, numbers.get(item.part, 0)) for item in self.media),
            labels=tuple(self.labels),
            options=dict(self.options),
            missed_policy=self.missed_policy,
            first_comment=self.first_comment,
        )


class Change(BaseModel):
    """One message of the composer."""

    seq: int = Field(ge=0)
    """Counts the changes in the browser; the answer says which of them are saved."""
    doc: DocumentForm
    should_save: bool = False
    action: Action = "draft"
    rule: str = Field(default="", max_length=600)
    """For "repeat": how."""


def document_of(post: PostDetail, *, timezone: str) -> dict[str, Any]:
    """A stored post as the composer holds it."""
    first_parts = [target for target in post.targets if target.part == 0]
    date, _, time = post.wall_time.partition("T")
    schedule = {"date": date, "time": time[:5], "zone": post.timezone, "fold": None, "chosen": True}
    return {
        "post_id": post.id,
        "version": post.version,
        "status": post.status,
        "text": post.text,
        "thread": post.thread,
        "targets": [target.account_id for target in first_parts],
        "variants": {
            target.account_id: target.own_text for target in first_parts if target.own_text is not None
        },
        "target_options": {target.account_id: target.options for target in first_parts if target.options},
        "media": [asdict(item) for item in post.media],
        "options": post.options,
        "labels": post.labels,
        "missed_policy": post.missed_policy,
        "first_comment": post.first_comment,
        "schedule": schedule if _has_time(post) else None,
    }


def document_of_series(content: SeriesContent) -> dict[str, Any]:
    """A series as the composer holds it: like a post that repeats, saved only when the person says so."""
    draft = content.draft
    date, _, time = content.first_wall_time.partition("T")
    pictures = {picture.id: picture for picture in content.media}
    return {
        "series_id": content.id,
        "series_version": content.version,
        "status": SERIES,
        "text": draft.text,
        "thread": list(draft.thread),
        "targets": [target.account_id for target in draft.targets],
        "variants": {target.account_id: target.text for target in draft.targets if target.text is not None},
        "target_options": {target.account_id: target.options for target in draft.targets if target.options},
        "media": [
            asdict(pictures[item.id])
            | {"part": item.part, "alt": pictures[item.id].alt if item.alt is None else item.alt}
            for item in draft.media
        ],
        "options": draft.options,
        "labels": list(draft.labels),
        "missed_policy": draft.missed_policy.value,
        "first_comment": draft.first_comment,
        "rule": content.rule,
        "schedule": {"date": date, "time": time[:5], "zone": content.timezone, "fold": None, "chosen": True},
    }


def _has_time(post: PostDetail) -> bool:
    """A draft keeps the time it is meant for; that of a cancelled or missed post is of no use any more."""
    return bool(post.wall_time) and (post.status not in IDLE or post.status == PostStatus.DRAFT)
