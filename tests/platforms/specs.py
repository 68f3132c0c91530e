"""Published API descriptions, where they are at hand: named by TEST_SPECS, or in shared/specs beside the project."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest

_BESIDE = Path(__file__).parents[2].parent / "shared" / "specs"
SPECS = Path(os.environ.get("TEST_SPECS") or _BESIDE)
needs_specs = pytest.mark.skipif(not SPECS.is_dir(), reason="no published API descriptions on this machine")
_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str, "integer": int, "number": (int, float), "boolean": bool, "array": list, "object": dict,
}  # fmt: skip


@cache
def document(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SPECS / name).read_text(encoding="utf-8"))
    return found


def schema(name: str, of: str) -> dict[str, Any]:
    found: dict[str, Any] = document(name)["components"]["schemas"][of]
    return found


def problems(
    name: str, value: Any, rule: dict[str, Any], path: str = "$", *, is_strict: bool = False
) -> list[str]:
    """What of `value` does not fit: missing or (if strict) undescribed properties, wrong types, unknown words."""
    if "$ref" in rule:
        rule = schema(name, rule["$ref"].rpartition("/")[2])
    if choices := rule.get("oneOf") or rule.get("anyOf"):
        return min((problems(name, value, c, path, is_strict=is_strict) for c in choices), key=len)
    kind = rule.get("type")
    if value is None and rule.get("nullable"):
        return []
    if kind in _TYPES and (
        not isinstance(value, _TYPES[kind]) or (kind != "boolean" and isinstance(value, bool))
    ):
        return [f"{path}: {value!r} is no {kind}"]
    if "enum" in rule and value not in rule["enum"]:
        return [f"{path}: {value!r} is none of {rule['enum']}"]
    found: list[str] = []
    if isinstance(value, dict):
        known = rule.get("properties", {})
        found += [f"{path}.{key} is missing" for key in rule.get("required", []) if key not in value]
        if known and (is_strict or rule.get("additionalProperties") is False):
            found += [f"{path}.{key} is not described" for key in value if key not in known]
        for key, sub in known.items():
            if key in value:
                found += problems(name, value[key], sub, f"{path}.{key}", is_strict=is_strict)
    elif isinstance(value, list) and "items" in rule:
        for index, item in enumerate(value):
            found += problems(name, item, rule["items"], f"{path}[{index}]", is_strict=is_strict)
    return found
