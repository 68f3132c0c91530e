"""/api/docs: the OpenAPI description as a plain page, without scripts and without anything from another host."""

from __future__ import annotations

import json
from html import escape
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

router = APIRouter(include_in_schema=False)

_STYLE = """
:root{color-scheme:light dark;--line:#8884;--soft:#8881;--accent:#3b6cf6}
body{font:15px/1.55 system-ui,sans-serif;margin:0 auto;max-width:960px;padding:24px}
h1{font-size:26px}h2{margin-top:40px;text-transform:capitalize;font-size:19px}
details{border:1px solid var(--line);border-radius:8px;margin:8px 0;padding:0 14px}
summary{cursor:pointer;padding:10px 0}summary b{display:inline-block;min-width:62px;color:var(--accent)}
summary span{opacity:.75;margin-left:10px}code,pre{font:13px/1.5 ui-monospace,monospace}
pre{background:var(--soft);padding:10px;border-radius:6px;overflow:auto}
table{border-collapse:collapse;width:100%;margin:8px 0}td,th{border-bottom:1px solid var(--line);padding:5px 8px;
text-align:left;vertical-align:top}
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


@router.get("/api/docs")
def read_docs(request: Request) -> HTMLResponse:
    """The API for people to read."""
    page = render(request.app.openapi())
    return HTMLResponse(page, headers={"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"})


def render(schema: dict[str, Any]) -> str:
    """The page for an OpenAPI description."""
    groups: dict[str, list[str]] = {}
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            tag = (operation.get("tags") or ["other"])[0]
            groups.setdefault(tag, []).append(_operation(path, method, operation, schema))
    sections = "".join(
        f"<section><h2>{escape(tag.replace('-', ' '))}</h2>{''.join(items)}</section>"
        for tag, items in groups.items()
    )
    title = f"{schema['info']['title']} API {schema['info']['version']}"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style><body><main><h1>{escape(title)}</h1>"
        f"<p>{escape(schema['info'].get('description', ''))}</p>"
        f'<p>For programs: <a href="/api/openapi.json">/api/openapi.json</a></p>{sections}</main></body></html>'
    )


def _operation(path: str, method: str, operation: dict[str, Any], schema: dict[str, Any]) -> str:
    parts = [f"<p>{escape(operation.get('description', ''))}</p>"]
    if parameters := operation.get("parameters"):
        rows = "".join(
            f"<tr><td><code>{escape(p['name'])}</code></td><td>{escape(p['in'])}</td>"
            f"<td>{escape(_type_name(p.get('schema', {})))}{', required' if p.get('required') else ''}</td>"
            f"<td>{escape(p.get('description', ''))}</td></tr>"
            for p in parameters
        )
        parts.append(f"<table><tr><th>parameter</th><th>in</th><th>type</th><th></th></tr>{rows}</table>")
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        parts.append(f"<p>Body, {escape(media_type)}</p>{_fields(content.get('schema', {}), schema)}")
    for status, response in operation["responses"].items():
        if status.startswith("2"):
            parts.append(f"<p>Answer {escape(status)}</p>")
            contents = response.get("content", {}).values()
            parts += [_fields(content.get("schema", {}), schema) for content in contents]
    errors = ", ".join(status for status in operation["responses"] if not status.startswith("2"))
    parts.append(f"<p>Errors as problem+json: {escape(errors)}</p>")
    summary = f"<b>{method.upper()}</b><code>{escape(path)}</code><span>{escape(operation.get('summary', ''))}</span>"
    return f"<details><summary>{summary}</summary>{''.join(parts)}</details>"


def _fields(part: dict[str, Any], schema: dict[str, Any], depth: int = 0) -> str:
    """The fields of an object as a table; other types by name."""
    target = _resolve(part, schema)
    if target.get("type") == "array" and depth < 3:
        return f"<p>A list of:</p>{_fields(target['items'], schema, depth + 1)}"
    properties = target.get("properties")
    if not properties:
        return f"<pre>{escape(_type_name(part) or json.dumps(target))}</pre>"
    required = target.get("required", [])
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code></td>"
        f"<td>{escape(_type_name(value))}{', required' if name in required else ''}</td>"
        f"<td>{escape(value.get('description', ''))}{_nested(value, schema, depth)}</td></tr>"
        for name, value in properties.items()
    )
    return f"<table>{rows}</table>"


def _nested(value: dict[str, Any], schema: dict[str, Any], depth: int) -> str:
    item = value.get("items", value)
    return _fields(item, schema, depth + 1) if "$ref" in item and depth < 2 else ""


def _resolve(part: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    name = part.get("$ref", "").rpartition("/")[2]
    resolved: dict[str, Any] = schema["components"]["schemas"].get(name, part) if name else part
    return resolved


def _type_name(part: dict[str, Any]) -> str:
    if "$ref" in part:
        return str(part["$ref"].rpartition("/")[2])
    if "anyOf" in part:
        return " or ".join(_type_name(option) for option in part["anyOf"])
    if part.get("type") == "array":
        return f"list of {_type_name(part.get('items', {})) or 'anything'}"
    name = str(part.get("format") or part.get("type") or "")
    return f"{name}: {', '.join(map(str, part['enum']))}" if "enum" in part else name
