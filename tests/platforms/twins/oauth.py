"""An authorization server for twins: RFC 6749 and 7636 by the letter; each code and refresh token works once."""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlencode

from aiohttp import web


@dataclass
class AuthorizationServer:
    client_id: str
    client_secret: str
    redirect_uris: list[str] = field(default_factory=list)
    scopes: tuple[str, ...] = ()
    wants_basic: bool = False
    """Confidential clients authenticate by HTTP Basic (X), else by form fields."""
    knows_pkce: bool = True
    """False: a verifier is an error, as at LinkedIn."""
    code_seconds: float = 30.0
    access_seconds: int = 7200
    gives_refresh: bool = True
    denies: bool = False
    """The person presses Cancel."""
    grants: tuple[str, ...] | None = None
    """What the person grants; None: everything asked for."""
    codes: dict[str, dict[str, Any]] = field(default_factory=dict)
    access: dict[str, float] = field(default_factory=dict)
    """Token -> when it ends."""
    refreshes: set[str] = field(default_factory=set)
    refresh_count: int = 0

    async def authorize(self, request: web.Request) -> web.Response:
        """The page where the person allows it; here they always press the button at once."""
        query = request.query
        if query.get("client_id") != self.client_id or query.get("redirect_uri") not in self.redirect_uris:
            return web.Response(status=400, text="Something went wrong: unknown app or redirect URI.")
        asked = tuple(query.get("scope", "").split())
        answer = {"state": query["state"]} if query.get("state") else {}
        if query.get("response_type") != "code" or not set(asked) <= set(self.scopes):
            answer |= {"error": "invalid_scope"}
        elif self.knows_pkce and query.get("code_challenge_method") != "S256":
            answer |= {"error": "invalid_request", "error_description": "PKCE is required"}
        elif self.denies:
            answer |= {"error": "access_denied"}
        else:
            code = secrets.token_urlsafe(24)
            self.codes[code] = {
                "redirect_uri": query["redirect_uri"],
                "challenge": query.get("code_challenge"),
                "scopes": asked if self.grants is None else self.grants,
                "ends": time.time() + self.code_seconds,
            }
            answer |= {"code": code}
        raise web.HTTPFound(f"{query['redirect_uri']}?{urlencode(answer)}")

    async def token(self, request: web.Request) -> web.Response:
        form = {key: str(value) for key, value in (await request.post()).items()}
        if not self._is_client(request, form) or (form.get("code_verifier") and not self.knows_pkce):
            return refuse(401, "invalid_client", "client authentication failed")
        if form.get("grant_type") == "refresh_token":
            return self._refresh(form)
        code = self.codes.pop(form.get("code", ""), None)
        if code is None or code["ends"] < time.time():
            return refuse(400, "invalid_grant", "Value passed for the authorization code was invalid.")
        if code["redirect_uri"] != form.get("redirect_uri"):
            return refuse(400, "invalid_request", "Value passed for the redirect_uri did not match.")
        if self.knows_pkce and _challenge(form.get("code_verifier", "")) != code["challenge"]:
            return refuse(400, "invalid_request", "Value passed for the code verifier did not match.")
        return self._give(code["scopes"])

    def _refresh(self, form: dict[str, str]) -> web.Response:
        token = form.get("refresh_token", "")
        if token not in self.refreshes:
            return refuse(400, "invalid_request", "Value passed for the token was invalid.")
        self.refreshes.remove(token)
        self.refresh_count += 1
        return self._give(self.scopes)

    def _give(self, scopes: tuple[str, ...]) -> web.Response:
        token = self.new_access_token()
        answer: dict[str, Any] = {
            "token_type": "bearer",
            "expires_in": self.access_seconds,
            "access_token": token,
            "scope": " ".join(scopes),
        }
        if self.gives_refresh:
            answer["refresh_token"] = self.new_refresh_token()
        return web.json_response(answer)

    def new_access_token(self) -> str:
        token = "access-" + secrets.token_urlsafe(24)
        self.access[token] = time.time() + self.access_seconds
        return token

    def new_refresh_token(self) -> str:
        token = "refresh-" + secrets.token_urlsafe(24)
        self.refreshes.add(token)
        return token

    def is_signed_in(self, request: web.Request) -> bool:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        return scheme == "Bearer" and self.access.get(token, 0) > time.time()

    def _is_client(self, request: web.Request, form: dict[str, str]) -> bool:
        given = (form.get("client_id", ""), form.get("client_secret", ""))
        if self.wants_basic:
            scheme, _, value = request.headers.get("Authorization", "").partition(" ")
            if scheme != "Basic":
                return False
            name, _, secret = base64.b64decode(value).decode().partition(":")
            given = (unquote(name), unquote(secret))
        return given == (self.client_id, self.client_secret)


def refuse(status: int, error: str, description: str) -> web.Response:
    return web.json_response({"error": error, "error_description": description}, status=status)


def _challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
