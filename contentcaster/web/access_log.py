"""One line per request, without its query string: tab tokens and one-time links travel there."""

from __future__ import annotations

import time

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = structlog.get_logger("contentcaster.access")

_SILENT_PREFIXES = ("/assets/", "/fonts/", "/js/")
_SILENT_PATHS = frozenset({"/healthz", "/readyz", "/metrics", "/favicon.svg", "/console.css", "/console.js"})


class AccessLog:
    """Logs method, path, status and duration of what people and programs ask for; not of static files and probes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _is_silent(scope["path"]):
            await self._app(scope, receive, send)
            return
        started = time.monotonic()
        status = 500

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, note_status)
        finally:
            duration_ms = round((time.monotonic() - started) * 1000, 1)
            log.info(
                "request", method=scope["method"], path=scope["path"], status=status, duration_ms=duration_ms
            )


def _is_silent(path: str) -> bool:
    return path in _SILENT_PATHS or path.startswith(_SILENT_PREFIXES)
