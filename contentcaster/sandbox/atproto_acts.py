"""Checked writes to a repository, applied as one commit: ledger, notifications, open pages.

The XRPC handlers and the generated population both write through here.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from . import ids
from .errors import XrpcError
from .lexicon import blob_links, check_record
from .network import FOLLOW, LIKE, POST, REPOST, Network, quoted_uri
from .things import Account, Exchange, Json, Record

_KINDS = {POST: "post", LIKE: "like", REPOST: "repost", FOLLOW: "follow"}


@dataclass(slots=True)
class Write:
    """One checked write that is not applied yet; `record` None deletes `old`."""

    record: Record | None
    old: Record | None
    status: str = "valid"


def prepare(
    network: Network, account: Account, collection: str, rkey: str, value: Any, validate: Any
) -> Write:
    if not isinstance(value, dict):
        raise XrpcError(400, "InvalidRequest", "Expected object value type at $.record")
    status = check_record(collection, value, validate if isinstance(validate, bool) else None)
    for cid in blob_links(value):
        if (account.id, cid) not in network.uploads:
            raise XrpcError(400, "BlobNotFound", f"Could not find blob: {cid}")
    if "$type" not in value:
        value = value | {"$type": collection}
    value = ids.canonical(value)
    record = Record(account.did, collection, rkey, ids.record_cid(value), value, time.time())
    return Write(record, network.records.get(record.uri), status)


def commit(network: Network, account: Account, writes: list[Write], exchange: Exchange) -> Json:
    """Apply writes as one commit."""
    account.rev = network.tids.next()
    for write in writes:
        if write.record is not None:
            network.put_record(write.record)
            _note(network, account, write.record, write.old, exchange)
        elif write.old is not None:
            network.delete_record(write.old)
            _note_delete(network, account, write.old, exchange)
    changed = [write.record.cid if write.record else None for write in writes]
    return {
        "cid": ids.record_cid({"did": account.did, "rev": account.rev, "writes": changed}),
        "rev": account.rev,
    }


def _note(network: Network, account: Account, record: Record, old: Record | None, exchange: Exchange) -> None:
    """Enter the effect in the ledger, notify people, and tell the open pages."""
    value, kind = record.value, _KINDS.get(record.collection, "record")
    known = record.collection in _KINDS  # nothing is known about the shape of other records
    text = value["text"] if record.collection == POST else None
    if old is not None:
        edit_id = f"edit:{record.uri}:{exchange.number}"
        network.record_effect(exchange, "edit", "bluesky", account, edit_id, key=record.rkey, text=text)
        network.announce("edit", record)
        return
    if kind == "post" and "reply" in value:
        kind = "reply"
    network.record_effect(
        exchange, kind, "bluesky", account, record.uri, key=record.rkey, text=text,
        subject=_subject(value) if known else None,
        url=post_url(network, account, record) if record.collection == POST else None,
    )  # fmt: skip
    for did, reason in _notified(value, kind) if known else []:
        target = network.by_did.get(did)
        if target is not None and target is not account:
            note = {"reason": reason, "from": account.id, "uri": record.uri, "subject": _subject(value)}
            network.notify(target, note)
    if record.collection == POST:
        network.announce("post", record)
    _announce_subject(network, record)


def _note_delete(network: Network, account: Account, record: Record, exchange: Exchange) -> None:
    network.hide_effect(record.uri)
    kind = {LIKE: "unlike", REPOST: "unrepost", FOLLOW: "unfollow"}.get(record.collection, "delete")
    effect_id = f"{kind}:{record.uri}:{exchange.number}"
    network.record_effect(exchange, kind, "bluesky", account, effect_id, key=record.rkey, subject=record.uri)
    if record.collection == POST:
        network.announce("delete", record.uri)
    _announce_subject(network, record)


def _announce_subject(network: Network, record: Record) -> None:
    # The counts of the liked, reposted or answered post have changed.
    known = record.collection in _KINDS
    subject = network.records.get(_subject(record.value) or "") if known else None
    if subject is not None and subject.collection == POST:
        network.announce("edit", subject)


def _subject(value: Json) -> str | None:
    subject: Any = value.get("subject") or (value.get("reply") or {}).get("parent")
    if isinstance(subject, dict):
        subject = subject.get("uri")
    return subject if isinstance(subject, str) else None


def _notified(value: Json, kind: str) -> list[tuple[str, str]]:
    subject = _subject(value) or ""
    told = [(subject.removeprefix("at://").partition("/")[0], kind)] if kind != "post" and subject else []
    if quoted := quoted_uri(value):
        told.append((quoted.removeprefix("at://").partition("/")[0], "quote"))
    for facet in value.get("facets") or []:
        told += [(str(f["did"]), "mention") for f in facet.get("features", []) if "did" in f]
    return list({did: reason for did, reason in reversed(told)}.items())


def post_url(network: Network, account: Account, record: Record) -> str:
    return f"{network.base_url}/profile/{account.at_handle}/post/{record.rkey}"
