"""Which posts a question about numbers is about, and the table that answers it with the fewest rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import exists, func, or_, select
from sqlmodel import Session

from contentcaster.errors import InvalidInput
from contentcaster.models import Account, MetricLabel, MetricPost, PostLabel, Role
from contentcaster.models.analytics import ALL
from contentcaster.security.permissions import Permission, Principal
from contentcaster.services.analytics_period import Grain, Period, grain_of, label_grain
from contentcaster.services.drafts import MAX_LABEL_LENGTH
from contentcaster.services.ids import is_id
from contentcaster.services.platforms import is_known_network


@dataclass(frozen=True)
class Scope:
    """Posts of a channel, of a network, with a label; "" everywhere: all that the person may see."""

    account_id: str = ""
    network: str = ""
    label: str = ""


EVERYTHING = Scope()


def sees_all(principal: Principal) -> bool:
    """Whether the person sees everybody's numbers. By role: an API key with few scopes must not see more for it."""
    principal.require(Permission.VIEW_ANALYTICS)
    return principal.role in (Role.ADMIN, Role.VIEWER)


def channel_scope(principal: Principal) -> list[Any]:
    """Conditions on Account: the channels whose followers and freshness the person may see."""
    return [] if sees_all(principal) else [or_(Account.is_shared, Account.owner_id == principal.user_id)]


def check(session: Session, scope: Scope) -> None:
    """Refuse a filter that nothing can match.

    Raises:
        InvalidInput: fields "account_id", "network", "label".
    """
    if scope.account_id and not is_id(scope.account_id):
        raise InvalidInput("There is no such channel.", field="account_id")
    if scope.network and not is_known_network(scope.network):
        raise InvalidInput("There is no such network.", field="network")
    if scope.label and (
        len(scope.label) > MAX_LABEL_LENGTH
        or not session.execute(select(exists().where(PostLabel.label == scope.label))).scalar_one()
    ):
        raise InvalidInput("No post carries this label.", field="label")


def channel_ids(session: Session, scope: Scope) -> list[str] | None:
    """The channels that the scope names, removed ones included; None: all."""
    if scope.account_id:
        return [scope.account_id]
    if scope.network:
        return list(session.execute(select(Account.id).where(Account.platform == scope.network)).scalars())
    return None


def conditions(session: Session, principal: Principal, table: Any, scope: Scope) -> list[Any]:
    """Which rows of `table` belong to the scope; the period comes on top."""
    check(session, scope)
    found = [] if sees_all(principal) else [table.author_id == principal.user_id]
    ids = channel_ids(session, scope)
    if ids is not None:
        found.append(table.account_id == ids[0] if len(ids) == 1 else table.account_id.in_(ids))
    if scope.label and table is MetricLabel:
        found.append(MetricLabel.label == scope.label)
    elif scope.label and table is MetricPost:
        labelled = select(PostLabel.post_id).where(PostLabel.label == scope.label)
        found.append(MetricPost.post_id.in_(labelled))
    return found


SUM_NAMES = (
    "posts", "measured", "engagements", "likes", "reposts", "replies", "views", "views_measured",
)  # fmt: skip


def summed(
    session: Session,
    principal: Principal,
    period: Period,
    scope: Scope,
    *,
    by: str = "",
    key: Callable[[Grain], Any] | None = None,
    count: int = len(SUM_NAMES),
) -> Any:
    """The first `count` of SUM_NAMES as one row; or one row per `key` (a column of posts named `by`, or an
    expression over the table's time), which comes first."""
    source = label_grain() if scope.label or by == "label" else grain_of(period)
    start, end = (source.units(bucket) for bucket in period.buckets)
    found = conditions(session, principal, source.table, scope)
    if source.is_summed:
        found += _level(source.table, principal, scope, by)
    totals = [func.coalesce(func.sum(getattr(source.table, name)), 0) for name in SUM_NAMES[:count]]
    groups: list[Any] = [key(source)] if key else [getattr(source.table, by)] if by else []
    within = (source.column >= start, source.column < end, *found)
    shown = [group.label("part") for group in groups]
    # By its name: the parameters within it would be others a second time.
    return select(*shown, *totals).where(*within).group_by(*["part" for _ in groups])


def _level(table: Any, principal: Principal, scope: Scope, by: str) -> list[Any]:
    """Which rows of all those sums: one for each thing that is asked for by itself, else the one over all."""
    wanted = {
        "account_id": bool(scope.account_id or scope.network),
        "author_id": not sees_all(principal),
    }
    found = []
    for name, is_given in wanted.items():
        if name == by:
            found.append(getattr(table, name) != ALL)
        elif not is_given:
            found.append(getattr(table, name) == ALL)
    return found
