"""Channel accounts: connect, check, share, switch off, remove. Credentials are taken and never given back."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from contentcaster.api.deps import CurrentPrincipal, DatabaseDep, run_read, run_write
from contentcaster.services import accounts, channel_health, connecting, quotas
from contentcaster.services.channel_health import ChannelHealth
from contentcaster.services.quotas import QuotaLedger
from contentcaster.services.views import AccountView

router = APIRouter(prefix="/accounts", tags=["accounts"])


class NewAccount(BaseModel):
    """`platform` and the credentials that its network asks for; see `GET /platforms`, `credential_fields`."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {"platform": "sandbox", "handle": "acme"},
                {"platform": "mastodon", "instance_url": "https://mastodon.example", "access_token": "..."},
                {
                    "platform": "bluesky",
                    "service_url": "https://bsky.social",
                    "identifier": "acme.example",
                    "app_password": "xxxx-xxxx-xxxx-xxxx",
                },
            ]
        },
    )

    platform: str = Field(max_length=40)
    is_shared: bool = Field(default=True, description="Every creator may post through it.")

    def credentials(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class AccountPatch(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"is_shared": False}]})

    display_name: str | None = None
    is_shared: bool | None = None
    is_enabled: bool | None = None


class AccountList(BaseModel):
    items: list[AccountView]


@router.get("")
def list_accounts(principal: CurrentPrincipal, database: DatabaseDep) -> AccountList:
    """The channels you may see."""
    return AccountList(items=run_read(database, lambda session: accounts.list_accounts(session, principal)))


@router.post("", status_code=201)
async def connect_account(
    body: NewAccount, principal: CurrentPrincipal, database: DatabaseDep, response: Response
) -> AccountView:
    """Check pasted credentials at the network and keep them, encrypted. The same account again renews them."""
    account = await connecting.connect_account(
        database, principal, body.platform, body.credentials(), is_shared=body.is_shared
    )
    response.headers["Location"] = f"/api/v1/accounts/{account.id}"
    return account


@router.get("/{account_id}")
def get_account(account_id: str, principal: CurrentPrincipal, database: DatabaseDep) -> AccountView:
    """One channel."""
    return run_read(database, lambda session: accounts.get_account(session, principal, account_id))


@router.get("/{account_id}/quotas")
def get_quotas(account_id: str, principal: CurrentPrincipal, database: DatabaseDep) -> QuotaLedger:
    """What the network allows this channel: used, left, until when, and which header said so."""
    return run_read(database, lambda session: quotas.ledger_of(session, principal, account_id))


@router.get("/{account_id}/health")
def get_health(account_id: str, principal: CurrentPrincipal, database: DatabaseDep) -> ChannelHealth:
    """The channel in depth: its login and the posts that its end would break, limits, recent tries, what waits."""
    return run_read(database, lambda session: channel_health.get_health(session, principal, account_id))


@router.patch("/{account_id}")
def patch_account(
    account_id: str, body: AccountPatch, principal: CurrentPrincipal, database: DatabaseDep
) -> AccountView:
    """Rename, share, or switch off and on."""
    return run_write(
        database,
        lambda session: accounts.patch_account(
            session,
            principal,
            account_id,
            display_name=body.display_name,
            is_shared=body.is_shared,
            is_enabled=body.is_enabled,
        ),
    )


@router.delete("/{account_id}", status_code=204)
def delete_account(
    account_id: str,
    principal: CurrentPrincipal,
    database: DatabaseDep,
    cancel_scheduled: Annotated[
        bool, Query(description="Cancel what waits for it, instead of refusing.")
    ] = False,
) -> Response:
    """Remove a channel and forget its credentials."""
    run_write(
        database,
        lambda session: accounts.delete_account(
            session, principal, account_id, is_cancelling_scheduled=cancel_scheduled
        ),
    )
    return Response(status_code=204)


@router.post("/{account_id}/check")
async def check_account(account_id: str, principal: CurrentPrincipal, database: DatabaseDep) -> AccountView:
    """Ask the network whether the stored credentials still work."""
    return await connecting.check_account(database, principal, account_id)
