"""Checks records as a PDS does, with its words (measured on @atproto/pds 0.4.217 in November 2026).

Known collections are always checked, also with `validate: false`. Like the real one it does not look whether a facet
lies inside the text, a liked post exists, or a blob's stated size and type are true; unknown embeds and unknown
collections pass.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from . import ids
from .errors import XrpcError
from .network import FOLLOW, LIKE, POST, REPOST
from .text import graphemes
from .things import Json

MAX_GRAPHEMES = 300
MAX_BYTES = 3000
MAX_IMAGE_BYTES = 1_000_000
_DATETIME = re.compile(r"\d{4}-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-6]\d(\.\d+)?(Z|[+-][0-2]\d:[0-5]\d)")
_LANGUAGE = re.compile(r"(?:[a-zA-Z]{2,8}|[ix])(?:-[a-zA-Z0-9]{1,8})*")
_AT_URI = re.compile(r"at://[a-zA-Z0-9._:%-]+(/[a-zA-Z0-9.-]+(/[A-Za-z0-9._~:-]+)?)?")
_DID = re.compile(r"did:[a-z]+:[a-zA-Z0-9._:%-]+")


class _Invalid(Exception):
    """One thing that is wrong with a record, in the words of the PDS."""


def check_record(collection: str, record: Json, validate: bool | None) -> str:
    """The validation status, "valid" or "unknown"; raises XrpcError 400."""
    found = next(_fractions(record, "$.record"), None)
    if found is not None:
        kinds = "null, boolean, integer, string, cid, bytes, array or object"
        raise XrpcError(
            400, "InvalidRequest", f"Expected one of {kinds} value type (got {found[1]}) at {found[0]}"
        )
    stated = record.get("$type", collection)
    if stated != collection:
        raise XrpcError(400, "InvalidRequest", f"Invalid $type: expected {collection}, got {stated}")
    checker = _CHECKERS.get(collection)
    if checker is None:
        if validate:
            raise XrpcError(400, "InvalidRequest", f"Unknown lexicon type: {collection}")
        return "unknown"
    try:
        checker(record, "$.record")
    except _Invalid as error:
        raise XrpcError(400, "InvalidRequest", f"Invalid {collection} record: {error}") from error
    return "valid"


def check_rkey(collection: str, rkey: Any) -> str:
    """The record key; posts, likes, reposts and follows need a TID. Raises XrpcError 400."""
    if not isinstance(rkey, str) or not ids.is_record_key(rkey):
        raise XrpcError(400, "InvalidRequest", f'Invalid record key (got "{rkey}") at $.rkey')
    if collection in (POST, LIKE, REPOST, FOLLOW) and not ids.is_tid(rkey):
        message = f'Invalid record key for {collection}: Invalid TID string (got "{rkey}") at $'
        raise XrpcError(400, "InvalidRequest", message)
    return rkey


def blob_links(value: Any) -> Iterator[str]:
    """The cid of every blob that a record refers to."""
    if isinstance(value, dict):
        ref = value.get("ref")
        if value.get("$type") == "blob" and isinstance(ref, dict) and isinstance(ref.get("$link"), str):
            yield ref["$link"]
        else:
            for item in value.values():
                yield from blob_links(item)
    elif isinstance(value, list):
        for item in value:
            yield from blob_links(item)


def _fractions(value: Any, path: str) -> Iterator[tuple[str, float]]:
    if isinstance(value, float):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _fractions(item, f"{path}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _fractions(item, f"{path}[{index}]")


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return "array" if isinstance(value, list) else "object" if isinstance(value, dict) else str(value)


def _require(value: Json, path: str, *names: str) -> None:
    for name in names:
        if name not in value:
            raise _Invalid(f'Missing required key "{name}" at {path}')


def _object(value: Any, path: str, *names: str) -> Json:
    if not isinstance(value, dict):
        raise _Invalid(f"Expected object value type (got {_shown(value)}) at {path}")
    _require(value, path, *names)
    return value


def _array(value: Any, path: str, maximum: int | None = None) -> list[Any]:
    if not isinstance(value, list):
        raise _Invalid(f"Expected array value type (got {_shown(value)}) at {path}")
    if maximum is not None and len(value) > maximum:
        raise _Invalid(f"array too big (maximum {maximum}, got {len(value)}) at {path}")
    return value


def _string(value: Any, path: str, max_bytes: int = 0, max_graphemes: int = 0) -> str:
    if not isinstance(value, str):
        raise _Invalid(f"Expected string value type (got {_shown(value)}) at {path}")
    if max_bytes and (size := len(value.encode())) > max_bytes:
        raise _Invalid(f"string too big (maximum {max_bytes}, got {size}) at {path}")
    if max_graphemes and len(value) > max_graphemes and (size := graphemes(value)) > max_graphemes:
        raise _Invalid(f"grapheme too big (maximum {max_graphemes}, got {size}) at {path}")
    return value


def _formatted(value: Any, path: str, pattern: re.Pattern[str], name: str) -> None:
    if not pattern.fullmatch(_string(value, path)):
        raise _Invalid(f"Invalid {name} (got {_shown(value)}) at {path}")


def _integer(value: Any, path: str, minimum: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _Invalid(f"Expected integer value type (got {_shown(value)}) at {path}")
    if value < minimum:
        raise _Invalid(f"integer too small (minimum {minimum}, got {value}) at {path}")


def _strong_ref(value: Any, path: str) -> None:
    ref = _object(value, path, "uri", "cid")
    _formatted(ref["uri"], f"{path}.uri", _AT_URI, "at-uri")
    _string(ref["cid"], f"{path}.cid")


def _blob(value: Any, path: str, accept: str, maximum: int) -> None:
    blob = _object(value, path)
    if blob.get("$type") != "blob":
        raise _Invalid(f"Expected blob value type (got object) at {path}")
    _require(blob, path, "ref", "mimeType", "size")
    if not str(blob["mimeType"]).startswith(accept.rstrip("*")):
        raise _Invalid(f'Expected "{accept}" (got {_shown(blob["mimeType"])}) at {path}.mimeType')
    if isinstance(blob["size"], int) and blob["size"] > maximum:
        raise _Invalid(f"blob too big (maximum {maximum}, got {blob['size']}) at {path}")


def _check_post(record: Json, path: str) -> None:
    _require(record, path, "text", "createdAt")
    _string(record["text"], f"{path}.text", MAX_BYTES, MAX_GRAPHEMES)
    for index, facet in enumerate(_array(record.get("facets", []), f"{path}.facets")):
        _check_facet(facet, f"{path}.facets[{index}]")
    if "reply" in record:
        reply = _object(record["reply"], f"{path}.reply", "root", "parent")
        _strong_ref(reply["root"], f"{path}.reply.root")
        _strong_ref(reply["parent"], f"{path}.reply.parent")
    if "embed" in record:
        _check_embed(record["embed"], f"{path}.embed")
    for index, language in enumerate(_array(record.get("langs", []), f"{path}.langs", 3)):
        _formatted(language, f"{path}.langs[{index}]", _LANGUAGE, "language")
    if "labels" in record:
        labels = _object(record["labels"], f"{path}.labels", "$type")
        for index, label in enumerate(_array(labels.get("values", []), f"{path}.labels.values", 10)):
            _string(_object(label, f"{path}.labels.values[{index}]", "val")["val"], f"{path}.labels", 128)
    for index, tag in enumerate(_array(record.get("tags", []), f"{path}.tags", 8)):
        _string(tag, f"{path}.tags[{index}]", 640, 64)
    _formatted(record["createdAt"], f"{path}.createdAt", _DATETIME, "datetime")


def _check_facet(value: Any, path: str) -> None:
    facet = _object(value, path, "index", "features")
    index = _object(facet["index"], f"{path}.index", "byteStart", "byteEnd")
    _integer(index["byteStart"], f"{path}.index.byteStart", 0)
    _integer(index["byteEnd"], f"{path}.index.byteEnd", 0)
    for number, feature in enumerate(_array(facet["features"], f"{path}.features")):
        where = f"{path}.features[{number}]"
        kind = str(_object(feature, where, "$type")["$type"]).partition("#")[2]
        _require(feature, where, *{"link": ("uri",), "mention": ("did",), "tag": ("tag",)}.get(kind, ()))
        if kind == "tag":
            _string(feature["tag"], f"{where}.tag", 640, 64)


def _check_embed(value: Any, path: str) -> None:
    embed = _object(value, path, "$type")
    kind = str(embed["$type"])
    if kind == "app.bsky.embed.images":
        _require(embed, path, "images")
        for index, item in enumerate(_array(embed["images"], f"{path}.images", 4)):
            _check_image(item, f"{path}.images[{index}]")
    elif kind == "app.bsky.embed.external":
        external = _object(embed.get("external"), f"{path}.external", "uri", "title", "description")
        if "thumb" in external:
            _blob(external["thumb"], f"{path}.external.thumb", "image/*", MAX_IMAGE_BYTES)
    elif kind == "app.bsky.embed.record":
        _strong_ref(embed.get("record"), f"{path}.record")
    elif kind == "app.bsky.embed.video":
        _require(embed, path, "video")
        _blob(embed["video"], f"{path}.video", "video/mp4", 100_000_000)
    elif kind == "app.bsky.embed.recordWithMedia":
        _require(embed, path, "record", "media")
        _strong_ref(_object(embed["record"], f"{path}.record", "record")["record"], f"{path}.record.record")
        _check_embed(embed["media"], f"{path}.media")


def _check_image(value: Any, path: str) -> None:
    image = _object(value, path, "image", "alt")
    _blob(image["image"], f"{path}.image", "image/*", MAX_IMAGE_BYTES)
    _string(image["alt"], f"{path}.alt")
    if "aspectRatio" in image:
        ratio = _object(image["aspectRatio"], f"{path}.aspectRatio", "width", "height")
        _integer(ratio["width"], f"{path}.aspectRatio.width", 1)
        _integer(ratio["height"], f"{path}.aspectRatio.height", 1)


def _check_reaction(record: Json, path: str) -> None:
    _require(record, path, "subject", "createdAt")
    _strong_ref(record["subject"], f"{path}.subject")
    _formatted(record["createdAt"], f"{path}.createdAt", _DATETIME, "datetime")


def _check_follow(record: Json, path: str) -> None:
    _require(record, path, "subject", "createdAt")
    _formatted(record["subject"], f"{path}.subject", _DID, "did")
    _formatted(record["createdAt"], f"{path}.createdAt", _DATETIME, "datetime")


def _check_profile(record: Json, path: str) -> None:
    _string(record.get("displayName", ""), f"{path}.displayName", 640, 64)
    _string(record.get("description", ""), f"{path}.description", 2560, 256)


_CHECKERS: dict[str, Callable[[Json, str], None]] = {
    POST: _check_post,
    LIKE: _check_reaction,
    REPOST: _check_reaction,
    FOLLOW: _check_follow,
    "app.bsky.actor.profile": _check_profile,
}
