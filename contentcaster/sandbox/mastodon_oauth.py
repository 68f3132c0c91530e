"""OAuth of the Mastodon API: apps, the authorize page, tokens (https://docs.joinmastodon.org/methods/oauth/).

The authorize page asks for no password: it lets one choose which sandbox account to allow. Codes live ten minutes,
work once, and are bound to app, redirect URI and, when PKCE is used, to the S256 challenge.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import secrets
import time
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from .errors import ApiError, MastodonError, answer
from .gateway import exchange_of, mastodon_grant, mastodon_user, network_of
from .mastodon_json import credential_account_json
from .page_parts import document
from .things import App, Grant, Json

OUT_OF_BAND = "urn:ietf:wg:oauth:2.0:oob"
_CODE_SECONDS = 600
_INVALID_CLIENT = (
    "Client authentication failed due to unknown client, no client authentication included, or unsupported "
    "authentication method."
)
_INVALID_GRANT = (
    "The provided authorization grant is invalid, expired, revoked, does not match the redirection URI used in the "
    "authorization request, or was issued to another client."
)
_DENIED = "The resource owner or authorization server denied the request."
_SCOPES = {"read", "write", "follow", "push", "profile"}


def _body(request: web.Request) -> Json:
    body = exchange_of(request).body
    return body if isinstance(body, dict) else {}


def _refuse(status: int, name: str, description: str) -> ApiError:
    return ApiError(status, {"error": name, "error_description": description})


def _scopes(raw: Any, default: str) -> str:
    scopes = str(raw or default).split()
    unknown = [s for s in scopes if s.split(":")[0] not in _SCOPES]
    if unknown:
        raise _refuse(400, "invalid_scope", "The requested scope is invalid, unknown, or malformed.")
    return " ".join(dict.fromkeys(scopes))


async def create_app(request: web.Request) -> web.Response:
    network, body = network_of(request), _body(request)
    name, uris = str(body.get("client_name") or "").strip(), body.get("redirect_uris") or ""
    redirect_uris = [str(u) for u in uris] if isinstance(uris, list) else str(uris).split()
    if not name:
        raise MastodonError(422, "Validation failed: Application name can't be blank")
    if not redirect_uris:
        raise MastodonError(422, "Validation failed: Redirect URI can't be blank")
    if not all(u == OUT_OF_BAND or "://" in u for u in redirect_uris):
        raise MastodonError(422, "Validation failed: Redirect URI must be an absolute URI.")
    website = str(body["website"]) if body.get("website") else None
    scopes = _scopes(body.get("scopes"), "read")
    app = App(
        secrets.token_urlsafe(32),
        secrets.token_urlsafe(32),
        name,
        redirect_uris,
        scopes,
        website,
        network.new_id(),
    )
    network.add_app(app)
    return answer(_app_json(app) | {"client_id": app.client_id, "client_secret": app.client_secret,
                                    "client_secret_expires_at": 0})  # fmt: skip


def _app_json(app: App) -> Json:
    return {
        "id": app.id, "name": app.name, "website": app.website, "scopes": app.scopes.split(),
        "redirect_uri": "\n".join(app.redirect_uris), "redirect_uris": app.redirect_uris, "vapid_key": "",
    }  # fmt: skip


async def verify_app(request: web.Request) -> web.Response:
    network, grant = mastodon_grant(request)
    app = network.apps.get(grant.client_id)
    return answer(_app_json(app or App("", "", grant.application, [], grant.scopes, None, "0")))


def _asked(request: web.Request, source: Any) -> tuple[App, str, str]:
    """The app, redirect URI and scopes of an authorization request, checked before anything is shown."""
    app = network_of(request).apps.get(str(source.get("client_id", "")))
    if app is None:
        raise _refuse(401, "invalid_client", _INVALID_CLIENT)
    redirect_uri = str(source.get("redirect_uri", ""))
    if redirect_uri not in app.redirect_uris:
        raise _refuse(400, "invalid_redirect_uri", "The redirect uri included is not valid.")
    if source.get("response_type") != "code":
        raise _refuse(
            400, "unsupported_response_type", "The authorization server does not support this response type."
        )
    scopes = _scopes(source.get("scope"), "read")
    allowed = app.scopes.split()
    if any(s not in allowed and s.partition(":")[0] not in allowed for s in scopes.split()):
        raise _refuse(400, "invalid_scope", "The requested scope is invalid, unknown, or malformed.")
    if source.get("code_challenge") and source.get("code_challenge_method") != "S256":
        raise _refuse(400, "invalid_code_challenge_method", "The code challenge method must be S256.")
    return app, redirect_uri, scopes


async def authorize_page(request: web.Request) -> web.Response:
    network = network_of(request)
    app, redirect_uri, scopes = _asked(request, request.query)
    accounts = [a for a in network.accounts.values() if a.protocol != "bluesky"]
    hidden = "".join(
        f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
        for name, value in request.query.items()
    )
    options = "".join(f'<option value="{a.id}">@{html.escape(a.handle)}</option>' for a in accounts)
    asks = "".join(f"<li><code>{html.escape(scope)}</code></li>" for scope in scopes.split())
    form = (
        f'<form method="post" action="/oauth/authorize">{hidden}<label>Account <select name="account">{options}'
        '</select></label><p class="buttons"><button class="primary" name="allow" value="1">Allow</button>'
        '<button name="allow" value="0">Deny</button></p></form>'
        if accounts
        else '<p class="note">There is no account yet. Create one with <code>POST /sandbox/accounts</code>.</p>'
    )
    heading = f"<h1>Allow {html.escape(app.name)}?</h1>"
    inner = f'<section class="card form">{heading}<p>It asks for:</p><ul>{asks}</ul>{form}'
    if redirect_uri != OUT_OF_BAND:
        inner += f'<p class="note">You will be sent to {html.escape(redirect_uri)}</p>'
    return document("Allow access", inner + "</section>")


async def authorize(request: web.Request) -> web.Response:
    network, form = network_of(request), _body(request)
    app, redirect_uri, scopes = _asked(request, form)
    state = {"state": str(form["state"])} if form.get("state") else {}
    if form.get("allow") != "1":
        denied = {
            "error": "access_denied",
            "error_description": _DENIED,
        }
        return _back(redirect_uri, denied | state)
    account = network.accounts.get(str(form.get("account", "")))
    if account is None:
        raise _refuse(400, "invalid_request", "Choose an account of the sandbox network.")
    code = secrets.token_urlsafe(32)
    network.codes[code] = {
        "client_id": app.client_id, "redirect_uri": redirect_uri, "scopes": scopes, "account": account.id,
        "challenge": form.get("code_challenge"), "expires": time.time() + _CODE_SECONDS,
    }  # fmt: skip
    return _back(redirect_uri, {"code": code} | state)


def _back(redirect_uri: str, query: dict[str, str]) -> web.Response:
    if redirect_uri == OUT_OF_BAND:
        shown = html.escape(query.get("code", query.get("error_description", "")))
        return document(
            "Authorization code",
            f'<section class="card form"><h1>Authorization code</h1><p><code class="code">{shown}</code></p></section>',
        )
    joint = "&" if "?" in redirect_uri else "?"
    return web.Response(status=302, headers={"Location": redirect_uri + joint + urlencode(query)})


def _client(request: web.Request, body: Json) -> App:
    given_id, given_secret = str(body.get("client_id", "")), str(body.get("client_secret", ""))
    header = request.headers.get("Authorization", "")
    if header[:6].lower() == "basic ":
        try:
            given_id, _, given_secret = base64.b64decode(header[6:]).decode().partition(":")
        except ValueError:
            given_id = ""
    app = network_of(request).apps.get(given_id)
    if app is None or not hmac.compare_digest(app.client_secret.encode(), given_secret.encode()):
        raise _refuse(401, "invalid_client", _INVALID_CLIENT)
    return app


async def token(request: web.Request) -> web.Response:
    network, body = network_of(request), _body(request)
    app = _client(request, body)
    kind = body.get("grant_type")
    if kind == "client_credentials":
        account_id, scopes = None, _scopes(body.get("scope"), "read")
    elif kind == "authorization_code":
        account_id, scopes = _redeem(network.codes.pop(str(body.get("code", "")), None), app, body)
    else:
        message = "The authorization grant type is not supported by the authorization server."
        raise _refuse(400, "unsupported_grant_type", message)
    now = time.time()
    grant = Grant(
        secrets.token_urlsafe(32),
        "mastodon",
        account_id,
        scopes,
        now,
        application=app.name,
        client_id=app.client_id,
    )
    network.add_token(grant)
    return answer(
        {"access_token": grant.token, "token_type": "Bearer", "scope": scopes, "created_at": int(now)}
    )


def _redeem(code: Json | None, app: App, body: Json) -> tuple[str, str]:
    """Account and scopes of a code; raises invalid_grant when any binding does not fit."""
    fits = (
        code is not None
        and code["client_id"] == app.client_id
        and code["redirect_uri"] == body.get("redirect_uri")
        and code["expires"] > time.time()
        and _verifies(code["challenge"], body.get("code_verifier"))
    )
    if not fits or code is None:
        raise _refuse(400, "invalid_grant", _INVALID_GRANT)
    return str(code["account"]), str(code["scopes"])


def _verifies(challenge: Any, verifier: Any) -> bool:
    if not challenge:
        return True
    digest = hashlib.sha256(str(verifier or "").encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=") == str(challenge)


async def revoke(request: web.Request) -> web.Response:
    network, body = network_of(request), _body(request)
    app = _client(request, body)
    grant = network.tokens.get(str(body.get("token", "")))
    if grant is not None:
        if grant.client_id != app.client_id:
            raise _refuse(403, "unauthorized_client", "You are not authorized to revoke this token")
        network.revoke(grant)
    return answer({})


async def metadata(request: web.Request) -> web.Response:
    base = network_of(request).base_url
    return answer({
        "issuer": f"{base}/", "authorization_endpoint": f"{base}/oauth/authorize",
        "token_endpoint": f"{base}/oauth/token", "revocation_endpoint": f"{base}/oauth/revoke",
        "userinfo_endpoint": f"{base}/oauth/userinfo", "scopes_supported": sorted(_SCOPES),
        "response_types_supported": ["code"], "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "client_credentials"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "code_challenge_methods_supported": ["S256"], "service_documentation": "https://docs.joinmastodon.org/",
        "app_registration_endpoint": f"{base}/api/v1/apps",
    })  # fmt: skip


async def verify_credentials(request: web.Request) -> web.Response:
    network, grant = mastodon_grant(request)
    if grant.account_id is None:
        raise MastodonError(422, "This method requires an authenticated user")
    scopes = set(grant.scopes.split())
    if not scopes & {"read", "read:accounts", "profile"}:
        raise MastodonError(403, "This action is outside the authorized scopes")
    return answer(credential_account_json(network, network.accounts[grant.account_id]))


async def update_credentials(request: web.Request) -> web.Response:
    """Of a profile: whether it is automated, its name and its note."""
    network, account, body = network_of(request), mastodon_user(request, "write:accounts"), _body(request)
    if "bot" in body:
        account.bot = str(body["bot"]).lower() in ("true", "1")
    account.display_name = str(body.get("display_name", account.display_name))[:30]
    account.note = str(body.get("note", account.note))[:500]
    network.save_account(account)
    return answer(credential_account_json(network, account))
