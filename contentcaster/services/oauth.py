"""Connecting by OAuth: a browser leaves with a state that only it holds, and comes back with a code.

The state is 256 random bits, kept as a hash, good for one use within ten minutes, and bound to the person, their
browser session, the network, its server and the redirect URI. The PKCE verifier waits sealed. Whatever does not fit is
refused before the network is asked; tokens go nowhere but into the vault.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select, update
from sqlmodel import Session, col

from contentcaster import live
from contentcaster.clock import utc_now
from contentcaster.db import Database
from contentcaster.errors import ContentCasterError, InvalidInput, NotFound, TooMany, Unavailable
from contentcaster.models import OAuthAttempt
from contentcaster.models.types import new_id
from contentcaster.platforms.base import ConnectorError, NotSent, OutcomeUnknown, RateLimited, Rejected
from contentcaster.platforms.oauth import (
    App,
    Chosen,
    OAuthNetwork,
    authorization_url,
    exchange_code,
    new_verifier,
    require_scopes,
)
from contentcaster.security.egress import EgressClient
from contentcaster.security.permissions import Permission, Principal
from contentcaster.security.vault import create_vault
from contentcaster.services import oauth_apps
from contentcaster.services.connecting import keep_connected
from contentcaster.services.ids import is_id

STATE_LIFETIME = timedelta(minutes=10)
_KEEP_ENDED = timedelta(days=7)
_MAX_PENDING = 20
_PLACE = {"table": "oauth_attempt", "column": "verifier_encrypted"}
_ERROR_CODE = re.compile(r"[a-z_]{1,60}")
_DENIED = ("access_denied", "user_cancelled_login", "user_cancelled_authorize")


class OAuthRefused(ContentCasterError):
    """The browser came back with something that does not fit; nothing was asked of the network."""

    http_status = 400
    code = "oauth_refused"

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        """unknown | used | expired | foreign"""


REFUSALS = {
    "unknown": "This login was not started here. Start it again with Connect a channel.",
    "used": "This login was already completed or given up. Start it again if the channel is not there.",
    "expired": "This login took longer than ten minutes, so it has expired. Start it again.",
    "foreign": "This login was started by another person or in another browser, so it was refused. "
    "Start it again here.",
}
"""Why a browser that comes back is turned away, in words."""


@dataclass(frozen=True)
class Started:
    """Where the browser has to go."""

    attempt_id: str
    authorization_url: str
    redirect_uri: str
    scopes: list[str]
    expires_at: datetime


@dataclass(frozen=True)
class AttemptView:
    """What became of one attempt."""

    id: str
    platform: str
    name: str
    status: str
    """pending | working | connected | failed"""
    message: str
    asked: list[str]
    granted: list[str]
    """As the network said; empty if it did not say."""
    account_id: str
    values: dict[str, str]


async def start(
    database: Database,
    principal: Principal,
    platform: str,
    values: dict[str, str],
    *,
    is_shared: bool = True,
    is_browser: bool = True,
) -> Started:
    """Begin an attempt: registers an app where the server allows it, and makes the state.

    `is_browser`: the same browser session must come back; else any of this person's.

    Raises:
        InvalidInput: no app yet, a field is missing, no such server (field names are the network's).
        TooMany, Unavailable: the server cannot answer now.
    """
    principal.require(Permission.MANAGE_ACCOUNTS)
    network = oauth_apps.find_network(platform)
    given = {field.name: str(values.get(field.name, "")).strip()[:255] for field in network.fields}
    for field in network.fields:
        if field.is_required and not given[field.name]:
            raise InvalidInput("Please fill this in.", field=field.name)
    first = network.fields[0].name if network.fields else ""
    try:
        server_url = network.server_url(given)
        app, redirect_uri = await _app(database, network, server_url)
    except ConnectorError as error:
        raise _problem(error, first) from error
    state, verifier = secrets.token_urlsafe(32), new_verifier()
    expires_at = utc_now() + STATE_LIFETIME
    attempt = OAuthAttempt(
        id=new_id(),
        state_hash=_hash(state),
        user_id=principal.user_id,
        session_id=principal.session_id if is_browser else "",
        platform=platform,
        server_url=server_url,
        redirect_uri=redirect_uri,
        verifier_encrypted="",
        values=given,
        is_shared=is_shared,
        expires_at=expires_at,
    )
    attempt.verifier_encrypted = create_vault(database.settings).encrypt(
        verifier, row_id=attempt.id, **_PLACE
    )
    attempt_id = attempt.id
    await asyncio.to_thread(_begin, database, attempt)
    return Started(
        attempt_id=attempt_id,
        authorization_url=authorization_url(
            network, network.endpoints(server_url), app, redirect_uri, state, verifier
        ),
        redirect_uri=redirect_uri,
        scopes=[scope.name for scope in network.scopes],
        expires_at=expires_at,
    )


async def finish(
    database: Database,
    principal: Principal,
    *,
    redirect_uri: str,
    state: str,
    code: str = "",
    error: str = "",
) -> AttemptView:
    """The browser is back at `redirect_uri`: take the state, exchange the code, keep the channel.

    Whatever the network refuses is the attempt's outcome, in a sentence.

    Raises:
        OAuthRefused: the state is unknown, used, expired or somebody else's; nothing was asked of the network.
    """
    principal.require(Permission.MANAGE_ACCOUNTS)
    attempt, verifier = await asyncio.to_thread(_take, database, principal, redirect_uri, state)
    network = oauth_apps.find_network(attempt.platform)
    try:
        if error or not code:
            raise _denied(network, error)
        account_id, granted = await _complete(database, principal, network, attempt, code, verifier)
    except ConnectorError as failure:
        sentence = failure.message
        if isinstance(failure, NotSent | OutcomeUnknown):
            sentence += " Nothing was connected; start the login again."
        return await asyncio.to_thread(_end, database, principal, attempt.id, "failed", sentence, [], None)
    except BaseException:
        sentence = "The login could not be completed because of an error here. Start it again."
        await asyncio.to_thread(_end, database, principal, attempt.id, "failed", sentence, [], None)
        raise
    return await asyncio.to_thread(
        _end, database, principal, attempt.id, "connected", "", granted, account_id
    )


def read_attempt(session: Session, principal: Principal, attempt_id: str) -> AttemptView:
    """What became of one's own attempt. Raises NotFound."""
    principal.require(Permission.MANAGE_ACCOUNTS)
    row = session.get(OAuthAttempt, attempt_id, populate_existing=True) if is_id(attempt_id) else None
    if row is None or row.user_id != principal.user_id:
        raise NotFound("There is no such login of yours.")
    return _view(row)


async def _complete(
    database: Database,
    principal: Principal,
    network: OAuthNetwork,
    attempt: OAuthAttempt,
    code: str,
    verifier: str,
) -> tuple[str, list[str]]:
    app = await asyncio.to_thread(_open_app, database, network, attempt.server_url)
    if app is None:
        raise Rejected(
            f"The app for {network.name} was removed meanwhile. Paste its client ID and secret again."
        )
    async with EgressClient.from_settings(database.settings) as client:
        grant = await exchange_code(
            network,
            network.endpoints(attempt.server_url),
            app,
            code=code,
            redirect_uri=attempt.redirect_uri,
            verifier=verifier,
            client=client,
        )
        require_scopes(network, grant)
        chosen = Chosen(attempt.server_url, attempt.values)
        identity, stored = await network.identify(grant, app, chosen, client)
    account = await asyncio.to_thread(
        keep_connected,
        database,
        principal,
        network.platform,
        identity,
        stored,
        is_shared=attempt.is_shared,
    )
    return account.id, list(grant.scopes)


async def _app(database: Database, network: OAuthNetwork, server_url: str) -> tuple[App, str]:
    """The app to ask with and the redirect URI that it is registered with."""
    settings = database.settings
    app = await asyncio.to_thread(_open_app, database, network, server_url)
    if not network.registers_itself:
        if app is None:
            raise InvalidInput(
                f"{network.name} needs an app of your own first: paste its client ID and secret.",
                field="client_id",
            )
        return app, oauth_apps.redirect_uri_of(settings, network)
    redirect_uri = oauth_apps.redirect_uri_of(settings, network, _hash(server_url)[:16])
    if app is not None:
        registered = await asyncio.to_thread(_registered_redirect, database, network, server_url)
        if registered == redirect_uri:
            return app, redirect_uri
    async with EgressClient.from_settings(settings) as client:
        app = await network.register(server_url, redirect_uri, settings.effective_public_url, client)
    await asyncio.to_thread(_store_app, database, network, server_url, app, redirect_uri)
    return app, redirect_uri


def _open_app(database: Database, network: OAuthNetwork, server_url: str) -> App | None:
    with database.reading() as session:
        return oauth_apps.open_app(session, database.settings, network, server_url)


def _registered_redirect(database: Database, network: OAuthNetwork, server_url: str) -> str:
    with database.reading() as session:
        return oauth_apps.registered_redirect(session, network, server_url)


def _store_app(
    database: Database, network: OAuthNetwork, server_url: str, app: App, redirect_uri: str
) -> None:
    database.write(
        lambda session: oauth_apps.store_app(
            session, database.settings, network, server_url, app, redirect_uri
        )
    )


def _begin(database: Database, attempt: OAuthAttempt) -> None:
    now = utc_now()
    with database.transaction() as session:
        session.execute(delete(OAuthAttempt).where(col(OAuthAttempt.created_at) < now - _KEEP_ENDED))
        pending = select(OAuthAttempt.id).where(
            OAuthAttempt.user_id == attempt.user_id,
            OAuthAttempt.status == "pending",
            col(OAuthAttempt.expires_at) > now,
        )
        if len(session.execute(pending.limit(_MAX_PENDING)).all()) >= _MAX_PENDING:
            raise TooMany(
                "Too many logins were started and not finished. Wait ten minutes.", retry_after_seconds=600
            )
        session.add(attempt)


def _take(
    database: Database, principal: Principal, redirect_uri: str, state: str
) -> tuple[OAuthAttempt, str]:
    """The attempt of this state, used up now, and its verifier."""
    with database.transaction() as session:
        row: OAuthAttempt | None = session.execute(
            select(OAuthAttempt)
            .where(OAuthAttempt.state_hash == _hash(state[:200]))
            .with_for_update()
            .execution_options(populate_existing=True)
        ).scalar_one_or_none()
        refusal = _refusal(row, principal, redirect_uri)
        if row is None or refusal == "used":
            raise _refused(refusal)
        taken = session.execute(
            update(OAuthAttempt)
            .where(OAuthAttempt.id == row.id, OAuthAttempt.status == "pending")
            .values(
                status="failed" if refusal else "working",
                message=REFUSALS.get(refusal, ""),
                verifier_encrypted="",
            )
            .execution_options(synchronize_session=False)
        )
        if taken.rowcount != 1:
            raise _refused("used")
        session.expunge(row)
    if refusal:
        raise _refused(refusal)  # after the commit: a state that was shown to somebody else is burnt
    verifier = create_vault(database.settings).decrypt(row.verifier_encrypted, row_id=row.id, **_PLACE)
    return row, verifier


def _refusal(row: OAuthAttempt | None, principal: Principal, redirect_uri: str) -> str:
    if row is None:
        return "unknown"
    if row.status != "pending":
        return "used"
    if row.expires_at <= utc_now():
        return "expired"
    is_own = row.user_id == principal.user_id and row.session_id in ("", principal.session_id)
    if not is_own or row.redirect_uri != redirect_uri:
        return "foreign"
    return ""


def _refused(reason: str) -> OAuthRefused:
    return OAuthRefused(reason, REFUSALS[reason])


def _end(
    database: Database,
    principal: Principal,
    attempt_id: str,
    status: str,
    message: str,
    granted: list[str],
    account_id: str | None,
) -> AttemptView:
    with database.transaction() as session:
        row = session.get_one(OAuthAttempt, attempt_id)
        row.status, row.message, row.granted, row.account_id = status, message, granted, account_id
        session.add(row)
        session.flush()
        live.note(session, "accounts")
        return _view(row)


def _denied(network: OAuthNetwork, error: str) -> ConnectorError:
    name = network.name
    if error in _DENIED:
        return Rejected(f"{name} was told not to allow it, so nothing was connected.")
    if error in ("invalid_scope", "unauthorized_scope_error"):
        asked = ", ".join(scope.name for scope in network.scopes)
        return Rejected(
            f"{name} does not let this app ask for {asked}. Give the app these rights, then try again."
        )
    if error in ("server_error", "temporarily_unavailable"):
        return Rejected(f"{name} has trouble of its own right now. Try again in a moment.")
    if error in ("unauthorized_client", "invalid_client"):
        return Rejected(f"{name} does not know this app. Check its client ID.")
    said = f" ({error})" if _ERROR_CODE.fullmatch(error) else ""
    return Rejected(
        f"{name} ended the login without a code{said}. Check the app's settings there and try again."
    )


def _problem(error: ConnectorError, field: str) -> ContentCasterError:
    if isinstance(error, RateLimited):
        return TooMany(error.message, retry_after_seconds=error.retry_after_seconds)
    if isinstance(error, NotSent | Rejected):
        return InvalidInput(error.message, field=field)
    return Unavailable(f"{error.message} Try again in a moment.")


def _view(row: OAuthAttempt) -> AttemptView:
    network = oauth_apps.find_network(row.platform)
    values: dict[str, Any] = row.values
    return AttemptView(
        id=row.id,
        platform=row.platform,
        name=network.name,
        status=row.status,
        message=row.message,
        asked=[scope.name for scope in network.scopes],
        granted=list(row.granted),
        account_id=row.account_id or "",
        values={key: str(value) for key, value in values.items()},
    )


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
