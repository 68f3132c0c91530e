"""Sealed credentials open in their own row and column, with a key of the ring, and nowhere else."""

from __future__ import annotations

import base64
import os
import threading

import pytest
from pydantic import SecretStr
from sqlmodel import select

from contentcaster.models import Account, Role, metadata
from contentcaster.security import vault as vaults
from contentcaster.security.vault import SealBroken, Vault, create_vault
from contentcaster.settings import Settings, SettingsError
from tests.services_for_tests import factories
from tests.services_for_tests.stack import Stack

PLACE = {"table": "account", "row_id": "row-1", "column": "credentials_encrypted"}


def _key(name: str) -> str:
    return f"{name}:{base64.b64encode(os.urandom(32)).decode()}"


def _vault(settings: Settings, *keys: str) -> Vault:
    return create_vault(settings.model_copy(update={"encryption_keys": SecretStr(",".join(keys))}))


def test_a_value_opens_where_it_was_sealed(settings: Settings) -> None:
    vault = _vault(settings, _key("k1"))
    sealed = vault.encrypt('{"access_token": "canary"}', **PLACE)
    assert sealed.startswith("v1.k1.")
    assert "canary" not in sealed
    assert vault.decrypt(sealed, **PLACE) == '{"access_token": "canary"}'
    assert vault.encrypt('{"access_token": "canary"}', **PLACE) != sealed


@pytest.mark.parametrize("part", PLACE)
def test_a_value_moved_to_another_place_does_not_open(part: str, settings: Settings) -> None:
    vault = _vault(settings, _key("k1"))
    sealed = vault.encrypt("secret", **PLACE)
    with pytest.raises(SealBroken):
        vault.decrypt(sealed, **(PLACE | {part: "another"}))


def test_names_that_join_to_the_same_text_are_different_places(settings: Settings) -> None:
    vault = _vault(settings, _key("k1"))
    sealed = vault.encrypt("secret", table="a", row_id="b.c", column="d")
    with pytest.raises(SealBroken):
        vault.decrypt(sealed, table="a.b", row_id="c", column="d")


def test_a_value_relabelled_with_another_key_does_not_open(settings: Settings) -> None:
    same = base64.b64encode(os.urandom(32)).decode()
    vault = _vault(settings, f"k1:{same}", f"k2:{same}")
    sealed = vault.encrypt("secret", **PLACE)
    with pytest.raises(SealBroken):
        vault.decrypt(sealed.replace("v1.k1.", "v1.k2."), **PLACE)


@pytest.mark.parametrize("position", [0, 15, -1])
def test_a_changed_byte_is_noticed(position: int, settings: Settings) -> None:
    vault = _vault(settings, _key("k1"))
    head, encoded = vault.encrypt("secret", **PLACE).rsplit(".", 1)
    data = bytearray(base64.urlsafe_b64decode(encoded))
    data[position] ^= 1
    with pytest.raises(SealBroken):
        vault.decrypt(f"{head}.{base64.urlsafe_b64encode(data).decode()}", **PLACE)


@pytest.mark.parametrize(
    "sealed", ["", "v1", "v1.k1", "v1.k1.", "v1.k1.!!!", "v2.k1.AAAA", "plain text", "v1.k9.AAAA"]
)
def test_what_is_no_sealed_value_does_not_open(sealed: str, settings: Settings) -> None:
    with pytest.raises(SealBroken) as caught:
        _vault(settings, _key("k1")).decrypt(sealed, **PLACE)
    assert "plain text" not in str(caught.value)


@pytest.mark.parametrize(
    "ring",
    [
        "",
        "k1",
        "k1:",
        "k1:AAAA",
        "k1:!!!",
        pytest.param(f"{_key('k1')},{_key('k1')}", id="one name twice"),
        pytest.param(f"{_key('k1')},", id="an empty one at the end"),
        "no spaces allowed:AAAA",
    ],
)
def test_a_malformed_key_ring_stops_the_start_without_showing_it(ring: str, settings: Settings) -> None:
    with pytest.raises(SettingsError, match="CONTENTCASTER_ENCRYPTION_KEYS: ") as caught:
        _vault(settings, ring)
    assert not ring or ring not in str(caught.value)


def test_two_rows_swapped_in_the_database_do_not_open(stack: Stack) -> None:
    vault = create_vault(stack.settings)
    with stack.database.transaction() as session:
        owner = factories.create_user(session, Role.ADMIN)
        first = factories.create_account(session, owner, credentials={"access_token": "one"})
        second = factories.create_account(session, owner, credentials={"access_token": "two"})
        first.credentials_encrypted, second.credentials_encrypted = (
            second.credentials_encrypted,
            first.credentials_encrypted,
        )
    with stack.database.reading() as session:
        for account in session.exec(select(Account)):
            with pytest.raises(SealBroken):
                vault.decrypt(
                    account.credentials_encrypted,
                    table="account",
                    row_id=account.id,
                    column="credentials_encrypted",
                )


def test_after_a_rotation_the_old_key_can_go_and_nothing_is_lost(stack: Stack) -> None:
    old, new = _key("old"), _key("new")
    before, both = _vault(stack.settings, old), _vault(stack.settings, new, old)
    with stack.database.transaction() as session:
        owner = factories.create_user(session, Role.ADMIN)
        ids = [factories.create_account(session, owner).id for _ in range(7)]
        for account in session.exec(select(Account)):
            account.credentials_encrypted = _seal(before, account.id, f"token of {account.id}")
    refreshed = threading.Thread(target=_refresh_token, args=(stack, both, ids[3]))
    refreshed.start()
    changed = vaults.rotate(stack.database, both, batch_size=2)
    refreshed.join()
    assert changed["account"] in (6, 7)
    assert not any(vaults.rotate(stack.database, both, batch_size=2).values())
    after = _vault(stack.settings, new)
    with stack.database.reading() as session:
        opened = {a.id: _open(after, a) for a in session.exec(select(Account))}
    assert opened == {own_id: f"token of {own_id}" for own_id in ids} | {ids[3]: "refreshed"}


def test_two_rotations_at_once_under_traffic_lose_nothing(stack: Stack) -> None:
    old, new = _key("old"), _key("new")
    before, both = _vault(stack.settings, old), _vault(stack.settings, new, old)
    with stack.database.transaction() as session:
        owner = factories.create_user(session, Role.ADMIN)
        ids = [factories.create_account(session, owner).id for _ in range(12)]
        for account in session.exec(select(Account)):
            account.credentials_encrypted = _seal(before, account.id, f"token of {account.id}")
    counts: list[int] = []
    rotations = [
        threading.Thread(
            target=lambda: counts.append(vaults.rotate(stack.database, both, batch_size=3)["account"])
        )
        for _ in range(2)
    ]
    traffic = [threading.Thread(target=_refresh_token, args=(stack, both, own_id)) for own_id in ids[::4]]
    for thread in [*rotations, *traffic]:
        thread.start()
    for thread in [*rotations, *traffic]:
        thread.join(60)
    assert 9 <= sum(counts) <= 12  # each row by one of the two, or by whoever refreshed it
    after = _vault(stack.settings, new)
    with stack.database.reading() as session:
        opened = {a.id: _open(after, a) for a in session.exec(select(Account))}
    assert opened == {own_id: f"token of {own_id}" for own_id in ids} | dict.fromkeys(ids[::4], "refreshed")


def test_every_sealed_column_is_known_to_the_rotation() -> None:
    sealed = {(t.name, c.name) for t in metadata.sorted_tables for c in t.c if c.name.endswith("_encrypted")}
    assert sealed == {(table, column) for table, _, column in vaults.SEALED}


def _refresh_token(stack: Stack, vault: Vault, account_id: str) -> None:
    with stack.database.transaction() as session:
        account = session.get_one(Account, account_id)
        account.credentials_encrypted = _seal(vault, account_id, "refreshed")


def _seal(vault: Vault, account_id: str, text: str) -> str:
    return vault.encrypt(text, table="account", row_id=account_id, column="credentials_encrypted")


def _open(vault: Vault, account: Account) -> str:
    return vault.decrypt(
        account.credentials_encrypted, table="account", row_id=account.id, column="credentials_encrypted"
    )
