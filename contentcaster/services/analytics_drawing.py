"""Numbers as the Analytics page draws them: words, SVG paths, shades. No queries, no rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from contentcaster.platforms.metrics import VIEW_WORDS
from contentcaster.services.analytics import FEW_POSTS
from contentcaster.services.analytics_views import (
    DayPoint,
    Figures,
    HeatCell,
    PostFigures,
    Share,
    Summary,
)
from contentcaster.services.views import ChannelView

WIDTH, HEIGHT = 640, 180
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MISSING = "–"
_DAILY_UP_TO = 92


@dataclass(frozen=True)
class Kpi:
    label: str
    value: str
    delta: str
    tone: str
    note: str


@dataclass(frozen=True)
class Mark:
    """One day or week of the chart: its place, for hovering, and its row in the table."""

    label: str
    before_label: str
    posts: int
    value: str
    before: str
    words: str
    x: str
    width: str
    first: str
    last: str
    """ISO days: where choosing it leads to."""


@dataclass(frozen=True)
class HeatTile:
    words: str
    text: str
    shade: str


@dataclass(frozen=True)
class HeatRow:
    day: str
    tiles: list[HeatTile]


@dataclass(frozen=True)
class ShareLine:
    """A part of the whole, with a bar as long as `percent` of the largest."""

    id: str
    name: str
    note: str
    value: str
    width: str
    percent: str
    channel: ChannelView | None


@dataclass(frozen=True)
class Chart:
    unit: str
    line: str
    area: str
    dashed: str
    peak: str
    half: str
    ticks: list[str]
    marks: list[Mark]
    has_any: bool


EMPTY_CHART = Chart("day", "", "", "", "", "", [], [], False)


def number(value: float | None) -> str:
    """12,345; 73.5; a dash for what nobody told."""
    if value is None:
        return MISSING
    if isinstance(value, float) and value < 1000:
        return f"{value:.1f}"
    return f"{value:,.0f}"


def day(value: date, *, with_year: bool = False) -> str:
    return f"{value.day} {value:%b} {value.year}" if with_year else f"{value.day} {value:%b}"


def span(first: date, last: date) -> str:
    """1 – 24 Nov; 20 Oct – 18 Nov; with the year where it is another one."""
    if first == last:
        return day(last, with_year=True)
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day} – {day(last)}"
    is_other_year = first.year != last.year
    return f"{day(first, with_year=is_other_year)} – {day(last, with_year=is_other_year)}"


def kpis(found: Summary, view_words: Sequence[str] = ()) -> list[Kpi]:
    """The cards of a period; `view_words`: what the networks of it call a view, none if none of them tells views."""
    now, before = found.now, found.before
    # Periods of different length are compared by the day, or the longer one would always win.
    days = ((found.last - found.first).days + 1) / ((found.before_last - found.before_first).days + 1)
    note = ", per day" if days != 1 else ""
    cards = [
        _kpi("Posts published", now.posts, before.posts, _measured(now) + note, days),
        _kpi("Engagements", now.engagements, before.engagements, _parts(now) + note, days),
        _kpi("Engagement per post", now.per_post, before.per_post, "of the posts that could be measured"),
        _kpi("Followers", found.followers, found.followers_before, "all channels together, at the end"),
    ]
    if now.views is not None or before.views is not None:
        words = f"as counted there: {', '.join(view_words)}" if view_words else "where the network tells them"
        cards.insert(3, _kpi("Views", now.views, before.views, words + note, days))
    return cards


def _kpi(label: str, now: float | None, before: float | None, note: str, days: float = 1) -> Kpi:
    """`days`: how many times longer the period is than the one it is compared with."""
    if now is None:
        return Kpi(label, MISSING, "", "", "not told by any network yet")
    if not before:
        return Kpi(label, number(now), "nothing to compare" if now else "", "", note)
    change = (now / days - before) / before * 100
    tone = "ok" if change >= 0.05 else "warn" if change <= -0.05 else ""
    sign = "+" if change >= 0.05 else "−" if change <= -0.05 else "±"
    size = f"{abs(change):.1f}" if abs(change) < 10 else f"{abs(change):,.0f}"
    return Kpi(
        label, number(now), f"{sign}{size.removesuffix('.0')}%", tone, f"{note}; before: {number(before)}"
    )


def _measured(figures: Figures) -> str:
    missing = figures.posts - figures.measured
    return "all measured" if not missing else f"{missing:,} without numbers yet"


def _parts(figures: Figures) -> str:
    return (
        f"{number(figures.likes)} likes, {number(figures.reposts)} reposts, {number(figures.replies)} replies"
    )


def parts(post: PostFigures) -> str:
    """What the engagements of a post are made of, in the network's own word for views."""
    found = [
        (post.likes, "likes"),
        (post.reposts, "reposts"),
        (post.replies, "replies"),
        (post.views, VIEW_WORDS.get(post.channel.platform, "views")),
    ]
    return " · ".join(
        f"{value:,} {_one(name) if value == 1 else name}" for value, name in found if value is not None
    )


def _one(name: str) -> str:
    return "reply" if name == "replies" else name.removesuffix("s")


def share_lines(shares: Sequence[Share], most: int = 12) -> list[ShareLine]:
    """The largest of them, with what each post earned and, where the network tells them, its views."""
    highest = max((share.figures.engagements or 0 for share in shares), default=0)
    lines = []
    for share in shares[:most]:
        figures = share.figures
        part = (figures.engagements or 0) / highest * 100 if highest else 0
        noun = "post" if figures.posts == 1 else "posts"
        note = f"{figures.posts:,} {noun}, {number(figures.per_post)} per post"
        if figures.views is not None and share.channel is not None:
            note += f", {number(figures.views)} {VIEW_WORDS.get(share.channel.platform, 'views')}"
        lines.append(
            ShareLine(
                share.id,
                share.name,
                note,
                number(figures.engagements),
                f"{part:.0f}%",
                f"{part:.0f}",
                share.channel,
            )
        )
    return lines


@dataclass(frozen=True)
class Line:
    """What the chart draws: a value per day or week, and the one that it is compared with; None is a gap."""

    unit: str
    groups: list[Sequence[DayPoint]]
    values: list[int | None]
    earlier: list[int | None]
    peak: int


def line_of(points: Sequence[DayPoint]) -> Line:
    """Days, or weeks where days would be too many."""
    step = 1 if len(points) <= _DAILY_UP_TO else 7
    groups = [points[at : at + step] for at in range(0, len(points), step)]
    values = [_sum([(p.posts, p.engagements) for p in group]) for group in groups]
    earlier = [
        _sum([(p.before_posts, p.before_engagements) for p in group])
        if any(p.before_day is not None for p in group)
        else None
        for group in groups
    ]
    peak = max([*(v for v in values if v), *(v for v in earlier if v), 1])
    return Line("day" if step == 1 else "week", groups, values, earlier, peak)


def chart(points: Sequence[DayPoint]) -> Chart:
    """The line of the period, the dashed one of the period it is compared with."""
    if not points:
        return EMPTY_CHART
    drawn = line_of(points)
    groups, values, earlier, peak, unit = drawn.groups, drawn.values, drawn.earlier, drawn.peak, drawn.unit
    places = [_x(number_, len(groups)) for number_ in range(len(groups))]
    width = WIDTH / max(1, len(groups) - 1)
    marks = [
        _mark(group, value, before, x, width)
        for group, value, before, x in zip(groups, values, earlier, places, strict=True)
    ]
    line = _path(places, values, peak)
    ends = [groups[0][0].day, groups[len(groups) // 2][0].day, groups[-1][-1].day]
    return Chart(
        unit=unit,
        line=line,
        area=_area(places, values, peak),
        dashed=_path(places, earlier, peak),
        peak=number(peak),
        half=number(peak // 2) if peak > 1 else "",
        ticks=[day(end) for end in ends],
        marks=marks,
        has_any=any(value for value in values) or any(value for value in earlier),
    )


def _sum(days: Sequence[tuple[int, int | None]]) -> int | None:
    """Days without posts earned nothing; if of all posts none could be measured, the number is missing."""
    known = [value for posts, value in days if posts and value is not None]
    if known:
        return sum(known)
    return None if any(posts for posts, _ in days) else 0


def _mark(group: Sequence[DayPoint], value: int | None, before: int | None, x: float, width: float) -> Mark:
    posts = sum(point.posts for point in group)
    label = span(group[0].day, group[-1].day)
    earlier = [point.before_day for point in group if point.before_day is not None]
    before_label = span(earlier[0], earlier[-1]) if earlier else MISSING
    words = f"{label}: {number(value)} engagements, {posts} posts."
    if earlier:
        words += f" {before_label}: {number(before)}."
    start = max(0.0, x - width / 2)
    return Mark(
        label,
        before_label,
        posts,
        number(value),
        number(before),
        words,
        f"{start:.1f}",
        f"{width:.1f}",
        group[0].day.isoformat(),
        group[-1].day.isoformat(),
    )


def _x(index: int, count: int) -> float:
    return WIDTH / 2 if count == 1 else index * WIDTH / (count - 1)


def _y(value: int, peak: int) -> float:
    return HEIGHT - 2 - value / peak * (HEIGHT - 8)


def _path(places: Sequence[float], values: Sequence[int | None], peak: int) -> str:
    """A line with a gap wherever a number is missing; a lone point is a short stroke."""
    pieces = []
    for run in _runs(places, values):
        pieces.append("M" + "L".join(f"{x:.1f} {_y(value, peak):.1f}" for x, value in run))
        if len(run) == 1:
            pieces.append("h0.1")
    return "".join(pieces)


def _area(places: Sequence[float], values: Sequence[int | None], peak: int) -> str:
    return "".join(
        f"M{run[0][0]:.1f} {HEIGHT}L"
        + "L".join(f"{x:.1f} {_y(value, peak):.1f}" for x, value in run)
        + f"L{run[-1][0]:.1f} {HEIGHT}z"
        for run in _runs(places, values)
    )


def _runs(places: Sequence[float], values: Sequence[int | None]) -> list[list[tuple[float, int]]]:
    runs: list[list[tuple[float, int]]] = [[]]
    for x, value in zip(places, values, strict=True):
        if value is None:
            runs.append([])
        else:
            runs[-1].append((x, value))
    return [run for run in runs if run]


def heat(cells: Sequence[HeatCell]) -> list[HeatRow]:
    """Seven rows of 24 tiles; the shade is the trusted score, hatched where posts are few."""
    highest = max((cell.score for cell in cells if cell.score), default=0.0)
    return [
        HeatRow(WEEKDAYS[row], [_tile(cell, highest) for cell in cells[row * 24 : row * 24 + 24]])
        for row in range(7)
    ]


def _tile(cell: HeatCell, highest: float) -> HeatTile:
    when = f"{WEEKDAYS[cell.weekday]} {cell.hour:02d}:00"
    if not cell.posts:
        return HeatTile(f"{when}: no posts", MISSING, "hm none")
    if cell.score is None:
        return HeatTile(f"{when}: {cell.posts} posts, no numbers", MISSING, "hm unknown")
    shade = min(5, int(cell.score / highest * 5.999)) if highest else 0
    few = " few" if cell.measured < FEW_POSTS else ""
    noun = "post" if cell.measured == 1 else "posts"
    sure = ", too few to trust" if few else ""
    words = f"{when}: {number(cell.per_post)} engagements per post, {cell.measured} {noun}{sure}"
    return HeatTile(words, number(cell.per_post), f"hm h{shade}{few}")


def time_words(cell: HeatCell) -> str:
    return f"{WEEKDAYS[cell.weekday]} {cell.hour:02d}:00 – {(cell.hour + 1) % 24:02d}:00"
