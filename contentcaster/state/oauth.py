"""Connecting by OAuth: what the connect dialog shows before the browser leaves, and what it says when it is back.

The secret of the operator's app is an argument of `save_app` and nothing else; state and verifier never come here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import reflex as rx

from contentcaster.db import get_database
from contentcaster.errors import ContentCasterError, InvalidInput
from contentcaster.security.permissions import Permission
from contentcaster.services import oauth, oauth_apps
from contentcaster.services.oauth import AttemptView
from contentcaster.services.oauth_apps import OAuthNetworkView, ScopeView
from contentcaster.services.views import CredentialField
from contentcaster.state.bridge import read, write
from contentcaster.state.forms import Form, is_checked, text_of
from contentcaster.state.marks import current_principal, guarded


@dataclass(frozen=True)
class Wizard:
    """A network that is connected by OAuth; platform "" for none."""

    platform: str = ""
    name: str = ""
    redirect_uri: str = ""
    redirect_warning: str = ""
    scopes: list[ScopeView] = field(default_factory=list)
    app_url: str = ""
    app_steps: list[str] = field(default_factory=list)
    needs_app: bool = False
    client_id: str = ""
    fields: list[CredentialField] = field(default_factory=list)
    media_note: str = ""


class OAuthState(rx.State):
    wizard: Wizard = Wizard()
    defaults: dict[str, str] = {}
    is_pasting: bool = False
    """A token is pasted instead."""
    is_editing_app: bool = False
    is_leaving: bool = False
    errors: dict[str, str] = {}
    form_error: str = ""

    @guarded(Permission.MANAGE_ACCOUNTS)
    async def set_pasting(self, is_pasting: bool) -> None:
        self.is_pasting, self.errors, self.form_error = is_pasting, {}, ""

    @guarded(Permission.MANAGE_ACCOUNTS)
    async def edit_app(self, is_editing: bool) -> None:
        self.is_editing_app, self.errors, self.form_error = is_editing, {}, ""

    @guarded(Permission.MANAGE_ACCOUNTS)
    async def save_app(self, form: Form) -> None:
        """Keep the operator's own app in the vault."""
        self.errors, self.form_error = {}, ""
        try:
            view = await write(
                oauth_apps.save_app,
                self.wizard.platform,
                client_id=text_of(form, "client_id"),
                client_secret=text_of(form, "client_secret"),
            )
        except InvalidInput as error:
            self.errors, self.form_error = error.fields, "" if error.fields else error.message
        else:
            self.wizard, self.is_editing_app = _wizard(view), False

    @guarded(Permission.MANAGE_ACCOUNTS, background=True)
    async def leave(self, form: Form) -> Any:
        """Send the browser to the network. A server that has to register us may take seconds to answer."""
        principal = current_principal()
        async with self:
            if self.is_leaving:
                return
            self.is_leaving, self.errors, self.form_error = True, {}, ""
            platform, names = self.wizard.platform, [item.name for item in self.wizard.fields]
            self.defaults = {name: text_of(form, name) for name in names}
            values, is_shared = dict(self.defaults), is_checked(form, "is_shared")
        try:
            started = await oauth.start(get_database(), principal, platform, values, is_shared=is_shared)
        except InvalidInput as error:
            async with self:
                known = {name: text for name, text in error.fields.items() if name in names}
                self.errors, self.form_error = known, "" if known else error.message
        except ContentCasterError as error:
            async with self:
                self.form_error = error.message
        else:
            yield rx.redirect(started.authorization_url)
        finally:
            async with self:
                self.is_leaving = False

    async def _open(self, platform: str, defaults: dict[str, str], problem: str = "") -> None:
        """Show the network's wizard, or none if it is connected in another way."""
        self._close()
        if platform in oauth_apps.OAUTH_NETWORKS:
            self.wizard = _wizard(await read(oauth_apps.get_network, platform))
            self.defaults, self.form_error = defaults, problem

    def _close(self) -> None:
        self.wizard, self.defaults = Wizard(), {}
        self.is_pasting, self.is_editing_app = False, False
        self.errors, self.form_error = {}, ""


def arrival_words(attempt: AttemptView, channel: str) -> tuple[str, str]:
    """What to say of a login that succeeded: tone and sentence."""
    if not attempt.granted:
        return "ok", f"{channel} is connected and can be chosen in the Studio."
    missing = [scope for scope in attempt.asked if scope not in attempt.granted]
    if missing:
        return (
            "warn",
            f"{channel} is connected, but {', '.join(missing)} was not granted, so not everything works.",
        )
    return "ok", f"{channel} is connected. It granted {', '.join(attempt.granted)}."


def _wizard(view: OAuthNetworkView) -> Wizard:
    return Wizard(
        platform=view.platform,
        name=view.name,
        redirect_uri=view.redirect_uri,
        redirect_warning=view.redirect_warning,
        scopes=view.scopes,
        app_url=view.app_url,
        app_steps=view.app_steps,
        needs_app=view.needs_app,
        client_id=view.client_id,
        fields=view.fields,
        media_note=view.media_note,
    )
