"""How a post is drawn in lists: its channels, its first words, when it goes out."""

from __future__ import annotations

from typing import Any

import reflex as rx

from contentcaster.components.basics import avatar, go_to, icon
from contentcaster.components.times import local_time, since


def channel_avatar(channel: Any, **props: Any) -> rx.Component:
    """The channel's network as a coloured letter, with its name for screen readers and on hover."""
    letter = channel.platform_name.to(str)[0]
    return rx.el.span(
        avatar(letter, style={"background": channel.color}),
        rx.el.span(channel.platform_name, " ", channel.handle, class_name="visually-hidden"),
        title=channel.platform_name.to(str) + " · " + channel.handle.to(str),
        **props,
    )


def channel_avatars(channels: Any) -> rx.Component:
    """The channels of a post, side by side."""
    return rx.el.span(rx.foreach(channels, channel_avatar), class_name="avatars")


def post_excerpt(post: Any, *, href: Any = None) -> rx.Component:
    """The first words of a post, as the link to its page."""
    words = rx.cond(post.text != "", post.text, "(no text yet)")
    return go_to(words, href=href or f"/posts/{post.id}", class_name="row-link clamp2")


def post_when(post: Any) -> rx.Component:
    """The time it goes or went out, in the person's zone, and how far off that is."""
    return rx.cond(
        post.scheduled_at,
        rx.el.div(
            local_time(post.scheduled_at, class_name="nowrap num"),
            rx.el.div(since(post.scheduled_at), class_name="xs faint num"),
        ),
        rx.el.span("No time set", class_name="faint"),
    )


def post_extras(post: Any) -> rx.Component:
    """Small signs: how many images, how many thread parts."""
    return rx.el.span(
        rx.cond(
            post.media_count > 0,
            rx.el.span(icon("image", 13), post.media_count, class_name="extra", title="Images"),
        ),
        rx.cond(
            post.thread_count > 0,
            rx.el.span(
                icon("list", 13), post.thread_count, class_name="extra", title="More parts in the thread"
            ),
        ),
        class_name="extras xs faint",
    )
