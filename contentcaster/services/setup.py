"""The first admin: by a link that works once, by command, or unattended from the settings. No default password."""

from __future__ import annotations

import secrets
from datetime import timedelta

from sqlmodel import Session, col, delete, select, update

from contentcaster import live
from contentcaster.clock import utc_now
from contentcaster.db import Database
from contentcaster.errors import Conflict, InvalidInput
from contentcaster.models import OneTimeToken, Role, User
from contentcaster.security import passwords
from contentcaster.security.keys import hash_token
from contentcaster.security.permissions import SYSTEM
from contentcaster.services import audit, auth, second_factor, user_rules
from contentcaster.services.auth import BrowserSession, Client
from contentcaster.settings import Settings, SettingsError, get_settings

_PURPOSE = "setup"
LINK_LIFETIME = timedelta(days=1)


class LinkUsedUp(Conflict):
    code = "link_used_up"


def has_admin(session: Session) -> bool:
    """Whether an active admin exists."""
    found = select(User.id).where(User.role == Role.ADMIN, col(User.is_active)).limit(1)
    return session.exec(found).first() is not None


def ensure_setup_link(session: Session) -> str | None:
    """A fresh one-time link to make the first admin; None once there is one. Earlier links stop working."""
    session.execute(delete(OneTimeToken).where(col(OneTimeToken.purpose) == _PURPOSE))
    if has_admin(session):
        return None
    token = secrets.token_urlsafe(32)
    now = utc_now()
    session.add(
        OneTimeToken(
            token_hash=hash_token(token), purpose=_PURPOSE, created_at=now, expires_at=now + LINK_LIFETIME
        )
    )
    return f"{get_settings().effective_public_url}/setup?token={token}"


def prepare_first_admin(database: Database) -> str | None:
    """At the start of the web process: make the admin that the settings name, else a one-time link for the operator.

    Raises:
        SettingsError: ADMIN_EMAIL or ADMIN_PASSWORD cannot be used.
    """
    settings = database.settings
    with database.reading() as session:
        is_done = has_admin(session)
    if not is_done and (settings.admin_email or settings.admin_password.get_secret_value()):
        _create_unattended(database, settings)
    with database.transaction() as session:
        return ensure_setup_link(session)


def _create_unattended(database: Database, settings: Settings) -> None:
    email, password = settings.admin_email, settings.admin_password.get_secret_value()
    if not email or not password:
        raise SettingsError(
            "CONTENTCASTER_ADMIN_EMAIL and CONTENTCASTER_ADMIN_PASSWORD belong together: set both"
        )
    try:
        create_admin(database, email=email, password=password)
    except InvalidInput as error:
        name = "PASSWORD" if "password" in error.fields else "EMAIL"
        raise SettingsError(f"CONTENTCASTER_ADMIN_{name}: {error.message}") from None
    except Conflict:  # another process, or somebody of that address who is no admin
        with database.reading() as session:
            if not has_admin(session):
                raise SettingsError(
                    "CONTENTCASTER_ADMIN_EMAIL: this person is no active admin; run contentcaster create-admin"
                ) from None


def create_admin(database: Database, *, email: str, password: str, name: str = "") -> str:
    """Make an admin, or make an existing person an active admin with this password alone; for the server's operator.

    Returns the user's id.

    Raises:
        InvalidInput: fields "email" and "password".
    """
    email = user_rules.checked_email(email)
    passwords.check_new_password(password, email=email)
    password_hash = passwords.hash_password(password)
    with database.transaction() as session:
        user = session.exec(select(User).where(User.email == email)).first()
        if user is None:
            user = user_rules.add_user(
                session, email=email, name=name, role=Role.ADMIN, password_hash=password_hash
            )
        else:
            user.role, user.is_active, user.password_hash = Role.ADMIN, True, password_hash
            user.version += 1
            user_rules.end_sessions(session, user.id)
            second_factor.forget(session, user.id)  # the way back in for an operator who lost the phone
        _forget_links(session)
        audit.record(session, SYSTEM, "user.admin_created", "user", user.id, {"email": email})
        live.note(session, "users")
        return user.id


def complete_setup(
    database: Database,
    *,
    token: str,
    email: str,
    name: str,
    password: str,
    client: Client,
    timezone: str = "",
) -> BrowserSession:
    """Make the first admin with the one-time link and sign them in; `timezone` is what their browser says.

    Raises:
        LinkUsedUp: the link was used, has expired, or an admin exists by now.
        InvalidInput: fields "email", "name" and "password"; the link stays good.
    """
    _require_open_link(database, token)
    email = user_rules.checked_email(email)
    name = user_rules.checked_name(name)
    passwords.check_new_password(password, email=email)
    password_hash = passwords.hash_password(password)
    with database.transaction() as session:
        _use_up(session, token)
        user = user_rules.add_user(
            session,
            email=email,
            name=name,
            role=Role.ADMIN,
            password_hash=password_hash,
            timezone=user_rules.zone_or_utc(timezone),
        )
        _forget_links(session)
        audit.record(
            session, SYSTEM, "user.first_admin_created", "user", user.id, {"email": email, "ip": client.ip}
        )
        live.note(session, "users")
        return auth.start_browser_session(session, database, user, client)


def _require_open_link(database: Database, token: str) -> None:
    """Before anything costly: only who holds the link may make us hash a password."""
    with database.reading() as session:
        if session.exec(select(OneTimeToken.token_hash).where(*_is_open(token))).first() is None:
            raise _used_up()


def _use_up(session: Session, token: str) -> None:
    used = session.execute(update(OneTimeToken).where(*_is_open(token)).values(used_at=utc_now()))
    if used.rowcount != 1 or has_admin(session):
        raise _used_up()


def _is_open(token: str) -> tuple[object, ...]:
    return (  # compared by its hash, so the time it takes says nothing about the token
        col(OneTimeToken.token_hash) == hash_token(token),
        col(OneTimeToken.purpose) == _PURPOSE,
        col(OneTimeToken.used_at).is_(None),
        col(OneTimeToken.expires_at) > utc_now(),
    )


def _forget_links(session: Session) -> None:
    session.execute(delete(OneTimeToken).where(col(OneTimeToken.purpose) == _PURPOSE))


def _used_up() -> LinkUsedUp:
    return LinkUsedUp(
        "This link was used or has expired. Restart ContentCaster for a new one, or run `contentcaster create-admin`."
    )
