"""Who may do what: permissions, the roles that hold them, and the person acting."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from contentcaster.errors import NotAllowed
from contentcaster.models.user import Role


class Permission(StrEnum):
    OWN_PROFILE = "own_profile"
    COMPOSE = "compose"  # write, schedule and cancel own posts; own media
    VIEW_ALL_POSTS = "view_all_posts"
    EDIT_ALL_POSTS = "edit_all_posts"
    VIEW_TIMELINE = "view_timeline"  # "Explain this post"
    APPROVE_POSTS = "approve_posts"
    VIEW_ACCOUNTS = "view_accounts"
    MANAGE_ACCOUNTS = "manage_accounts"
    VIEW_ANALYTICS = "view_analytics"
    SHARE_ANALYTICS = "share_analytics"  # links that show numbers to people without an account
    VIEW_OPERATIONS = "view_operations"  # failed tasks, queues, workers
    OPERATE = "operate"  # retry, resolve, discard, pause, rebuild
    VIEW_BOTS = "view_bots"
    MANAGE_BOTS = "manage_bots"
    VIEW_BOT_LOG = "view_bot_log"
    MANAGE_USERS = "manage_users"
    VIEW_AUDIT = "view_audit"
    MANAGE_SETTINGS = "manage_settings"


ROLE_PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.ADMIN: frozenset(Permission),
    Role.CREATOR: frozenset(
        {
            Permission.OWN_PROFILE,
            Permission.COMPOSE,
            Permission.VIEW_TIMELINE,
            Permission.VIEW_ACCOUNTS,
            Permission.VIEW_ANALYTICS,
            Permission.SHARE_ANALYTICS,
        }
    ),
    Role.MONITOR: frozenset(
        {
            Permission.OWN_PROFILE,
            Permission.VIEW_TIMELINE,
            Permission.VIEW_ALL_POSTS,
            Permission.VIEW_OPERATIONS,
            Permission.VIEW_BOTS,
            Permission.VIEW_BOT_LOG,
        }
    ),
    Role.VIEWER: frozenset({Permission.OWN_PROFILE, Permission.VIEW_ANALYTICS}),
}


@dataclass(frozen=True)
class Principal:
    """The person acting, re-read from the database for each act; never kept in a State's public vars."""

    user_id: str
    email: str
    name: str
    role: Role
    timezone: str
    session_id: str = ""
    ip: str = ""
    needs_approval: bool = False
    api_key_id: str = ""
    """Set when a program acts with one of the person's API keys."""
    scopes: frozenset[Permission] | None = None
    """All that this API key may do; None for a person."""
    must_set_up_otp: bool = False
    """The role requires a second factor that this person does not have yet."""

    @property
    def permissions(self) -> frozenset[Permission]:
        """What may be done now: the role's permissions, cut down by an API key's scopes and a missing second factor."""
        held = ROLE_PERMISSIONS[self.role]
        if self.scopes is not None:
            held &= self.scopes
        if self.must_set_up_otp:
            held &= {Permission.OWN_PROFILE}
        return held

    def can(self, permission: Permission) -> bool:
        return permission in self.permissions

    def require(self, permission: Permission) -> None:
        """Raise NotAllowed unless `permission` is held now."""
        if self.can(permission):
            return
        if self.must_set_up_otp and permission in ROLE_PERMISSIONS[self.role]:
            raise NotAllowed(
                "Your role needs two-factor sign-in. Set it up in your profile first; then this is open to you."
            )
        if self.scopes is not None and permission in ROLE_PERMISSIONS[self.role]:
            raise NotAllowed(f"This API key lacks the permission {permission.value}.")
        raise NotAllowed("Your role does not allow this. An admin can do it or change your role.")

    def require_person(self) -> None:
        """Raise NotAllowed for an API key: some acts are for the person who holds it."""
        if self.api_key_id:
            raise NotAllowed("An API key cannot do this. Sign in with email and password.")


def anonymous(ip: str = "") -> Principal:
    """Nobody yet: for the audit log only, what it does is refused elsewhere."""
    return Principal(user_id="", email="anonymous", name="", role=Role.VIEWER, timezone="UTC", ip=ip)


SYSTEM = Principal(user_id="", email="system", name="ContentCaster", role=Role.ADMIN, timezone="UTC")
"""Commands run on the server by its operator, and the machinery itself."""
