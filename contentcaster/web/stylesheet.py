"""Leaves out of the compiled style sheet what no script of the console can ask for.

Radix Themes comes as one sheet for all of its components, layout helpers and colours: most of what a browser would have
to fetch and read before it paints. A rule goes if it names a component that is in no script, a screen width (the
console gives none to Radix components), or a colour that the theme does not wear; then the colours nobody reads go.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

ACCENTS = frozenset({"iris", "gray"})
"""The theme's accent (rxconfig.py), and the `color_scheme` of single components; a test looks for others."""

GRAYS = frozenset({"slate"})
"""The theme's gray."""

_COMPONENT = re.compile(r"\.(rt-[A-Z][A-Za-z]*)")
_USED = re.compile(r"rt-[A-Z][A-Za-z]*")
_AT_A_WIDTH = re.compile(r"\.(?:xs|sm|md|lg|xl)\\:")
_UTILITY = re.compile(r"\.-?(rt-r-[a-z-]+)")
_USED_UTILITY = re.compile(r"rt-r-[a-z]+(?:-[a-z]+)*")
_ACCENT = re.compile(r"\[data-accent-color=\"?([a-z]+)\"?\]")
_GRAY = re.compile(r"\[data-gray-color=\"?([a-z]+)\"?\]")
_SCALE = re.compile(
    r"--(?:amber|blue|bronze|brown|crimson|cyan|gold|grass|gray|green|indigo|iris|jade|lime|mauve|mint|olive|orange|"
    r"pink|plum|purple|red|ruby|sage|sand|sky|slate|teal|tomato|violet|yellow)"
    r"-(?:a?\d{1,2}|contrast|surface|indicator|track)"
)
_READ = re.compile(r"var\((--[\w-]+)")
_GROUPS = ("@media", "@supports", "@layer", "@container")


def prune(sheet: str, scripts: str) -> str:
    """The sheet without rules that nothing in `scripts` can ask for; all other rules stay as they are, in order."""
    components = frozenset(_USED.findall(scripts))
    utilities = frozenset(_USED_UTILITY.findall(scripts))

    def is_wanted(selector: str) -> bool:
        if _AT_A_WIDTH.search(selector):
            return False
        if any(name not in components for name in _COMPONENT.findall(selector)):
            return False
        if any(not _is_used(name, utilities) for name in _UTILITY.findall(selector)):
            return False
        # What stands in a :not(...) asks for the absence of a colour.
        asked = re.sub(r":not\([^()]*\)", "", selector)
        if any(name not in GRAYS for name in _GRAY.findall(asked)):
            return False
        return all(name in ACCENTS for name in _ACCENT.findall(asked))

    kept = "".join(_kept(sheet, is_wanted))
    read = frozenset(_READ.findall(kept)) | frozenset(re.findall(r"--[a-z]+-[a-z0-9]+", scripts))
    return re.sub(
        r"(--[\w-]+):[^;{}]*(;|(?=\}))",
        lambda found: "" if _SCALE.fullmatch(found[1]) and found[1] not in read else found[0],
        kept,
    )


def _is_used(name: str, utilities: frozenset[str]) -> bool:
    """Whether a script has the name, or what it is put together from: rt-r-size of rt-r-size-2, rt-r-p of rt-r-p-5."""
    parts = name.rstrip("-").split("-")
    return any("-".join(parts[:length]) in utilities for length in range(3, len(parts) + 1))


def _kept(sheet: str, is_wanted: Callable[[str], bool]) -> Iterator[str]:
    for head, body in _rules(sheet):
        if body is None:
            yield head
        elif head.startswith(_GROUPS):
            inner = "".join(_kept(body, is_wanted))
            if inner:
                yield f"{head}{{{inner}}}"
        elif head.startswith("@"):
            yield f"{head}{{{body}}}"
        else:
            selectors = [each for each in _split(head) if is_wanted(each)]
            if selectors:
                yield f"{','.join(selectors)}{{{body}}}"


def _rules(sheet: str) -> Iterator[tuple[str, str | None]]:
    """(head, what is between its braces) of each rule of one level; None for a statement that has no braces."""
    position = 0
    while position < len(sheet):
        at = _next(sheet, position, "{;")
        if at < 0:
            rest = sheet[position:]
            if rest.strip():
                yield rest, None
            return
        if sheet[at] == ";":
            yield sheet[position : at + 1], None
            position = at + 1
            continue
        end = _closing(sheet, at)
        yield sheet[position:at].strip(), sheet[at + 1 : end]
        position = end + 1


def _split(selectors: str) -> list[str]:
    """The selectors of a list; a comma inside of brackets separates none."""
    found, start, position = [], 0, 0
    while (position := _next(selectors, position, ",")) >= 0:
        found.append(selectors[start:position])
        start = position = position + 1
    return [*found, selectors[start:]]


_SKIPPED = re.compile(r"\\.|/\*.*?\*/|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'", re.DOTALL)


def _next(text: str, position: int, wanted: str) -> int:
    """Where one of the `wanted` signs comes next, outside of strings, comments, round and square brackets; else -1."""
    depth = 0
    while position < len(text):
        if (skipped := _SKIPPED.match(text, position)) is not None:
            position = skipped.end()
            continue
        sign = text[position]
        if sign in wanted and depth == 0:
            return position
        depth += (sign in "([") - (sign in ")]")
        position += 1
    return -1


def _closing(text: str, opening: int) -> int:
    depth, position = 0, opening
    while position < len(text):
        if (skipped := _SKIPPED.match(text, position)) is not None:
            position = skipped.end()
            continue
        depth += (text[position] == "{") - (text[position] == "}")
        if depth == 0:
            return position
        position += 1
    raise ValueError("the style sheet ends inside of a rule")
