"""XRPC calls on repositories (com.atproto.repo.*, com.atproto.sync.getBlob), with a PDS's measured behaviour.

createRecord with a key that exists is 500; putRecord with the content that is there is 200, the same cid and no
commit, whatever swapRecord says; with other content and `swapRecord: null` it is 400 InvalidSwap.
"""

from __future__ import annotations

import io
from typing import Any

from aiohttp import web
from PIL import Image, UnidentifiedImageError

from . import ids
from .atproto_acts import Write, commit, prepare
from .atproto_server import body_of, did_doc, session_account
from .errors import XrpcError, answer
from .gateway import exchange_of, network_of
from .lexicon import check_rkey
from .network import FOLLOW, LIKE, POST, REPOST, Network
from .things import Account, Json, Media, Record

MAX_BLOB_BYTES = 5 * 1024 * 1024
MAX_VIDEO_BYTES = (
    100_000_000  # as Bluesky's own servers take them; a server as installed stops at MAX_BLOB_BYTES
)
_KINDS = {POST: "post", LIKE: "like", REPOST: "repost", FOLLOW: "follow"}
_MISSING = object()


def _own_repo(request: web.Request, body: Json) -> tuple[Network, Account]:
    network, account = network_of(request), session_account(request)
    owner = network.account_named(str(body["repo"]))
    if owner is None:
        raise XrpcError(403, "AccountNotFound", "Account not found")
    if owner is not account:
        raise XrpcError(401, "AuthenticationRequired", "Authentication Required")
    return network, account


def _check_swap_commit(account: Account, body: Json) -> None:
    swap = body.get("swapCommit")
    if swap:
        raise XrpcError(400, "InvalidSwap", "Commit was at another revision")


def _written(write: Write, done: Json | None) -> Json:
    assert write.record is not None
    changed = {} if done is None else {"commit": done}
    return {"uri": write.record.uri, "cid": write.record.cid, **changed, "validationStatus": write.status}


async def create_record(request: web.Request) -> web.Response:
    body = body_of(request, "repo", "collection", "record")
    network, account = _own_repo(request, body)
    collection = str(body["collection"])
    rkey = check_rkey(collection, body["rkey"]) if "rkey" in body else network.tids.next()
    write = prepare(network, account, collection, rkey, body["record"], body.get("validate"))
    _check_swap_commit(account, body)
    if write.old is not None:
        raise XrpcError(500, "InternalServerError", "Internal Server Error")
    return answer(_written(write, commit(network, account, [write], exchange_of(request))))


async def put_record(request: web.Request) -> web.Response:
    body = body_of(request, "repo", "collection", "rkey", "record")
    network, account = _own_repo(request, body)
    collection = str(body["collection"])
    rkey = check_rkey(collection, body["rkey"])
    write = prepare(network, account, collection, rkey, body["record"], body.get("validate"))
    if write.old is not None and write.record is not None and write.old.cid == write.record.cid:
        return answer(_written(write, None))
    _check_swap(write.old, body.get("swapRecord", _MISSING))
    _check_swap_commit(account, body)
    return answer(_written(write, commit(network, account, [write], exchange_of(request))))


def _check_swap(old: Record | None, swap: Any) -> None:
    if swap is _MISSING:
        return
    current = old.cid if old else None
    if swap != current:
        raise XrpcError(400, "InvalidSwap", f"Record was at {current or 'null'}")


async def delete_record(request: web.Request) -> web.Response:
    body = body_of(request, "repo", "collection", "rkey")
    network, account = _own_repo(request, body)
    old = network.records.get(f"at://{account.did}/{body['collection']}/{body['rkey']}")
    if old is None:
        return answer({})
    _check_swap(old, body.get("swapRecord", _MISSING))
    return answer({"commit": commit(network, account, [Write(None, old)], exchange_of(request))})


async def apply_writes(request: web.Request) -> web.Response:
    body = body_of(request, "repo", "writes")
    network, account = _own_repo(request, body)
    _check_swap_commit(account, body)
    if not isinstance(body["writes"], list):
        raise XrpcError(400, "InvalidRequest", "Expected array value type at $.writes")
    if len(body["writes"]) > 200:
        raise XrpcError(400, "InvalidRequest", "Too many writes. Max: 200")
    prepared = [_prepared(network, account, item, body.get("validate")) for item in body["writes"]]
    # Later writes of the batch see the earlier ones, and nothing is applied before all of them fit.
    existing: dict[str, Record | None] = {}
    for action, uri, write in prepared:
        write.old = existing[uri] if uri in existing else network.records.get(uri)
        if (action == "create") == (write.old is not None):
            raise XrpcError(500, "InternalServerError", "Internal Server Error")
        existing[uri] = write.record
    results = [
        ({} if write.record is None else _written(write, None))
        | {"$type": f"{request.path[6:]}#{action}Result"}
        for action, _, write in prepared
    ]
    done = commit(network, account, [write for _, _, write in prepared], exchange_of(request))
    return answer({"commit": done, "results": results})


def _prepared(network: Network, account: Account, item: Any, validate: Any) -> tuple[str, str, Write]:
    action = str(item.get("$type", "")).rpartition("#")[2] if isinstance(item, dict) else ""
    if action not in ("create", "update", "delete") or not isinstance(item.get("collection"), str):
        raise XrpcError(400, "InvalidRequest", "Invalid write at $.writes")
    collection = item["collection"]
    named = "rkey" in item or action != "create"
    rkey = check_rkey(collection, item.get("rkey")) if named else network.tids.next()
    uri = f"at://{account.did}/{collection}/{rkey}"
    if action == "delete":
        return action, uri, Write(None, None)
    return action, uri, prepare(network, account, collection, rkey, item.get("value"), validate)


async def get_record(request: web.Request) -> web.Response:
    network, query = network_of(request), request.query
    account = network.account_named(query.get("repo", ""))
    did = account.did if account else query.get("repo", "")
    uri = f"at://{did}/{query.get('collection', '')}/{query.get('rkey', '')}"
    record = network.records.get(uri)
    if record is None or ("cid" in query and query["cid"] != record.cid):
        raise XrpcError(400, "RecordNotFound", f"Could not locate record: {uri}")
    return answer({"uri": uri, "cid": record.cid, "value": record.value})


def limit_of(request: web.Request, default: int = 50, maximum: int = 100) -> int:
    raw = request.query.get("limit", str(default))
    if not raw.isdigit() or not 1 <= int(raw) <= maximum:
        raise XrpcError(400, "InvalidRequest", f"limit must be an integer from 1 to {maximum}")
    return int(raw)


async def list_records(request: web.Request) -> web.Response:
    network, query = network_of(request), request.query
    account = network.account_named(query.get("repo", ""))
    if account is None:
        raise XrpcError(400, "InvalidRequest", f"Could not find repo: {query.get('repo', '')}")
    if network.config.hide_timeline:
        raise XrpcError(403, "Forbidden", "Reading this repository is not allowed")
    limit, reverse, cursor = limit_of(request), query.get("reverse") == "true", query.get("cursor")
    records = account.collections.get(query.get("collection", ""), {})
    keys = sorted(records, reverse=not reverse)
    if cursor:
        keys = [key for key in keys if (key > cursor if reverse else key < cursor)]
    page = [records[key] for key in keys[:limit]]
    out: Json = {"records": [{"uri": r.uri, "cid": r.cid, "value": r.value} for r in page]}
    if page and len(keys) > limit:
        out["cursor"] = page[-1].rkey
    return answer(out)


async def describe_repo(request: web.Request) -> web.Response:
    network, name = network_of(request), request.query.get("repo", "")
    account = network.account_named(name)
    if account is None:
        raise XrpcError(400, "RepoNotFound", f"Could not find repo for DID: {name}")
    return answer({
        "handle": account.at_handle, "did": account.did, "didDoc": did_doc(network, account),
        "collections": sorted(c for c, records in account.collections.items() if records), "handleIsCorrect": True,
    })  # fmt: skip


async def upload_blob(request: web.Request) -> web.Response:
    network, exchange, account = network_of(request), exchange_of(request), session_account(request)
    data = exchange.raw
    if "Content-Type" not in request.headers:
        raise XrpcError(400, "InvalidRequest", "Request encoding (Content-Type) required but not provided")
    mime = sniff(data) or request.content_type
    if len(data) > (MAX_VIDEO_BYTES if mime == "video/mp4" else MAX_BLOB_BYTES):
        raise XrpcError(413, "PayloadTooLarge", "request entity too large")
    width, height = 0, 0
    if mime.startswith("image/") and sniff(data):
        try:
            with Image.open(io.BytesIO(data)) as image:
                width, height = image.size
        except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
            # The real server answers 500 for an image whose head it cannot read.
            raise XrpcError(500, "InternalServerError", "Internal Server Error") from error
    cid = ids.blob_cid(data)
    network.add_media(Media(network.new_id(), account.id, cid, mime, len(data), width, height), data)
    return answer({"blob": {"$type": "blob", "ref": {"$link": cid}, "mimeType": mime, "size": len(data)}})


_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"), (b"\x1aE\xdf\xa3", "video/webm"), (b"ID3", "audio/mpeg"), (b"OggS", "audio/ogg"),
)  # fmt: skip


def sniff(data: bytes) -> str | None:
    """The type by the first bytes, or None."""
    if data[:4] == b"RIFF":
        return {b"WEBP": "image/webp", b"WAVE": "audio/wav"}.get(data[8:12])
    if data[4:8] == b"ftyp":
        return {b"avif": "image/avif", b"qt  ": "video/quicktime"}.get(data[8:12], "video/mp4")
    return next((mime for magic, mime in _MAGIC if data.startswith(magic)), None)


async def get_blob(request: web.Request) -> web.Response:
    network, cid = network_of(request), request.query.get("cid", "")
    account = network.by_did.get(request.query.get("did", ""))
    if account is None or (account.id, cid) not in network.uploads:
        raise XrpcError(400, "InvalidRequest", "Blob not found")
    headers = {"Content-Security-Policy": "default-src 'none'; sandbox", "X-Content-Type-Options": "nosniff"}
    mime = network.blob_types.get(cid, "application/octet-stream")
    return web.Response(body=network.blobs[cid], content_type=mime, headers=headers)
