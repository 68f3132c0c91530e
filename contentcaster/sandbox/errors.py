"""Refusals of the two networks, in their own words and shapes."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web


class ApiError(Exception):
    """An answer other than success; the middleware turns it into a response."""

    def __init__(self, status: int, payload: Any, headers: dict[str, str] | None = None) -> None:
        super().__init__(str(payload))
        self.status, self.payload, self.headers = status, payload, headers or {}

    def response(self) -> web.Response:
        return answer(self.payload, self.status, self.headers)


class MastodonError(ApiError):
    """`{"error": ...}`, as every Mastodon endpoint answers a refusal."""

    def __init__(self, status: int, message: str, **extra: Any) -> None:
        super().__init__(status, {"error": message, **extra})


class XrpcError(ApiError):
    """`{"error": Name, "message": ...}`, as XRPC answers a refusal."""

    def __init__(self, status: int, name: str, message: str) -> None:
        super().__init__(status, {"error": name, "message": message})


class ControlError(ApiError):
    """A refusal of the sandbox's own control calls."""

    def __init__(self, message: str, status: int = 422) -> None:
        super().__init__(status, {"error": message})


def answer(payload: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """A JSON response."""
    body = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
    response = web.Response(body=body, status=status, content_type="application/json", charset="utf-8")
    if headers:
        response.headers.update(headers)
    return response
