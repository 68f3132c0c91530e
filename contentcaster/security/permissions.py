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

    def can(self, permission: Permission) -> bool:
        return permission in ROLE_PERMISSIONS[self.role]

    def require(self, permission: Permission) -> None:
        """Raise NotAllowed unless the role holds `permission`."""
        if not self.can(permission):
            raise NotAllowed("Your role does not allow this. An admin can do it or change your role.")


def anonymous(ip: str = "") -> Principal:
    """Nobody yet: for the audit log only, what it does is refused elsewhere."""
    return Principal(user_id="", email="anonymous", name="", role=Role.VIEWER, timezone="UTC", ip=ip)


SYSTEM = Principal(user_id="", email="system", name="ContentCaster", role=Role.ADMIN, timezone="UTC")
"""Commands run on the server by its operator, and the machinery itself."""
