"""Showing on the network that a channel is run by a program, where the network has a flag for that."""

from __future__ import annotations

import asyncio

from sqlmodel import Session

from contentcaster.db import Database
from contentcaster.errors import Conflict
from contentcaster.platforms.acts import Standing
from contentcaster.platforms.base import ConnectorError
from contentcaster.security.permissions import Permission, Principal
from contentcaster.services import audit, bots_channels
from contentcaster.services.bots_networks import acts_of
from contentcaster.services.publishing import PublishExecutor


async def flag_as_bot(database: Database, principal: Principal, account_id: str) -> None:
    """Have the network show this account as automated. Saying it again changes nothing.

    Raises:
        NotFound: no such channel.
        Conflict: the network has no such flag, or does not let this login set it; says what to do.
    """
    principal.require(Permission.MANAGE_BOTS)
    with database.reading() as session:
        bots_channels.account_of(session, account_id)
    opened = await PublishExecutor(database).open(account_id)
    if opened.channel is None:
        raise Conflict(opened.refusal.message if opened.refusal else "This channel cannot be used now.")
    acts = acts_of(opened.channel.platform)
    if acts is None:
        raise Conflict("This network has no flag for automated accounts.")
    try:
        await acts.flag_as_bot(opened.channel)
        standing = await acts.standing(opened.channel)
    except ConnectorError as error:
        raise Conflict(f"The network did not take it: {error.message}") from None
    if not standing.is_flagged_as_bot:
        raise Conflict("The network took it and does not show it yet. Look again in a minute.")
    await asyncio.to_thread(database.write, lambda session: _note(session, principal, account_id, standing))


def _note(session: Session, principal: Principal, account_id: str, standing: Standing) -> None:
    row = bots_channels.locked_channel(session, account_id)
    row.is_flagged_as_bot = True
    row.followers, row.following = standing.followers, standing.following
    bots_channels.tell(
        session, principal.name, "changed", "the network now shows this account as automated", account_id
    )
    audit.record(session, principal, "bots.flagged_as_bot", "account", account_id)
