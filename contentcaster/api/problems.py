"""Every error as problem+json (RFC 9457): a sentence for people, a code for programs, the fields that are wrong."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DataError
from starlette.exceptions import HTTPException

from contentcaster.errors import ContentCasterError, InvalidInput, NotSignedIn, TooMany, Unavailable

MEDIA_TYPE = "application/problem+json"
_RETRY_UNAVAILABLE_SECONDS = 5

log = structlog.get_logger(__name__)

_TITLES = {
    400: "Bad request",
    401: "Not signed in",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    411: "Length required",
    412: "Precondition failed",
    413: "Too large",
    415: "Unsupported media type",
    422: "Invalid input",
    429: "Too many requests",
    500: "Internal error",
    503: "Unavailable",
}


def problem(
    status: int,
    detail: str,
    *,
    code: str = "error",
    errors: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> JSONResponse:
    """A problem answer; `errors` maps a field to its sentence."""
    body: dict[str, Any] = {
        "type": f"urn:contentcaster:problem:{code}",
        "title": _TITLES.get(status, "Error"),
        "status": status,
        "detail": detail,
        "code": code,
    }
    if errors:
        body["errors"] = dict(errors)
    return JSONResponse(body | more, status, media_type=MEDIA_TYPE, headers=dict(headers or {}))


def install(app: FastAPI) -> None:
    """Answer all errors of `app` as problems."""
    app.add_exception_handler(ContentCasterError, _content_caster_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_exception)
    app.add_exception_handler(DataError, _cannot_be_stored)
    app.add_exception_handler(OverflowError, _cannot_be_stored)


def of_error(error: ContentCasterError) -> JSONResponse:
    """The answer for one of our own errors."""
    headers: dict[str, str] = {}
    if isinstance(error, NotSignedIn):
        headers["WWW-Authenticate"] = 'Bearer realm="contentcaster"'
    if isinstance(error, TooMany):
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_seconds)))
    if isinstance(error, Unavailable):
        headers["Retry-After"] = str(_RETRY_UNAVAILABLE_SECONDS)
    fields = error.fields if isinstance(error, InvalidInput) else None
    return problem(error.http_status, error.message, code=error.code, errors=fields, headers=headers)


async def _content_caster_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ContentCasterError)
    if isinstance(error, Unavailable):
        log.warning("request_unavailable", path=request.url.path, details=error.details)
    return of_error(error)


async def _validation_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    if any(item["type"] == "json_invalid" for item in found):
        return problem(400, "The body is not valid JSON.", code="invalid_json")
    fields = {field_name(item["loc"]): sentence(item) for item in reversed(found)}
    first = next(iter(reversed(fields.items())))
    where = f"{first[0]}: " if first[0] else ""
    return problem(422, f"{where}{first[1]}", code="invalid_input", errors=fields)


def field_name(location: Sequence[str | int]) -> str:
    """`("body", "targets", 0, "account_id")` as `targets.0.account_id`."""
    parts = [str(part) for part in location]
    return ".".join(
        parts[1:] if parts and parts[0] in ("body", "query", "path", "header", "cookie") else parts
    )


_SENTENCES = {
    "missing": "This is required.",
    "extra_forbidden": "There is no such field.",
    "string_type": "This must be text.",
    "int_parsing": "This must be a whole number.",
    "int_type": "This must be a whole number.",
    "bool_parsing": "This must be true or false.",
    "bool_type": "This must be true or false.",
    "list_type": "This must be a list.",
    "dict_type": "This must be an object.",
    "model_attributes_type": "This must be an object.",
}


def sentence(item: Mapping[str, Any]) -> str:
    """What is wrong with one field; never repeats what was sent."""
    known = _SENTENCES.get(str(item["type"]))
    if known:
        return known
    message = str(item["msg"]).removeprefix("Value error, ")
    return message[:1].upper() + message[1:] + ("" if message.endswith((".", "!", "?")) else ".")


async def _cannot_be_stored(request: Request, error: Exception) -> JSONResponse:
    """A NUL in a text, a number beyond 64 bits: what one database takes and the other does not."""
    log.info("request_cannot_be_stored", path=request.url.path, error=type(error).__name__)
    detail = "The request holds a character or a number that cannot be stored."
    return problem(422, detail, code="invalid_input")


async def _http_exception(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    known = {
        404: ("not_found", "There is nothing at this address."),
        405: ("method_not_allowed", f"{request.method} is not possible here."),
        400: ("bad_request", "The request could not be read."),
    }
    code, detail = known.get(error.status_code, ("error", str(error.detail)))
    return problem(error.status_code, detail, code=code, headers=error.headers)
