"""Two-factor sign-in: an authenticator app, and recovery codes that each stand in for it once."""

from __future__ import annotations

import base64
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from sqlmodel import Session, col, delete, func, select, update

from contentcaster import live
from contentcaster.clock import utc_now
from contentcaster.db import Database
from contentcaster.errors import Conflict, InvalidInput, NotFound, Unavailable
from contentcaster.models import RecoveryCode, User, UserTotp
from contentcaster.security import sessions, throttle, totp
from contentcaster.security.keys import hash_token
from contentcaster.security.permissions import Permission, Principal
from contentcaster.security.vault import SealBroken, get_vault
from contentcaster.services import audit
from contentcaster.services.ids import is_id
from contentcaster.settings import get_settings

RECOVERY_CODES = 10
_ISSUER = "ContentCaster"
_NO_CODE_CHARACTER = re.compile(r"[\s-]+")


class Verdict(Enum):
    ACCEPTED = "accepted"
    MISSING = "missing"
    REFUSED = "refused"


@dataclass(frozen=True)
class SecondFactorView:
    is_on: bool
    is_required: bool
    """The person's role must have one."""
    since: datetime | None
    recovery_codes_left: int


@dataclass(frozen=True)
class Setup:
    """What goes into the authenticator app; shown once."""

    secret: str
    uri: str


def get_status(session: Session, principal: Principal) -> SecondFactorView:
    """One's own second factor."""
    principal.require(Permission.OWN_PROFILE)
    row = _confirmed(session, principal.user_id)
    left = select(func.count()).where(
        RecoveryCode.user_id == principal.user_id, col(RecoveryCode.used_at).is_(None)
    )
    return SecondFactorView(
        is_on=row is not None,
        is_required=principal.role.value in get_settings().otp_required_roles,
        since=row.confirmed_at if row else None,
        recovery_codes_left=session.exec(left).one() if row else 0,
    )


def begin_setup(session: Session, principal: Principal) -> Setup:
    """A new secret for an authenticator app; nothing changes until `confirm_setup`.

    Raises:
        Conflict: there is a second factor already.
    """
    _require_self(principal)
    session.exec(select(User).where(User.id == principal.user_id).with_for_update()).one()
    if _confirmed(session, principal.user_id) is not None:
        raise Conflict("Two-factor sign-in is on already. Turn it off first to change the app.")
    secret = totp.new_secret()
    session.execute(delete(UserTotp).where(col(UserTotp.user_id) == principal.user_id))
    session.add(UserTotp(user_id=principal.user_id, secret_encrypted=_seal(principal.user_id, secret)))
    return Setup(secret=secret, uri=totp.otpauth_uri(secret, email=principal.email, issuer=_ISSUER))


def confirm_setup(session: Session, principal: Principal, *, code: str) -> list[str]:
    """Turn it on with a first code of the app; returns the recovery codes. All other sessions end.

    Raises:
        InvalidInput: field "code".
        Conflict: no setup was begun, or it is on already.
    """
    _require_self(principal)
    session.exec(select(User).where(User.id == principal.user_id).with_for_update()).one()
    row = session.get(UserTotp, principal.user_id, populate_existing=True)
    if row is None or row.confirmed_at is not None:
        raise Conflict("Begin again: this set-up is finished or was not begun.")
    if not _use_app_code(session, row, _clean(code)):
        raise InvalidInput(
            "This code is not right. Check the clock of your phone, then enter the code shown now.",
            field="code",
        )
    row.confirmed_at = utc_now()
    sessions.revoke_all(session, principal.user_id, except_session_id=principal.session_id)
    audit.record(session, principal, "profile.second_factor_on", "user", principal.user_id)
    live.note(session, "users", f"user:{principal.user_id}")
    return _new_codes(session, principal.user_id)


def renew_recovery_codes(database: Database, principal: Principal, *, code: str) -> list[str]:
    """New recovery codes; the old ones stop working.

    Raises:
        InvalidInput: field "code".
        TooMany: too many wrong codes.
    """
    _count_try(database, principal)
    with database.transaction() as session:
        _require_code(session, principal, code)
        audit.record(session, principal, "profile.recovery_codes_renewed", "user", principal.user_id)
        return _new_codes(session, principal.user_id)


def turn_off(database: Database, principal: Principal, *, code: str) -> None:
    """Turn one's own second factor off with a code of the app or a recovery code.

    Raises:
        InvalidInput: field "code".
        TooMany: too many wrong codes.
    """
    _count_try(database, principal)
    with database.transaction() as session:
        _require_code(session, principal, code)
        forget(session, principal.user_id)
        audit.record(session, principal, "profile.second_factor_off", "user", principal.user_id)
        live.note(session, "users", f"user:{principal.user_id}")


def reset(session: Session, principal: Principal, user_id: str) -> None:
    """For somebody who lost phone and codes: take their second factor away and sign them out everywhere.

    Raises:
        NotFound: no such person, or they have none.
    """
    principal.require(Permission.MANAGE_USERS)
    found = select(User).where(User.id == user_id).with_for_update()
    user = session.exec(found).first() if is_id(user_id) else None
    if user is None or not forget(session, user_id):
        raise NotFound("There is no such person, or they have no two-factor sign-in.")
    sessions.revoke_all(session, user_id)
    audit.record(session, principal, "user.second_factor_reset", "user", user_id)
    live.note(session, "users", f"user:{user_id}")


def forget(session: Session, user_id: str) -> bool:
    """Take a person's second factor away; whether there was one."""
    session.execute(delete(RecoveryCode).where(col(RecoveryCode.user_id) == user_id))
    return bool(session.execute(delete(UserTotp).where(col(UserTotp.user_id) == user_id)).rowcount)


def accept(session: Session, user_id: str, code: str) -> Verdict:
    """Whether `code` completes the sign-in of this person, who may have no second factor; uses the code up."""
    row = _confirmed(session, user_id)
    if row is None:
        return Verdict.ACCEPTED
    code = _clean(code)
    if not code:
        return Verdict.MISSING
    is_good = _use_app_code(session, row, code) or _use_recovery_code(session, user_id, code)
    return Verdict.ACCEPTED if is_good else Verdict.REFUSED


def _require_self(principal: Principal) -> None:
    principal.require(Permission.OWN_PROFILE)
    principal.require_person()


def _count_try(database: Database, principal: Principal) -> None:
    """Committed before the code is looked at: a stolen session buys no more guesses than a sign-in."""
    _require_self(principal)
    with database.transaction() as session:
        throttle.count_try(session, email=_counted_as(principal), ip=principal.ip)


def _counted_as(principal: Principal) -> str:
    return f"otp:{principal.user_id}"


def _require_code(session: Session, principal: Principal, code: str) -> None:
    if _confirmed(session, principal.user_id) is None:
        raise Conflict("Two-factor sign-in is not on.")
    if accept(session, principal.user_id, code) is not Verdict.ACCEPTED:
        raise InvalidInput("This code is not right, or was used already.", field="code")
    throttle.give_back(session, email=_counted_as(principal), ip=principal.ip)


def _confirmed(session: Session, user_id: str) -> UserTotp | None:
    row = session.get(UserTotp, user_id, populate_existing=True)
    return row if row is not None and row.confirmed_at is not None else None


def _use_app_code(session: Session, row: UserTotp, code: str) -> bool:
    step = totp.matching_step(_open(row), code, at_seconds=utc_now().timestamp())
    if step is None:
        return False
    # One conditional update decides: a code that somebody looked over the shoulder is used up (RFC 6238, 5.2).
    is_newer = (col(UserTotp.user_id) == row.user_id) & (col(UserTotp.last_step) < step)
    return bool(session.execute(update(UserTotp).where(is_newer).values(last_step=step)).rowcount)


def _use_recovery_code(session: Session, user_id: str, code: str) -> bool:
    is_open = (
        (col(RecoveryCode.code_hash) == hash_token(f"{user_id}:{code.lower()}"))
        & (col(RecoveryCode.user_id) == user_id)
        & col(RecoveryCode.used_at).is_(None)
    )
    used = session.execute(update(RecoveryCode).where(is_open).values(used_at=utc_now()))
    return bool(used.rowcount)


def _new_codes(session: Session, user_id: str) -> list[str]:
    session.execute(delete(RecoveryCode).where(col(RecoveryCode.user_id) == user_id))
    codes = [base64.b32encode(secrets.token_bytes(10)).decode().lower() for _ in range(RECOVERY_CODES)]
    for code in codes:  # 80 random bits: nobody searches those, so a quick hash is enough
        session.add(RecoveryCode(code_hash=hash_token(f"{user_id}:{code}"), user_id=user_id))
    return ["-".join(code[at : at + 4] for at in range(0, len(code), 4)) for code in codes]


def _clean(code: str) -> str:
    return _NO_CODE_CHARACTER.sub("", code.encode("ascii", "ignore").decode())[:40]


def _seal(user_id: str, secret: str) -> str:
    return get_vault().encrypt(secret, table="user_totp", row_id=user_id, column="secret_encrypted")


def _open(row: UserTotp) -> str:
    try:
        return get_vault().decrypt(
            row.secret_encrypted, table="user_totp", row_id=row.user_id, column="secret_encrypted"
        )
    except SealBroken as error:
        raise Unavailable(
            "Two-factor sign-in cannot be checked right now. Tell an admin; nothing was changed.",
            details=str(error),
        ) from None
