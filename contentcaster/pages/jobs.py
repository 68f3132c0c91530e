"""Jobs that wait or run: of a queue, in a state, or in the hands of one worker."""

from __future__ import annotations

import reflex as rx

from contentcaster.components.basics import card, card_foot, empty_state, go_to, link_button, page_head, pill
from contentcaster.components.explain import channel_label
from contentcaster.components.tables import table
from contentcaster.components.times import local_time, since
from contentcaster.pages.base import Page
from contentcaster.services.jobs import JobRow
from contentcaster.state.jobs import JobsState as S


def body() -> rx.Component:
    return rx.fragment(
        page_head(
            "Jobs",
            rx.el.span(S.title, class_name="muted sm"),
            rx.el.div(
                link_button("All jobs", href="/jobs", kind="g"),
                link_button("Queues and workers", href="/queues", icon_name="layers"),
                class_name="row wrap push",
            ),
        ),
        rx.cond(
            S.rows,
            card(
                table(
                    ["Job", "State", "Channel", "Next step", "Tries", "Held by"],
                    rx.foreach(S.rows, _row),
                    label="Jobs",
                    is_cards_when_narrow=True,
                ),
                rx.cond(
                    S.is_cut,
                    card_foot(rx.el.span("The first ", S.rows.length(), " by time.", class_name="sm muted")),
                ),
            ),
            card(
                empty_state(
                    "inbox",
                    "No such job right now",
                    "What a queue does shows here while it waits or runs; what is out is on its post's page, what was "
                    "given up in Failed tasks.",
                    link_button("Failed tasks", href="/failed-tasks"),
                )
            ),
        ),
    )


def _row(job: rx.Var[JobRow]) -> rx.Component:
    return rx.el.tr(
        rx.el.td(
            go_to(job.id, href=f"/jobs/{job.id}", class_name="row-link num"),
            rx.el.div(rx.cond(job.text != "", job.text, job.kind), class_name="xs muted clip job-text"),
        ),
        rx.el.td(pill(job.words, job.tone)),
        rx.el.td(channel_label(job.channel)),
        rx.el.td(
            local_time(job.due_at, "seconds"), " ", since(job.due_at, class_name="xs muted"), class_name="num"
        ),
        rx.el.td(job.attempt, " of ", job.max_attempts, class_name="num"),
        rx.el.td(rx.cond(job.worker != "", job.worker, "nobody"), class_name="xs muted"),
        custom_attrs={"data-job": job.state},
    )


PAGE = Page(
    route="/jobs",
    title="Jobs",
    body=body,
    load=S.load,
    topics=("posts", "jobs", "queues", "failed_tasks"),
)
