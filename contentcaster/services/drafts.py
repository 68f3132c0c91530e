"""What a person hands in to make a post, cleaned of what no network and no database takes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any

from contentcaster.errors import InvalidInput
from contentcaster.models import MissedPolicy
from contentcaster.platforms.link_tags import VALUE
from contentcaster.platforms.quotes import is_address
from contentcaster.services.views import PostDetail

MAX_TEXT_LENGTH = 100_000
MAX_TARGETS = 50
MAX_THREAD_PARTS = 25
MAX_MEDIA = 20
MAX_LABELS = 20
MAX_LABEL_LENGTH = 40
_OPTIONS = {"visibility", "language", "content_warning", "link_tags", "campaign", "quote"}
VISIBILITIES = ("public", "unlisted", "private")

# Postgres takes no NUL, JSON and UTF-8 no lone surrogate; the other control characters show as nothing anywhere.
_UNUSABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,2}")


@dataclass(frozen=True)
class TargetDraft:
    """A channel to post through; `text` None means the post's own text."""

    account_id: str
    text: str | None = None
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class MediaDraft:
    """An uploaded image to attach to one part; `alt` None means the alt text it was stored with."""

    id: str
    alt: str | None = None
    part: int = 0


@dataclass(frozen=True)
class PostDraft:
    """A post as written. `thread` holds the parts after the first; `options` apply to every channel.

    Options: visibility (public, unlisted, private), language (a BCP 47 tag), content_warning; link_tags ("off" leaves
    links as they are) and campaign (instead of the channels' utm_campaign). `missed_policy` says what becomes of it if
    nothing could publish at its time.
    """

    text: str = ""
    targets: tuple[TargetDraft, ...] = ()
    media: tuple[MediaDraft, ...] = ()
    thread: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    missed_policy: MissedPolicy = MissedPolicy.PUBLISH_LATE
    first_comment: str = ""
    """Goes out as a reply to the last part, on the networks that take one."""


def draft_of(post: PostDetail) -> PostDraft:
    """A post's content as it would be handed in again: what an editor starts from."""
    return PostDraft(
        text=post.text,
        targets=tuple(
            TargetDraft(target.account_id, target.own_text, dict(target.options))
            for target in post.targets
            if target.part == 0
        ),
        media=tuple(MediaDraft(item.id, item.alt, item.part) for item in post.media),
        thread=tuple(post.thread),
        labels=tuple(post.labels),
        options=dict(post.options),
        missed_policy=MissedPolicy(post.missed_policy),
        first_comment=post.first_comment,
    )


def clean_text(text: str) -> str:
    """Line ends as \\n, without characters that cannot be stored, without blanks around."""
    return _UNUSABLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).strip()


def clean_draft(draft: PostDraft) -> PostDraft:
    """The draft with cleaned texts and known options.

    Raises:
        InvalidInput: an amount or an option is out of bounds; all problems at once in `fields`.
    """
    thread, media = _without_empty_parts(tuple(map(clean_text, draft.thread)), draft.media)
    cleaned = replace(
        draft,
        text=clean_text(draft.text),
        thread=thread,
        labels=clean_labels(draft.labels),
        targets=tuple(_clean_target(target) for target in draft.targets),
        media=tuple(_clean_media(item) for item in media),
        options=_known_options(draft.options),
        first_comment=clean_text(draft.first_comment),
    )
    problems = _amount_problems(cleaned) | _option_problems("options", cleaned.options)
    for target in cleaned.targets:
        problems |= _option_problems(f"targets.{target.account_id}.options", target.options)
    if problems:
        raise InvalidInput(next(iter(problems.values())), fields=problems)
    return cleaned


def _without_empty_parts(
    thread: tuple[str, ...], media: tuple[MediaDraft, ...]
) -> tuple[tuple[str, ...], tuple[MediaDraft, ...]]:
    """The thread without parts that hold neither text nor picture; pictures stay with the part they belong to."""
    kept = [
        part for part, text in enumerate(thread, start=1) if text or any(item.part == part for item in media)
    ]
    if len(kept) == len(thread):
        return thread, media
    new_numbers = {old: new for new, old in enumerate(kept, start=1)}
    moved = tuple(replace(item, part=new_numbers.get(item.part, item.part)) for item in media)
    return tuple(thread[part - 1] for part in kept), moved


def _clean_target(target: TargetDraft) -> TargetDraft:
    text = None if target.text is None else clean_text(target.text)
    return replace(target, text=text or None, options=_known_options(target.options))


def _clean_media(item: MediaDraft) -> MediaDraft:
    return replace(item, alt=None if item.alt is None else clean_text(item.alt))


def clean_labels(labels: tuple[str, ...]) -> tuple[str, ...]:
    cleaned = (" ".join(clean_text(label).split()) for label in labels)
    return tuple(dict.fromkeys(label for label in cleaned if label))


def _known_options(options: dict[str, Any]) -> dict[str, Any]:
    """Without empty values, so that "no warning" and "warning left blank" are the same."""
    cleaned = {key: clean_text(value) if isinstance(value, str) else value for key, value in options.items()}
    return {key: value for key, value in cleaned.items() if value not in ("", None)}


def _amount_problems(draft: PostDraft) -> dict[str, str]:
    problems: dict[str, str] = {}
    texts = [draft.text, *draft.thread, draft.first_comment, *(target.text or "" for target in draft.targets)]
    if any(len(text) > MAX_TEXT_LENGTH for text in texts):
        problems["text"] = f"A text may hold at most {MAX_TEXT_LENGTH:,} characters."
    if len(draft.targets) > MAX_TARGETS:
        problems["targets"] = f"Choose at most {MAX_TARGETS} channels."
    account_ids = [target.account_id for target in draft.targets]
    if len(set(account_ids)) < len(account_ids):
        problems["targets"] = "A channel is chosen twice; each takes the post once."
    if len(draft.thread) > MAX_THREAD_PARTS:
        problems["thread"] = f"A thread may have at most {MAX_THREAD_PARTS} more parts."
    media_ids = [item.id for item in draft.media]
    if len(draft.media) > MAX_MEDIA or len(set(media_ids)) < len(media_ids):
        problems["media"] = f"Attach each image once, and at most {MAX_MEDIA} of them."
    if any(not 0 <= item.part <= len(draft.thread) for item in draft.media):
        problems["media"] = "An image belongs to a part of the thread that does not exist."
    if len(draft.labels) > MAX_LABELS or any(len(label) > MAX_LABEL_LENGTH for label in draft.labels):
        problems["labels"] = f"Use at most {MAX_LABELS} labels of {MAX_LABEL_LENGTH} characters each."
    return problems


def _option_problems(field_name: str, options: dict[str, Any]) -> dict[str, str]:
    unknown = sorted(set(options) - _OPTIONS)
    if unknown:
        return {field_name: f"There is no option {clean_text(unknown[0])[:40]!r}."}
    if any(not isinstance(value, str) for value in options.values()):
        return {field_name: "Options are texts."}
    if options.get("visibility", "public") not in VISIBILITIES:
        return {f"{field_name}.visibility": f"Visibility is one of {', '.join(VISIBILITIES)}."}
    if not _LANGUAGE.fullmatch(options.get("language", "en")):
        return {f"{field_name}.language": "A language is a code such as en, de or pt-BR."}
    if options.get("link_tags", "off") != "off":
        return {f"{field_name}.link_tags": "Link tags are off, or the option is left out."}
    if not VALUE.fullmatch(options.get("campaign", "x")):
        return {f"{field_name}.campaign": "A campaign holds letters, digits, dots, dashes and underscores."}
    if options.get("quote") and not is_address(options["quote"]):
        sentence = (
            "Paste the address of a post on X or Bluesky, such as https://bsky.app/profile/name/post/3k2a."
        )
        return {f"{field_name}.quote": sentence}
    if len(options.get("content_warning", "")) > 500:
        return {f"{field_name}.content_warning": "A content warning may hold at most 500 characters."}
    return {}
