"""Analytics: what worked, where, and when to post next."""

from __future__ import annotations

from typing import Any

import reflex as rx

from contentcaster.components.basics import (
    FILE_LINK,
    button,
    card,
    card_body,
    card_head,
    empty_state,
    external_link,
    go_to,
    icon,
    notice,
    page_head,
    pill,
)
from contentcaster.components.chart_zoom import chart_zoom
from contentcaster.components.posts import channel_avatar
from contentcaster.components.shell import NavItem, can
from contentcaster.components.tables import table
from contentcaster.components.times import local_time, since
from contentcaster.pages.analytics_sharing import report_dialog, share_button, share_dialog
from contentcaster.pages.base import Page
from contentcaster.security.permissions import Permission
from contentcaster.services.analytics_answers import Answer
from contentcaster.services.analytics_drawing import HEIGHT, WIDTH, HeatRow, HeatTile, Kpi, Mark, ShareLine
from contentcaster.services.analytics_views import Freshness
from contentcaster.state.analytics import SPANS, VERSUS, PostLine
from contentcaster.state.analytics import AnalyticsState as S
from contentcaster.state.analytics_sharing import SharingState
from contentcaster.state.shell import ShellState


def body() -> rx.Component:
    return rx.fragment(
        page_head("Analytics", _fresh_words(), _actions()),
        _filters(),
        rx.cond(
            S.problem != "", notice(S.problem, tone="warn", role="status", style={"margin_bottom": "14px"})
        ),
        rx.cond(S.has_posts, _answers()),
        rx.el.div(rx.foreach(S.kpis, _kpi), class_name="stats"),
        rx.cond(S.has_posts, _pictures(), card(_nothing_yet())),
        _freshness(),
        share_dialog(),
        report_dialog(),
    )


def _fresh_words() -> rx.Component:
    return rx.el.span(
        rx.cond(
            S.fresh_at,
            rx.fragment("fresh as of ", since(S.fresh_at)),
            "no numbers collected yet",
        ),
        rx.cond(S.is_own, " · your own posts", ""),
        class_name="sm muted",
    )


def _actions() -> rx.Component:
    return rx.el.div(
        rx.cond(can(Permission.SHARE_ANALYTICS), share_button()),
        button("Report", icon_name="mail", on_click=SharingState.open_report),
        rx.cond(S.csv_days != "", _export()),  # before the first load the links lead nowhere
        class_name="row push",
    )


def _filters() -> rx.Component:
    return rx.el.div(
        rx.el.select(
            *[rx.el.option(words, value=days) for days, words in SPANS.items()],
            rx.cond(S.days == "", rx.el.option(S.range_words, value="")),
            value=S.days,
            on_change=S.choose_days,
            class_name="input filter",
            aria_label="Period",
        ),
        rx.el.select(
            *[rx.el.option(f"vs {words}", value=versus) for versus, words in VERSUS.items()],
            rx.cond(S.versus == "own", rx.el.option("vs ", S.before_words, value="own")),
            value=S.versus,
            on_change=S.choose_versus,
            class_name="input filter",
            aria_label="Compare with",
        ),
        _own_range(),
        rx.cond(
            S.networks.length() > 1,
            rx.el.select(
                rx.el.option("All networks", value=""),
                rx.foreach(S.networks, lambda n: rx.el.option(n.name, value=n.id)),
                value=S.network,
                on_change=S.choose_network,
                class_name="input filter",
                aria_label="Network",
            ),
        ),
        rx.el.select(
            rx.el.option("All channels", value=""),
            rx.foreach(
                S.choices,
                lambda c: rx.el.option(c.platform_name, " · ", c.handle, value=c.account_id),
            ),
            value=S.account_id,
            on_change=S.choose_channel,
            class_name="input filter",
            aria_label="Channel",
        ),
        rx.cond(
            S.labels.length() > 0,
            rx.el.select(
                rx.el.option("All labels", value=""),
                rx.foreach(S.labels, lambda label: rx.el.option("#", label, value=label)),
                value=S.label,
                on_change=S.choose_label,
                class_name="input filter",
                aria_label="Label",
            ),
        ),
        rx.cond(S.is_narrowed, go_to("Show all", href="/analytics", class_name="btn g s")),
        class_name="row wrap an-filters",
    )


def _export() -> rx.Component:
    links = (
        ("Chart (PNG)", S.png),
        ("Chart, dark (PNG)", S.png_dark),
        ("Days (CSV)", S.csv_days),
        ("Posts (CSV)", S.csv_posts),
    )
    return rx.el.details(
        rx.el.summary("Export", class_name="btn"),
        rx.el.div(
            *[rx.el.a(words, href=href, class_name="link", custom_attrs=FILE_LINK) for words, href in links],
            class_name="pop stack tight",
        ),
        class_name="pop-box",
    )


def _own_range() -> rx.Component:
    return rx.el.details(
        rx.el.summary(S.range_words, class_name="btn num"),
        rx.el.form(
            _day("From", "from", S.first),
            _day("To", "to", S.last),
            rx.el.p("Compare with", class_name="xs muted"),
            # Left empty it is the days before; filled in where other days were chosen.
            _day("From", "vs_from", rx.cond(S.versus == "own", S.vs_first, "")),
            _day("To", "vs_to", rx.cond(S.versus == "own", S.vs_last, "")),
            button("Show", kind="p", type="submit"),
            on_submit=S.choose_range,
            key=S.first + S.last + S.vs_first + S.vs_last + S.versus,
            class_name="pop stack",
        ),
        class_name="pop-box",
    )


def _day(label: str, name: str, value: Any) -> rx.Component:
    return rx.el.label(label, rx.el.input(type="date", name=name, default_value=value, class_name="input"))


def _answers() -> rx.Component:
    return card(rx.el.dl(rx.foreach(S.answers, _answer)), class_name="an-answers")


def _answer(answer: rx.Var[Answer]) -> rx.Component:
    return rx.el.div(
        rx.el.dt(answer.question, class_name="sm muted"),
        rx.el.dd(answer.words, class_name="b clamp2"),
        rx.el.dd(
            answer.note,
            rx.cond(
                (answer.at != "") & can(Permission.COMPOSE),
                rx.fragment(" ", go_to("Write for then", href=f"/studio?at={answer.at}", class_name="link")),
            ),
            class_name="xs muted",
        ),
    )


def _kpi(kpi: rx.Var[Kpi]) -> rx.Component:
    return card(
        rx.el.div(kpi.label, class_name="sm muted"),
        rx.el.div(
            rx.el.span(kpi.value, class_name="v num"),
            rx.cond(kpi.delta != "", pill(kpi.delta, kpi.tone)),
            class_name="row wrap kpi-line",
        ),
        rx.el.div(kpi.note, class_name="xs faint"),
        class_name="stat",
    )


def _pictures() -> rx.Component:
    return rx.el.div(
        rx.el.div(_series(), _worked(), _did_not(), class_name="stack"),
        rx.el.div(
            _best_time(),
            rx.cond(S.by_network.length() > 1, _shares("By network", S.by_network)),
            _shares("By channel", S.by_channel),
            rx.cond(
                S.by_label,
                _shares("By label", S.by_label, note="A post with two labels counts under both."),
            ),
            rx.cond(S.by_author.length() > 1, _shares("By author", S.by_author)),
            _bots(),
            class_name="stack",
        ),
        class_name="an-grid",
    )


def _series() -> rx.Component:
    return card(
        card_head(
            rx.el.h2("Engagements per ", S.chart.unit),
            rx.el.span(
                rx.el.i(class_name="key"),
                S.range_words,
                rx.el.i(class_name="key dash"),
                S.before_words,
                class_name="xs muted push row legend",
            ),
        ),
        card_body(
            rx.cond(
                S.chart.has_any,
                rx.fragment(
                    chart_zoom(_drawing(), on_zoom=S.zoom),
                    rx.el.div(
                        rx.foreach(S.chart.ticks, lambda tick: rx.el.span(tick)),
                        class_name="an-ticks xs faint num",
                    ),
                ),
                rx.el.p(
                    "No engagements are known for these days yet. Networks are asked 5 minutes after a post went "
                    "out, then after hours and days.",
                    class_name="sm muted",
                ),
            ),
            rx.el.p(
                "Each post counts on the day it went out, with its newest numbers: young posts still grow. ",
                rx.cond(
                    S.days == "",
                    go_to("Back to the last 30 days", href="/analytics?" + S.zoom_query, class_name="link"),
                    "Drag over the chart, or follow a row of the table, to look closer.",
                ),
                class_name="xs faint",
            ),
            rx.el.details(
                rx.el.summary("As a table", class_name="xs link"),
                table(
                    ["When", "Posts", "Engagements", "Compared with", "Engagements then"],
                    rx.foreach(S.chart.marks, _mark_row),
                    label="Engagements over time",
                ),
            ),
        ),
    )


def _drawing() -> rx.Component:
    return rx.el.div(
        rx.el.span(S.chart.peak, class_name="an-peak xs faint num"),
        rx.el.span(S.chart.half, class_name="an-half xs faint num"),
        rx.el.svg(
            rx.el.path(d=f"M0 {HEIGHT / 2}H{WIDTH}M0 {HEIGHT - 1}H{WIDTH}M0 6H{WIDTH}", class_name="grid"),
            rx.el.path(d=S.chart.area, class_name="area"),
            rx.el.path(d=S.chart.dashed, class_name="dashed"),
            rx.el.path(d=S.chart.line, class_name="line"),
            rx.foreach(S.chart.marks, _hover),
            view_box=f"0 0 {WIDTH} {HEIGHT}",
            preserve_aspect_ratio="none",
            class_name="an-chart",
            role="img",
            aria_label="Engagements over time; the numbers are in the table below",
        ),
        class_name="an-plot",
    )


def _hover(mark: rx.Var[Mark]) -> rx.Component:
    return rx.el.rect(
        x=mark.x,
        y="0",
        width=mark.width,
        height=str(HEIGHT),
        class_name="hover",
        custom_attrs={"data-first": mark.first, "data-last": mark.last, "data-words": mark.words},
    )


def _mark_row(mark: rx.Var[Mark]) -> rx.Component:
    return rx.el.tr(
        rx.el.td(
            go_to(
                mark.label,
                href=f"/analytics?from={mark.first}&to={mark.last}&" + S.zoom_query,
                class_name="link",
            ),
            class_name="nowrap",
        ),
        rx.el.td(mark.posts, class_name="num"),
        rx.el.td(mark.value, class_name="num"),
        rx.el.td(mark.before_label, class_name="nowrap muted"),
        rx.el.td(mark.before, class_name="num muted"),
    )


def _best_time() -> rx.Component:
    return card(
        card_head(
            rx.el.h2("Best time to post"),
            rx.el.span("from ", S.heat_posts, " posts · ", ShellState.timezone, class_name="xs muted push"),
        ),
        card_body(
            rx.cond(
                S.best_times,
                rx.el.p(
                    "Most per post: ",
                    rx.foreach(
                        S.best_times,
                        lambda words, i: rx.fragment(
                            rx.cond(i > 0, ", ", ""), rx.el.b(words, class_name="nowrap num")
                        ),
                    ),
                    class_name="sm",
                ),
                rx.el.p(
                    "Not enough yet: an hour counts once three measured posts went out in it.",
                    class_name="sm muted",
                ),
            ),
            rx.el.div(
                rx.el.table(
                    rx.el.thead(
                        rx.el.tr(
                            rx.el.th(rx.el.span("Day", class_name="visually-hidden"), scope="col"),
                            *[_hour_head(hour) for hour in range(24)],
                        )
                    ),
                    rx.el.tbody(rx.foreach(S.heat, _heat_row)),
                    class_name="heat",
                    aria_label="Engagements per post by weekday and hour",
                ),
                class_name="heat-wrap",
                tab_index=0,
                role="region",
                aria_label="Best time to post",
            ),
            rx.el.div(
                rx.el.i(class_name="hm h0"),
                "less",
                rx.el.i(class_name="hm h5"),
                "more per post",
                rx.el.i(class_name="hm h3 few"),
                "fewer than 3 posts",
                class_name="row wrap xs faint heat-legend",
            ),
        ),
    )


def _hour_head(hour: int) -> rx.Component:
    shown = f"{hour:02d}" if hour % 6 == 0 else rx.el.span(f"{hour:02d}", class_name="visually-hidden")
    return rx.el.th(shown, scope="col", class_name="num")


def _heat_row(row: rx.Var[HeatRow]) -> rx.Component:
    return rx.el.tr(rx.el.th(row.day, scope="row"), rx.foreach(row.tiles, _heat_tile))


def _heat_tile(tile: rx.Var[HeatTile]) -> rx.Component:
    return rx.el.td(
        rx.el.span(tile.text, class_name="visually-hidden"), class_name=tile.shade, title=tile.words
    )


def _worked() -> rx.Component:
    return card(
        card_head(rx.el.h2("What worked"), rx.el.span(S.range_words, class_name="xs muted push")),
        rx.cond(
            S.best,
            rx.el.ul(rx.foreach(S.best, _post), class_name="lines"),
            empty_state(
                "trophy",
                "No measured posts in this period",
                "Posts appear here about 5 minutes after they went out, when their network is asked first.",
            ),
        ),
    )


def _did_not() -> rx.Component:
    return rx.cond(
        S.worst,
        card(
            card_head(rx.el.h2("What did not")),
            rx.el.ul(rx.foreach(S.worst, _post), class_name="lines"),
        ),
    )


def _post(post: rx.Var[PostLine]) -> rx.Component:
    words = rx.cond(post.text != "", post.text, "(no text)")
    return rx.el.li(
        channel_avatar(post.channel),
        rx.cond(
            post.thumb_url != "",
            rx.el.img(src=post.thumb_url, alt=post.alt, loading="lazy", class_name="line-thumb"),
        ),
        rx.el.div(
            rx.cond(
                can(Permission.COMPOSE, Permission.VIEW_ALL_POSTS),
                go_to(words, href=f"/posts/{post.post_id}", class_name="row-link clamp2"),
                rx.el.span(words, class_name="b clamp2"),
            ),
            rx.el.div(
                local_time(post.published_at, class_name="num"),
                " · ",
                post.channel.handle,
                rx.cond(post.remote_url != "", rx.fragment(" · ", external_link("Open", post.remote_url))),
                class_name="xs faint",
            ),
            class_name="line-main",
        ),
        rx.el.div(
            rx.el.div(post.engagements, class_name="b num"),
            rx.el.div(post.parts, class_name="xs faint"),
            class_name="line-count",
        ),
        class_name="line",
    )


def _shares(title: str, lines: rx.Var[list[ShareLine]], note: str = "") -> rx.Component:
    return card(
        card_head(rx.el.h2(title), rx.el.span("engagements", class_name="xs muted push")),
        card_body(
            rx.cond(
                lines,
                rx.fragment(
                    rx.el.ul(rx.foreach(lines, _share), class_name="stack tight"),
                    rx.el.p(note, class_name="xs faint") if note else rx.fragment(),
                ),
                rx.el.p("Nothing went out in this period.", class_name="sm muted"),
            )
        ),
    )


def _share(line: rx.Var[ShareLine]) -> rx.Component:
    return rx.el.li(
        rx.el.div(
            rx.el.span(line.name, class_name="clip b"),
            rx.el.span(line.value, class_name="b num push"),
            class_name="row sm",
        ),
        rx.el.div(
            rx.el.i(style={"width": line.width}), class_name="bar", custom_attrs={"aria-hidden": "true"}
        ),
        rx.el.div(line.note, class_name="xs faint num"),
    )


def _bots() -> rx.Component:
    return card(
        card_head(rx.el.h2("Did the bots help?")),
        card_body(
            rx.cond(
                S.bot_words,
                rx.fragment(
                    rx.foreach(S.bot_words, lambda words: rx.el.p(words, class_name="sm")),
                    rx.el.p("A comparison, not a proof: other things differ too.", class_name="xs faint"),
                ),
                rx.el.p(
                    "No bot did anything in this period. Once one does, its acts stand here beside the growth of "
                    "channels with and without bots.",
                    class_name="sm muted",
                ),
            )
        ),
    )


def _nothing_yet() -> rx.Component:
    return empty_state(
        "chart-line",
        "Nothing went out in these days or the same number of days before",
        "Publish a post: it is counted here within a minute, its first likes and replies after about 5 minutes, and "
        "the best time to post once an hour of the week has three posts.",
        rx.cond(
            can(Permission.COMPOSE),
            go_to("Write a post", href="/studio", class_name="btn p"),
            go_to("Look at one year", href="/analytics?days=365", class_name="btn"),
        ),
    )


def _freshness() -> rx.Component:
    return rx.cond(
        S.fresh,
        card(
            rx.el.details(
                rx.el.summary(
                    rx.el.h2("How fresh, and what the numbers mean"),
                    rx.cond(
                        S.stale_count > 0,
                        pill(rx.fragment(S.stale_count, " to look at"), "warn"),
                        pill("all fresh", "ok"),
                    ),
                    class_name="card-head an-summary",
                ),
                rx.el.ul(rx.foreach(S.fresh, _fresh), class_name="lines"),
            ),
            style={"margin_top": "14px"},
        ),
        card(
            empty_state(
                "radio",
                "No channels yet",
                "An admin connects channels; their followers appear here within minutes.",
            ),
            style={"margin_top": "14px"},
        ),
    )


def _fresh(line: rx.Var[Freshness]) -> rx.Component:
    return rx.el.li(
        channel_avatar(line.channel),
        rx.el.div(
            rx.el.div(line.channel.platform_name, " · ", line.channel.handle, class_name="b"),
            rx.cond(line.sentence != "", rx.el.div(line.sentence, class_name="sm")),
            rx.cond(line.meaning != "", rx.el.div(line.meaning, class_name="xs faint")),
            rx.el.div(
                rx.cond(
                    line.views != "",
                    rx.fragment(
                        "Views here are what ", line.channel.platform_name, " calls ", line.views, "."
                    ),
                    "Views: not told by this network, so shown as missing.",
                ),
                class_name="xs faint",
            ),
            class_name="line-main",
        ),
        rx.el.span(
            rx.cond(
                line.level == "warn",
                icon("triangle-alert", 14),
            ),
            rx.cond(line.refreshed_at, since(line.refreshed_at), "never"),
            class_name="sm muted num nowrap",
        ),
        class_name="line",
    )


PAGE = Page(
    route="/analytics",
    title="Analytics",
    body=body,
    load=S.load,
    topics=("analytics",),
    nav=NavItem(
        "Analytics",
        "/analytics",
        "chart-line",
        (Permission.VIEW_ANALYTICS,),
        section="Understand",
        shortcut="g a",
    ),
)
