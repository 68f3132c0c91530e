"""The chart of a view as a picture: for a slide, a chat, the mailed report. It carries its title, days and zone."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from contentcaster.services.analytics_drawing import Line, day, line_of, number, span
from contentcaster.services.analytics_views import DayPoint

WIDTH, HEIGHT = 1200, 600
_SCALE = 2
"""Drawn larger and made smaller: smooth lines."""
_LEFT, _TOP, _RIGHT, _BOTTOM = 96, 150, 1160, 500
_FONTS = Path(__file__).resolve().parents[2] / "assets" / "fonts"
_DASH, _GAP = 7, 6


@dataclass(frozen=True)
class _Theme:
    panel: str
    text: str
    muted: str
    line: str
    accent: str
    soft: str


THEMES = {
    # The tokens of assets/console.css; `soft` is the accent at 12% on the panel.
    "light": _Theme("#ffffff", "#1b1c24", "#5f6373", "#e6e7ee", "#5b5bd6", "#ebebfa"),
    "dark": _Theme("#15161d", "#ecedf3", "#a0a4b4", "#262834", "#8080ee", "#22233a"),
}


def draw_series(
    points: Sequence[DayPoint], *, title: str, note: str, zone: str, before: str, theme: str = "light"
) -> bytes:
    """A PNG of engagements over time, 1200 by 600. `note` says of what, `before` names the dashed line's days."""
    colours, line = THEMES[theme], line_of(points)
    picture = Image.new("RGB", (WIDTH * _SCALE, HEIGHT * _SCALE), colours.panel)
    pen = _Pen(ImageDraw.Draw(picture), colours)
    period = span(points[0].day, points[-1].day) if points else ""
    pen.words(40, 34, title, size=26, weight=650)
    pen.words(
        40, 74, f"{period}{' · ' + note if note else ''} · times of {zone}", size=15, colour=colours.muted
    )
    _legend(pen, period, before)
    _grid(pen, line)
    if points:
        _curves(pen, line)
        _ticks(pen, line)
    pen.words(
        40,
        556,
        "Each post counts on the day it went out, with its newest numbers. A gap is a number nobody told.",
        size=13,
        colour=colours.muted,
    )
    pen.words(1160, 556, "ContentCaster", size=13, weight=600, colour=colours.muted, is_right=True)
    small = picture.reduce(_SCALE)
    written = io.BytesIO()
    small.save(written, "PNG", optimize=True)
    return written.getvalue()


def _legend(pen: _Pen, period: str, before: str) -> None:
    y = 118
    pen.draw.line(pen.at((40, y), (64, y)), fill=pen.theme.accent, width=3 * _SCALE)
    x = pen.words(72, y - 9, period, size=14)
    pen.dashes([(x + 24, y), (x + 48, y)], pen.theme.muted)
    pen.words(x + 56, y - 9, before, size=14, colour=pen.theme.muted)


def _grid(pen: _Pen, line: Line) -> None:
    for share in (0.0, 0.5, 1.0):
        y = _BOTTOM - share * (_BOTTOM - _TOP)
        pen.draw.line(pen.at((_LEFT, y), (_RIGHT, y)), fill=pen.theme.line, width=_SCALE)
        value = line.peak * share
        if value == int(value):
            pen.words(_LEFT - 12, y - 9, number(int(value)), size=14, colour=pen.theme.muted, is_right=True)


def _curves(pen: _Pen, line: Line) -> None:
    for run in _runs(line.values, line.peak):
        if len(run) > 1:
            floor = [(run[-1][0], float(_BOTTOM)), (run[0][0], float(_BOTTOM))]
            pen.draw.polygon(pen.at(*run, *floor), fill=pen.theme.soft)
    for run in _runs(line.earlier, line.peak):
        pen.dashes(run, pen.theme.muted)
    for run in _runs(line.values, line.peak):
        pen.draw.line(pen.at(*run), fill=pen.theme.accent, width=3 * _SCALE, joint="curve")
        if len(run) == 1:
            (x, y), radius = run[0], 4
            box = pen.at((x - radius, y - radius), (x + radius, y + radius))
            pen.draw.ellipse(box, fill=pen.theme.accent)


def _ticks(pen: _Pen, line: Line) -> None:
    last = len(line.groups) - 1
    numbers = sorted({round(last * part / 4) for part in range(5)})
    for place in numbers:
        x, words = _x(place, len(line.groups)), day(line.groups[place][0].day)
        pen.words(x, _BOTTOM + 14, words, size=14, colour=pen.theme.muted, is_centred=True)


def _x(place: int, count: int) -> float:
    return (_LEFT + _RIGHT) / 2 if count == 1 else _LEFT + place * (_RIGHT - _LEFT) / (count - 1)


def _runs(values: Sequence[int | None], peak: int) -> list[list[tuple[float, float]]]:
    """The points of each stretch without a gap."""
    runs: list[list[tuple[float, float]]] = [[]]
    for place, value in enumerate(values):
        if value is None:
            runs.append([])
        else:
            runs[-1].append((_x(place, len(values)), _BOTTOM - value / peak * (_BOTTOM - _TOP)))
    return [run for run in runs if run]


@dataclass
class _Pen:
    """Draws in units of the finished picture."""

    draw: ImageDraw.ImageDraw
    theme: _Theme

    @staticmethod
    def at(*points: tuple[float, float]) -> list[tuple[float, float]]:
        return [(x * _SCALE, y * _SCALE) for x, y in points]

    def words(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: int,
        weight: int = 450,
        colour: str = "",
        is_right: bool = False,
        is_centred: bool = False,
    ) -> float:
        """Writes one line from `x` on, up to it, or around it; returns where it ends."""
        pieces = [(part, _font(name, size, weight)) for name, part in _by_font(text)]
        length = sum(font.getlength(part) for part, font in pieces) / _SCALE
        room = x - 4 if is_right else 2 * min(x, WIDTH - x) - 8 if is_centred else WIDTH - 40 - x
        while length > room and len(text) > 1:  # a long label must not leave the picture
            text = text[:-2].rstrip() + "…"
            pieces = [(part, _font(name, size, weight)) for name, part in _by_font(text)]
            length = sum(font.getlength(part) for part, font in pieces) / _SCALE
        at = x - length if is_right else x - length / 2 if is_centred else x
        for part, font in pieces:
            self.draw.text((at * _SCALE, y * _SCALE), part, font=font, fill=colour or self.theme.text)
            at += font.getlength(part) / _SCALE
        return x + length

    def dashes(self, run: Sequence[tuple[float, float]], colour: str) -> None:
        left, is_on = float(_DASH), True
        for (x0, y0), (x1, y1) in itertools.pairwise(run):
            length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5
            done = 0.0
            while done < length:
                step = min(left, length - done)
                if is_on:
                    ends = [
                        (x0 + (x1 - x0) * part / length, y0 + (y1 - y0) * part / length)
                        for part in (done, done + step)
                    ]
                    self.draw.line(self.at(*ends), fill=colour, width=2 * _SCALE)
                done, left = done + step, left - step
                if left <= 0:
                    is_on = not is_on
                    left = float(_DASH if is_on else _GAP)


def _by_font(text: str) -> Iterator[tuple[str, str]]:
    """(font, piece of the text): each of the console's font files holds some scripts only."""
    for name, part in itertools.groupby(text, _font_of):
        yield name, "".join(part)


def _font_of(character: str) -> str:
    code = ord(character)
    if 0x370 <= code <= 0x3FF:
        return "greek"
    if 0x400 <= code <= 0x4FF:
        return "cyrillic"
    return "latin-ext" if 0x100 <= code <= 0x24F or 0x1E00 <= code <= 0x1EFF else "latin"


@lru_cache(maxsize=32)
def _font(name: str, size: int, weight: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.truetype(_FONTS / f"inter-{name}-wght-normal.woff2", size * _SCALE)
    font.set_variation_by_axes([weight])
    return font
