"""The audit log's chain: each event carries a MAC over itself and the MAC before it.

Changing, removing, adding or reordering events breaks the chain at that place; cutting off its end leaves the
`audit_chain` row pointing at nothing. The key is made once and kept sealed by the vault, so that whoever can only
write the database cannot mend the chain. Somebody who puts back an older copy of the *whole* database goes unseen
by the database alone: keep what `contentcaster audit verify` printed elsewhere and give it with `--expect`.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select

from contentcaster.errors import Unavailable
from contentcaster.models import AuditChain, AuditEvent
from contentcaster.security.vault import SealBroken, get_vault

_ONLY_ROW = 1
_PLACE = {"table": "audit_chain", "row_id": str(_ONLY_ROW), "column": "key_encrypted"}
_BATCH = 1000
_SIGNED = ("at", "actor_id", "actor", "action", "subject_type", "subject_id", "details", "ip")


@dataclass(frozen=True)
class ChainReport:
    """What a check of the whole chain found."""

    events: int
    """How many events the chain covers."""
    older: int
    """Events from before there was a chain; nothing can be said about them."""
    last_mac: str
    problem: str = ""
    """What is wrong at the first place that is not as it was written; "" if all is well."""

    @property
    def mark(self) -> str:
        """What to keep elsewhere: names this end of the chain."""
        return f"{self.events}:{self.last_mac}"


def append(session: Session, events: list[dict[str, Any]]) -> None:
    """Insert events at the end of the chain; locks the end until the commit, so call it last.

    Raises:
        Unavailable: the chain's key does not open with ENCRYPTION_KEYS; nothing may be done unrecorded.
    """
    chain = _locked_chain(session)
    key = _open_key(chain.key_encrypted)
    for event in events:
        chain.last_mac = _mac(key, chain.last_mac, event)
        # One statement each: their ids must be in the order of the chain.
        session.execute(insert(AuditEvent).values(**event, chain_mac=chain.last_mac))
    chain.events += len(events)
    session.add(chain)


def verify(session: Session, *, expected_mark: str = "") -> ChainReport:
    """Check every event against its MAC, in one read transaction; locks nothing.

    `expected_mark` is the `mark` of an earlier report: the chain must still contain that place.
    """
    chain = session.get(AuditChain, _ONLY_ROW, populate_existing=True)
    older_than_chain = select(func.count()).select_from(AuditEvent).where(AuditEvent.chain_mac == "")
    older = session.exec(older_than_chain).one()
    if chain is None:
        has_any = session.exec(select(AuditEvent.id).where(AuditEvent.chain_mac != "").limit(1)).first()
        is_gone = has_any is not None or bool(expected_mark)
        return ChainReport(0, older, "", "The end of the chain was removed." if is_gone else "")
    try:
        key = _open_key(chain.key_encrypted)
    except Unavailable as error:
        return ChainReport(0, older, "", error.message)
    return _walk(session, chain, key, older, expected_mark)


def can_continue(session: Session) -> bool:
    """Whether there is no chain yet, or its key opens."""
    chain = session.get(AuditChain, _ONLY_ROW, populate_existing=True)
    try:
        return chain is None or bool(_open_key(chain.key_encrypted))
    except Unavailable:
        return False


def _walk(session: Session, chain: AuditChain, key: bytes, older: int, expected_mark: str) -> ChainReport:
    events, last_mac, last_id = 0, "", 0
    has_end, has_mark = chain.events == 0, expected_mark in ("", "0:")
    while batch := _read_after(session, last_id):
        for row in batch:
            assert row.id is not None
            last_id = row.id
            if not row.chain_mac and events == 0:
                continue  # from before the chain
            mac = _mac(key, last_mac, {name: getattr(row, name) for name in _SIGNED})
            if not hmac.compare_digest(mac.encode(), row.chain_mac.encode()):
                problem = (
                    f"Event {row.id} ({row.at:%Y-%m-%d %H:%M:%S} UTC) is not as it was written: "
                    "it, or one before it, was changed, removed, added or moved."
                )
                return ChainReport(events, older, last_mac, problem)
            events, last_mac = events + 1, mac
            # Events appended since the end was read are well; what counts is that it is in the chain.
            has_end = has_end or (events == chain.events and mac == chain.last_mac)
            has_mark = has_mark or expected_mark == f"{events}:{mac}"
    problem = ""
    if not has_end:
        problem = (
            f"The chain ends after {events} events, but {chain.events} were written: the newest are missing."
        )
    elif not has_mark:
        problem = "The chain does not contain the place that was expected: an older copy was put back."
    return ChainReport(events, older, last_mac, problem)


def _read_after(session: Session, last_id: int) -> list[AuditEvent]:
    statement = select(AuditEvent).where(col(AuditEvent.id) > last_id).order_by(col(AuditEvent.id))
    session.expunge_all()
    return list(session.exec(statement.limit(_BATCH)).all())


def _locked_chain(session: Session) -> AuditChain:
    dialect: Any = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    statement = select(AuditChain).where(AuditChain.id == _ONLY_ROW).with_for_update()
    statement = statement.execution_options(populate_existing=True)
    chain = session.exec(statement).first()
    if chain is None:
        sealed = get_vault().encrypt(secrets.token_hex(32), **_PLACE)
        first = {"id": _ONLY_ROW, "key_encrypted": sealed, "last_mac": "", "events": 0}
        session.execute(dialect.insert(AuditChain.__table__).values(first).on_conflict_do_nothing())  # type: ignore[attr-defined]
        chain = session.exec(statement).one()
    return chain


def _open_key(sealed: str) -> bytes:
    try:
        return bytes.fromhex(get_vault().decrypt(sealed, **_PLACE))
    except SealBroken as error:
        raise Unavailable(
            "The audit log cannot be written or checked: CONTENTCASTER_ENCRYPTION_KEYS does not hold its key.",
            details=str(error),
        ) from None


def _mac(key: bytes, last_mac: str, event: dict[str, Any]) -> str:
    at: datetime = event["at"]
    values = {name: event[name] for name in _SIGNED} | {
        "at": at.astimezone(UTC).isoformat(timespec="microseconds")
    }
    message = json.dumps([last_mac, values], sort_keys=True, separators=(",", ":"))
    return hmac.new(key, message.encode(), hashlib.sha256).hexdigest()
