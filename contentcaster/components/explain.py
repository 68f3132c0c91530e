"""One step of "Explain this post", and how a channel is named beside it."""

from __future__ import annotations

from typing import Any

import reflex as rx

from contentcaster.components.posts import channel_avatar
from contentcaster.components.tables import timeline_entry
from contentcaster.components.times import local_time
from contentcaster.services.views import TimelineEntry


def explain_entry(entry: rx.Var[TimelineEntry], *, is_channel_shown: Any = False) -> rx.Component:
    """What happened, when, on which worker; the network's redacted answer is one click away."""
    return timeline_entry(
        rx.el.div(rx.el.b(entry.title), " ", entry.detail),
        rx.el.div(
            local_time(entry.at, "precise", class_name="mono"),
            rx.cond(entry.note != "", rx.fragment(" · ", entry.note)),
            rx.cond(
                (entry.worker != "") & ~entry.detail.contains(entry.worker), rx.fragment(" · ", entry.worker)
            ),
            class_name="xs faint",
        ),
        rx.cond(
            is_channel_shown, rx.cond(entry.channel != "", rx.el.div(entry.channel, class_name="xs muted"))
        ),
        rx.cond(
            entry.raw != "",
            rx.el.details(
                rx.el.summary("The network's answer"),
                rx.el.pre(entry.raw, class_name="raw", tab_index=0),
                class_name="more",
            ),
        ),
        tone=entry.level,
    )


def channel_label(channel: Any) -> rx.Component:
    """Avatar, network and handle in one line; says so where a task belongs to no channel."""
    return rx.cond(
        channel,
        rx.el.span(
            channel_avatar(channel),
            rx.el.span(channel.platform_name, " · ", channel.handle, class_name="clip"),
            class_name="channel-label",
        ),
        rx.el.span("No channel", class_name="muted"),
    )
