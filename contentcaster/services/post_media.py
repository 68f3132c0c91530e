"""Which pictures and videos a channel takes: the sentences of the preflight, from the network's own media rule."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from contentcaster.models import Media
from contentcaster.platforms import video_rule
from contentcaster.platforms.base import MediaRule
from contentcaster.platforms.video_rule import in_words
from contentcaster.services.media import freeze
from contentcaster.settings import Settings

_TYPE_NAMES = {
    "image/jpeg": "JPEG",
    "image/png": "PNG",
    "image/webp": "WebP",
} | video_rule.TYPE_NAMES
Problem = tuple[Literal["stop", "check"], str]


@dataclass(frozen=True)
class Attached:
    """One picture or video of a post, with the alt text that it carries there."""

    media: Media
    alt: str

    @property
    def is_video(self) -> bool:
        return self.media.duration_seconds > 0


def media_problems(
    name: str, rule: MediaRule, parts: Sequence[Sequence[Attached]], settings: Settings
) -> Iterator[Problem]:
    """What of a post's media the channel `name` does not take, part by part of the thread."""
    everything = [item for part in parts for item in part]
    if any(not item.is_video for item in everything) and not rule.max_images:
        yield "stop", f"{name} takes no pictures. Take it out, or post without them."
        return
    if any(item.is_video for item in everything) and not rule.max_videos:
        yield "stop", f"{name} takes no videos from here. Take it out, or post without the video."
        return
    for part in parts:
        yield from _amount_problems(name, rule, part)
    for item in everything:
        yield from (
            _video_problems(name, rule, item.media)
            if item.is_video
            else _picture_problems(name, rule, item.media, settings)
        )
        own = rule.max_video_alt_length if item.is_video else None
        most = rule.max_alt_length if own is None else own
        if most and len(item.alt) > most:
            limit = f"{most:,} characters"
            yield "stop", f"The alt text of {item.media.filename} is too long: {name} takes {limit}."


def _amount_problems(name: str, rule: MediaRule, part: Sequence[Attached]) -> Iterator[Problem]:
    videos = sum(item.is_video for item in part)
    pictures = len(part) - videos
    if pictures > rule.max_images:
        yield "stop", f"{name} takes {rule.max_images} pictures per post, not {pictures}."
    if videos > rule.max_videos:
        yield "stop", f"{name} takes one video per post, not {videos}."
    elif videos and pictures and not rule.mixes_video:
        yield "stop", f"{name} takes a video or pictures, not both in one post. Take one of them out."


def _picture_problems(name: str, rule: MediaRule, media: Media, settings: Settings) -> Iterator[Problem]:
    frozen = freeze(media, settings, max_bytes=rule.max_image_bytes, allowed_types=rule.image_types)
    if rule.image_types and frozen.mime_type not in rule.image_types:
        kind = _TYPE_NAMES.get(frozen.mime_type, frozen.mime_type)
        yield "stop", f"{name} takes no {kind} pictures ({media.filename}). Save it as JPEG."
    if rule.max_image_bytes and frozen.size_bytes > rule.max_image_bytes:
        sizes = f"{frozen.size_bytes / 1e6:.1f} MB; {name} takes {rule.max_image_bytes / 1e6:.1f} MB"
        yield "stop", f"{media.filename} has {sizes}. Upload a smaller one."


def _video_problems(name: str, rule: MediaRule, media: Media) -> Iterator[Problem]:
    if rule.video_types and media.mime_type not in rule.video_types:
        kind = _TYPE_NAMES.get(media.mime_type, media.mime_type)
        wanted = _TYPE_NAMES.get(rule.video_types[0], rule.video_types[0])
        yield "stop", f"{name} takes no {kind} videos ({media.filename}). Export it as {wanted}."
    if rule.max_video_bytes and media.size_bytes > rule.max_video_bytes:
        sizes = f"{media.size_bytes / 1e6:.1f} MB; {name} takes {rule.max_video_bytes / 1e6:.3g} MB"
        yield "stop", f"{media.filename} has {sizes}. Export it smaller."
    if rule.max_video_seconds and media.duration_seconds > rule.max_video_seconds + 0.5:
        lasts, most = in_words(media.duration_seconds), in_words(rule.max_video_seconds)
        yield "stop", f"{media.filename} lasts {lasts}; {name} takes {most}. Cut it shorter."
    if media.duration_seconds < rule.min_video_seconds:
        yield (
            "stop",
            f"{media.filename} is shorter than the {in_words(rule.min_video_seconds)} that {name} asks for.",
        )
    is_taken = not rule.video_types or media.mime_type in rule.video_types
    if is_taken and rule.video_codecs and media.codec not in rule.video_codecs:
        wanted = " or ".join(rule.video_codecs)
        yield "check", f"{media.filename} is {media.codec}; {name} documents {wanted} and may refuse it."
