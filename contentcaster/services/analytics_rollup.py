"""Writing down counts, and keeping the latest counts and the rollup true to them.

Whoever writes locks the channel's `MetricChannel` row first, so two writers never sum over each other's half. The
rollup of a touched quarter of an hour is summed anew from its posts, never added to: late, corrected and repeated
counts all end in the same sums.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, literal, select, update
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlmodel import Session

from contentcaster.models import (
    Account,
    MetricChannel,
    MetricHalfHour,
    MetricLabel,
    MetricPost,
    MetricRollup,
    MetricSnapshot,
    PostLabel,
)
from contentcaster.models.analytics import ALL, HALF_HOUR_SECONDS, QUARTER_SECONDS
from contentcaster.platforms.metrics import PostCounts, added

_KINDS = ("likes", "reposts", "replies", "views")
_CHUNK = 400
QUARTERS = HALF_HOUR_SECONDS // QUARTER_SECONDS
_HALF_HOURS_LOCK = 6_840_215
"""Any number, as long as nothing else locks by it."""


@dataclass(frozen=True)
class Measured:
    """A post's counts as they were at `taken_at`."""

    job_id: int
    slot: int
    taken_at: datetime
    counts: PostCounts


def bucket_of(moment: datetime) -> int:
    """The quarter of an hour since 1970 that `moment` falls in."""
    return int(moment.timestamp() // QUARTER_SECONDS)


def lock_channel(session: Session, account_id: str) -> MetricChannel | None:
    """The channel's row, made if it is new, locked until the commit; None if the channel is gone for good."""
    row = session.get(MetricChannel, account_id, with_for_update=True, populate_existing=True)
    if row is None:
        if (
            session.get(Account, account_id, with_for_update=True) is None
        ):  # two at once: the second waits here
            return None
        row = session.get(MetricChannel, account_id, with_for_update=True, populate_existing=True)
        if row is None:
            row = MetricChannel(account_id=account_id)
            session.add(row)
            session.flush()
    return row


def record(
    session: Session, account_id: str, measured: Sequence[Measured], *, is_correction: bool = False
) -> int:
    """Keep snapshots of this channel's posts and bring what derives from them up to date; returns how many were new.

    A slot that has a snapshot keeps it, unless `is_correction`: then the new counts replace it.
    """
    if lock_channel(session, account_id) is None:
        return 0
    new = 0
    for start in range(0, len(measured), _CHUNK):
        new += _keep(session, measured[start : start + _CHUNK], is_correction=is_correction)
    refresh(session, account_id, {item.job_id for item in measured})
    return new


def _keep(session: Session, measured: Sequence[Measured], *, is_correction: bool) -> int:
    rows = [
        {"job_id": m.job_id, "slot": m.slot, "taken_at": m.taken_at}
        | {kind: getattr(m.counts, kind) for kind in _KINDS}
        for m in measured
    ]
    is_postgres = session.get_bind().dialect.name == "postgresql"
    statement: Any = (postgres_insert if is_postgres else sqlite_insert)(MetricSnapshot).values(rows)
    key = ["job_id", "slot"]
    if is_correction:
        changed = {name: statement.excluded[name] for name in ("taken_at", *_KINDS)}
        statement = statement.on_conflict_do_update(index_elements=key, set_=changed)
    else:
        statement = statement.on_conflict_do_nothing(index_elements=key)
    # Not rowcount: psycopg does not tell it for many rows at once.
    return len(session.execute(statement.returning(MetricSnapshot.job_id)).all())


def refresh(session: Session, account_id: str, job_ids: Iterable[int]) -> None:
    """Derive the latest counts of these posts and the sums of the quarters they went out in. The channel is locked."""
    wanted, buckets = sorted(job_ids), set()
    for start in range(0, len(wanted), _CHUNK):
        chunk = wanted[start : start + _CHUNK]
        changes = _latest(session, chunk)
        if changes:
            session.execute(update(MetricPost), changes)
        buckets |= set(
            session.execute(select(MetricPost.bucket).where(MetricPost.job_id.in_(chunk))).scalars()
        )
    sum_up(session, account_id, buckets)
    sum_up_half_hours(session, buckets)


def sum_up(session: Session, account_id: str, buckets: Iterable[int]) -> None:
    """Replace the sums of these quarters by what their posts add up to. The channel is locked.

    When all channels of the transaction are done, `sum_up_half_hours` follows.
    """
    wanted = sorted(buckets)
    for start in range(0, len(wanted), _CHUNK):
        chunk = wanted[start : start + _CHUNK]
        session.execute(
            delete(MetricRollup)
            .where(MetricRollup.account_id == account_id, MetricRollup.bucket.in_(chunk))
            .execution_options(synchronize_session=False)
        )
        posts = raw_sums().where(MetricPost.account_id == account_id, MetricPost.bucket.in_(chunk))
        session.execute(insert(MetricRollup).from_select(_COLUMNS, posts))


def sum_up_half_hours(session: Session, buckets: Iterable[int], *, labels: Iterable[str] = ()) -> None:
    """Bring the half hours of these quarters, and their sums by label, up to date; until the commit for us alone.

    Last in its transaction, after every lock on a channel: whoever waits for it holds nothing that its holder needs.
    `labels` are those that posts of these quarters have lost.
    """
    buckets = set(buckets)
    wanted = sorted({bucket // QUARTERS for bucket in buckets})
    if wanted and session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(_HALF_HOURS_LOCK)))
    for start in range(0, len(wanted), _CHUNK):
        chunk = wanted[start : start + _CHUNK]
        session.execute(
            delete(MetricHalfHour)
            .where(MetricHalfHour.half_hour.in_(chunk))
            .execution_options(synchronize_session=False)
        )
        quarters = [half_hour * QUARTERS + number for half_hour in chunk for number in range(QUARTERS)]
        for sums in half_hour_sums():
            session.execute(
                insert(MetricHalfHour).from_select(
                    _HALF_HOUR_COLUMNS, sums.where(MetricRollup.bucket.in_(quarters))
                )
            )

    _sum_up_labels(session, sorted(buckets), set(labels))


def _sum_up_labels(session: Session, buckets: Sequence[int], lost: set[str]) -> None:
    for start in range(0, len(buckets), _CHUNK):
        chunk = buckets[start : start + _CHUNK]
        carried = session.execute(
            select(PostLabel.label)
            .join(MetricPost, MetricPost.post_id == PostLabel.post_id)
            .where(MetricPost.bucket.in_(chunk))
            .distinct()
        ).scalars()
        labels = sorted(set(carried) | lost)
        if not labels:
            continue
        session.execute(
            delete(MetricLabel)
            .where(MetricLabel.label.in_(labels), MetricLabel.bucket.in_(chunk))
            .execution_options(synchronize_session=False)
        )
        for sums in label_sums():
            # Every label found here is one of `labels`: naming them would only lead the database astray.
            here = sums.where(MetricPost.bucket.in_(chunk))
            session.execute(insert(MetricLabel).from_select(_LABEL_COLUMNS, here))


def label_sums() -> list[Any]:
    """What the sums by label must say, read from the posts: by channel and author, by either, over all."""
    selects = []
    for account in (MetricPost.account_id, None):
        for author in (MetricPost.author_id, None):
            shown = [literal(ALL) if column is None else column for column in (account, author)]
            keys = [column for column in (account, author) if column is not None]
            selects.append(
                select(PostLabel.label, *shown, MetricPost.bucket, *_post_totals())
                .join(PostLabel, PostLabel.post_id == MetricPost.post_id)
                .group_by(PostLabel.label, *keys, MetricPost.bucket)
            )
    return selects


def half_hour_sums() -> list[Any]:
    """What the half hours must say, read from the rollup: by channel and author, by either, over all."""
    half_hour = _half_hour()
    totals = [func.sum(getattr(MetricRollup, name)) for name in _COLUMNS[3:]]
    selects = []
    for account in (MetricRollup.account_id, None):
        for author in (MetricRollup.author_id, None):
            shown = [literal(ALL) if column is None else column for column in (account, author)]
            keys = [column for column in (account, author) if column is not None]
            selects.append(select(*shown, half_hour, *totals).group_by(*keys, half_hour))
    return selects


def _half_hour() -> Any:
    # Whole numbers on both databases; no bucket is negative.
    return MetricRollup.bucket // QUARTERS


_COLUMNS = (
    "bucket", "account_id", "author_id", "posts", "measured", "engagements", "likes", "reposts", "replies", "views",
    "views_measured",
)  # fmt: skip
_HALF_HOUR_COLUMNS = ("account_id", "author_id", "half_hour", *_COLUMNS[3:])
_LABEL_COLUMNS = ("label", "account_id", "author_id", "bucket", *_COLUMNS[3:])


def raw_sums() -> Any:
    """What the rollup must say, read from the posts themselves."""
    return select(MetricPost.bucket, MetricPost.account_id, MetricPost.author_id, *_post_totals()).group_by(
        MetricPost.bucket, MetricPost.account_id, MetricPost.author_id
    )


def _post_totals() -> list[Any]:
    """The sums over posts, in the order of the columns."""
    total = [func.coalesce(func.sum(getattr(MetricPost, name)), literal(0)) for name in _COLUMNS[5:10]]
    return [func.count(), func.count(MetricPost.engagements), *total, func.count(MetricPost.views)]


def _latest(session: Session, job_ids: Sequence[int]) -> list[dict[str, Any]]:
    """Of each kind the newest count that was told: a null after a number is an answer that failed to come."""
    snapshots: dict[int, list[Any]] = defaultdict(list)
    for row in session.execute(
        select(MetricSnapshot.job_id, MetricSnapshot.taken_at, *[getattr(MetricSnapshot, k) for k in _KINDS])
        .where(MetricSnapshot.job_id.in_(job_ids))
        .order_by(MetricSnapshot.taken_at, MetricSnapshot.slot)
    ):
        snapshots[row.job_id].append(row)
    changes = []
    for job_id, rows in snapshots.items():
        latest: dict[str, Any] = {
            kind: next((value for row in reversed(rows) if (value := getattr(row, kind)) is not None), None)
            for kind in _KINDS
        }
        told = [row.taken_at for row in rows if any(getattr(row, kind) is not None for kind in _KINDS)]
        engagements = added(latest["likes"], latest["reposts"], latest["replies"])
        changes.append(
            {"job_id": job_id, "measured_at": told[-1] if told else None, "engagements": engagements} | latest
        )
    return changes
