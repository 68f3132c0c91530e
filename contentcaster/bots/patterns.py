"""Regular expressions that people write and strangers feed: bounded when saved and when used."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Any

import regex

_MATCH_SECONDS = 0.05
_PROBE_SECONDS = 0.1
_MAX_TEXT = 5000
_PROBES = ("a" * 40, "a" * 200 + "!", "ab" * 100 + "!", "1" * 200 + "!", " " * 200 + "!", "aA1 " * 60 + "!",
           "x@" * 100 + "!", "-_." * 70 + "!")  # fmt: skip


def check_pattern(pattern: str) -> None:
    """Raise ValueError with a sentence if the pattern is no pattern, or could explode."""
    if not pattern:
        return
    try:
        compiled = _compiled(pattern)
    except regex.error as error:
        raise ValueError(f"This is no regular expression: {error}.") from None
    if (loop := _nested_loop(pattern)) is not None:
        raise ValueError(
            f"This pattern could take for ever on some texts: {loop} repeats something that already repeats. "
            "Write it without the inner or the outer repetition."
        )
    began = time.monotonic()
    letters = "".join(dict.fromkeys(ch for ch in pattern if ch.isalnum()))[:10]
    own = [letter * 200 + "!" for letter in letters] + [letters * 30 + "!"]
    for probe in (*_PROBES, *own):
        try:
            compiled.search(probe, timeout=_PROBE_SECONDS)
        except TimeoutError:
            raise ValueError(
                "This pattern could take for ever on some texts: a trial was stopped after a tenth of a second."
            ) from None
        if time.monotonic() - began > 1:
            raise ValueError("This pattern is too slow to try on every post.")


def matches(pattern: str, text: str) -> bool:
    """Whether the pattern occurs in the text, whatever the case; a pattern that takes too long does not match."""
    try:
        return _compiled(pattern).search(text[:_MAX_TEXT], timeout=_MATCH_SECONDS) is not None
    except (TimeoutError, regex.error):
        return False


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> Any:
    return regex.compile(pattern, regex.IGNORECASE)


def _nested_loop(pattern: str) -> str | None:
    """A group that repeats without bound and holds something that does, such as (a+)+; None if there is none."""
    opened: list[
        tuple[int, bool]
    ] = []  # where each open group starts, and whether it holds an unbounded repeat
    closed_with_loop = False
    closed_from = 0
    position, length = 0, len(pattern)
    just_closed = False
    while position < length:
        char = pattern[position]
        if char == "\\":
            position += 2
            just_closed = False
            continue
        if char == "[":
            end = position + 1
            while end < length and (pattern[end] != "]" or end == position + 1):
                end += 2 if pattern[end] == "\\" else 1
            position, just_closed = end + 1, False
            continue
        if char == "(":
            opened.append((position, False))
            just_closed = False
        elif char == ")" and opened:
            closed_from, closed_with_loop = opened.pop()
            just_closed = True
            position += 1
            continue
        elif _repeats_without_bound(pattern, position):
            if just_closed and closed_with_loop:
                return f"“{pattern[closed_from : position + 1]}”"
            opened = [(start, True) for start, _ in opened]
        if not (just_closed and char in "?*+{"):
            just_closed = False
        position += 1
    return None


def _repeats_without_bound(pattern: str, position: int) -> bool:
    char = pattern[position]
    if char in "*+":
        return position > 0
    if char == "{":
        end = pattern.find("}", position)
        inside = pattern[position + 1 : end] if end > 0 else ""
        return inside.endswith(",") and inside[:-1].isdigit()
    return False
