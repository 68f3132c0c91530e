"""A network's rule for videos in words."""

from __future__ import annotations

from contentcaster.platforms.base import MediaRule

TYPE_NAMES = {"video/mp4": "MP4", "video/quicktime": "QuickTime", "video/webm": "WebM"}


def describe_video(rule: MediaRule) -> str:
    """The rule as a phrase: "one, MP4 or WebM, up to 100 MB and 3 minutes, no pictures beside it"; "–": none."""
    if not rule.max_videos:
        return "–"
    names = [TYPE_NAMES.get(kind, kind) for kind in rule.video_types]
    types = f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0]
    words = f"one, {types}, up to {rule.max_video_bytes / 1e6:.3g} MB"
    if rule.max_video_seconds:
        words += f" and {in_words(rule.max_video_seconds)}"
    return words if rule.mixes_video else f"{words}, no pictures beside it"


def in_words(seconds: float) -> str:
    """140 -> "2:20 minutes", 1800 -> "30 minutes", 0.5 -> "0.5 seconds"."""
    if seconds < 60:
        return f"{seconds:.3g} seconds"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02} minutes" if rest else f"{minutes} minutes"
