"""Approving many posts at once: each by itself, so that one that was changed meanwhile holds up no other."""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import Session

from contentcaster.db import Database
from contentcaster.errors import Conflict, InvalidInput, NotFound
from contentcaster.security.permissions import Permission, Principal
from contentcaster.services import posts
from contentcaster.services.views import BulkResult, PostDetail

MAX_AT_ONCE = 100
_MAX_PROBLEMS = 5


def approve_posts(
    database: Database, principal: Principal, versions: Sequence[tuple[str, int]]
) -> BulkResult:
    """Approve these (id, version read), a transaction each; those that cannot be are left waiting and named.

    Raises:
        InvalidInput: too many at once.
    """
    principal.require(Permission.APPROVE_POSTS)
    if len(versions) > MAX_AT_ONCE:
        raise InvalidInput(f"Approve at most {MAX_AT_ONCE} at once.", field="posts")
    done = 0
    problems: list[str] = []
    for post_id, version in versions:

        def approve(session: Session, post_id: str = post_id, version: int = version) -> PostDetail:
            return posts.approve_post(session, principal, post_id, version=version)

        try:
            database.write(approve)
        except (Conflict, InvalidInput, NotFound) as error:
            problems.append(error.message)
        else:
            done += 1
    skipped = len(versions) - done
    return BulkResult(done, skipped, list(dict.fromkeys(problems))[:_MAX_PROBLEMS])
