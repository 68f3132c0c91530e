"""The API's description of itself: the types of the routes, with our one shape of errors in place of FastAPI's."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from contentcaster.api.problems import MEDIA_TYPE

_PROBLEM = {
    "title": "Problem",
    "description": "An error (RFC 9457).",
    "type": "object",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string", "examples": ["urn:contentcaster:problem:invalid_input"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "A sentence for people."},
        "code": {"type": "string", "description": "For programs; does not change."},
        "errors": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "description": "Field -> what is wrong with it.",
        },
        "reference": {"type": "string", "description": "Of an internal error, to find it in the log."},
    },
}

_RESPONSES = {
    "401": "Not signed in, or the session has ended",
    "403": "The role does not allow it",
    "404": "No such thing, or not yours",
    "409": "Somebody or something else was there first",
    "412": "Not the version that If-Match names",
    "413": "The body is too large",
    "415": "A body of this kind is not read here",
    "422": "A field holds something that cannot be used; `errors` says which",
    "429": "Too many requests; see Retry-After",
    "503": "The database does not answer",
}


def install(app: FastAPI) -> None:
    """Make `app.openapi()` describe errors as they are."""

    def describe() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _describe(app)
        return app.openapi_schema

    app.openapi = describe  # type: ignore[method-assign]


def _describe(app: FastAPI) -> dict[str, Any]:
    schema = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        routes=app.routes,
        tags=app.openapi_tags,
    )
    schemas = schema.setdefault("components", {}).setdefault("schemas", {})
    schemas["Problem"] = _PROBLEM
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    for operations in schema["paths"].values():
        for operation in operations.values():
            for status, description in _RESPONSES.items():
                operation["responses"][status] = {
                    "description": description,
                    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
                }
    return schema
