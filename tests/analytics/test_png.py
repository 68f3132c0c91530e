"""The chart as a picture: readable in both themes, with gaps, without numbers, in other scripts."""

from __future__ import annotations

import io
from datetime import date, timedelta

import pytest
from PIL import Image

from contentcaster.services.analytics_png import HEIGHT, THEMES, WIDTH, draw_series
from contentcaster.services.analytics_views import DayPoint

DAY = date(2026, 10, 1)


def points(values: list[int | None]) -> list[DayPoint]:
    return [
        DayPoint(DAY + timedelta(days=n), 1, value, DAY - timedelta(days=n + 1), 1, 5)
        for n, value in enumerate(values)
    ]


@pytest.mark.parametrize("theme", list(THEMES))
@pytest.mark.parametrize("values", [[3, 9, None, 4], [7], [None, None], [0] * 400, []])
def test_a_picture_comes_out_whatever_the_numbers(theme: str, values: list[int | None]) -> None:
    content = draw_series(
        points(values),
        title="Engagements per day",
        note="@acme · #Größe Ελληνικά Привет 🦊 " + "long " * 60,
        zone="Europe/Berlin",
        before="27 Sep – 30 Sep",
        theme=theme,
    )
    picture = Image.open(io.BytesIO(content))
    assert (picture.format, picture.size) == ("PNG", (WIDTH, HEIGHT))
    colours = {colour for _count, colour in picture.convert("RGB").getcolors(WIDTH * HEIGHT) or []}
    panel, accent = (_rgb(value) for value in (THEMES[theme].panel, THEMES[theme].accent))
    assert panel in colours and accent in colours
    # Nothing runs over the edge.
    assert {picture.getpixel((x, y)) for x in (0, WIDTH - 1) for y in range(HEIGHT)} == {panel}


def _rgb(value: str) -> tuple[int, ...]:
    return tuple(int(value[at : at + 2], 16) for at in (1, 3, 5))
