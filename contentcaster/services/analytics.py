"""What the Analytics page and REST answer, read from the rollup: all for Admins and Viewers, a Creator's own posts.

Every number is about the posts that went out in the period, with the newest counts known of them. A count that no
network told is None, never 0.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import func, or_, select
from sqlmodel import Session

from contentcaster.errors import InvalidInput
from contentcaster.models import (
    Account,
    AccountStatus,
    FollowerDay,
    Job,
    MetricChannel,
    MetricPost,
    Post,
    Role,
    Target,
    User,
)
from contentcaster.models.analytics import ALL
from contentcaster.platforms.metrics import MEANINGS
from contentcaster.security.permissions import Permission, Principal
from contentcaster.services.analytics_collect import METRICS
from contentcaster.services.analytics_period import Period, grain_of, local_seconds
from contentcaster.services.analytics_views import (
    DayPoint,
    Figures,
    Freshness,
    HeatCell,
    PostFigures,
    Share,
    Summary,
)
from contentcaster.services.ids import is_id
from contentcaster.services.platforms import channel_view
from contentcaster.services.post_queries import safe_link
from contentcaster.services.views import ChannelView

_EPOCH = date(1970, 1, 1)
_MONDAY_HOURS = 72  # 1970 began on a Thursday
FEW_POSTS = 3
"""A cell of the heat map with fewer posts than this says little."""
_MANY_POSTS = 50_000
_STALE_AFTER = timedelta(hours=26)


def summary(session: Session, principal: Principal, period: Period, account_id: str = "") -> Summary:
    """The figures of the period and of the same number of days before it."""
    before = period.before
    now_followers, before_followers = _followers(session, principal, period, account_id)
    return Summary(
        first=period.first,
        last=period.last,
        timezone=period.zone,
        now=_total(session, principal, period, account_id),
        before=_total(session, principal, before, account_id),
        before_first=before.first,
        before_last=before.last,
        followers=now_followers,
        followers_before=before_followers,
    )


def series(session: Session, principal: Principal, period: Period, account_id: str = "") -> list[DayPoint]:
    """One point per day, days without posts included, beside the day of the period before."""
    now = _by_day(session, principal, period, account_id)
    before = _by_day(session, principal, period.before, account_id)
    points = []
    for number in range(period.days):
        day = period.first + timedelta(days=number)
        earlier = period.before.first + timedelta(days=number)
        points.append(DayPoint(day, *now.get(day, (0, None)), earlier, *before.get(earlier, (0, None))))
    return points


def by_channel(session: Session, principal: Principal, period: Period, account_id: str = "") -> list[Share]:
    """Channels that published in the period, most engagement first; removed channels included."""
    rows = _figures_by(session, principal, period, account_id, "account_id")
    accounts = {
        account.id: account
        for account in session.execute(select(Account).where(Account.id.in_(list(rows)))).scalars()
    }
    shares = [
        Share(key, accounts[key].handle, channel_view(accounts[key]), figures)
        for key, figures in rows.items()
        if key in accounts
    ]
    return sorted(shares, key=_weight)


def by_author(session: Session, principal: Principal, period: Period, account_id: str = "") -> list[Share]:
    """The same by who wrote the posts."""
    rows = _figures_by(session, principal, period, account_id, "author_id")
    named: dict[str, str] = {
        key: name for key, name in session.execute(select(User.id, User.name).where(User.id.in_(list(rows))))
    }
    return sorted((Share(key, named.get(key, ""), None, f) for key, f in rows.items()), key=_weight)


def top_posts(
    session: Session,
    principal: Principal,
    period: Period,
    account_id: str = "",
    *,
    order: str = "best",
    limit: int = 10,
) -> list[PostFigures]:
    """Measured posts of the period with the most or the fewest engagements; those without a count are left out.

    Raises:
        InvalidInput: field "order": neither best nor worst.
    """
    if order not in ("best", "worst"):
        raise InvalidInput("Order by best or worst.", field="order")
    start, end = period.buckets
    ranked: Any = MetricPost.engagements
    if _total(session, principal, period, account_id).posts < _MANY_POSTS:
        ranked = ranked + 0  # few: read these and sort, never walk all posts by rank in search of them
    by = ranked.desc() if order == "best" else ranked.asc()
    found = session.execute(
        select(MetricPost, Account, func.coalesce(Target.text, Post.text), Job.remote_url)
        .join(Account, Account.id == MetricPost.account_id)
        .join(Post, Post.id == MetricPost.post_id)
        .outerjoin(Job, Job.id == MetricPost.job_id)
        .outerjoin(Target, Target.job_id == MetricPost.job_id)
        .where(
            *_scope(principal, MetricPost, account_id),
            MetricPost.bucket >= start,
            MetricPost.bucket < end,
            MetricPost.engagements.is_not(None),  # type: ignore[union-attr]
            Post.deleted_at.is_(None),
        )
        .order_by(by, MetricPost.job_id.desc())  # type: ignore[attr-defined]
        .limit(max(1, min(limit, 100)))
    ).all()
    return [
        PostFigures(
            post_id=row.post_id,
            text=(text or "")[:280],
            channel=channel_view(account),
            published_at=row.published_at,
            measured_at=row.measured_at,
            likes=row.likes,
            reposts=row.reposts,
            replies=row.replies,
            views=row.views,
            engagements=row.engagements,
            remote_url=safe_link(remote_url),
        )
        for row, account, text, remote_url in found
    ]


def heat_map(session: Session, principal: Principal, period: Period, account_id: str = "") -> list[HeatCell]:
    """168 cells, Monday 00:00 first, by the clocks of the period's zone."""
    slot = ((local_seconds(period) // 3600) + _MONDAY_HOURS) % 168
    rows = {
        int(row[0]): row[1:]
        for row in session.execute(
            _in(principal, period, account_id, slot.label("slot"), *_sums(period, 3)).group_by("slot")
        )
    }
    measured = sum(int(row[1]) for row in rows.values())
    average = sum(int(row[2]) for row in rows.values()) / measured if measured else 0.0
    return [_cell(number, rows.get(number, (0, 0, 0)), average) for number in range(168)]


def best_times(cells: list[HeatCell], count: int = 3) -> list[HeatCell]:
    """The hours to trust most: enough posts, highest score."""
    known = [cell for cell in cells if cell.measured >= FEW_POSTS and cell.score is not None]
    return sorted(known, key=lambda cell: -(cell.score or 0.0))[:count]


def freshness(session: Session, principal: Principal, now: datetime) -> list[Freshness]:
    """How old the numbers of each channel are, and what they mean there."""
    rows = session.execute(
        select(Account, MetricChannel)
        .outerjoin(MetricChannel, MetricChannel.account_id == Account.id)
        .where(Account.deleted_at.is_(None), *_channel_scope(principal))
        .order_by(Account.platform, func.lower(Account.handle))
        .execution_options(populate_existing=True)
    ).all()
    return [_freshness(account, state, now) for account, state in rows]


def _freshness(account: Account, state: MetricChannel | None, now: datetime) -> Freshness:
    refreshed_at = state.refreshed_at if state else None
    level, sentence = "ok", ""
    if account.platform not in METRICS:
        level, sentence = "none", "ContentCaster reads no numbers from this network. Posts are counted."
    elif account.status is not AccountStatus.CONNECTED:
        level, sentence = "warn", "This channel is not connected: its numbers stay as they are."
    elif state is not None and state.problem:
        level, sentence = "warn", state.problem
    elif refreshed_at is None:
        level, sentence = "warn", "Not asked yet. The first numbers come within minutes."
    elif now - refreshed_at > _STALE_AFTER:
        level, sentence = "warn", "Not refreshed for more than a day. Is a worker for maintenance running?"
    return Freshness(channel_view(account), level, sentence, refreshed_at, MEANINGS.get(account.platform, ""))


def channels(session: Session, principal: Principal) -> list[ChannelView]:
    """The channels to filter by."""
    rows = session.execute(
        select(Account)
        .where(Account.deleted_at.is_(None), *_channel_scope(principal))
        .order_by(Account.platform, func.lower(Account.handle))
    ).scalars()
    return [channel_view(account) for account in rows]


def visible_channel_ids(session: Session, principal: Principal, account_id: str = "") -> list[str]:
    """Channels, removed ones included, that the person may see numbers of."""
    query = select(Account.id).where(*_channel_scope(principal))
    return list(session.execute(query.where(Account.id == account_id) if account_id else query).scalars())


def sees_all(principal: Principal) -> bool:
    """Whether the person sees everybody's numbers. By role: an API key with few scopes must not see more for it."""
    principal.require(Permission.VIEW_ANALYTICS)
    return principal.role in (Role.ADMIN, Role.VIEWER)


def _scope(principal: Principal, table: Any, account_id: str) -> list[Any]:
    conditions = [] if sees_all(principal) else [table.author_id == principal.user_id]
    if account_id:
        if not is_id(account_id):
            raise InvalidInput("There is no such channel.", field="account_id")
        conditions.append(table.account_id == account_id)
    return conditions


def _channel_scope(principal: Principal) -> list[Any]:
    return [] if sees_all(principal) else [or_(Account.is_shared, Account.owner_id == principal.user_id)]


_SUM_NAMES = (
    "posts", "measured", "engagements", "likes", "reposts", "replies", "views", "views_measured",
)  # fmt: skip


def _sums(period: Period, count: int = len(_SUM_NAMES)) -> list[Any]:
    table = grain_of(period).table
    return [func.coalesce(func.sum(getattr(table, name)), 0) for name in _SUM_NAMES[:count]]


def _in(principal: Principal, period: Period, account_id: str, *columns: Any, by: str = "") -> Any:
    """A query on the table of the period's grain; `by`: the column of a post that it is grouped by, or ""."""
    grain = grain_of(period)
    start, end = (grain.units(bucket) for bucket in period.buckets)
    scope = _scope(principal, grain.table, account_id)
    if grain.is_summed:
        scope += _level(grain.table, principal, account_id, by)
    return select(*columns).where(grain.column >= start, grain.column < end, *scope)


def _level(table: Any, principal: Principal, account_id: str, by: str) -> list[Any]:
    """Which rows of all those sums: one for each thing that is asked for by itself, else the one over all."""
    wanted = {"account_id": bool(account_id), "author_id": not sees_all(principal)}
    conditions = []
    for name, is_given in wanted.items():
        if name == by:
            conditions.append(getattr(table, name) != ALL)
        elif not is_given:
            conditions.append(getattr(table, name) == ALL)
    return conditions


def _total(session: Session, principal: Principal, period: Period, account_id: str) -> Figures:
    return _figures(session.execute(_in(principal, period, account_id, *_sums(period))).one())


def _figures_by(
    session: Session, principal: Principal, period: Period, account_id: str, key: str
) -> dict[str, Figures]:
    column = getattr(grain_of(period).table, key)
    query = _in(principal, period, account_id, column, *_sums(period), by=key).group_by(column)
    return {row[0]: _figures(row[1:]) for row in session.execute(query)}


def _figures(row: Any) -> Figures:
    posts, measured, engagements, likes, reposts, replies, views, views_measured = (int(v) for v in row)

    def known(value: int) -> int | None:
        return value if measured else None

    return Figures(
        posts=posts,
        measured=measured,
        engagements=known(engagements),
        likes=known(likes),
        reposts=known(reposts),
        replies=known(replies),
        views=views if views_measured else None,
        per_post=engagements / measured if measured else None,
    )


def _by_day(
    session: Session, principal: Principal, period: Period, account_id: str
) -> dict[date, tuple[int, int | None]]:
    day = (local_seconds(period) // 86_400).label("day")
    rows = session.execute(_in(principal, period, account_id, day, *_sums(period, 3)).group_by("day"))
    return {
        _EPOCH + timedelta(days=int(number)): (int(posts), int(engagements) if measured else None)
        for number, posts, measured, engagements in rows
    }


def _weight(share: Share) -> tuple[int, int, str]:
    return (-(share.figures.engagements or 0), -share.figures.posts, share.name.lower())


def _cell(number: int, row: Any, average: float) -> HeatCell:
    posts, measured, engagements = (int(value) for value in row)
    per_post = engagements / measured if measured else None
    score = (engagements + FEW_POSTS * average) / (measured + FEW_POSTS) if measured else None
    return HeatCell(number // 24, number % 24, posts, measured, per_post, score)


def _followers(
    session: Session, principal: Principal, period: Period, account_id: str
) -> tuple[int | None, int | None]:
    """Followers at the end of the period, and of the channels known on its eve, how many they had then."""
    now = followers_on(session, principal, period.last, account_id)
    before = followers_on(session, principal, period.first - timedelta(days=1), account_id)
    if not now:
        return None, None
    shared = now.keys() & before.keys()
    if not shared:
        return sum(now.values()), None
    # A channel connected meanwhile is no growth: it counts on both sides with what it has now.
    new = sum(value for key, value in now.items() if key not in shared)
    return sum(now.values()), sum(before[key] for key in shared) + new


def followers_on(session: Session, principal: Principal, day: date, account_id: str = "") -> dict[str, int]:
    """Channel -> followers, the newest known on that day."""
    newest = (
        select(FollowerDay.account_id, func.max(FollowerDay.day).label("day"))
        .where(FollowerDay.day <= day, FollowerDay.followers.is_not(None))  # type: ignore[union-attr]
        .group_by(FollowerDay.account_id)
        .subquery()
    )
    query = (
        select(FollowerDay.account_id, FollowerDay.followers)
        .join(newest, (newest.c.account_id == FollowerDay.account_id) & (newest.c.day == FollowerDay.day))
        .join(Account, Account.id == FollowerDay.account_id)
        .where(Account.deleted_at.is_(None), *_channel_scope(principal))
    )
    if account_id:
        query = query.where(FollowerDay.account_id == account_id)
    return {key: int(value) for key, value in session.execute(query) if value is not None}
