"""Housekeeping of logins: those that renew themselves are renewed ahead of their end, used or not.

Only the network's own no, to everything a login can be renewed with, disconnects a channel. A server that is away,
slow or broken changes nothing: the next pass tries again, and so does the next send.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

import structlog
from sqlalchemy import select, update

from contentcaster import live
from contentcaster.db import Database
from contentcaster.errors import NotFound
from contentcaster.models import Account, AccountStatus
from contentcaster.platforms import CONNECTORS
from contentcaster.platforms.base import ConnectorError, Reauthorise
from contentcaster.platforms.tokens import RenewsAhead
from contentcaster.security.egress import EgressClient
from contentcaster.services import webhook_events
from contentcaster.services.channels import open_channel

_BUDGET_SECONDS = 45.0
_AT_ONCE = 8
log = structlog.get_logger(__name__)


@dataclass
class Renewals:
    """What one pass did; account ids."""

    renewed: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    postponed: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


def renew_due(database: Database) -> Renewals:
    """One pass, every ten minutes; ends within a minute."""
    return asyncio.run(renew_due_async(database))


async def renew_due_async(database: Database) -> Renewals:
    done = Renewals()
    platforms = [name for name, connector in CONNECTORS.items() if isinstance(connector, RenewsAhead)]
    with database.reading() as session:
        accounts = list(
            session.execute(
                select(Account)
                .where(
                    Account.platform.in_(platforms),
                    Account.status == AccountStatus.CONNECTED,
                    Account.deleted_at.is_(None),
                )
                .order_by(Account.checked_at, Account.id)
            ).scalars()
        )
    slots = asyncio.Semaphore(_AT_ONCE)
    until = time.monotonic() + _BUDGET_SECONDS

    async def renew(account: Account) -> None:
        async with slots:
            if time.monotonic() < until:
                await _renew(database, account, client.until(until + 10), done)

    async with EgressClient.from_settings(database.settings) as client:
        await asyncio.gather(*(renew(account) for account in accounts))
    return done


async def _renew(database: Database, account: Account, client: EgressClient, done: Renewals) -> None:
    connector = CONNECTORS[account.platform]
    assert isinstance(connector, RenewsAhead)
    try:
        if await connector.renew_ahead(open_channel(database, account, client)):
            done.renewed.append(account.id)
    except Reauthorise as error:
        await asyncio.to_thread(_flag, database, account, error.message)
        done.refused.append(account.id)
    except ConnectorError as error:
        log.info("renewal_postponed", account=account.id, reason=error.code)
        done.postponed.append(account.id)
    except NotFound:
        pass  # removed while we asked
    except (
        LookupError,
        ValueError,
        TypeError,
    ) as error:  # a row that cannot be understood must not keep the others from being renewed
        # Without a traceback: its frames hold the login.
        log.error("renewal_failed", account=account.id, error=type(error).__name__)
        done.failed.append(account.id)


def _flag(database: Database, account: Account, reason: str) -> None:
    with database.transaction() as session:
        flagged = session.execute(
            update(Account)
            .where(
                Account.id == account.id,
                Account.status == AccountStatus.CONNECTED,
                # Connected again meanwhile: the refusal was of the old login.
                Account.credentials_encrypted == account.credentials_encrypted,
            )
            .values(status=AccountStatus.REAUTHORISE, status_reason=reason)
            .execution_options(synchronize_session=False)
        )
        if flagged.rowcount:
            webhook_events.channel_disconnected(session, account.id)
        live.note(session, "accounts")
