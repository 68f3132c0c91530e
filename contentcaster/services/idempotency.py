"""REST calls with an Idempotency-Key: the first one acts, a repeat gets the same thing again.

The key is written in the transaction of the act itself, so there is never the one without the other. Keys are
forgotten after two days (engine/reconciler.py).
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from sqlalchemy import select
from sqlmodel import Session

from contentcaster.errors import InvalidInput
from contentcaster.models import IdempotencyRecord
from contentcaster.security.permissions import Principal

_FIELD = "Idempotency-Key"
_MAX_LENGTH = 200


def fingerprint(body: Any) -> str:
    """Tells two requests apart; `body` must be JSON-able."""
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def find_earlier(session: Session, principal: Principal, key: str, request_hash: str) -> str | None:
    """What an earlier request with this key made (its id), or None if there was none.

    Raises:
        InvalidInput: field "Idempotency-Key": malformed, or used before with another body.
    """
    if not key.strip() or len(key) > _MAX_LENGTH or not key.isprintable():
        raise InvalidInput(f"An Idempotency-Key has 1 to {_MAX_LENGTH} printable characters.", field=_FIELD)
    record = session.execute(
        select(IdempotencyRecord).where(
            IdempotencyRecord.user_id == principal.user_id,
            IdempotencyRecord.key == key,
        )
    ).scalar_one_or_none()
    if record is None:
        return None
    if record.request_hash != request_hash:
        raise InvalidInput(
            "This Idempotency-Key was used before with another body. Use a new key for a new request.",
            field=_FIELD,
        )
    subject_id: str = record.subject_id
    return subject_id


def remember(session: Session, principal: Principal, key: str, request_hash: str, subject_id: str) -> None:
    """Bind the key to what was made. Of two at once, the second fails with IntegrityError: it then finds the first."""
    session.add(
        IdempotencyRecord(
            user_id=principal.user_id, key=key, request_hash=request_hash, subject_id=subject_id
        )
    )
    session.flush()
