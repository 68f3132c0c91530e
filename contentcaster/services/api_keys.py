"""API keys: for programs that act as a person, with at most the permissions given to the key, until it expires."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, select, update

from contentcaster import live
from contentcaster.clock import utc_now
from contentcaster.db import Database
from contentcaster.errors import Conflict, InvalidInput, NotFound
from contentcaster.models import ApiKey, User
from contentcaster.security import sessions
from contentcaster.security.keys import hash_token
from contentcaster.security.permissions import Permission, Principal
from contentcaster.services import audit
from contentcaster.services.auth import Client
from contentcaster.services.ids import is_id

PREFIX = "cck_"
"""Lets secret scanners and people see what it is."""
MAX_DAYS = 366
_MAX_KEYS = 50
_MAX_NAME = 80
_NOTE_USE_EVERY = timedelta(minutes=5)


@dataclass(frozen=True)
class ApiKeyView:
    id: str
    name: str
    hint: str
    owner: str
    """The email address of the person it acts as."""
    permissions: list[str]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    last_used_ip: str
    is_active: bool


@dataclass(frozen=True)
class NewApiKey:
    key: str
    """Shown once; only its hash is kept."""
    view: ApiKeyView


def create_key(
    session: Session, principal: Principal, *, name: str, permissions: list[str], expires_in_days: int
) -> NewApiKey:
    """Make a key that may do these things, as oneself.

    Raises:
        InvalidInput: fields "name", "permissions", "expires_in_days".
        NotAllowed: an API key tried to make another.
        Conflict: the person has very many already.
    """
    _require_self(principal)
    name = " ".join(name.split())
    if not name or len(name) > _MAX_NAME or not name.isprintable():
        raise InvalidInput(f"Give the key a name of at most {_MAX_NAME} characters.", field="name")
    if not 1 <= expires_in_days <= MAX_DAYS:
        raise InvalidInput(f"A key lives from 1 to {MAX_DAYS} days.", field="expires_in_days")
    scopes = _checked_permissions(principal, permissions)
    user = session.exec(select(User).where(User.id == principal.user_id).with_for_update()).one()
    now = utc_now()
    if (
        len(session.exec(select(ApiKey.id).where(ApiKey.user_id == user.id, *_is_alive(now))).all())
        >= _MAX_KEYS
    ):
        raise Conflict(f"You have {_MAX_KEYS} keys. Revoke one that is not used any more.")
    key = PREFIX + secrets.token_urlsafe(32)
    row = ApiKey(
        user_id=user.id,
        name=name,
        key_hash=hash_token(key),
        hint=key[:9],
        permissions=sorted(scopes),
        created_at=now,
        expires_at=now + timedelta(days=expires_in_days),
    )
    session.add(row)
    session.flush()
    details = {"name": name, "permissions": sorted(scopes), "days": expires_in_days}
    audit.record(session, principal, "api_key.created", "api_key", row.id, details)
    live.note(session, "users")
    return NewApiKey(key, _view(row, user))


def list_keys(session: Session, principal: Principal, *, is_everyones: bool = False) -> list[ApiKeyView]:
    """One's own keys that were not revoked, or everybody's for admins; the newest first."""
    principal.require(Permission.MANAGE_USERS if is_everyones else Permission.OWN_PROFILE)
    statement = (
        select(ApiKey, User)
        .join(User, col(User.id) == col(ApiKey.user_id))
        .where(col(ApiKey.revoked_at).is_(None))
        .order_by(col(ApiKey.id).desc())
    )
    if not is_everyones:
        statement = statement.where(ApiKey.user_id == principal.user_id)
    return [_view(row, user) for row, user in session.exec(statement.limit(500)).all()]


def revoke_key(session: Session, principal: Principal, key_id: str) -> None:
    """End a key at once: one's own, or anybody's for admins.

    Raises:
        NotFound: no such key, not one's own, or revoked already.
    """
    principal.require(Permission.OWN_PROFILE)
    statement = (col(ApiKey.id) == key_id) & col(ApiKey.revoked_at).is_(None)
    if not principal.can(Permission.MANAGE_USERS):
        statement &= col(ApiKey.user_id) == principal.user_id
    if (
        not is_id(key_id)
        or not session.execute(update(ApiKey).where(statement).values(revoked_at=utc_now())).rowcount
    ):
        raise NotFound("There is no such key, or it was revoked already.")
    audit.record(session, principal, "api_key.revoked", "api_key", key_id)
    live.note(session, "users")


def read_principal(database: Database, key: str, client: Client) -> Principal | None:
    """Who acts with this key, and with which permissions, read from the database now; None if it is not good."""
    if len(key) > 100:
        return None
    now = utc_now()
    with database.reading() as session:
        statement = select(ApiKey, User).join(User, col(User.id) == col(ApiKey.user_id))
        found = session.exec(statement.where(ApiKey.key_hash == hash_token(key), *_is_alive(now))).first()
        if found is None or not found[1].is_active:
            return None
        row, user = found
        must_set_up_otp = sessions.must_set_up_otp(session, database.settings, user)
    if row.last_used_at is None or now - row.last_used_at > _NOTE_USE_EVERY or row.last_used_ip != client.ip:
        with database.transaction() as session:
            same = col(ApiKey.id) == row.id
            session.execute(update(ApiKey).where(same).values(last_used_at=now, last_used_ip=client.ip[:64]))
    return Principal(
        user_id=user.id,
        email=user.email,
        name=user.name,
        role=user.role,
        timezone=user.timezone,
        ip=client.ip,
        needs_approval=user.needs_approval,
        api_key_id=row.id,
        scopes=frozenset(Permission(name) for name in row.permissions if name in set(Permission)),
        must_set_up_otp=must_set_up_otp,
    )


def _require_self(principal: Principal) -> None:
    principal.require(Permission.OWN_PROFILE)
    principal.require_person()


def _checked_permissions(principal: Principal, permissions: list[str]) -> set[str]:
    held = {permission.value for permission in principal.permissions}
    asked = set(permissions)
    if not asked or not asked <= held:
        extra = ", ".join(sorted(asked - held))[:200]
        raise InvalidInput(
            f"You do not have these yourself: {extra}." if extra else "Choose what the key may do.",
            field="permissions",
        )
    return asked


def _is_alive(now: datetime) -> tuple[object, ...]:
    return (col(ApiKey.revoked_at).is_(None), col(ApiKey.expires_at) > now)


def _view(row: ApiKey, user: User) -> ApiKeyView:
    return ApiKeyView(
        id=row.id,
        name=row.name,
        hint=row.hint,
        owner=user.email,
        permissions=row.permissions,
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        last_used_ip=row.last_used_ip,
        is_active=row.revoked_at is None and row.expires_at > utc_now() and user.is_active,
    )
