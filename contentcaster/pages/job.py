"""One job of the ledger: what it is doing, who holds it, every try with its times, and where to act."""

from __future__ import annotations

from typing import Any

import reflex as rx

from contentcaster.components.basics import (
    card,
    card_body,
    card_head,
    external_link,
    go_to,
    link_button,
    notice,
    page_head,
    pill,
)
from contentcaster.components.explain import channel_label
from contentcaster.components.tables import timeline, timeline_entry
from contentcaster.components.times import local_time, since
from contentcaster.pages.base import Page
from contentcaster.services.jobs import JobDetail, JobEventView, JobFailureView, LinkedJob
from contentcaster.state.jobs import AttemptCard, Phase
from contentcaster.state.jobs import JobState as S


def body() -> rx.Component:
    return rx.fragment(rx.foreach(S.found, _job))


def _job(detail: rx.Var[JobDetail]) -> rx.Component:
    job = detail.job
    return rx.fragment(
        page_head(
            rx.fragment("Job ", job.id),
            pill(job.words, job.tone, custom_attrs={"data-job-state": job.state}),
            rx.el.span(detail.meaning, class_name="muted sm job-meaning"),
            rx.el.div(
                rx.cond(job.post_id != "", link_button("Open the post", href=f"/posts/{job.post_id}")),
                link_button("Queue", href=f"/jobs?queue={job.queue}", kind="g", icon_name="layers"),
                class_name="row wrap push",
            ),
        ),
        rx.el.div(rx.foreach(detail.failures, _failure), class_name="stack tight job-failures"),
        rx.el.div(
            rx.el.div(_what(detail), _attempts(), _events(detail), class_name="stack"),
            rx.el.div(_times(detail), _lease(detail), _counts(detail), _proof(detail), class_name="stack"),
            class_name="grid2",
        ),
    )


def _failure(task: rx.Var[JobFailureView]) -> rx.Component:
    return rx.cond(
        task.is_open,
        notice(
            rx.el.span(
                rx.el.span(rx.el.b("Stopped here. "), task.message),
                link_button("Decide in Failed tasks", href=f"/failed-tasks?task={task.id}", kind="s"),
                class_name="row wrap between",
            ),
            tone="bad",
        ),
        rx.el.p(
            "Failed task ",
            go_to("#", task.id, href=f"/failed-tasks?task={task.id}", class_name="link"),
            " was ",
            task.resolution,
            " by ",
            task.resolved_by,
            ".",
            class_name="sm muted",
        ),
    )


def _what(detail: rx.Var[JobDetail]) -> rx.Component:
    job = detail.job
    return card(
        card_head(
            rx.el.h2("What goes out"),
            rx.el.span(job.kind, " · ", job.queue, class_name="xs faint push"),
        ),
        card_body(
            rx.el.p(rx.cond(job.text != "", job.text, "(no text)"), class_name="pre"),
            channel_label(job.channel),
            rx.cond(detail.before, _link_line("After", detail.before)),
            rx.foreach(detail.after, lambda item: _link_line("Before", item)),
            class_name="stack",
        ),
    )


def _link_line(words: str, item: Any) -> rx.Component:
    linked: rx.Var[LinkedJob] = item
    return rx.el.p(
        words,
        " ",
        go_to("job ", linked.id, href=f"/jobs/{linked.id}", class_name="link"),
        " · ",
        linked.words,
        class_name="sm muted",
    )


def _attempts() -> rx.Component:
    return card(
        card_head(rx.el.h2("Tries and look-ups"), rx.el.span("newest first", class_name="xs faint push")),
        rx.cond(
            S.cards,
            rx.el.ul(rx.foreach(S.cards, _attempt), class_name="lines"),
            card_body(
                rx.el.p(
                    "None yet. Each one is written here when it ends, with its times and the network's answer.",
                    class_name="sm muted",
                )
            ),
        ),
    )


def _attempt(item: rx.Var[AttemptCard]) -> rx.Component:
    attempt = item.attempt
    return rx.el.li(
        rx.el.div(
            rx.el.div(
                rx.el.b(item.title),
                pill(item.words, item.tone),
                rx.cond(attempt.http_status, rx.el.span("HTTP ", attempt.http_status, class_name="tag num")),
                rx.el.span(local_time(attempt.started_at, "precise"), class_name="xs muted num push"),
                class_name="row wrap",
            ),
            rx.cond(attempt.message != "", rx.el.p(attempt.message, class_name="sm")),
            rx.el.div(
                rx.foreach(item.phases, _phase_bar),
                class_name="depth-bar",
                custom_attrs={"aria-hidden": "true"},
            ),
            rx.el.ul(rx.foreach(item.phases, _phase_words), class_name="depth-legend xs num"),
            rx.el.div(
                "fence ",
                item.fence,
                " · ",
                attempt.worker,
                rx.cond(
                    attempt.retry_after_seconds, rx.fragment(" · wait ", attempt.retry_after_seconds, " s")
                ),
                class_name="xs faint mono",
            ),
            rx.cond(
                attempt.raw != "",
                rx.el.details(
                    rx.el.summary("The network's answer"),
                    rx.el.pre(attempt.raw, class_name="raw", tab_index=0),
                    class_name="more",
                ),
            ),
            class_name="line-main",
        ),
        class_name="line",
        custom_attrs={"data-attempt": attempt.outcome},
    )


def _phase_bar(phase: rx.Var[Phase]) -> rx.Component:
    return rx.el.i(class_name="seg " + phase.tone, style={"width": phase.width})


def _phase_words(phase: rx.Var[Phase]) -> rx.Component:
    return rx.el.li(rx.el.i(class_name="seg " + phase.tone), phase.words)


def _events(detail: rx.Var[JobDetail]) -> rx.Component:
    return card(
        card_head(rx.el.h2("Events")),
        card_body(
            rx.cond(
                detail.events,
                timeline(rx.foreach(detail.events, _event)),
                rx.el.p("Nothing but its tries has happened to it.", class_name="sm muted"),
            )
        ),
    )


def _event(event: rx.Var[JobEventView]) -> rx.Component:
    return timeline_entry(
        rx.el.div(
            rx.el.b(event.name.replace("_", " ").capitalize()),
            rx.cond(event.actor != "", rx.fragment(" by ", event.actor)),
        ),
        rx.cond(event.message != "", rx.el.div(event.message, class_name="sm muted")),
        rx.el.div(local_time(event.at, "precise", class_name="mono"), class_name="xs faint"),
        tone="info",
    )


def _times(detail: rx.Var[JobDetail]) -> rx.Component:
    job = detail.job
    return _facts(
        "Time",
        _fact("Wanted for", local_time(job.scheduled_at, "precise")),
        _fact("Next step", rx.fragment(local_time(job.due_at, "precise"), " · ", since(job.due_at))),
        rx.cond(detail.late_until, _fact("Missed after", local_time(detail.late_until))),
        _fact("Given up after", local_time(detail.expires_at)),
        _fact("Written", local_time(detail.created_at)),
        rx.cond(detail.ended_at, _fact("Ended", local_time(detail.ended_at, "precise"))),
    )


def _lease(detail: rx.Var[JobDetail]) -> rx.Component:
    job = detail.job
    return _facts(
        "Lease and hint",
        _fact("Lease", rx.el.span(S.lease, class_name="tone-" + S.lease_tone)),
        rx.cond(
            job.worker != "",
            _fact("Worker", go_to(job.worker, href=f"/jobs?worker={job.worker}", class_name="link mono")),
        ),
        rx.cond(detail.lease_until, _fact("Until", since(detail.lease_until))),
        _fact("Fence", detail.fence),
        rx.cond(
            detail.sent_at, _fact("Intent", rx.fragment("committed ", local_time(detail.sent_at, "precise")))
        ),
        rx.cond(
            detail.resend_until, _fact("Key kept", rx.fragment("until ", local_time(detail.resend_until)))
        ),
        _fact("Hint", rx.el.span(S.hint, class_name="tone-" + S.hint_tone)),
        rx.cond(detail.hinted_at, _fact("Handed over", local_time(detail.hinted_at, "precise"))),
    )


def _counts(detail: rx.Var[JobDetail]) -> rx.Component:
    job = detail.job
    return _facts(
        "Counted",
        _fact("Tries", rx.fragment(job.attempt, " of ", job.max_attempts)),
        _fact("Look-ups", detail.lookups),
        _fact("Waits", rx.fragment(detail.snoozes, " asked for by the network")),
        _fact("Crashes", rx.fragment(detail.crashes, " of its workers")),
        rx.cond(
            detail.error_message != "",
            _fact("Last error", rx.fragment(detail.error_message, " (", detail.error_class, ")")),
        ),
    )


def _proof(detail: rx.Var[JobDetail]) -> rx.Component:
    return _facts(
        "Proof and keys",
        _fact(
            "There as",
            rx.cond(
                detail.remote_url != "",
                external_link(detail.remote_id, detail.remote_url),
                rx.cond(detail.remote_id != "", detail.remote_id, "no proof yet"),
            ),
        ),
        _fact("Key", rx.el.span(detail.idempotency_key, class_name="mono")),
        rx.cond(detail.client_ref != "", _fact("Record", rx.el.span(detail.client_ref, class_name="mono"))),
    )


def _facts(title: str, *facts: rx.Component) -> rx.Component:
    return card(
        card_head(rx.el.h2(title)), card_body(rx.el.dl(*facts, class_name="channel-facts job-facts sm num"))
    )


def _fact(label: str, value: Any) -> rx.Component:
    return rx.el.div(rx.el.dt(label), rx.el.dd(value))


PAGE = Page(
    route="/jobs/[job_id]",
    title="Job",
    body=body,
    load=S.load,
    topics=("posts", "jobs", "failed_tasks", "queues"),
)
