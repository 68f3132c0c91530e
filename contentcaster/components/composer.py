"""The composer of the Studio: React parts in assets/js/composer*.js, placed by the page like any other component.

The text lives in the browser while somebody types, so that neither a letter nor a counter waits for the server
(assets/js/composer_store.js). `composer_bridge` joins it to a State: documents and answers go in, changes come out.
"""

from __future__ import annotations

from typing import Any

import reflex as rx

from contentcaster.services.schedule import zone_names
from contentcaster.services.views import AccountView, SnippetView
from contentcaster.state.studio_form import Change
from contentcaster.state.studio_library import SnippetForm, TagsForm


def _one(change: rx.Var[Change]) -> tuple[rx.Var[Change]]:
    return (change,)


def _form(form: rx.Var[SnippetForm]) -> tuple[rx.Var[SnippetForm]]:
    return (form,)


def _tags(form: rx.Var[TagsForm]) -> tuple[rx.Var[TagsForm]]:
    return (form,)


def _id(snippet_id: rx.Var[str]) -> tuple[rx.Var[str]]:
    return (snippet_id,)


class _Composer(rx.NoSSRComponent):
    library = "$/public/js/composer"
    is_default = False


class _Bridge(_Composer):
    tag = "ComposerBridge"
    document: rx.Var[dict[str, Any]]
    accounts: rx.Var[list[AccountView]]
    ack: rx.Var[dict[str, Any]]
    zones: rx.Var[list[str]]
    max_upload_bytes: rx.Var[int]
    max_video_bytes: rx.Var[int]
    on_sync: rx.EventHandler[_one]  # type: ignore[type-arg,valid-type]
    on_submit: rx.EventHandler[_one]  # type: ignore[type-arg,valid-type]


class _Channels(_Composer):
    tag = "ComposerChannels"


class _Editor(_Composer):
    tag = "ComposerEditor"


class _Notices(_Composer):
    tag = "ComposerNotices"


class _Preview(_Composer):
    tag = "ComposerPreview"


def _two(ids: rx.Var[list[str]], zone: rx.Var[str]) -> tuple[rx.Var[list[str]], rx.Var[str]]:
    return (ids, zone)


def _three(
    rule: rx.Var[str], first: rx.Var[str], zone: rx.Var[str]
) -> tuple[rx.Var[str], rx.Var[str], rx.Var[str]]:
    return (rule, first, zone)


class _Schedule(_Composer):
    tag = "ComposerSchedule"
    hints: rx.Var[dict[str, Any]]
    preview: rx.Var[dict[str, Any]]
    on_look: rx.EventHandler[_two]  # type: ignore[type-arg,valid-type]
    on_rule: rx.EventHandler[_three]  # type: ignore[type-arg,valid-type]


def composer_bridge(
    *,
    document: Any,
    accounts: Any,
    ack: Any,
    max_upload_bytes: Any,
    max_video_bytes: Any,
    on_sync: Any,
    on_submit: Any,
) -> rx.Component:
    """Shows nothing; give it the State's vars and handlers once per page."""
    return _Bridge.create(
        document=document,
        accounts=accounts,
        ack=ack,
        # The same list that the server accepts, compiled into the page: it never changes while one runs.
        zones=zone_names(),
        max_upload_bytes=max_upload_bytes,
        max_video_bytes=max_video_bytes,
        on_sync=on_sync,
        on_submit=on_submit,
    )


class _Library(_Composer):
    tag = "ComposerLibrary"
    snippets: rx.Var[list[SnippetView]]
    words: rx.Var[dict[str, list[str]]]
    snippet_answer: rx.Var[dict[str, Any]]
    tags_answer: rx.Var[dict[str, Any]]
    on_load: rx.EventHandler[rx.event.no_args_event_spec]  # type: ignore[type-arg,valid-type]
    on_save: rx.EventHandler[_form]  # type: ignore[type-arg,valid-type]
    on_delete: rx.EventHandler[_id]  # type: ignore[type-arg,valid-type]
    on_tags: rx.EventHandler[_tags]  # type: ignore[type-arg,valid-type]


def composer_library(
    *,
    snippets: Any,
    words: Any,
    snippet_answer: Any,
    tags_answer: Any,
    on_load: Any,
    on_save: Any,
    on_delete: Any,
    on_tags: Any,
) -> rx.Component:
    """Saved texts, completion and link tags; shows nothing until it is opened. `on_load` is called once it is there."""
    return _Library.create(
        snippets=snippets,
        words=words,
        snippet_answer=snippet_answer,
        tags_answer=tags_answer,
        on_load=on_load,
        on_save=on_save,
        on_delete=on_delete,
        on_tags=on_tags,
    )


def composer_channels() -> rx.Component:
    """A chip per channel, with its health."""
    return _Channels.create()


def composer_notices() -> rx.Component:
    """What a writer should know first: a conflict, a lost connection, a restored text."""
    return _Notices.create()


def composer_editor() -> rx.Component:
    """Tabs, text, thread parts, pictures, options, counters."""
    return _Editor.create()


def composer_schedule(*, hints: Any, preview: Any, on_look: Any, on_rule: Any) -> rx.Component:
    """Date, time and zone, queue and repetition, and the buttons that save, publish or schedule."""
    return _Schedule.create(hints=hints, preview=preview, on_look=on_look, on_rule=on_rule)


def composer_preview() -> rx.Component:
    """The post as each chosen network will show it."""
    return _Preview.create()
