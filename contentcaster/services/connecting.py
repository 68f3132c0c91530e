"""Connecting a channel account with pasted credentials, and asking its network whether they still work."""

from __future__ import annotations

import asyncio
from typing import Any

from pydantic import BaseModel, ValidationError
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from contentcaster import live
from contentcaster.clock import utc_now
from contentcaster.db import Database
from contentcaster.errors import ContentCasterError, InvalidInput, TooMany, Unavailable
from contentcaster.models import Account, AccountStatus
from contentcaster.platforms.base import (
    Connector,
    ConnectorError,
    Identity,
    NotSent,
    RateLimited,
    Reauthorise,
    Rejected,
)
from contentcaster.security.egress import EgressClient
from contentcaster.security.permissions import Permission, Principal
from contentcaster.services import audit, webhook_events
from contentcaster.services.accounts import get_account, get_for_change
from contentcaster.services.channels import open_channel, seal_credentials
from contentcaster.services.platforms import channel_name, find_connector
from contentcaster.services.views import AccountView


async def connect_account(
    database: Database,
    principal: Principal,
    platform: str,
    credentials: dict[str, Any],
    *,
    is_shared: bool = True,
) -> AccountView:
    """Check pasted credentials at the network and keep them, encrypted.

    Raises:
        InvalidInput: a field is missing or the network refuses it; `fields` has the form's names.
        TooMany, Unavailable: the network cannot answer now.
    """
    principal.require(Permission.MANAGE_ACCOUNTS)
    connector = find_connector(platform)
    parsed = _parse_credentials(connector, credentials)
    async with EgressClient.from_settings(database.settings) as client:
        try:
            identity, stored = await connector.verify(parsed, client)
        except ConnectorError as error:
            raise _connect_problem(connector, error) from error
    return await asyncio.to_thread(
        keep_connected, database, principal, platform, identity, stored, is_shared=is_shared
    )


async def check_account(database: Database, principal: Principal, account_id: str) -> AccountView:
    """Ask the network whether the stored credentials still work, and keep what it says of its limits.

    Raises:
        NotFound: no such channel, or not theirs.
        TooMany, Unavailable: the network cannot answer now; nothing is changed.
    """
    account = await asyncio.to_thread(_read_for_check, database, principal, account_id)
    connector = find_connector(account.platform)
    try:
        async with EgressClient.from_settings(database.settings) as client:
            identity: Identity | None = await connector.check(open_channel(database, account, client))
            reason = ""
    except Reauthorise as error:
        identity, reason = None, error.message
    except ConnectorError as error:
        raise _check_problem(error) from error
    return await asyncio.to_thread(_keep_check, database, principal, account_id, identity, reason)


def _parse_credentials(connector: Connector, credentials: dict[str, Any]) -> BaseModel:
    cleaned = {
        key: value.strip() if isinstance(value, str) else value
        for key, value in credentials.items()
        if value != ""
    }
    try:
        return connector.Credentials.model_validate(cleaned)
    except ValidationError as error:
        # Never pydantic's own text: it repeats the input, which is a secret.
        fields = {
            str(item["loc"][0]) if item["loc"] else "credentials": _say(item) for item in error.errors()
        }
        raise InvalidInput(next(iter(fields.values())), fields=fields) from None


def _say(item: Any) -> str:
    if item["type"] == "missing":
        return "Please fill this in."
    if item["type"] == "extra_forbidden":
        return "This network has no such field."
    if item["type"] == "value_error":
        return str(item["ctx"]["error"]) if "ctx" in item else "This cannot be used."
    return "This cannot be used. Check that it was pasted completely."


def _connect_problem(connector: Connector, error: ConnectorError) -> ContentCasterError:
    fields = connector.Credentials.model_fields
    secret = next((name for name in fields if "token" in name or "password" in name or "url" in name), "")
    address = next((name for name in fields if name.endswith("_url")), secret)
    if isinstance(error, RateLimited):
        return TooMany(error.message, retry_after_seconds=error.retry_after_seconds)
    if isinstance(error, Reauthorise):
        name = next((name for name in fields if "token" in name or "password" in name), secret)
        return InvalidInput(error.message, field=name)
    if isinstance(error, NotSent | Rejected):
        return InvalidInput(error.message, field=address)
    return Unavailable(f"{error.message} Nothing was connected; try again in a moment.")


def _check_problem(error: ConnectorError) -> ContentCasterError:
    if isinstance(error, RateLimited):
        return TooMany(error.message, retry_after_seconds=error.retry_after_seconds)
    return Unavailable(f"{error.message} The channel was not changed; try again in a moment.")


def keep_connected(
    database: Database,
    principal: Principal,
    platform: str,
    identity: Identity,
    stored: dict[str, Any],
    *,
    is_shared: bool,
) -> AccountView:
    """Keep an account that its network has just vouched for: a new channel, or a new login of one that is there."""
    principal.require(Permission.MANAGE_ACCOUNTS)
    try:
        return _keep_once(database, principal, platform, identity, stored, is_shared)
    except IntegrityError:
        # Somebody connected the same account at the same moment: now it is there and can be updated.
        return _keep_once(database, principal, platform, identity, stored, is_shared)


def _keep_once(
    database: Database,
    principal: Principal,
    platform: str,
    identity: Identity,
    stored: dict[str, Any],
    is_shared: bool,
) -> AccountView:
    instance_url = str(stored.get("instance_url") or stored.get("service_url") or "").rstrip("/")
    with database.transaction() as session:
        account = session.execute(
            select(Account)
            .where(
                Account.platform == platform,
                Account.instance_url == instance_url,
                Account.remote_id == identity.remote_id,
                Account.deleted_at.is_(None),
            )
            .with_for_update()
        ).scalar_one_or_none()
        is_new = account is None
        if account is None:
            account = Account(
                platform=platform,
                instance_url=instance_url,
                remote_id=identity.remote_id,
                handle=identity.handle,
                owner_id=principal.user_id,
                is_shared=is_shared,
                credentials_encrypted="",
            )
        account.credentials_encrypted = seal_credentials(database.settings, account.id, stored)
        account.status, account.status_reason = AccountStatus.CONNECTED, ""
        _take_identity(account, identity, is_new_login=True)
        account.version += 0 if is_new else 1
        session.add(account)
        session.flush()
        audit.record(
            session,
            principal,
            "account.connected" if is_new else "account.reconnected",
            "account",
            account.id,
            {"channel": channel_name(account)},
        )
        live.note(session, "accounts")
        return get_account(session, principal, account.id)


def _take_identity(account: Account, identity: Identity, *, is_new_login: bool) -> None:
    account.handle = identity.handle
    account.display_name = account.display_name or identity.display_name
    account.profile_url = identity.profile_url
    account.limits = identity.limits or account.limits
    if is_new_login or identity.token_expires_at is not None:
        # A check that learns nothing of the login's end leaves it as it is.
        account.token_expires_at = identity.token_expires_at
    account.checked_at = utc_now()


def _read_for_check(database: Database, principal: Principal, account_id: str) -> Account:
    with database.reading() as session:
        return get_for_change(session, principal, account_id)


def _keep_check(
    database: Database, principal: Principal, account_id: str, identity: Identity | None, reason: str
) -> AccountView:
    with database.transaction() as session:
        account = get_for_change(session, principal, account_id)
        if identity is None:
            was_connected = account.status is AccountStatus.CONNECTED
            account.status, account.status_reason = AccountStatus.REAUTHORISE, reason
            account.checked_at = utc_now()
            if was_connected:
                session.flush()
                webhook_events.channel_disconnected(session, account.id)
        else:
            if account.status is AccountStatus.REAUTHORISE:
                account.status, account.status_reason = AccountStatus.CONNECTED, ""
            _take_identity(account, identity, is_new_login=False)
        session.add(account)
        session.flush()
        live.note(session, "accounts")
        return get_account(session, principal, account_id)
