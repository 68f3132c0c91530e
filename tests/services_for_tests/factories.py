"""Rows for tests, written directly: people of each role, channels, posts."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlmodel import Session

from contentcaster.clock import utc_now
from contentcaster.models import Account, Post, PostStatus, Role, Target, User
from contentcaster.models.types import new_id
from contentcaster.security import passwords, sessions, tokens
from contentcaster.security.permissions import Principal
from contentcaster.security.tokens import TokenKind
from contentcaster.security.vault import get_vault
from contentcaster.settings import get_settings

PASSWORD = "correct horse battery staple"


@lru_cache(maxsize=1)
def password_hash() -> str:
    """The hash of PASSWORD, made once per run because making it is slow on purpose."""
    return passwords.hash_password(PASSWORD)


def create_user(session: Session, role: Role = Role.CREATOR, **values: Any) -> User:
    """A person whose password is PASSWORD; the address names the role unless given."""
    own_id = values.pop("id", None) or new_id()
    defaults: dict[str, Any] = {
        "email": f"{role.value}-{own_id[-6:]}@example.org",
        "name": role.value.title(),
        "password_hash": password_hash(),
    }
    user = User(id=own_id, role=role, **(defaults | values))
    session.add(user)
    session.flush()
    return user


def principal_for(user: User, *, session_id: str = "", ip: str = "203.0.113.7") -> Principal:
    """The person as a Principal, without a session row."""
    return sessions.principal_of(user, session_id=session_id, ip=ip)


def create_principal(session: Session, role: Role = Role.CREATOR, **values: Any) -> Principal:
    """A new person as a Principal."""
    return principal_for(create_user(session, role, **values))


def access_token(session: Session, user: User) -> str:
    """A good bearer token with its session row."""
    row = sessions.create(session, user, kind=TokenKind.ACCESS)
    return tokens.issue(
        get_settings(), TokenKind.ACCESS, user_id=user.id, session_id=row.id, expires_at=row.expires_at
    )


def browser_cookie(session: Session, user: User) -> str:
    """A good Cookie header with its session row."""
    row = sessions.create(session, user, kind=TokenKind.BROWSER)
    settings = get_settings()
    token = tokens.issue(
        settings, TokenKind.BROWSER, user_id=user.id, session_id=row.id, expires_at=row.expires_at
    )
    return f"{sessions.cookie_name(settings)}={token}"


def create_account(
    session: Session,
    owner: User,
    *,
    platform: str = "sandbox",
    credentials: dict[str, Any] | None = None,
    **values: Any,
) -> Account:
    """A connected channel with sealed credentials."""
    own_id = values.pop("id", None) or new_id()
    sealed = get_vault().encrypt(
        json.dumps(credentials or {"access_token": "test-token"}),
        table="account",
        row_id=own_id,
        column="credentials_encrypted",
    )
    defaults: dict[str, Any] = {
        "remote_id": f"remote-{own_id[-8:]}",
        "handle": f"@{own_id[-6:]}",
        "display_name": "Test channel",
        "instance_url": "http://127.0.0.1:1",
        "credentials_encrypted": sealed,
    }
    account = Account(id=own_id, platform=platform, owner_id=owner.id, **(defaults | values))
    session.add(account)
    session.flush()
    return account


def create_post(
    session: Session,
    author: User,
    *,
    accounts: tuple[Account, ...] = (),
    text: str = "Hello",
    status: PostStatus = PostStatus.DRAFT,
    scheduled_at: datetime | None = None,
    **values: Any,
) -> Post:
    """A post with one target per account and no jobs; services.posts makes complete ones."""
    if status is PostStatus.SCHEDULED and scheduled_at is None:
        scheduled_at = utc_now() + timedelta(hours=1)
    post = Post(author_id=author.id, text=text, status=status, scheduled_at=scheduled_at, **values)
    session.add(post)
    session.flush()
    for account in accounts:
        session.add(Target(post_id=post.id, account_id=account.id))
    session.flush()
    return post
