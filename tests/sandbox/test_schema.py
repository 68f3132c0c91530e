"""Answers against the published description of the Mastodon API, where that file is at hand."""

from __future__ import annotations

import io
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from .conftest import MastodonPerson

SPEC = Path(__file__).parents[2].parent / "shared" / "specs" / "mastodon-openapi.json"
pytestmark = pytest.mark.skipif(not SPEC.exists(), reason="the API description is not on this machine")
_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str, "integer": int, "number": (int, float), "boolean": bool, "array": list, "object": dict,
    "null": type(None),
}  # fmt: skip
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


@cache
def schemas() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(SPEC.read_text())["components"]["schemas"]
    return found


def problems(value: Any, schema: dict[str, Any], path: str) -> list[str]:
    """What does not fit: missing or unknown properties, wrong types, enums and formats."""
    if "$ref" in schema:
        return problems(value, schemas()[schema["$ref"].rpartition("/")[2]], path)
    if choices := schema.get("oneOf") or schema.get("anyOf"):
        found = [problems(value, choice, path) for choice in choices]
        return min(found, key=len)
    kinds = schema.get("type", [])
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if kinds and not any(
        isinstance(value, _TYPES[k]) and not (k != "boolean" and isinstance(value, bool)) for k in kinds
    ):
        return [f"{path}: {value!r} is not {kinds}"]
    if "enum" in schema and value is not None and value not in schema["enum"]:
        return [f"{path}: {value!r} is none of {schema['enum']}"]
    if schema.get("format") == "date-time" and isinstance(value, str) and not _DATE_TIME.fullmatch(value):
        return [f"{path}: {value!r} is no date-time"]
    out: list[str] = []
    if isinstance(value, dict):
        out += [f"{path}.{name} is missing" for name in schema.get("required", []) if name not in value]
        for name, sub in schema.get("properties", {}).items():
            if name in value:
                out += problems(value[name], sub, f"{path}.{name}")
    elif isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            out += problems(item, schema["items"], f"{path}[{index}]")
    return out


def fits(value: Any, name: str) -> list[str]:
    return problems(value, schemas()[name], name)


def test_the_checker_finds_what_is_wrong() -> None:
    assert fits({"id": 5, "type": "hologram"}, "MediaAttachment")


def test_statuses_accounts_and_media_have_the_published_shape(
    alice: MastodonPerson, bob: MastodonPerson
) -> None:
    image = io.BytesIO()
    Image.new("RGB", (30, 20)).save(image, "PNG")
    media = alice.http.post(
        "/api/v2/media", files={"file": ("a.png", image.getvalue())}, data={"description": "d"}
    ).json()
    assert fits(media, "MediaAttachment") == []
    plain = alice.post("hello #tag @bob https://example.com", media_ids=[media["id"]], language="en").json()
    poll = bob.post(
        "poll", poll={"options": ["a", "b"], "expires_in": 600}, in_reply_to_id=plain["id"]
    ).json()
    boost = bob.http.post(f"/api/v1/statuses/{plain['id']}/reblog").json()
    for status in (plain, poll, boost, alice.http.get(f"/api/v1/statuses/{plain['id']}").json()):
        assert fits(status, "Status") == []
    assert fits(alice.http.get(f"/api/v1/accounts/{bob.id}").json(), "Account") == []
    assert fits(alice.http.get("/api/v1/accounts/verify_credentials").json(), "CredentialAccount") == []
    assert fits(alice.http.get(f"/api/v1/statuses/{plain['id']}/context").json(), "Context") == []
    assert fits(alice.http.get("/api/v2/search", params={"q": "hello"}).json(), "Search") == []
    assert fits(alice.http.get("/api/v2/search", params={"q": "tag"}).json(), "Search") == []
    relations = bob.http.get("/api/v1/accounts/relationships", params={"id[]": [alice.id]}).json()
    assert [fits(r, "Relationship") for r in relations] == [[]]
    notes = alice.http.get("/api/v1/notifications").json()
    assert notes
    assert [fits(n, "Notification") for n in notes] == [[] for _ in notes]
    assert fits(alice.post("").json(), "Error") == []


def test_the_server_describes_itself_in_the_published_shape(alice: MastodonPerson) -> None:
    assert fits(alice.http.get("/api/v2/instance").json(), "Instance") == []
    assert fits(alice.http.get("/api/v1/instance").json(), "V1Instance") == []
    body = {"client_name": "T", "redirect_uris": ["http://127.0.0.1/cb"], "website": None}
    app = alice.http.post("/api/v1/apps", json=body).json()
    assert fits(app, "CredentialApplication") == []
    client = {k: app[k] for k in ("client_id", "client_secret")} | {"grant_type": "client_credentials"}
    assert fits(alice.http.post("/oauth/token", data=client).json(), "Token") == []
