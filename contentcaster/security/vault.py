"""Secrets at rest (channel credentials, authenticator secrets, the audit key): AES-256-GCM with a key ring.

A sealed value is `v1.<key id>.<base64url(nonce + ciphertext)>`. Table, row, column and key id are authenticated with
it, so a value copied into another row or column, or relabelled with another key, does not open.

ENCRYPTION_KEYS is `id:base64(32 bytes)`, comma-separated. The first key seals, all of them open. To rotate, put a new
one in front, run `contentcaster keys rotate`, then drop the old one.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Table, select, update
from sqlmodel import Session

from contentcaster.db import Database
from contentcaster.models import metadata
from contentcaster.settings import Settings, SettingsError, get_settings

_VERSION = "v1"
_NONCE_BYTES = 12
_KEY_BYTES = 32
_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,16}")
_SETTING = "CONTENTCASTER_ENCRYPTION_KEYS"


class SealBroken(Exception):
    """A stored value does not open: changed, from another row, or sealed with a key that is not in the ring."""


@dataclass(frozen=True)
class Vault:
    """Seals and opens values with the keys of one ring."""

    key_ids: tuple[str, ...]
    _ciphers: dict[str, AESGCM] = field(repr=False)

    def encrypt(self, plaintext: str, *, table: str, row_id: str, column: str) -> str:
        """Seal a value for exactly this place in the database."""
        key_id = self.key_ids[0]
        nonce = os.urandom(_NONCE_BYTES)
        place = _associated_data(table, row_id, column, key_id)
        sealed = self._ciphers[key_id].encrypt(nonce, plaintext.encode(), place)
        return f"{_VERSION}.{key_id}.{base64.urlsafe_b64encode(nonce + sealed).decode()}"

    def decrypt(self, sealed: str, *, table: str, row_id: str, column: str) -> str:
        """Open a value that was sealed for this place.

        Raises:
            SealBroken: it was changed, belongs elsewhere, or its key is not in the ring.
        """
        version, _, rest = sealed.partition(".")
        key_id, _, encoded = rest.partition(".")
        cipher = self._ciphers.get(key_id)
        if version != _VERSION or cipher is None:
            raise SealBroken(f"{table}.{column} of {row_id}: no key {key_id[:16]!r} in {_SETTING}")
        try:
            data = base64.b64decode(encoded, altchars=b"-_", validate=True)
            place = _associated_data(table, row_id, column, key_id)
            return cipher.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], place).decode()
        except (InvalidTag, binascii.Error, ValueError):
            raise SealBroken(f"{table}.{column} of {row_id}: the stored value was changed or moved") from None

    def is_current(self, sealed: str) -> bool:
        """Whether the value is sealed with the first key of the ring."""
        return sealed.startswith(f"{_VERSION}.{self.key_ids[0]}.")


def create_vault(settings: Settings) -> Vault:
    """The vault for the key ring in the settings.

    Raises:
        SettingsError: the ring is malformed; never says what it holds.
    """
    return _vault(settings.encryption_keys.get_secret_value())


def get_vault() -> Vault:
    """The vault of this process."""
    return create_vault(get_settings())


@lru_cache(maxsize=4)
def _vault(ring: str) -> Vault:
    ciphers: dict[str, AESGCM] = {}
    for number, entry in enumerate(ring.split(","), start=1):
        key_id, separator, encoded = entry.strip().partition(":")
        if not separator or not _KEY_ID.fullmatch(key_id):
            raise SettingsError(f"{_SETTING}: key {number} must look like id:base64")
        if key_id in ciphers:
            raise SettingsError(f"{_SETTING}: the key id of key {number} is there twice")
        ciphers[key_id] = AESGCM(_decoded(encoded, number))
    return Vault(tuple(ciphers), ciphers)


def _decoded(encoded: str, number: int) -> bytes:
    try:
        key = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        key = b""
    if len(key) != _KEY_BYTES:
        raise SettingsError(f"{_SETTING}: key {number} must be {_KEY_BYTES} bytes in base64")
    return key


def _associated_data(table: str, row_id: str, column: str, key_id: str) -> bytes:
    # A JSON list: no choice of names can be read as another choice, as plain joining would allow.
    return json.dumps([table, row_id, column, key_id]).encode()


SEALED: tuple[tuple[str, str, str], ...] = (
    ("account", "id", "credentials_encrypted"),
    ("user_totp", "user_id", "secret_encrypted"),
    ("webhook_endpoint", "id", "secret_encrypted"),
    ("audit_chain", "id", "key_encrypted"),
    ("oauth_app", "id", "client_secret_encrypted"),
    ("oauth_attempt", "id", "verifier_encrypted"),
)
"""Where sealed values are: table, its key, column. A new one must be named here, or a rotation would lose it."""


def rotate(database: Database, vault: Vault, *, batch_size: int = 100) -> dict[str, int]:
    """Seal all stored secrets with the first key again; how many changed per table. Safe while the product runs.

    Raises:
        SealBroken: a value does not open; what came before it is already done, so run it again after the repair.
    """
    return {
        name: _rotate_table(database, vault, metadata.tables[name], key, column, batch_size)
        for name, key, column in SEALED
    }


def _rotate_table(
    database: Database, vault: Vault, table: Table, key: str, column: str, batch_size: int
) -> int:
    changed = 0
    last: Any = None
    while True:
        with database.transaction() as session:
            statement = select(table.c[key], table.c[column]).order_by(table.c[key]).limit(batch_size)
            rows = session.execute(statement if last is None else statement.where(table.c[key] > last)).all()
            for row_id, sealed in rows:
                if sealed and not vault.is_current(sealed):
                    place = {"table": table.name, "row_id": str(row_id), "column": column}
                    again = vault.encrypt(vault.decrypt(sealed, **place), **place)
                    # Only if nobody refreshed the token meanwhile: that wrote a newer value, with the first key.
                    same = (table.c[key] == row_id) & (table.c[column] == sealed)
                    changed += session.execute(update(table).where(same).values({column: again})).rowcount
        if len(rows) < batch_size:
            return changed
        last = rows[-1][0]


def opens_nothing(session: Session, vault: Vault) -> bool:
    """Whether there are stored secrets and this ring opens none of them: it is another installation's."""
    is_any = False
    for name, key, column in SEALED:
        table = metadata.tables[name]
        for row_id, sealed in session.execute(select(table.c[key], table.c[column])):
            try:
                if sealed:
                    is_any = True
                    vault.decrypt(sealed, table=name, row_id=str(row_id), column=column)
                    return False
            except SealBroken:
                continue
    return is_any
