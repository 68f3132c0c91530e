"""What the Analytics page and REST answer, read from the rollup: all for Admins and Viewers, a Creator's own posts.

Every number is about the posts that went out in the period, with the newest counts known of them. A count that no
network told is None, never 0.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import func, select
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
    PostMedia,
    Target,
    User,
)
from contentcaster.models.types import is_one_of
from contentcaster.platforms.metrics import MEANINGS, VIEW_WORDS
from contentcaster.security.permissions import Principal
from contentcaster.services import analytics_scope as scoped
from contentcaster.services import post_labels
from contentcaster.services.analytics_collect import METRICS
from contentcaster.services.analytics_period import Period, local_seconds
from contentcaster.services.analytics_scope import EVERYTHING, Scope, sees_all
from contentcaster.services.analytics_views import (
    DayPoint,
    Figures,
    Freshness,
    HeatCell,
    PostFigures,
    Share,
    Summary,
)
from contentcaster.services.media import media_urls
from contentcaster.services.platforms import channel_view
from contentcaster.services.post_queries import safe_link
from contentcaster.services.views import ChannelView

__all__ = ["EVERYTHING", "FEW_POSTS", "Scope", "sees_all"]

_EPOCH = date(1970, 1, 1)
_MONDAY_HOURS = 72  # 1970 began on a Thursday
FEW_POSTS = 3
"""A cell of the heat map with fewer posts than this says little."""
_MANY_POSTS = 50_000
_DELETED_POSTS = 50
"""So many more are looked at first, as some were deleted since."""
_STALE_AFTER = timedelta(hours=26)


def summary(
    session: Session,
    principal: Principal,
    period: Period,
    scope: Scope = EVERYTHING,
    against: Period | None = None,
) -> Summary:
    """The figures of the period and of another: `against`, or the same number of days before it."""
    before = against or period.before
    now_followers, before_followers = _followers(session, principal, period, before, scope)
    return Summary(
        first=period.first,
        last=period.last,
        timezone=period.zone,
        now=_total(session, principal, period, scope),
        before=_total(session, principal, before, scope),
        before_first=before.first,
        before_last=before.last,
        followers=now_followers,
        followers_before=before_followers,
    )


def series(
    session: Session,
    principal: Principal,
    period: Period,
    scope: Scope = EVERYTHING,
    against: Period | None = None,
) -> list[DayPoint]:
    """One point per day, days without posts included, beside the same day of the other period, if it has so many."""
    other = against or period.before
    now, before = _by_day(session, principal, period, scope), _by_day(session, principal, other, scope)
    points = []
    for number in range(period.days):
        day = period.first + timedelta(days=number)
        earlier = other.first + timedelta(days=number) if number < other.days else None
        then = before.get(earlier, (0, None)) if earlier else (0, None)
        points.append(DayPoint(day, *now.get(day, (0, None)), earlier, *then))
    return points


def by_channel(
    session: Session, principal: Principal, period: Period, scope: Scope = EVERYTHING
) -> list[Share]:
    """Channels that published in the period, most engagement first; removed channels included."""
    rows = _figures_by(session, principal, period, scope, "account_id")
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


def by_network(channels: list[Share]) -> list[Share]:
    """The shares of `by_channel` added up by network, most engagement first."""
    found: dict[str, list[Share]] = {}
    for share in channels:
        if share.channel is not None:
            found.setdefault(share.channel.platform, []).append(share)
    shares = []
    for platform, parts in found.items():
        channel = parts[0].channel
        name = channel.platform_name if channel is not None else platform
        shares.append(Share(platform, name, channel, _added([part.figures for part in parts])))
    return sorted(shares, key=_weight)


def by_author(
    session: Session, principal: Principal, period: Period, scope: Scope = EVERYTHING
) -> list[Share]:
    """The same by who wrote the posts."""
    rows = _figures_by(session, principal, period, scope, "author_id")
    named: dict[str, str] = {
        key: name for key, name in session.execute(select(User.id, User.name).where(User.id.in_(list(rows))))
    }
    return sorted((Share(key, named.get(key, ""), None, f) for key, f in rows.items()), key=_weight)


def by_label(
    session: Session, principal: Principal, period: Period, scope: Scope = EVERYTHING
) -> list[Share]:
    """The same by label; a post with two labels counts under both."""
    rows = _figures_by(session, principal, period, scope, "label")
    return sorted((Share(label, label, None, figures) for label, figures in rows.items()), key=_weight)


def labels(session: Session, principal: Principal) -> list[str]:
    """The labels to filter by."""
    return post_labels.known(session, "" if sees_all(principal) else principal.user_id)


def top_posts(
    session: Session,
    principal: Principal,
    period: Period,
    scope: Scope = EVERYTHING,
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
    if _total(session, principal, period, scope).posts < _MANY_POSTS:
        ranked = ranked + 0  # few: read these and sort, never walk all posts by rank in search of them
    by = (
        ranked.desc() if order == "best" else ranked.asc(),
        MetricPost.job_id.desc(),  # type: ignore[attr-defined]
    )
    limit = max(1, min(limit, 100))
    candidates = (
        select(MetricPost.job_id)
        .where(
            *scoped.conditions(session, principal, MetricPost, scope),
            MetricPost.bucket >= start,
            MetricPost.bucket < end,
            MetricPost.engagements.is_not(None),  # type: ignore[union-attr]
        )
        .order_by(*by)
    )
    found: list[Any] = []
    size, is_more = limit + _DELETED_POSTS, True
    while is_more and len(found) < limit:
        # The rank alone first: joined to their texts, a year's posts would all be carried through the sort.
        ids = list(session.execute(candidates.limit(size)).scalars())
        found = list(session.execute(_with_texts(ids).order_by(*by).limit(limit)).all())
        is_more, size = len(ids) == size, size * 10
    pictures = _pictures(session, [row.post_id for row, *_ in found])
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
            thumb_url=pictures.get(row.post_id, ("", ""))[0],
            alt=pictures.get(row.post_id, ("", ""))[1],
        )
        for row, account, text, remote_url in found
    ]


def _with_texts(job_ids: list[int]) -> Any:
    return (
        select(MetricPost, Account, func.coalesce(Target.text, Post.text), Job.remote_url)
        .join(Account, Account.id == MetricPost.account_id)
        .join(Post, Post.id == MetricPost.post_id)
        .outerjoin(Job, Job.id == MetricPost.job_id)
        .outerjoin(Target, Target.job_id == MetricPost.job_id)
        .where(is_one_of(MetricPost.job_id, job_ids), Post.deleted_at.is_(None))
    )


def _pictures(session: Session, post_ids: list[str]) -> dict[str, tuple[str, str]]:
    """Post -> (thumbnail, what it shows) of the first picture of its first part."""
    rows = session.execute(
        select(PostMedia.post_id, PostMedia.media_id, PostMedia.alt)
        .where(PostMedia.post_id.in_(post_ids), PostMedia.part == 0)
        .order_by(PostMedia.position.desc())
    )
    return {post_id: (media_urls(media_id)[0], alt) for post_id, media_id, alt in rows}


def heat_map(
    session: Session, principal: Principal, period: Period, scope: Scope = EVERYTHING
) -> list[HeatCell]:
    """168 cells, Monday 00:00 first, by the clocks of the period's zone."""
    query = scoped.summed(
        session,
        principal,
        period,
        scope,
        key=lambda grain: (local_seconds(period, grain) // 3600 + _MONDAY_HOURS) % 168,
        count=3,
    )
    rows = {int(row[0]): row[1:] for row in session.execute(query)}
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
        .where(Account.deleted_at.is_(None), *scoped.channel_scope(principal))
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
    return Freshness(
        channel_view(account),
        level,
        sentence,
        refreshed_at,
        MEANINGS.get(account.platform, ""),
        VIEW_WORDS.get(account.platform, ""),
    )


def channels(session: Session, principal: Principal) -> list[ChannelView]:
    """The channels to filter by."""
    rows = session.execute(
        select(Account)
        .where(Account.deleted_at.is_(None), *scoped.channel_scope(principal))
        .order_by(Account.platform, func.lower(Account.handle))
    ).scalars()
    return [channel_view(account) for account in rows]


def visible_channel_ids(session: Session, principal: Principal, scope: Scope = EVERYTHING) -> list[str]:
    """Channels, removed ones included, that the person may see numbers of."""
    query = select(Account.id).where(*scoped.channel_scope(principal))
    ids = scoped.channel_ids(session, scope)
    return list(session.execute(query.where(Account.id.in_(ids)) if ids is not None else query).scalars())


def _total(session: Session, principal: Principal, period: Period, scope: Scope) -> Figures:
    return _figures(session.execute(scoped.summed(session, principal, period, scope)).one())


def _figures_by(
    session: Session, principal: Principal, period: Period, scope: Scope, name: str
) -> dict[str, Figures]:
    query = scoped.summed(session, principal, period, scope, by=name)
    return {row[0]: _figures(row[1:]) for row in session.execute(query)}


def _added(parts: list[Figures]) -> Figures:
    """The sum of some figures; what none of them tells stays missing."""

    def total(name: str) -> int | None:
        known = [value for part in parts if (value := getattr(part, name)) is not None]
        return sum(known) if known else None

    measured, engagements = sum(part.measured for part in parts), total("engagements")
    return Figures(
        posts=sum(part.posts for part in parts),
        measured=measured,
        engagements=engagements,
        likes=total("likes"),
        reposts=total("reposts"),
        replies=total("replies"),
        views=total("views"),
        per_post=engagements / measured if measured and engagements is not None else None,
    )


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
    session: Session, principal: Principal, period: Period, scope: Scope
) -> dict[date, tuple[int, int | None]]:
    query = scoped.summed(
        session,
        principal,
        period,
        scope,
        key=lambda grain: local_seconds(period, grain) // 86_400,
        count=3,
    )
    return {
        _EPOCH + timedelta(days=int(number)): (int(posts), int(engagements) if measured else None)
        for number, posts, measured, engagements in session.execute(query)
    }


def _weight(share: Share) -> tuple[int, int, str]:
    return (-(share.figures.engagements or 0), -share.figures.posts, share.name.lower())


def _cell(number: int, row: Any, average: float) -> HeatCell:
    posts, measured, engagements = (int(value) for value in row)
    per_post = engagements / measured if measured else None
    score = (engagements + FEW_POSTS * average) / (measured + FEW_POSTS) if measured else None
    return HeatCell(number // 24, number % 24, posts, measured, per_post, score)


def _followers(
    session: Session, principal: Principal, period: Period, before: Period, scope: Scope
) -> tuple[int | None, int | None]:
    """Followers at the end of the period, and at the end of the other one, of the channels known on both days."""
    now = followers_on(session, principal, period.last, scope)
    then = followers_on(session, principal, before.last, scope)
    if not now:
        return None, None
    shared = now.keys() & then.keys()
    if not shared:
        return sum(now.values()), None
    # A channel connected meanwhile is no growth: it counts on both sides with what it has now.
    new = sum(value for key, value in now.items() if key not in shared)
    return sum(now.values()), sum(then[key] for key in shared) + new


def followers_on(
    session: Session, principal: Principal, day: date, scope: Scope = EVERYTHING
) -> dict[str, int]:
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
        .where(Account.deleted_at.is_(None), *scoped.channel_scope(principal))
    )
    ids = scoped.channel_ids(session, scope)
    if ids is not None:
        query = query.where(FollowerDay.account_id.in_(ids))
    return {key: int(value) for key, value in session.execute(query) if value is not None}
