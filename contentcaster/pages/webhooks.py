"""Webhooks: which programs are told of what, and how each delivery went."""

from __future__ import annotations

import reflex as rx

from contentcaster.components.basics import (
    button,
    card,
    card_body,
    card_foot,
    card_head,
    empty_state,
    notice,
    page_head,
    pill,
)
from contentcaster.components.dialogs import confirm, dialog_close
from contentcaster.components.fields import checkbox, field, text_input
from contentcaster.components.secrets import shown_once
from contentcaster.components.shell import NavItem
from contentcaster.components.tables import table, timeline, timeline_entry
from contentcaster.components.times import local_time, since
from contentcaster.pages.base import Page
from contentcaster.security.permissions import Permission
from contentcaster.services.webhooks import EVENTS, DeliveryView, TryView
from contentcaster.state.webhooks import OUTCOMES, EndpointCard
from contentcaster.state.webhooks import WebhooksState as S


def body() -> rx.Component:
    return rx.fragment(
        page_head(
            "Webhooks",
            rx.el.span(
                button("New webhook", kind="p", icon_name="webhook", on_click=S.open_new),
                class_name="row push head-tools",
            ),
        ),
        rx.cond(
            S.endpoints,
            rx.el.div(rx.foreach(S.endpoints, _endpoint), class_name="webhooks"),
            card(
                empty_state(
                    "webhook",
                    "Nobody is told yet",
                    "A webhook tells a program of yours the moment a post is published, fails or needs a look. Each "
                    "message is signed, and sent again until it is taken.",
                    button("Add the first one", on_click=S.open_new),
                )
            ),
        ),
        rx.cond(S.endpoints, _deliveries()),
        _dialogs(),
    )


def _endpoint(item: rx.Var[EndpointCard]) -> rx.Component:
    view = item.view
    return rx.el.section(
        card_head(
            rx.el.h2(view.name, class_name="clip"),
            rx.el.span(
                rx.cond(
                    view.is_enabled,
                    rx.cond(view.failures > 0, pill("Failing", "warn"), pill("On", "ok")),
                    rx.cond(view.disabled_reason != "", pill("Turned off", "bad"), pill("Off")),
                ),
                class_name="push",
            ),
        ),
        card_body(
            rx.el.p(view.host, class_name="mono clip", title=view.host),
            rx.el.p("Told of: ", item.events, class_name="sm muted"),
            rx.cond(
                view.disabled_reason != "",
                notice(view.disabled_reason, " Nothing is sent until you turn it on.", tone="bad"),
            ),
            rx.cond(
                view.is_enabled & (view.failures > 0),
                rx.el.p(
                    view.failures,
                    " failed tries since ",
                    local_time(view.failing_since),
                    ". After a day of only failures it is turned off.",
                    class_name="sm tone-warn",
                ),
            ),
            rx.el.div(
                rx.cond(
                    view.is_enabled,
                    rx.fragment(
                        button("Send a test", kind="s", on_click=S.send_test(view.id)),
                        button("Edit", kind="s", on_click=S.open_edit(view.id)),
                        button("Turn off", kind="g s", on_click=S.set_enabled(view.id, False)),
                    ),
                    rx.fragment(
                        button("Turn on", kind="p s", on_click=S.set_enabled(view.id, True)),
                        button("Edit", kind="s", on_click=S.open_edit(view.id)),
                    ),
                ),
                confirm(
                    button("New secret", kind="g s"),
                    title="Make a new signing secret?",
                    text="The receiver refuses what comes until it knows the new one.",
                    action="Make a new secret",
                    on_confirm=S.renew_secret(view.id),
                ),
                confirm(
                    button("Remove", kind="g s"),
                    title=rx.fragment("Remove ", view.name, "?"),
                    text="It hears of nothing any more, and what waits for it is dropped.",
                    action="Remove",
                    on_confirm=S.remove(view.id),
                    kind="d",
                ),
                class_name="row wrap",
            ),
            class_name="stack",
        ),
        class_name="card",
        custom_attrs={"data-webhook": view.name},
    )


def _deliveries() -> rx.Component:
    return card(
        card_head(
            rx.el.h2("Deliveries"),
            rx.el.span(
                rx.el.select(
                    rx.el.option("Every webhook", value=""),
                    rx.foreach(S.endpoints, lambda item: rx.el.option(item.view.name, value=item.view.id)),
                    value=S.filter_endpoint,
                    on_change=S.set_filter_endpoint,
                    class_name="input narrow",
                    aria_label="Of which webhook",
                ),
                rx.el.select(
                    rx.el.option("Every outcome", value=""),
                    *[rx.el.option(words, value=value) for value, (words, _) in OUTCOMES.items()],
                    value=S.filter_outcome,
                    on_change=S.set_filter_outcome,
                    class_name="input narrow",
                    aria_label="With which outcome",
                ),
                class_name="row wrap push",
            ),
        ),
        rx.cond(
            S.deliveries,
            table(
                [
                    "When",
                    "Event",
                    "To",
                    "Outcome",
                    "Answer",
                    rx.el.span("Actions", class_name="visually-hidden"),
                ],
                rx.foreach(S.deliveries, _delivery),
                label="Deliveries",
            ),
            empty_state(
                "send", "Nothing sent", "What is told to webhooks in the last 30 days is listed here."
            ),
        ),
        rx.cond(S.has_more, card_foot(button("Show more", on_click=S.show_more))),
        class_name="stacks",
    )


def _outcome(value: rx.Var[str]) -> rx.Component:
    return rx.match(
        value, *[(name, pill(words, tone)) for name, (words, tone) in OUTCOMES.items()], pill(value)
    )


def _delivery(row: rx.Var[DeliveryView]) -> rx.Component:
    return rx.el.tr(
        rx.el.td(
            local_time(row.created_at, "seconds", class_name="nowrap num"),
            rx.el.div(since(row.created_at), class_name="xs faint num nowrap"),
        ),
        rx.el.td(
            rx.el.div(row.event, class_name="mono"),
            rx.cond(row.is_replay, rx.el.div("sent again by hand", class_name="xs faint")),
        ),
        rx.el.td(row.endpoint, class_name="cell-who"),
        rx.el.td(
            _outcome(row.outcome),
            rx.cond(row.tries > 1, rx.el.div(row.tries, " tries", class_name="xs faint num")),
        ),
        rx.el.td(
            rx.cond(row.http_status, rx.el.span(row.http_status, class_name="b num")),
            rx.cond(
                row.latency_ms, rx.el.span(" in ", row.latency_ms, " ms", class_name="sm muted num nowrap")
            ),
            rx.cond(~row.http_status, rx.el.span(row.message, class_name="sm muted")),
            class_name="cell-subject",
        ),
        rx.el.td(
            button(
                "Look",
                kind="s",
                aria_label=rx.Var.create("Look at the delivery of ") + row.event.to(str),
                on_click=S.open_delivery(row.id),
            )
        ),
    )


def _dialogs() -> rx.Component:
    return rx.dialog.root(
        rx.dialog.content(
            rx.match(
                S.dialog,
                ("edit", _edit()),
                ("secret", _secret()),
                ("delivery", rx.foreach(S.shown, _detail)),
                rx.fragment(),
            ),
            class_name="dialog wide",
        ),
        open=S.dialog != "",
        on_open_change=S.set_open,
    )


def _title(title: object, text: object) -> list[rx.Component]:
    return [
        rx.dialog.title(title, size="4"),
        rx.dialog.description(text, size="2", color_scheme="gray", margin_bottom="14px"),
    ]


def _edit() -> rx.Component:
    name_error = S.errors.get("name", "").to(str)
    url_error = S.errors.get("url", "").to(str)
    events_error = S.errors.get("events", "").to(str)
    return rx.fragment(
        *_title(
            rx.cond(S.subject_id == "", "New webhook", "Edit the webhook"),
            "Your program gets a signed POST for each event, and answers with 2xx.",
        ),
        rx.el.form(
            field(
                "Name",
                text_input(
                    id="webhook_name",
                    default_value=S.subject_name,
                    auto_complete="off",
                    auto_focus=True,
                    error=name_error,
                ),
                for_="webhook_name",
                error=name_error,
            ),
            field(
                "Address",
                text_input(
                    id="webhook_url",
                    default_value=S.subject_url,
                    placeholder="https://",
                    input_mode="url",
                    auto_complete="off",
                    error=url_error,
                ),
                for_="webhook_url",
                help="https. Private addresses only where an operator allows them.",
                error=url_error,
            ),
            rx.el.fieldset(
                rx.el.legend("Tell it of", class_name="label"),
                *[
                    checkbox(
                        words,
                        id=event.replace(".", "_"),
                        default_checked=S.subject_events.contains(event),
                    )
                    for event, words in EVENTS.items()
                ],
                class_name="scopes",
            ),
            rx.cond(events_error != "", notice(events_error, tone="bad", role="alert")),
            rx.cond(S.form_error != "", notice(S.form_error, tone="bad", role="alert")),
            rx.el.div(
                dialog_close(button("Not now")),
                button("Save", kind="p", type="submit"),
                class_name="row dialog-actions",
            ),
            on_submit=S.save,
            class_name="stack",
            no_validate=True,
        ),
    )


def _secret() -> rx.Component:
    return shown_once(
        rx.fragment("Signing secret of ", S.subject_name),
        "Give it to the receiver, which checks each message with it (Standard Webhooks). It is shown only now.",
        S.secret,
        id="webhook-secret",
        label="Signing secret",
    )


def _detail(row: rx.Var[DeliveryView]) -> rx.Component:
    return rx.el.div(
        *_title(row.event, rx.el.span("to ", row.endpoint, " · event ", row.event_id, class_name="sm muted")),
        rx.el.div(
            _outcome(row.outcome),
            rx.cond(
                row.next_try_at,
                rx.el.span("next try ", since(row.next_try_at), class_name="sm muted num"),
            ),
            class_name="row wrap",
        ),
        rx.cond(
            S.tries,
            timeline(rx.foreach(S.tries, _try)),
            rx.el.p("Not tried yet.", class_name="sm muted"),
        ),
        rx.el.details(
            rx.el.summary("What is sent", class_name="link sm"),
            rx.el.pre(S.body, class_name="payload mono", tab_index=0),
        ),
        rx.el.div(
            dialog_close(button("Close")),
            rx.cond(
                (row.outcome == "waiting") | (row.outcome == "retrying"),
                rx.fragment(),
                button("Send again", icon_name="rotate-cw", kind="p", on_click=S.replay(row.id)),
            ),
            class_name="row dialog-actions",
        ),
        class_name="stack",
    )


def _try(row: rx.Var[TryView]) -> rx.Component:
    return timeline_entry(
        rx.el.div(
            rx.cond(
                row.outcome == "published",
                rx.el.span("Taken", class_name="b"),
                rx.el.span(row.message, class_name="b"),
            ),
            rx.cond(row.http_status, rx.el.span(" · ", row.http_status, class_name="num")),
            rx.cond(row.latency_ms, rx.el.span(" · ", row.latency_ms, " ms", class_name="num")),
        ),
        rx.el.div(local_time(row.at, "precise"), class_name="xs faint num"),
        rx.cond(row.excerpt != "", rx.el.pre(row.excerpt, class_name="payload mono", tab_index=0)),
        tone=rx.cond(row.outcome == "published", "ok", "warn"),
    )


PAGE = Page(
    route="/webhooks",
    title="Webhooks",
    body=body,
    load=S.load,
    topics=("webhooks", "jobs"),
    refresh=S.refresh,
    nav=NavItem(
        "Webhooks", "/webhooks", "webhook", (Permission.MANAGE_SETTINGS,), section="Run", shortcut="g w"
    ),
)
