"""What is true of every person, however they come to be: address, name, zone, and that an admin is left."""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from contentcaster.errors import Conflict, InvalidInput
from contentcaster.models import Role, User
from contentcaster.security import sessions

_EMAIL = re.compile(r"[^\s@<>\"(),:;\\]{1,64}@[^\s@<>\"(),:;\\]{1,255}")
MAX_NAME_CHARACTERS = 120


def checked_email(email: str) -> str:
    """The address as it is stored, in lower case.

    Raises:
        InvalidInput: field "email".
    """
    email = email.strip().lower()
    if not _EMAIL.fullmatch(email) or not email.isprintable():
        raise InvalidInput("Enter an email address such as ada@example.org.", field="email")
    return email


def checked_name(name: str) -> str:
    """The name without surrounding blanks.

    Raises:
        InvalidInput: field "name".
    """
    name = " ".join(name.split())
    if not name:
        raise InvalidInput("Enter a name.", field="name")
    if len(name) > MAX_NAME_CHARACTERS or not name.isprintable():
        raise InvalidInput(
            f"Use at most {MAX_NAME_CHARACTERS} ordinary characters for the name.", field="name"
        )
    return name


def checked_timezone(timezone: str) -> str:
    """The IANA name of a zone.

    Raises:
        InvalidInput: field "timezone".
    """
    try:
        if not timezone or len(timezone) > 64:
            raise ValueError
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInput("Unknown time zone. Use a name such as Europe/Berlin.", field="timezone") from None
    return timezone


def zone_or_utc(timezone: str) -> str:
    """A browser may say nothing, or a zone that this server does not know: that must not stop anybody."""
    try:
        return checked_timezone(timezone)
    except InvalidInput:
        return "UTC"


def checked_role(role: str) -> Role:
    """The role of that name.

    Raises:
        InvalidInput: field "role".
    """
    try:
        return Role(role)
    except ValueError:
        raise InvalidInput("The role must be admin, creator, monitor or viewer.", field="role") from None


def add_user(
    session: Session,
    *,
    email: str,
    name: str,
    role: Role,
    password_hash: str,
    timezone: str = "UTC",
    needs_approval: bool = False,
) -> User:
    """Insert a person whose values were checked.

    Raises:
        Conflict: the address is taken.
    """
    user = User(
        email=email,
        name=name or email.partition("@")[0][:MAX_NAME_CHARACTERS],
        role=role,
        password_hash=password_hash,
        timezone=timezone,
        needs_approval=needs_approval,
    )
    try:
        # The unique index decides, also between two who add the same address at the same time.
        with session.begin_nested():
            session.add(user)
    except IntegrityError:
        raise Conflict("Somebody with this email address exists already.") from None
    return user


def lock_admins(session: Session) -> None:
    """Hold the rows of all active admins until the commit, so that the last two cannot remove each other at once.

    Before any other row is locked, and in one order: two who do so wait for one another, never for each other.
    """
    session.exec(_active_admins().with_for_update()).all()


def require_another_admin(session: Session, user: User) -> None:
    """Refuse to lose the last active admin; call `lock_admins` first.

    Raises:
        Conflict: `user` is the last one.
    """
    if set(session.exec(_active_admins()).all()) <= {user.id}:
        raise Conflict("This is the last active admin. Make somebody else an admin first.")


def _active_admins() -> SelectOfScalar[str]:
    return select(User.id).where(User.role == Role.ADMIN, col(User.is_active)).order_by(col(User.id))


def end_sessions(session: Session, user_id: str, *, except_session_id: str = "") -> int:
    """Sign a person out everywhere, but for one session."""
    return sessions.revoke_all(session, user_id, except_session_id=except_session_id)
