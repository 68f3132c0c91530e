"""The Reflex app object: pages, guard, live hub and REST routes, wired together; nothing else."""

from __future__ import annotations

import reflex as rx
from starlette.types import ASGIApp

from contentcaster.pages import PAGES, PLAIN_PAGES
from contentcaster.pages.base import register
from contentcaster.state import watch
from contentcaster.state.guard import Guard, handle_exception
from contentcaster.state.hub import hub
from contentcaster.web.headers import PathDispatcher


def with_rest_api(console: ASGIApp) -> ASGIApp:
    """Put the REST application beside the console; built here so that compiling needs none of its settings."""
    from contentcaster.api.app import create_api  # noqa: PLC0415 - it reads the settings of the installation

    return PathDispatcher(api=create_api(), console=console)


app = rx.App(
    stylesheets=["/console.css"],
    head_components=[
        rx.el.link(rel="icon", href="/favicon.svg", type="image/svg+xml"),
        rx.el.link(
            rel="preload",
            href="/fonts/inter-latin-wght-normal.woff2",
            custom_attrs={"as": "font", "type": "font/woff2", "crossOrigin": "anonymous"},
        ),
        rx.el.script(src="/console.js", custom_attrs={"defer": True}),
    ],
    html_lang="en",
    backend_exception_handler=handle_exception,
    api_transformer=with_rest_api,
)
app.add_middleware(Guard(), index=0)
app.register_lifespan_task(hub.running)
app.register_lifespan_task(watch.running)
register(app, PAGES, PLAIN_PAGES)
