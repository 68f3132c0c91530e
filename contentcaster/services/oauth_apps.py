"""The operator's own apps at networks that want one: an admin pastes id and secret, the secret is never shown again."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from sqlalchemy import select
from sqlmodel import Session

from contentcaster import live
from contentcaster.clock import utc_now
from contentcaster.errors import InvalidInput, NotFound
from contentcaster.models import Account, OAuthApp
from contentcaster.platforms.base import Capabilities, Reauthorise
from contentcaster.platforms.oauth import App, OAuthNetwork
from contentcaster.platforms.oauth_networks import OAUTH_NETWORKS
from contentcaster.security.egress import is_global_address
from contentcaster.security.permissions import Permission, Principal
from contentcaster.security.vault import SealBroken, create_vault
from contentcaster.services import audit
from contentcaster.services.channels import seal_credentials, unseal_credentials
from contentcaster.services.platforms import find_connector
from contentcaster.services.views import CredentialField
from contentcaster.settings import Settings, get_settings

_PLACE = {"table": "oauth_app", "column": "client_secret_encrypted"}
_PRINTABLE = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True)
class ScopeView:
    """One right that is asked for, and why."""

    name: str
    why: str
    is_required: bool


@dataclass(frozen=True)
class OAuthNetworkView:
    """What the connect wizard shows before a browser leaves for the network."""

    platform: str
    name: str
    redirect_uri: str
    """To register with the app, exactly as it stands; "" where we register ourselves at each server."""
    redirect_warning: str
    scopes: list[ScopeView]
    app_url: str
    app_steps: list[str]
    needs_app: bool
    """The operator has to make an app first."""
    client_id: str
    """Of the app that is kept; "" if there is none."""
    fields: list[CredentialField]
    media_note: str
    """Whether pictures can get there."""


def find_network(platform: str) -> OAuthNetwork:
    """Raises InvalidInput, field "platform": it is not connected this way."""
    network = OAUTH_NETWORKS.get(platform)
    if network is None:
        raise InvalidInput(f"{platform[:40]!r} is not connected by OAuth.", field="platform")
    return network


def list_networks(session: Session, principal: Principal) -> list[OAuthNetworkView]:
    """Every network that is connected by OAuth, and whether it can be now."""
    principal.require(Permission.MANAGE_ACCOUNTS)
    apps = {
        app.platform: app
        for app in session.execute(select(OAuthApp).where(OAuthApp.server_url == "")).scalars()
    }
    return [_view(network, apps.get(platform)) for platform, network in OAUTH_NETWORKS.items()]


def get_network(session: Session, principal: Principal, platform: str) -> OAuthNetworkView:
    """One of them. Raises InvalidInput, field "platform"."""
    find_network(platform)
    return next(view for view in list_networks(session, principal) if view.platform == platform)


def save_app(
    session: Session, principal: Principal, platform: str, *, client_id: str, client_secret: str
) -> OAuthNetworkView:
    """Keep the operator's app; an empty secret keeps the one that is there. Channels of the same app get it, too.

    Raises:
        InvalidInput: fields client_id, client_secret.
    """
    principal.require(Permission.MANAGE_ACCOUNTS)
    network = find_network(platform)
    if network.registers_itself:
        raise InvalidInput(f"{network.name} needs no app of yours.", field="platform")
    client_id, client_secret = client_id.strip(), client_secret.strip()
    app = _find(session, platform, "")
    fields: dict[str, str] = {}
    if not _PRINTABLE.fullmatch(client_id) or len(client_id) > 255:
        fields |= {"client_id": "Paste the client ID as the network shows it."}
    if client_secret and (not _PRINTABLE.fullmatch(client_secret) or len(client_secret) > 500):
        fields |= {"client_secret": "Paste the client secret as the network shows it."}
    if not client_secret and (app is None or app.client_id != client_id):
        fields |= {"client_secret": "Paste the client secret that belongs to this client ID."}
    if fields:
        raise InvalidInput(next(iter(fields.values())), fields=fields)
    settings = get_settings()
    store_app(session, settings, network, "", App(client_id, client_secret) if client_secret else None)
    if client_secret:
        _hand_on(session, settings, platform, App(client_id, client_secret))
    audit.record(session, principal, "oauth_app.saved", "oauth_app", platform, {"client_id": client_id})
    live.note(session, "accounts")
    return get_network(session, principal, platform)


def delete_app(session: Session, principal: Principal, platform: str) -> None:
    """Forget the operator's app; channels that are connected keep what they need. Raises NotFound."""
    principal.require(Permission.MANAGE_ACCOUNTS)
    app = _find(session, find_network(platform).platform, "")
    if app is None:
        raise NotFound("There is no app for this network.")
    session.delete(app)
    session.flush()
    audit.record(session, principal, "oauth_app.removed", "oauth_app", platform)
    live.note(session, "accounts")


def redirect_uri_of(settings: Settings, network: OAuthNetwork, server_key: str = "") -> str:
    """Where the network sends the browser back. Each server gets an address of its own (RFC 9700, 2.1 and 4.4), so that
    one cannot be answered with another's code."""
    base = f"{settings.effective_public_url}/oauth/{network.platform}/callback"
    return f"{base}/{server_key}" if server_key else base


def open_app(session: Session, settings: Settings, network: OAuthNetwork, server_url: str) -> App | None:
    """The app with its secret; None if there is none, or if it does not open with the keys of this server."""
    row = _find(session, network.platform, server_url)
    if row is None:
        return None
    try:
        secret = create_vault(settings).decrypt(row.client_secret_encrypted, row_id=row.id, **_PLACE)
    except SealBroken:
        return None
    return App(row.client_id, secret)


def store_app(
    session: Session,
    settings: Settings,
    network: OAuthNetwork,
    server_url: str,
    app: App | None,
    redirect_uri: str = "",
) -> None:
    """Insert or replace; None leaves what is there."""
    if app is None:
        return
    row = _find(session, network.platform, server_url)
    if row is None:
        row = OAuthApp(
            platform=network.platform,
            server_url=server_url,
            client_id=app.client_id,
            client_secret_encrypted="",
            redirect_uri=redirect_uri,
        )
    row.client_id, row.redirect_uri, row.updated_at = app.client_id, redirect_uri, utc_now()
    row.client_secret_encrypted = create_vault(settings).encrypt(app.client_secret, row_id=row.id, **_PLACE)
    session.add(row)
    session.flush()


def registered_redirect(session: Session, network: OAuthNetwork, server_url: str) -> str:
    """The redirect URI that a server was told; "" if it was told none."""
    row = _find(session, network.platform, server_url)
    return row.redirect_uri if row is not None else ""


def media_note(settings: Settings, capabilities: Capabilities) -> str:
    """Whether pictures get to the network, in one sentence; "" where it takes none."""
    if capabilities.media.max_images == 0:
        return ""
    if not capabilities.pulls_media_by_url:
        return "Pictures are uploaded: the network does not have to reach this server."
    url = settings.effective_public_url
    if not url.startswith("https://") or not _is_outside(url):
        return (
            f"{capabilities.name} fetches pictures itself and cannot reach {url}. "
            "Posts without pictures work; for others set CONTENTCASTER_PUBLIC_URL to an https address."
        )
    return f"{capabilities.name} fetches pictures from {url}, which must be reachable from outside."


def _is_outside(url: str) -> bool:
    host = url.split("://", 1)[-1].split("/", 1)[0].rsplit(":", 1)[0].strip("[]")
    if host == "localhost" or "." not in host.strip("."):
        return False
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return True  # a name; whether it leads here from outside is for the network to see
    return is_global_address(host)


def _find(session: Session, platform: str, server_url: str) -> OAuthApp | None:
    found: OAuthApp | None = session.execute(
        select(OAuthApp)
        .where(OAuthApp.platform == platform, OAuthApp.server_url == server_url)
        .execution_options(populate_existing=True)
    ).scalar_one_or_none()
    return found


def _hand_on(session: Session, settings: Settings, platform: str, app: App) -> None:
    """Channels renew their tokens with the app's secret: a new one must reach them, or they would all break."""
    rows = session.execute(
        select(Account)
        .where(Account.platform == platform, Account.deleted_at.is_(None))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).scalars()
    for account in rows:
        try:
            credentials = unseal_credentials(settings, account)
        except Reauthorise:
            continue
        if credentials.get("client_id") == app.client_id:
            credentials["client_secret"] = app.client_secret
            account.credentials_encrypted = seal_credentials(settings, account.id, credentials)
            session.add(account)
    session.flush()


def _view(network: OAuthNetwork, app: OAuthApp | None) -> OAuthNetworkView:
    settings = get_settings()
    redirect = "" if network.registers_itself else redirect_uri_of(settings, network)
    is_open = redirect.startswith("http://") and not redirect.startswith(
        ("http://127.0.0.1", "http://localhost")
    )
    warning = (
        "Networks take only https addresses. Set CONTENTCASTER_PUBLIC_URL to one first." if is_open else ""
    )
    return OAuthNetworkView(
        platform=network.platform,
        name=network.name,
        redirect_uri=redirect,
        redirect_warning=warning,
        scopes=[ScopeView(scope.name, scope.why, scope.is_required) for scope in network.scopes],
        app_url=network.app_url,
        app_steps=list(network.app_steps),
        needs_app=not network.registers_itself,
        client_id=app.client_id if app is not None else "",
        fields=[
            CredentialField(
                name=field.name,
                title=field.title,
                help=field.help,
                placeholder=field.placeholder,
                is_secret=False,
                is_required=field.is_required,
                default="",
            )
            for field in network.fields
        ],
        media_note=media_note(settings, find_connector(network.platform).capabilities),
    )
