"""Opening a channel account for its connector: credentials out of the vault, refreshed ones back into it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import or_, select, update
from sqlmodel import Session

from contentcaster import live
from contentcaster.db import Database
from contentcaster.errors import NotFound
from contentcaster.models import Account
from contentcaster.models.types import database_now, new_id
from contentcaster.platforms.base import Channel, Reauthorise, TemporarilyRejected
from contentcaster.security.egress import EgressClient
from contentcaster.security.vault import SealBroken, create_vault
from contentcaster.services import quotas
from contentcaster.settings import Settings

_RENEWAL_LEASE_SECONDS = 30.0
"""Longer than a renewal may take (`tokens.RENEWAL_SECONDS`)."""
_RENEWAL_POLL_SECONDS = 0.15
log = structlog.get_logger(__name__)

_PLACE = {"table": "account", "column": "credentials_encrypted"}


def seal_credentials(settings: Settings, account_id: str, credentials: dict[str, Any]) -> str:
    """Encrypted for exactly this row."""
    return create_vault(settings).encrypt(json.dumps(credentials), row_id=account_id, **_PLACE)


def unseal_credentials(settings: Settings, account: Account) -> dict[str, Any]:
    """The credentials of this row.

    Raises:
        Reauthorise: they do not open (another key ring, a copied row); a person must connect again.
    """
    try:
        opened = create_vault(settings).decrypt(account.credentials_encrypted, row_id=account.id, **_PLACE)
    except SealBroken as error:
        raise Reauthorise(
            "The stored credentials do not open with the encryption keys of this server. "
            "Connect the channel again.",
            diagnostics=str(error),
        ) from None
    credentials: dict[str, Any] = json.loads(opened)
    return credentials


def open_channel(database: Database, account: Account, client: EgressClient) -> Channel:
    """A channel that its connector can use; `account` may be detached from its session.

    Raises:
        Reauthorise: as `unseal_credentials`.
    """
    store = _Store(database, account.id, unseal_credentials(database.settings, account))
    return Channel(
        account_id=account.id,
        platform=account.platform,
        instance_url=account.instance_url,
        remote_id=account.remote_id,
        handle=account.handle,
        limits=dict(account.limits),
        credentials=dict(store.seen),
        client=client.observed_by(quotas.observer(database, account)),
        save_credentials=store.save,
        reload_credentials=store.reload,
        renewal_lock=store.renewal_lock,
    )


class _Store:
    """The credentials of one account row: read, replaced, and renewed by one worker at a time."""

    def __init__(self, database: Database, account_id: str, seen: dict[str, Any]) -> None:
        self._database = database
        self._account_id = account_id
        self.seen = seen
        """As last read: what is stored now is replaced only if it is still this."""

    async def save(self, credentials: dict[str, Any], expires_at: datetime | None) -> None:
        # A field that comes back empty must never overwrite what works.
        kept = {key: value for key, value in credentials.items() if value not in ("", None)}
        if kept:
            await asyncio.to_thread(self._save, kept, expires_at)

    async def reload(self) -> dict[str, Any]:
        return await asyncio.to_thread(self._reload)

    @asynccontextmanager
    async def renewal_lock(self) -> AsyncIterator[None]:
        """The lock in the account's row. It ends by itself, so that a worker that died does not hold it for ever, and
        no transaction stays open while the network is asked.

        Raises:
            TemporarilyRejected: somebody else has it for too long.
        """
        owner = new_id()
        deadline = time.monotonic() + _RENEWAL_LEASE_SECONDS + 5
        while not await asyncio.to_thread(self._take_lock, owner):
            if time.monotonic() > deadline:
                raise TemporarilyRejected("Another worker is still renewing the login of this channel.")
            await asyncio.sleep(_RENEWAL_POLL_SECONDS)
        try:
            yield
        finally:
            await asyncio.shield(asyncio.to_thread(self._release_lock, owner))

    def _save(self, fresh: dict[str, Any], expires_at: datetime | None) -> None:
        with self._database.transaction() as session:
            account = session.execute(
                select(Account)
                .where(Account.id == self._account_id, Account.deleted_at.is_(None))
                .with_for_update()
            ).scalar_one_or_none()
            if account is None:
                return
            if unseal_credentials(self._database.settings, account) != self.seen:
                # Connected again or renewed meanwhile: that is newer than what we asked for.
                log.info("renewed_credentials_dropped", account=self._account_id)
                return
            merged = self.seen | fresh
            has_changed_end = account.token_expires_at != expires_at
            account.credentials_encrypted = seal_credentials(
                self._database.settings, self._account_id, merged
            )
            account.token_expires_at = expires_at
            session.add(account)
            if has_changed_end:
                live.note(session, "accounts")
        self.seen = merged

    def _reload(self) -> dict[str, Any]:
        with self._database.reading() as session:
            account = session.get(Account, self._account_id)
            if account is None or account.deleted_at is not None:
                raise NotFound("This channel was removed.")
            self.seen = unseal_credentials(self._database.settings, account)
        return dict(self.seen)

    def _take_lock(self, owner: str) -> bool:
        is_free = or_(Account.renewal_until.is_(None), Account.renewal_until < database_now())
        with self._database.reading() as session:  # waiting costs no write
            if (
                session.execute(select(Account.id).where(Account.id == self._account_id, is_free)).first()
                is None
            ):
                self._require_row(session)
                return False
        with self._database.transaction() as session:
            taken = session.execute(
                update(Account)
                .where(Account.id == self._account_id, is_free)
                .values(renewal_owner=owner, renewal_until=database_now(_RENEWAL_LEASE_SECONDS))
                .execution_options(synchronize_session=False)
            )
            return bool(taken.rowcount)

    def _require_row(self, session: Session) -> None:
        if session.get(Account, self._account_id) is None:
            raise NotFound("This channel was removed.")

    def _release_lock(self, owner: str) -> None:
        with self._database.transaction() as session:
            session.execute(
                update(Account)
                .where(Account.id == self._account_id, Account.renewal_owner == owner)
                .values(renewal_owner=None, renewal_until=None)
                .execution_options(synchronize_session=False)
            )
