"""The people of this installation, and each one's own profile, password and sessions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, or_, select

from contentcaster import live
from contentcaster.db import Database
from contentcaster.errors import Conflict, InvalidInput, NotFound
from contentcaster.models import Role, User, UserSession, UserTotp
from contentcaster.security import passwords, sessions
from contentcaster.security.permissions import Permission, Principal
from contentcaster.services import audit, auth, second_factor, user_rules
from contentcaster.services.auth import Client, WrongCredentials
from contentcaster.services.paging import like_pattern
from contentcaster.services.views import Page

_MAX_LIMIT = 200


@dataclass(frozen=True)
class UserView:
    id: str
    email: str
    name: str
    role: str
    """admin | creator | monitor | viewer"""
    is_active: bool
    needs_approval: bool
    timezone: str
    created_at: datetime
    last_seen_at: datetime | None
    version: int
    is_self: bool = False
    has_second_factor: bool = False


@dataclass(frozen=True)
class SessionView:
    id: str
    kind: str
    """browser | api"""
    created_at: datetime
    last_seen_at: datetime
    ip: str
    user_agent: str
    is_current: bool


def list_users(
    session: Session, principal: Principal, *, search: str = "", cursor: str = "", limit: int = 100
) -> Page[UserView]:
    """People in the order of their addresses."""
    principal.require(Permission.MANAGE_USERS)
    limit = max(1, min(limit, _MAX_LIMIT))
    statement = select(User).order_by(User.email).limit(limit + 1)
    if cursor:
        statement = statement.where(col(User.email) > cursor[:320])
    if search.strip():
        pattern = like_pattern(search)
        statement = statement.where(
            or_(col(User.email).ilike(pattern, escape="\\"), col(User.name).ilike(pattern, escape="\\"))
        )
    rows = session.exec(statement).all()
    secured = _with_second_factor(session, [row.id for row in rows])
    shown = [_view(row, principal, has_second_factor=row.id in secured) for row in rows[:limit]]
    return Page(items=shown, next_cursor=shown[-1].email if len(rows) > limit else "")


def get_user(session: Session, principal: Principal, user_id: str) -> UserView:
    """One person; everybody may read their own.

    Raises:
        NotFound: no such person.
    """
    if user_id != principal.user_id:
        principal.require(Permission.MANAGE_USERS)
    user = _find(session, user_id)
    is_secured = bool(_with_second_factor(session, [user.id]))
    return _view(user, principal, has_second_factor=is_secured)


def create_user(
    database: Database,
    principal: Principal,
    *,
    email: str,
    name: str,
    role: str,
    password: str,
    timezone: str = "UTC",
    needs_approval: bool = False,
) -> UserView:
    """Add a person with a first password, which they can change in their profile.

    Raises:
        InvalidInput: at the fields.
        Conflict: the address is taken.
    """
    principal.require(Permission.MANAGE_USERS)
    email, name, password_hash = _checked_new(
        email=email, name=name, password=password, role=role, timezone=timezone
    )
    with database.transaction() as session:
        user = user_rules.add_user(
            session,
            email=email,
            name=name,
            role=user_rules.checked_role(role),
            password_hash=password_hash,
            timezone=user_rules.checked_timezone(timezone),
            needs_approval=needs_approval,
        )
        _announce(session, principal, "user.created", user, {"email": email, "role": user.role.value})
        return _view(user, principal)


def _checked_new(*, email: str, name: str, password: str, role: str, timezone: str) -> tuple[str, str, str]:
    """Check all fields before hashing, so that a form shows everything that is wrong at once."""
    problems: dict[str, str] = {}
    for check in (
        lambda: user_rules.checked_email(email),
        lambda: user_rules.checked_name(name),
        lambda: user_rules.checked_role(role),
        lambda: user_rules.checked_timezone(timezone),
        lambda: passwords.check_new_password(password, email=email.strip()),
    ):
        try:
            check()
        except InvalidInput as error:
            problems |= error.fields
    if problems:
        raise InvalidInput(next(iter(problems.values())), fields=problems)
    return user_rules.checked_email(email), user_rules.checked_name(name), passwords.hash_password(password)


def update_user(
    session: Session,
    principal: Principal,
    user_id: str,
    *,
    name: str | None = None,
    role: str | None = None,
    is_active: bool | None = None,
    needs_approval: bool | None = None,
    version: int | None = None,
) -> UserView:
    """Change a person; a new role or disabling ends their sessions at once.

    Raises:
        NotFound, InvalidInput; Conflict: it would leave no admin, or somebody changed the person meanwhile.
    """
    principal.require(Permission.MANAGE_USERS)
    if is_active is False or role not in (None, Role.ADMIN.value):
        user_rules.lock_admins(session)
    user = _find(session, user_id, is_locking=True)
    if version is not None and version != user.version:
        raise Conflict("Somebody changed this person meanwhile. Reload and look again.")
    before = {
        "name": user.name,
        "role": user.role.value,
        "is_active": user.is_active,
        "approval": user.needs_approval,
    }
    is_losing_admin = (
        user.role is Role.ADMIN and user.is_active and (is_active is False or role not in (None, "admin"))
    )
    if is_losing_admin:
        user_rules.require_another_admin(session, user)
    user.name = user.name if name is None else user_rules.checked_name(name)
    user.role = user.role if role is None else user_rules.checked_role(role)
    user.is_active = user.is_active if is_active is None else is_active
    user.needs_approval = user.needs_approval if needs_approval is None else needs_approval
    after = {
        "name": user.name,
        "role": user.role.value,
        "is_active": user.is_active,
        "approval": user.needs_approval,
    }
    changes = {key: [before[key], after[key]] for key in after if before[key] != after[key]}
    if changes:
        user.version += 1
        if "role" in changes or changes.get("is_active") == [True, False]:
            user_rules.end_sessions(session, user.id)
        _announce(session, principal, "user.changed", user, {"changes": changes})
    return _view(user, principal)


def reset_password(database: Database, principal: Principal, user_id: str, *, password: str) -> None:
    """Give a person a new password and sign them out everywhere.

    Raises:
        NotFound, InvalidInput: field "password".
    """
    principal.require(Permission.MANAGE_USERS)
    with database.reading() as session:
        email = _find(session, user_id).email
    passwords.check_new_password(password, email=email)
    password_hash = passwords.hash_password(password)
    with database.transaction() as session:
        user = _find(session, user_id, is_locking=True)
        user.password_hash = password_hash
        user.version += 1
        user_rules.end_sessions(session, user.id)
        _announce(session, principal, "user.password_reset", user)


def get_profile(session: Session, principal: Principal) -> UserView:
    """The person's own data."""
    principal.require(Permission.OWN_PROFILE)
    return _view(_find(session, principal.user_id), principal)


def update_profile(
    session: Session, principal: Principal, *, name: str | None = None, timezone: str | None = None
) -> UserView:
    """Change one's own name and zone; scheduled posts keep their time.

    Raises:
        InvalidInput: fields "name", "timezone".
    """
    principal.require(Permission.OWN_PROFILE)
    user = _find(session, principal.user_id, is_locking=True)
    user.name = user.name if name is None else user_rules.checked_name(name)
    user.timezone = user.timezone if timezone is None else user_rules.checked_timezone(timezone)
    user.version += 1
    _announce(session, principal, "profile.changed", user)
    return _view(user, principal)


def change_password(
    database: Database, principal: Principal, *, current_password: str, new_password: str
) -> None:
    """Change one's own password; all other sessions end.

    Raises:
        InvalidInput: fields "current_password" and "new_password".
        TooMany: too many wrong current passwords.
    """
    principal.require(Permission.OWN_PROFILE)
    passwords.check_new_password(new_password, email=principal.email, field="new_password")
    try:
        auth.check_password(
            database, email=principal.email, password=current_password, client=Client(ip=principal.ip)
        )
    except WrongCredentials:
        raise InvalidInput("This is not your current password.", field="current_password") from None
    password_hash = passwords.hash_password(new_password)
    with database.transaction() as session:
        user = _find(session, principal.user_id, is_locking=True)
        user.password_hash = password_hash
        user.version += 1
        user_rules.end_sessions(session, user.id, except_session_id=principal.session_id)
        _announce(session, principal, "profile.password_changed", user)


def turn_off_second_factor(database: Database, principal: Principal, *, password: str, code: str) -> None:
    """Turn one's own second factor off from the console: a tab that was left open is not enough for it.

    Raises:
        InvalidInput: fields "password", "code".
        TooMany: too many wrong ones.
    """
    principal.require(Permission.OWN_PROFILE)
    try:
        auth.check_password(
            database, email=principal.email, password=password, client=Client(ip=principal.ip)
        )
    except WrongCredentials:
        raise InvalidInput("This is not your password.", field="password") from None
    second_factor.turn_off(database, principal, code=code)


def list_sessions(session: Session, principal: Principal) -> list[SessionView]:
    """One's own sessions that are still going, the latest used first."""
    principal.require(Permission.OWN_PROFILE)
    return _sessions(session, principal, principal.user_id)


def list_sessions_of(session: Session, principal: Principal, user_id: str) -> list[SessionView]:
    """A person's sessions that are still going, for admins.

    Raises:
        NotFound: no such person.
    """
    principal.require(Permission.MANAGE_USERS)
    return _sessions(session, principal, _find(session, user_id).id)


def _sessions(session: Session, principal: Principal, user_id: str) -> list[SessionView]:
    statement = select(UserSession).where(
        UserSession.user_id == user_id, col(UserSession.revoked_at).is_(None)
    )
    rows = session.exec(statement.order_by(col(UserSession.last_seen_at).desc()).limit(_MAX_LIMIT)).all()
    return [
        SessionView(
            id=row.id,
            kind=row.kind,
            created_at=row.created_at,
            last_seen_at=row.last_seen_at,
            ip=row.ip,
            user_agent=row.user_agent,
            is_current=row.id == principal.session_id,
        )
        for row in rows
        if sessions.is_alive(row)
    ]


def end_session(session: Session, principal: Principal, session_id: str) -> None:
    """End one of one's own sessions.

    Raises:
        NotFound: not one's own, or ended already.
    """
    principal.require(Permission.OWN_PROFILE)
    row = session.get(UserSession, session_id)
    if row is None or row.user_id != principal.user_id or not sessions.revoke(session, session_id):
        raise NotFound("This session has ended already.")
    audit.record(session, principal, "session.ended", "session", session_id)
    live.note(session, "users", f"session:{session_id}")


def end_other_sessions(session: Session, principal: Principal) -> int:
    """Sign oneself out everywhere but here; how many sessions that ended."""
    principal.require(Permission.OWN_PROFILE)
    ended = user_rules.end_sessions(
        session, principal.user_id, except_session_id=principal.session_id or "none"
    )
    if ended:
        audit.record(
            session, principal, "session.others_ended", "user", principal.user_id, {"sessions": ended}
        )
        live.note(session, "users", f"user:{principal.user_id}")
    return ended


def end_sessions_of(session: Session, principal: Principal, user_id: str, *, session_id: str = "") -> int:
    """Sign a person out of one session, or everywhere; how many sessions that ended. For admins.

    Raises:
        NotFound: no such person, or that session is not theirs or has ended.
    """
    principal.require(Permission.MANAGE_USERS)
    user = _find(session, user_id)
    if session_id:
        row = session.get(UserSession, session_id)
        if row is None or row.user_id != user.id or not sessions.revoke(session, session_id):
            raise NotFound("This session has ended already.")
        ended = 1
    else:
        # An admin who does this to themselves stays signed in here.
        ended = user_rules.end_sessions(session, user.id, except_session_id=principal.session_id)
    _announce(session, principal, "user.signed_out", user, {"email": user.email, "sessions": ended})
    return ended


def _with_second_factor(session: Session, user_ids: list[str]) -> set[str]:
    statement = select(UserTotp.user_id).where(
        col(UserTotp.user_id).in_(user_ids), col(UserTotp.confirmed_at).is_not(None)
    )
    return set(session.exec(statement).all())


def _find(session: Session, user_id: str, *, is_locking: bool = False) -> User:
    statement = select(User).where(User.id == user_id)
    if is_locking:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    user = session.exec(statement).first()
    if user is None:
        raise NotFound("There is no such person.")
    return user


def _announce(
    session: Session, principal: Principal, action: str, user: User, details: dict[str, object] | None = None
) -> None:
    audit.record(session, principal, action, "user", user.id, details)
    live.note(session, "users", f"user:{user.id}")


def _view(user: User, principal: Principal, *, has_second_factor: bool = False) -> UserView:
    return UserView(
        id=user.id,
        email=user.email,
        name=user.name,
        role=user.role.value,
        is_active=user.is_active,
        needs_approval=user.needs_approval,
        timezone=user.timezone,
        created_at=user.created_at,
        last_seen_at=user.last_seen_at,
        version=user.version,
        is_self=user.id == principal.user_id,
        has_second_factor=has_second_factor,
    )
