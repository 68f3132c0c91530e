"""Queues and workers: what waits, how late it is, who works on it."""

from __future__ import annotations

import reflex as rx

from contentcaster.components.basics import (
    button,
    card,
    card_head,
    empty_state,
    go_to,
    icon,
    notice,
    page_head,
    pill,
    stat,
)
from contentcaster.components.dialogs import confirm, dialog_close
from contentcaster.components.fields import field, text_input
from contentcaster.components.shell import NavItem, can
from contentcaster.components.sparkline import bars
from contentcaster.components.tables import table
from contentcaster.components.times import local_time, since
from contentcaster.pages.base import Page
from contentcaster.security.permissions import Permission
from contentcaster.services.views import WorkerView
from contentcaster.state.queues import Depth, QueueCard
from contentcaster.state.queues import QueuesState as S

CONSUMERS = "huey_consumer tasks.publish.huey -w 1 -k thread"


def body() -> rx.Component:
    return rx.fragment(
        page_head(
            "Queues and workers",
            rx.cond(
                S.workers,
                pill(
                    rx.fragment(S.workers.length(), rx.cond(S.workers.length() == 1, " worker", " workers")),
                    "ok",
                ),
                pill("no worker", "bad"),
            ),
            rx.cond(can(Permission.OPERATE), rx.el.span(_rebuild(), class_name="push")),
        ),
        _warnings(),
        rx.el.div(
            stat("Waiting", S.waiting, "scheduled, due or to be tried again"),
            stat("In flight", S.in_flight, "being sent or looked up now"),
            stat(
                "Lag",
                rx.el.span(S.lag, class_name="tone-" + S.lag_tone),
                rx.cond(S.overdue == 0, "nothing is late", rx.fragment(S.overdue, " past their time")),
            ),
            stat("Per minute", S.per_minute, "sent, over the last 5 minutes"),
            class_name="stats",
        ),
        rx.el.div(rx.foreach(S.cards, _queue), class_name="queue-grid"),
        _workers(),
        _pause_dialog(),
    )


def _warnings() -> rx.Component:
    return rx.cond(
        S.workers,
        rx.cond(
            S.unserved,
            notice(
                rx.el.b("No worker runs "),
                rx.foreach(S.unserved, lambda title, i: rx.fragment(rx.cond(i > 0, ", ", ""), title)),
                ". What waits there stays in the database and is done once a worker for it starts.",
                tone="warn",
                style={"margin_bottom": "14px"},
            ),
        ),
        notice(
            rx.el.div("No worker runs: nothing goes out right now.", class_name="b"),
            rx.el.p(
                "Every post is safe in the database and goes out as soon as a worker starts; each only once. "
                "Start one on the server:"
            ),
            rx.cond(
                S.is_embedded,
                rx.el.pre("contentcaster worker", class_name="command", tab_index=0),
                rx.el.pre(
                    "contentcaster worker          # all queues in one process\n"
                    + CONSUMERS
                    + "   # or Huey's own consumer",
                    class_name="command",
                    tab_index=0,
                ),
            ),
            rx.el.p(
                "make run starts everything at once, and starts a worker that dies again.",
                class_name="xs muted",
            ),
            tone="bad",
            role="alert",
            style={"margin_bottom": "14px"},
        ),
    )


def _rebuild() -> rx.Component:
    return confirm(
        button("Rebuild from the database", icon_name="refresh-cw"),
        title="Rebuild the queues from the database?",
        text="Every job that waits is announced to the workers again, as after a Redis that lost its memory. "
        "It is safe at any time: a job still goes out only once.",
        action="Rebuild",
        on_confirm=S.rebuild,
    )


def _queue(item: rx.Var[QueueCard]) -> rx.Component:
    queue = item.queue
    return rx.el.section(
        rx.el.div(
            rx.el.h2(queue.title),
            rx.el.span(
                rx.cond(
                    queue.is_paused,
                    pill("Paused", "warn"),
                    rx.cond(
                        queue.overdue > 0,
                        pill(rx.fragment(item.lag, " late"), "warn"),
                        rx.cond(
                            S.unserved.contains(queue.title), pill("No worker", "bad"), pill("Running", "ok")
                        ),
                    ),
                ),
                class_name="push",
            ),
            class_name="row",
        ),
        rx.cond(queue.is_paused, _paused(item)),
        rx.el.div(
            _fact("Waiting", queue.waiting),
            _fact("In flight", queue.in_flight),
            _fact("Per minute", queue.per_minute),
            _fact("Lag", item.lag),
            class_name="facts4",
        ),
        _depth(item),
        rx.el.div(
            bars(
                item.bars,
                rx.Var.create("Sent per minute over the last 30 minutes, at most ") + item.peak.to_string(),
            ),
            rx.el.div(
                rx.el.span("30 min ago"),
                rx.el.span("sent per minute, peak ", item.peak),
                rx.el.span("now"),
                class_name="spark-legend xs faint num",
            ),
        ),
        rx.el.div(
            rx.cond(
                queue.oldest_due_at,
                rx.el.span("Oldest was due ", since(queue.oldest_due_at), class_name="sm muted num"),
                rx.el.span("Nothing is late", class_name="sm faint"),
            ),
            rx.cond(
                can(Permission.OPERATE),
                rx.cond(
                    queue.is_paused,
                    button("Resume", kind="p s push", icon_name="play", on_click=S.resume(queue.name)),
                    button("Pause", kind="s push", icon_name="pause", on_click=S.ask_pause(queue.name)),
                ),
            ),
            class_name="row queue-foot",
        ),
        class_name="card queue-card",
        custom_attrs={"data-queue": queue.name, "data-paused": rx.cond(queue.is_paused, "true", "false")},
    )


def _paused(item: rx.Var[QueueCard]) -> rx.Component:
    queue = item.queue
    return rx.el.p(
        "Paused ",
        since(queue.paused_at),
        " by ",
        queue.paused_by,
        rx.cond(queue.paused_reason != "", rx.fragment(": “", queue.paused_reason, "”")),
        class_name="sm paused-line",
    )


def _fact(label: str, value: rx.Var) -> rx.Component:
    return rx.el.div(rx.el.div(value, class_name="fact-v num"), rx.el.div(label, class_name="xs faint"))


def _depth(item: rx.Var[QueueCard]) -> rx.Component:
    return rx.cond(
        item.depths,
        rx.el.div(
            rx.el.div(
                rx.foreach(
                    item.depths,
                    lambda depth: rx.el.i(class_name="seg " + depth.tone, style={"width": depth.share}),
                ),
                class_name="depth-bar",
                custom_attrs={"aria-hidden": "true"},
            ),
            rx.el.ul(
                rx.foreach(item.depths, lambda depth: _depth_line(item.queue.name, depth)),
                class_name="depth-legend xs",
            ),
        ),
        rx.el.p("Empty: nothing waits here.", class_name="xs faint"),
    )


def _depth_line(queue: rx.Var[str], depth: rx.Var[Depth]) -> rx.Component:
    return rx.el.li(
        rx.el.i(class_name="seg " + depth.tone),
        go_to(depth.words, href=f"/jobs?queue={queue}&state={depth.state}", class_name="quiet-link"),
        " ",
        rx.el.b(depth.count, class_name="num"),
    )


def _workers() -> rx.Component:
    return card(
        card_head(
            rx.el.h2("Workers"),
            rx.el.span("A heartbeat is written by the loop that sends", class_name="xs faint push hide-s"),
        ),
        rx.cond(
            S.workers | S.gone,
            table(
                ["Worker", "Heartbeat", "Queues", "In flight", "Memory", "Started", "Version"],
                rx.foreach(S.workers, _worker),
                rx.foreach(S.gone, _worker),
                label="Workers",
            ),
            empty_state(
                "cpu", "No worker has run yet", "Once one starts, its heartbeat, memory and work show here."
            ),
        ),
        style={"margin_top": "14px"},
    )


def _worker(worker: rx.Var[WorkerView]) -> rx.Component:
    return rx.el.tr(
        rx.el.td(
            rx.el.div(worker.hostname, class_name="b"),
            rx.el.div("pid ", worker.pid, class_name="xs faint num"),
        ),
        rx.el.td(
            rx.el.span(
                rx.el.span(
                    class_name=rx.match(worker.status, ("alive", "dot ok"), ("silent", "dot bad"), "dot")
                ),
                rx.match(
                    worker.status,
                    ("alive", since(worker.heartbeat_at, class_name="num nowrap")),
                    ("silent", rx.el.span("silent since ", since(worker.heartbeat_at), class_name="num")),
                    rx.el.span("stopped ", since(worker.heartbeat_at), class_name="num muted"),
                ),
                class_name="row beat-cell",
            ),
            rx.cond(
                ~worker.is_queue_reachable & worker.is_alive,
                rx.el.div(
                    icon("triangle-alert", 12),
                    " cannot reach Redis; it works from the database",
                    class_name="xs tone-warn",
                ),
            ),
        ),
        rx.el.td(
            rx.foreach(worker.queues, lambda name: rx.el.span(name, class_name="tag")),
            class_name="cell-queues",
        ),
        rx.el.td(
            rx.cond(
                worker.in_flight > 0,
                go_to(worker.in_flight, href=f"/jobs?worker={worker.id}", class_name="link"),
                worker.in_flight,
            ),
            class_name="num",
        ),
        rx.el.td(worker.rss_mb, " MB", class_name="num nowrap"),
        rx.el.td(local_time(worker.started_at, class_name="nowrap num"), class_name="muted"),
        rx.el.td(worker.version, class_name="muted num"),
        custom_attrs={"data-worker": worker.status},
    )


def _pause_dialog() -> rx.Component:
    return rx.dialog.root(
        rx.dialog.content(
            rx.dialog.title("Pause ", S.pausing_title, "?", size="4"),
            rx.dialog.description(
                "What is being sent is finished. Everything else waits in the database, also past its time, until "
                "somebody resumes the queue. Posts that come due meanwhile go out late.",
                size="2",
                color_scheme="gray",
                margin_bottom="14px",
            ),
            rx.el.form(
                field(
                    "Why? (optional, colleagues see it)",
                    text_input(
                        id="reason",
                        max_length=500,
                        placeholder="for example: maintenance of the instance until 14:00",
                        auto_focus=True,
                        auto_complete="off",
                    ),
                    for_="reason",
                ),
                rx.el.div(
                    dialog_close(button("Not now")),
                    button("Pause the queue", kind="d", type="submit"),
                    class_name="row dialog-actions",
                ),
                on_submit=S.pause,
            ),
            class_name="dialog",
        ),
        open=S.pausing != "",
        on_open_change=S.set_pause_open,
    )


PAGE = Page(
    route="/queues",
    title="Queues and workers",
    body=body,
    load=S.load,
    topics=("queues", "workers", "heartbeat"),
    nav=NavItem(
        "Queues and workers",
        "/queues",
        "layers",
        (Permission.VIEW_OPERATIONS,),
        section="Run",
        shortcut="g q",
    ),
)
