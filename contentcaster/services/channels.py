"""Opening a channel account for its connector: credentials out of the vault, refreshed ones back into it."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from typing import Any

from sqlalchemy import update

from contentcaster.db import Database
from contentcaster.errors import NotFound
from contentcaster.models import Account
from contentcaster.platforms.base import Channel, Reauthorise
from contentcaster.security.egress import EgressClient
from contentcaster.security.vault import SealBroken, create_vault
from contentcaster.settings import Settings

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
    settings = database.settings
    account_id = account.id

    async def save(credentials: dict[str, Any], expires_at: datetime | None) -> None:
        if credentials:  # an empty answer must never overwrite what works
            await asyncio.to_thread(_save, database, account_id, credentials, expires_at)

    async def reload() -> dict[str, Any]:
        return await asyncio.to_thread(_reload, database, account_id)

    return Channel(
        account_id=account_id,
        platform=account.platform,
        instance_url=account.instance_url,
        remote_id=account.remote_id,
        handle=account.handle,
        limits=dict(account.limits),
        credentials=unseal_credentials(settings, account),
        client=client,
        save_credentials=save,
        reload_credentials=reload,
    )


def _save(
    database: Database, account_id: str, credentials: dict[str, Any], expires_at: datetime | None
) -> None:
    sealed = seal_credentials(database.settings, account_id, credentials)
    with database.transaction() as session:
        session.execute(
            update(Account)
            .where(Account.id == account_id, Account.deleted_at.is_(None))
            .values(credentials_encrypted=sealed, token_expires_at=expires_at)
            .execution_options(synchronize_session=False)
        )


def _reload(database: Database, account_id: str) -> dict[str, Any]:
    with database.reading() as session:
        account = session.get(Account, account_id)
        if account is None or account.deleted_at is not None:
            raise NotFound("This channel was removed.")
        return unseal_credentials(database.settings, account)
