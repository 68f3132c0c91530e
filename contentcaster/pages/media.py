"""Media: every picture and video once, with its alt text and the posts that use it."""

from __future__ import annotations

import reflex as rx

from contentcaster.components.basics import button, card, empty_state, icon, link_button, page_head, pill
from contentcaster.components.dialogs import confirm
from contentcaster.components.fields import field, text_area
from contentcaster.components.media_library import media_uploader
from contentcaster.components.posts import post_excerpt
from contentcaster.components.shell import NavItem
from contentcaster.components.status import status_pill
from contentcaster.components.times import local_time
from contentcaster.pages.base import Page
from contentcaster.security.permissions import Permission
from contentcaster.services.views import MediaView, PostRow
from contentcaster.state.media import MAX_SHOWN, MediaState


def body() -> rx.Component:
    return rx.fragment(
        page_head("Media", _search()),
        media_uploader(
            max_upload_bytes=MediaState.max_upload_bytes,
            max_video_bytes=MediaState.max_video_bytes,
            on_uploaded=MediaState.uploaded,
        ),
        rx.cond(
            MediaState.items,
            rx.fragment(
                rx.el.ul(rx.foreach(MediaState.items, _tile), class_name="tiles"),
                rx.cond(MediaState.has_more, button("Show more", on_click=MediaState.show_more)),
                rx.cond(
                    MediaState.items.length() >= MAX_SHOWN,
                    rx.el.p(
                        f"The newest {MAX_SHOWN} are shown; search to find older ones.", class_name="sm muted"
                    ),
                ),
            ),
            card(_empty()),
        ),
        _details(),
    )


def _search() -> rx.Component:
    return rx.el.div(
        icon("search", 15),
        rx.el.input(
            type="search",
            id="media-search",
            class_name="input",
            placeholder="Search names and alt texts",
            aria_label="Search pictures and videos",
            on_change=MediaState.set_search.debounce(250),
            custom_attrs={"data-shortcut": "/", "data-shortcut-focus": ""},
        ),
        class_name="search push",
    )


def _empty() -> rx.Component:
    return rx.cond(
        MediaState.search != "",
        empty_state("search", "Nothing here", "No picture or video has these words in its name or alt text."),
        empty_state(
            "image",
            "No pictures or videos yet",
            "What you add here or in the Studio is kept once, with its alt text, ready for the next post.",
        ),
    )


def _tile(item: rx.Var[MediaView]) -> rx.Component:
    return rx.el.li(
        rx.el.button(
            rx.el.img(src=item.thumb_url, alt=item.alt, custom_attrs={"loading": "lazy"}),
            rx.el.span(
                rx.el.span(item.filename, class_name="b clip"),
                rx.el.span(
                    item.width,
                    " × ",
                    item.height,
                    rx.cond(_is_video(item), " · video", ""),
                    class_name="xs muted num",
                ),
                class_name="tile-words sm",
            ),
            rx.cond(
                _is_video(item), rx.el.span(icon("play", 12), item.duration, class_name="film-length num")
            ),
            rx.el.span(
                rx.cond(item.alt == "", pill("no alt text", "warn")),
                rx.cond(
                    item.used_in_posts > 0,
                    pill(
                        rx.cond(
                            item.used_in_posts == 1, "in 1 post", f"in {item.used_in_posts.to_string()} posts"
                        ),
                        "acc",
                    ),
                ),
                class_name="tile-pills",
            ),
            type="button",
            class_name="tile card",
            on_click=MediaState.open(item.id),
            aria_label=f"Details of {item.filename}",
        )
    )


def _details() -> rx.Component:
    return rx.dialog.root(
        rx.dialog.content(rx.foreach(MediaState.opened, _opened), class_name="dialog media-dialog"),
        open=MediaState.is_open,
        on_open_change=MediaState.set_open,
    )


def _opened(item: rx.Var[MediaView]) -> rx.Component:
    return rx.el.div(
        rx.dialog.title(item.filename, size="4", margin_bottom="0"),
        rx.dialog.description(
            rx.el.span(
                item.width,
                " × ",
                item.height,
                " · ",
                rx.cond(_is_video(item), rx.fragment(item.duration, " · ", item.codec, " · "), ""),
                _size(item),
                " · added ",
            ),
            local_time(item.created_at),
            class_name="media-facts",
        ),
        rx.cond(
            _is_video(item),
            rx.el.video(
                src=item.full_url,
                poster=item.thumb_url,
                controls=True,
                preload="metadata",
                class_name="media-full",
                custom_attrs={"playsInline": True, "aria-label": item.filename},
            ),
            rx.el.img(src=item.full_url, alt=item.alt, class_name="media-full"),
        ),
        rx.el.form(
            field(
                "Alt text",
                text_area(
                    id="alt",
                    default_value=rx.cond(
                        MediaState.alt_suggestion != "", MediaState.alt_suggestion, item.alt
                    ),
                    key=item.id.to(str) + MediaState.alt_suggestion,
                    error=MediaState.alt_error,
                    rows="3",
                    placeholder="What people who cannot see it should know",
                ),
                for_="alt",
                help="Say what matters in it, in a sentence or two. New posts start with this text.",
                error=MediaState.alt_error,
            ),
            id="alt-form",
            on_submit=MediaState.save_alt,
        ),
        rx.cond(
            MediaState.can_suggest,
            rx.el.div(
                button(
                    rx.cond(MediaState.is_suggesting, "Looking…", "Suggest"),
                    kind="s",
                    icon_name="sparkles",
                    on_click=MediaState.suggest_alt,
                    disabled=MediaState.is_suggesting,
                ),
                rx.cond(
                    MediaState.alt_suggestion != "",
                    rx.fragment(
                        button("Undo", kind="g s", icon_name="undo-2", on_click=MediaState.forget_suggestion),
                        rx.el.span("A suggestion: read it before you save it.", class_name="xs muted"),
                    ),
                ),
                class_name="row wrap",
            ),
        ),
        _uses(),
        rx.el.div(
            confirm(
                button("Delete", kind="d", icon_name="trash-2"),
                title=rx.cond(_is_video(item), "Delete this video?", "Delete this picture?"),
                text="It leaves the library. Posts that went out keep showing it.",
                action="Delete it",
                on_confirm=MediaState.delete,
                kind="d",
            ),
            link_button("Use in a new post", href=f"/studio?media={item.id}", kind="push"),
            rx.dialog.close(button("Close")),
            button("Save alt text", kind="p", type="submit", form="alt-form"),
            class_name="row wrap",
        ),
        class_name="stack",
    )


def _is_video(item: rx.Var[MediaView]) -> rx.Var[bool]:
    return item.duration_seconds > 0


def _size(item: rx.Var[MediaView]) -> rx.Var[str]:
    is_big = item.size_bytes >= 1_000_000
    return rx.cond(is_big, f"{item.size_bytes // 1_000_000} MB", f"{item.size_bytes // 1000} kB")


def _uses() -> rx.Component:
    return rx.el.div(
        rx.el.div("Where it is used", class_name="label"),
        rx.cond(
            MediaState.uses,
            rx.el.ul(rx.foreach(MediaState.uses, _use), class_name="stack tight"),
            rx.el.p("In no post yet.", class_name="sm muted"),
        ),
        class_name="stack tight",
    )


def _use(post: rx.Var[PostRow]) -> rx.Component:
    return rx.el.li(post_excerpt(post), status_pill(post.status), class_name="row use sm")


PAGE = Page(
    route="/media",
    title="Media",
    body=body,
    load=MediaState.load,
    topics=("media",),
    refresh=MediaState.refresh,
    nav=NavItem("Media", "/media", "image", (Permission.COMPOSE,), shortcut="g m"),
)
