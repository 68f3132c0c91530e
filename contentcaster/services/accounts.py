"""Channel accounts: who may use which, switching them off, sharing and removing them (connecting: `connecting`).

Views carry no credentials: those go in and never come out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select
from sqlmodel import Session

from contentcaster import live
from contentcaster.clock import utc_now
from contentcaster.engine import ledger
from contentcaster.engine.conditions import is_waiting
from contentcaster.errors import Conflict, InvalidInput, NotFound
from contentcaster.models import CLAIMABLE, Account, AccountStatus, Job, JobState, LinkTags, User
from contentcaster.security.permissions import Permission, Principal
from contentcaster.services import audit
from contentcaster.services.drafts import clean_text
from contentcaster.services.ids import is_id
from contentcaster.services.platforms import account_limits, channel_name, channel_view, video_rule_view
from contentcaster.services.views import AccountView, LinkTagsView

_IN_FLIGHT = (JobState.CLAIMED, JobState.SENDING, JobState.UNKNOWN, JobState.RESOLVING)


def list_accounts(session: Session, principal: Principal) -> list[AccountView]:
    """The channels that this person may see: all for admins, shared and own ones for creators; by network, handle."""
    principal.require(Permission.VIEW_ACCOUNTS)
    query = _query(principal).order_by(Account.platform, func.lower(Account.handle), Account.id)
    return [_view(principal, *row) for row in session.execute(query)]


def list_channels_for_compose(session: Session, principal: Principal) -> list[AccountView]:
    """The channels to offer in the Studio: those not switched off. One that needs a new login is shown as such."""
    return [
        account for account in list_accounts(session, principal) if account.status != AccountStatus.DISABLED
    ]


def get_account(session: Session, principal: Principal, account_id: str) -> AccountView:
    """One channel that this person may see. Raises NotFound."""
    principal.require(Permission.VIEW_ACCOUNTS)
    if not is_id(account_id):
        raise _not_found()
    row = session.execute(_query(principal).where(Account.id == account_id)).one_or_none()
    if row is None:
        raise _not_found()
    return _view(principal, *row)


def read_row(session: Session, account_id: str) -> Account:
    """The row of a channel that `get_account` has just shown; for services that go on with it."""
    return session.get_one(Account, account_id)


def usable_accounts(session: Session, principal: Principal, account_ids: list[str]) -> dict[str, Account]:
    """Those of these channels that the person may post through, whatever their status."""
    query = select(Account).where(
        Account.id.in_([item for item in account_ids if is_id(item)]),
        Account.deleted_at.is_(None),
        _scope(principal),
    )
    return {account.id: account for account in session.execute(query).scalars()}


def rows_of(session: Session, account_ids: Sequence[str]) -> dict[str, Account]:
    """Channels by id, removed ones too: to show what a post names, not to use them."""
    query = select(Account).where(Account.id.in_([item for item in account_ids if is_id(item)]))
    return {account.id: account for account in session.execute(query).scalars()}


def patch_account(
    session: Session,
    principal: Principal,
    account_id: str,
    *,
    display_name: str | None = None,
    is_shared: bool | None = None,
    is_enabled: bool | None = None,
) -> AccountView:
    """Rename, share or switch a channel off and on. Posts that come due while it is off become failed tasks."""
    account = get_for_change(session, principal, account_id)
    changes: dict[str, Any] = {}
    if display_name is not None:
        name = " ".join(clean_text(display_name).split())
        if len(name) > 120:
            raise InvalidInput("A name may hold at most 120 characters.", field="display_name")
        changes["display_name"] = name
    if is_shared is not None:
        changes["is_shared"] = is_shared
    if is_enabled is False:
        changes |= {
            "status": AccountStatus.DISABLED,
            "status_reason": f"Switched off by {principal.name or principal.email}.",
        }
    elif is_enabled and account.status is AccountStatus.DISABLED:
        changes |= {"status": AccountStatus.CONNECTED, "status_reason": ""}
    for name, value in changes.items():
        setattr(account, name, value)
    account.version += 1
    session.add(account)
    session.flush()
    audit.record(session, principal, "account.changed", "account", account.id, {"changed": sorted(changes)})
    live.note(session, "accounts")
    return get_account(session, principal, account_id)


def delete_account(
    session: Session, principal: Principal, account_id: str, *, is_cancelling_scheduled: bool = False
) -> None:
    """Remove a channel and forget its credentials; what went out through it stays in the history.

    Raises:
        Conflict: posts wait for it (unless they are to be cancelled), or one is being sent right now.
    """
    account = get_for_change(session, principal, account_id)
    jobs = session.execute(
        select(Job.id, Job.state, Job.kind).where(
            Job.account_id == account.id,
            Job.state.in_((*CLAIMABLE, *_IN_FLIGHT)),
        )
    ).all()
    waiting = [job.id for job in jobs if job.state in CLAIMABLE]
    if len(waiting) < len(jobs):
        raise Conflict(
            f"A post is being sent through {channel_name(account)} right now. Try again in a minute."
        )
    # What bots meant to do through it goes without asking; posts are a person's.
    post_count = sum(job.kind == "publish" for job in jobs)
    if post_count and not is_cancelling_scheduled:
        posts = "1 post is" if post_count == 1 else f"{post_count} posts are"
        raise Conflict(
            f"{posts} scheduled on {channel_name(account)}. Cancel or move them first, or remove the channel "
            "and cancel them."
        )
    cancelled = ledger.cancel_jobs(session, waiting, actor=principal.name or principal.email)
    if len(cancelled) < len(waiting):
        raise Conflict("A post has just begun to be sent through this channel. Try again in a minute.")
    account.deleted_at = utc_now()
    account.credentials_encrypted = ""
    account.version += 1
    session.add(account)
    session.flush()
    audit.record(
        session,
        principal,
        "account.removed",
        "account",
        account.id,
        {"channel": channel_name(account), "cancelled": len(cancelled)},
    )
    live.note(session, "accounts")


def count_broken(session: Session, principal: Principal) -> int:
    """How many of the channels that the person may see need a new login."""
    principal.require(Permission.VIEW_ACCOUNTS)
    query = select(func.count()).where(
        Account.deleted_at.is_(None), Account.status == AccountStatus.REAUTHORISE, _scope(principal)
    )
    count: int = session.execute(query).scalar_one()
    return count


def _scope(principal: Principal) -> ColumnElement[bool]:
    if principal.can(Permission.MANAGE_ACCOUNTS):
        return Account.id.is_not(None)  # type: ignore[no-any-return]
    return or_(Account.is_shared, Account.owner_id == principal.user_id)


def _query(principal: Principal) -> Any:
    waiting = (
        select(Job.account_id, func.count().label("count"))
        .where(is_waiting(), Job.kind == "publish")
        .group_by(Job.account_id)
        .subquery()
    )
    return (
        select(Account, User.name, func.coalesce(waiting.c.count, 0), LinkTags)
        .join(User, User.id == Account.owner_id)
        .outerjoin(waiting, waiting.c.account_id == Account.id)
        .outerjoin(LinkTags, LinkTags.account_id == Account.id)
        .where(Account.deleted_at.is_(None), _scope(principal))
        .execution_options(populate_existing=True)
    )


def get_for_change(session: Session, principal: Principal, account_id: str) -> Account:
    principal.require(Permission.MANAGE_ACCOUNTS)
    if not is_id(account_id):
        raise _not_found()
    account: Account | None = session.execute(
        select(Account)
        .where(Account.id == account_id, Account.deleted_at.is_(None))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if account is None:
        raise _not_found()
    return account


def _not_found() -> NotFound:
    return NotFound("This channel does not exist, or it is not yours to use.")


def _view(
    principal: Principal, account: Account, owner_name: str, scheduled_count: int, tags: LinkTags | None
) -> AccountView:
    channel = channel_view(account)
    text_rule, features, media_rule = account_limits(account)
    return AccountView(
        id=account.id,
        platform=account.platform,
        platform_name=channel.platform_name,
        color=channel.color,
        instance_url=account.instance_url,
        handle=account.handle,
        display_name=channel.display_name,
        profile_url=account.profile_url if account.profile_url.startswith(("https://", "http://")) else "",
        status=account.status.value,
        status_reason=account.status_reason,
        owner_id=account.owner_id,
        owner_name=owner_name,
        is_shared=account.is_shared,
        is_manageable=principal.can(Permission.MANAGE_ACCOUNTS),
        token_expires_at=account.token_expires_at,
        rate_limited_until=account.rate_limited_until,
        created_at=account.created_at,
        checked_at=account.checked_at,
        scheduled_count=scheduled_count,
        text_rule=text_rule,
        features=features,
        max_images=media_rule.max_images,
        video=video_rule_view(media_rule),
        version=account.version,
        link_tags=LinkTagsView(tags.source, tags.medium, tags.campaign) if tags else None,
        granted_scopes=[str(scope) for scope in account.limits.get("scopes", [])],
    )
