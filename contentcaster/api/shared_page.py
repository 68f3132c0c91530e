# ruff: noqa: E501 - a line of HTML is easier to read in one piece
"""The page behind a shared link to analytics: plain HTML without scripts, forms or a session.

Nothing in it can change anything: there is no handler behind it, and its Content-Security-Policy lets nothing run.
Everything that people wrote passes `escape`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from contentcaster.clock import utc_now
from contentcaster.services import analytics_drawing as drawing
from contentcaster.services.analytics_answers import answers
from contentcaster.services.analytics_drawing import HEIGHT, WIDTH, Chart, HeatRow, Kpi
from contentcaster.services.analytics_read import Everything
from contentcaster.services.analytics_share import Shared
from contentcaster.services.analytics_views import Freshness, PostFigures, Share
from contentcaster.services.schedule import format_when

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


def shared_page(shared: Shared) -> str:
    """The numbers of the view, as HTML."""
    found = shared.found
    zone = found.asked.period.zone
    summary = found.summary
    period = drawing.span(summary.first, summary.last)
    before = drawing.span(summary.before_first, summary.before_last)
    body = [
        f'<header class="page-head"><h1>{escape(shared.title)}</h1>'
        f'<span class="sm muted">{escape(period)}, compared with {escape(before)} · times of {escape(zone)}</span></header>',
        _filters(found),
        f'<div class="stats">{"".join(_kpi(kpi) for kpi in drawing.kpis(summary, found.view_words))}</div>',
        _answers(found),
        _series(drawing.chart(found.points), period, before),
        '<div class="an-grid"><div class="stack">',
        _posts("What worked", found.best, zone),
        _posts(
            "What did not",
            [post for post in found.worst if post.post_id not in {best.post_id for best in found.best}],
            zone,
        ),
        '</div><div class="stack">',
        _heat(drawing.heat(found.cells), zone),
        _shares("By network", found.networks),
        _shares("By channel", found.channels),
        _shares("By label", found.labels),
        "</div></div>",
        _meanings(found),
    ]
    foot = f"Read only. This link ends {format_when(shared.expires_at, zone)}."
    return _page(shared.title, "".join(body), foot)


def ended_page(message: str) -> str:
    """What a link shows that shows nothing (any more)."""
    return _page(
        "This link shows nothing",
        f'<section class="card"><div class="empty"><h1>This link shows nothing</h1><p>{escape(message)}</p></div></section>',
        "",
    )


def _page(title: str, body: str, foot: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="robots" content="noindex, nofollow"><meta name="color-scheme" content="light dark">'
        f"<title>{escape(title)} · ContentCaster</title>"
        '<link rel="icon" href="/favicon.svg" type="image/svg+xml">'
        '<link rel="stylesheet" href="/console.css"><link rel="stylesheet" href="/shared.css"></head>'
        '<body class="radix-themes plain shared"><main class="shared-main">'
        f'{body}</main><footer class="xs muted shared-foot">'
        f'<img src="/favicon.svg" alt="" width="16" height="16">ContentCaster<span>{escape(foot)}</span></footer>'
        "</body></html>"
    )


def _filters(found: Everything) -> str:
    scope = found.asked.scope
    names = [channel.handle for channel in found.choices if channel.account_id == scope.account_id]
    networks = [share.name for share in found.networks if scope.network]
    words = [*names, *networks, f"#{scope.label}" if scope.label else ""]
    shown = " · ".join(escape(word) for word in words if word)
    return f'<p class="sm shared-filters">Only: <b>{shown}</b></p>' if shown else ""


def _kpi(kpi: Kpi) -> str:
    delta = f'<span class="pill {escape(kpi.tone)}">{escape(kpi.delta)}</span>' if kpi.delta else ""
    return (
        f'<section class="card stat"><div class="sm muted">{escape(kpi.label)}</div>'
        f'<div class="row wrap kpi-line"><span class="v num">{escape(kpi.value)}</span>{delta}</div>'
        f'<div class="xs faint">{escape(kpi.note)}</div></section>'
    )


def _answers(found: Everything) -> str:
    # Bots are how the house works, not what its posts earned: that stays inside.
    shown = [answer for answer in answers(found, utc_now()) if "bots" not in answer.question]
    cells = "".join(
        f'<div><dt class="sm muted">{escape(each.question)}</dt><dd class="b">{escape(each.words)}</dd>'
        f'<dd class="xs muted">{escape(each.note)}</dd></div>'
        for each in shown
    )
    return f'<section class="card an-answers"><dl>{cells}</dl></section>'


def _series(chart: Chart, period: str, before: str) -> str:
    marks = "".join(
        f'<rect x="{mark.x}" y="0" width="{mark.width}" height="{HEIGHT}" class="hover"><title>{escape(mark.words)}</title></rect>'
        for mark in chart.marks
    )
    ticks = "".join(f"<span>{escape(tick)}</span>" for tick in chart.ticks)
    rows = _rows(
        [mark.label, str(mark.posts), mark.value, mark.before_label, mark.before] for mark in chart.marks
    )
    drawing_ = (
        f'<div class="an-plot"><span class="an-peak xs faint num">{escape(chart.peak)}</span>'
        f'<span class="an-half xs faint num">{escape(chart.half)}</span>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" class="an-chart" role="img" '
        'aria-label="Engagements over time; the numbers are in the table below">'
        f'<path d="M0 {HEIGHT / 2}H{WIDTH}M0 {HEIGHT - 1}H{WIDTH}M0 6H{WIDTH}" class="grid"/>'
        f'<path d="{chart.area}" class="area"/><path d="{chart.dashed}" class="dashed"/>'
        f'<path d="{chart.line}" class="line"/>{marks}</svg></div><div class="an-ticks xs faint num">{ticks}</div>'
        if chart.has_any
        else '<p class="sm muted">No engagements are known for these days.</p>'
    )
    return (
        f'<section class="card"><div class="card-head"><h2>Engagements per {escape(chart.unit)}</h2>'
        f'<span class="xs muted push row legend"><i class="key"></i>{escape(period)}<i class="key dash"></i>{escape(before)}</span></div>'
        f'<div class="card-body">{drawing_}<details><summary class="xs link">As a table</summary>'
        f"{_table(['When', 'Posts', 'Engagements', 'Compared with', 'Engagements then'], rows)}</details></div></section>"
    )


def _posts(title: str, posts: Sequence[PostFigures], zone: str) -> str:
    if not posts:
        return ""
    lines = "".join(_post(post, zone) for post in posts)
    return f'<section class="card"><div class="card-head"><h2>{title}</h2></div><ul class="lines">{lines}</ul></section>'


def _post(post: PostFigures, zone: str) -> str:
    link = (
        f' · <a class="link" href="{escape(post.remote_url)}" rel="noopener noreferrer nofollow" target="_blank">Open ↗</a>'
        if post.remote_url
        else ""
    )
    return (
        f'<li class="line"><div class="line-main"><span class="b clamp2">{escape(post.text) or "(no text)"}</span>'
        f'<div class="xs faint">{escape(format_when(post.published_at, zone))} · {escape(post.channel.platform_name)} · '
        f"{escape(post.channel.handle)}{link}</div></div>"
        f'<div class="line-count"><div class="b num">{drawing.number(post.engagements)}</div>'
        f'<div class="xs faint">{escape(drawing.parts(post))}</div></div></li>'
    )


def _heat(rows: Sequence[HeatRow], zone: str) -> str:
    heads = "".join(
        f'<th scope="col" class="num">{f"{hour:02d}" if hour % 6 == 0 else f"""<span class="visually-hidden">{hour:02d}</span>"""}</th>'
        for hour in range(24)
    )
    body = "".join(
        f'<tr><th scope="row">{row.day}</th>'
        + "".join(
            f'<td class="{tile.shade}" title="{escape(tile.words)}"><span class="visually-hidden">{escape(tile.text)}</span></td>'
            for tile in row.tiles
        )
        + "</tr>"
        for row in rows
    )
    return (
        f'<section class="card"><div class="card-head"><h2>Best time to post</h2><span class="xs muted push">{escape(zone)}</span></div>'
        '<div class="card-body"><div class="heat-wrap" tabindex="0" role="region" aria-label="Best time to post">'
        '<table class="heat"><thead><tr><th scope="col"><span class="visually-hidden">Day</span></th>'
        f"{heads}</tr></thead><tbody>{body}</tbody></table></div></div></section>"
    )


def _shares(title: str, shares: Sequence[Share]) -> str:
    if not shares:
        return ""
    lines = "".join(
        f'<li><div class="row sm"><span class="clip b">{escape(line.name)}</span><span class="b num push">{line.value}</span></div>'
        f'<svg class="bar" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect width="{line.percent}" height="6"/></svg><div class="xs faint num">{escape(line.note)}</div></li>'
        for line in drawing.share_lines(shares)
    )
    return (
        f'<section class="card"><div class="card-head"><h2>{title}</h2><span class="xs muted push">engagements</span></div>'
        f'<div class="card-body"><ul class="stack tight">{lines}</ul></div></section>'
    )


def _meanings(found: Everything) -> str:
    shown: dict[str, Freshness] = {}
    used = {share.id for share in found.channels}
    for line in found.fresh:
        if line.channel.account_id in used:
            shown.setdefault(line.channel.platform_name, line)
    words = "".join(
        f"<li><b>{escape(name)}</b>: {escape(line.meaning or line.sentence)}</li>"
        for name, line in shown.items()
    )
    return (
        '<section class="card"><div class="card-body stack tight sm"><h2>What the numbers mean</h2>'
        "<p>All figures are about the posts that went out in the period, with the newest counts known of them. "
        f'A dash is a number that no network told.</p><ul class="stack tight">{words}</ul></div></section>'
    )


def _table(heads: Sequence[str], rows: str) -> str:
    cells = "".join(f'<th scope="col">{escape(head)}</th>' for head in heads)
    return f'<div class="table-wrap"><table class="table"><thead><tr>{cells}</tr></thead><tbody>{rows}</tbody></table></div>'


def _rows(rows: Iterable[Sequence[str]]) -> str:
    return "".join(
        "<tr>" + "".join(f'<td class="num">{escape(cell)}</td>' for cell in row) + "</tr>" for row in rows
    )
