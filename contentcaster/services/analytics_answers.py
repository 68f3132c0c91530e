"""The four questions that people come with, answered in words: what worked, where, when to post next, did bots help.

Each sentence names the numbers it rests on, and says so where they are too few to rest on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from contentcaster.services.analytics import FEW_POSTS, best_times
from contentcaster.services.analytics_bots import BotEffect, Growth
from contentcaster.services.analytics_drawing import number, time_words
from contentcaster.services.analytics_read import Everything
from contentcaster.services.analytics_views import HeatCell, Share
from contentcaster.services.schedule import load_zone, wall_time_in

_LEAD = timedelta(minutes=15)
_QUOTED = 70
_NOT_MUCH = 1.0
"""Percentage points: a difference below is none."""
LONG_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True)
class Answer:
    """`words` is the answer, `note` what it rests on; `at` the wall time to post at, for the answer about time."""

    question: str
    words: str
    note: str
    at: str = ""


def answers(found: Everything, now: datetime) -> list[Answer]:
    """In the order in which people ask; an answer is always there, if only that there is none yet."""
    return [_what(found), _where(found), _when(found, now), _bots(found.bots)]


def _what(found: Everything) -> Answer:
    question = "What worked best?"
    if not found.best:
        return Answer(question, "Nothing measured yet.", "Posts are measured 5 minutes after they went out.")
    post, per_post = found.best[0], found.summary.now.per_post
    text = " ".join(post.text.split())
    quoted = (
        f"“{text if len(text) <= _QUOTED else text[: _QUOTED - 1] + '…'}”" if text else "A post without text"
    )
    times = (post.engagements or 0) / per_post if per_post else 0
    beside = f", {times:.1f} times the average of {number(per_post)}" if times >= 1.05 else ""
    note = f"{number(post.engagements)} engagements on {post.channel.handle}{beside}."
    if label := next((share for share in _ranked(found.labels) if share.figures.measured >= FEW_POSTS), None):
        note += f" Best label: {label.name}, {number(label.figures.per_post)} per post."
    return Answer(question, quoted, note)


def _where(found: Everything) -> Answer:
    question = "Where?"
    ranked = [share for share in _ranked(found.channels) if share.figures.measured >= FEW_POSTS]
    if not ranked:
        words = "Too few posts to say." if found.channels else "Nothing went out in these days."
        return Answer(question, words, f"A channel counts from {FEW_POSTS} measured posts on.")
    first = ranked[0]
    name = f"{first.name} on {first.channel.platform_name}" if first.channel else first.name
    total = found.summary.now.engagements or 0
    note = f"{number(first.figures.per_post)} engagements per post over {first.figures.measured:,} posts"
    if total:
        note += f", {(first.figures.engagements or 0) / total * 100:.0f}% of all engagement"
    if len(ranked) > 1:
        second = ranked[1]
        note += f". Next: {second.name} with {number(second.figures.per_post)}"
    return Answer(question, name, note + ".")


def _when(found: Everything, now: datetime) -> Answer:
    question, zone = "When to post next?", found.asked.period.zone
    best = best_times(found.cells, 3)
    if not best:
        return Answer(
            question,
            "Not enough posts yet.",
            f"An hour of the week counts once {FEW_POSTS} measured posts went out in it. A longer period has more.",
        )
    cell, per_post = best[0], found.summary.now.per_post
    at = next_time(cell, zone, now)
    words = f"{LONG_WEEKDAYS[cell.weekday]} {cell.hour:02d}:00 – {(cell.hour + 1) % 24:02d}:00"
    since = f" of the last {found.cells_days} days" if found.cells_days else ""
    note = f"{number(cell.per_post)} engagements per post over {cell.measured} posts{since}"
    if per_post:
        note += f"; the average is {number(per_post)}"
    if others := ", ".join(time_words(other) for other in best[1:]):
        note += f". Also good: {others}"
    return Answer(question, words, f"{note}. Times of {zone}.", wall_time_in(at, zone))


def next_time(cell: HeatCell, zone: str, now: datetime) -> datetime:
    """The next moment at which that hour of the week begins, with time left to write."""
    local = now.astimezone(load_zone(zone))
    day = local.date() + timedelta(days=(cell.weekday - local.weekday()) % 7)
    for _ in range(2):
        at = datetime(day.year, day.month, day.day, cell.hour, tzinfo=load_zone(zone)).astimezone(UTC)
        if at > now + _LEAD:
            break
        day += timedelta(days=7)
    return at


def _bots(effect: BotEffect) -> Answer:
    """In short; the sentences of `growth_sentence` say the rest."""
    question = "Did the bots help?"
    if not effect.acts:
        return Answer(question, "No bot did anything in this period.", "Nothing to compare.")
    done = f"{act_words(effect.acts)} went out."
    with_bots, without = effect.with_bots.growth, effect.without_bots.growth
    if with_bots is None:
        return Answer(question, "Cannot be told yet.", f"{done} Followers are not known for both ends of it.")
    if without is None:
        words = f"Followers {_moved(with_bots)} while they worked."
        return Answer(question, words, f"{done} There is no channel without bots to compare with.")
    ahead = with_bots - without
    words = (
        "No difference to see."
        if abs(ahead) < _NOT_MUCH
        else f"Channels with bots grew {abs(ahead):.1f} points {'more' if ahead > 0 else 'less'}."
    )
    beside = f"Followers: {with_bots:+.1f}% with bots, {without:+.1f}% without.".replace("-", "−")
    return Answer(question, words, f"{done} {beside} A comparison, not a proof.")


def act_words(acts: dict[str, int]) -> str:
    """1,204 likes, 86 replies"""
    plural = {"reply": "replies"}
    return ", ".join(
        f"{count:,} {action if count == 1 else plural.get(action, action + 's')}"
        for action, count in sorted(acts.items(), key=lambda item: -item[1])
    )


def growth_sentence(name: str, growth: Growth) -> str:
    """Followers before and now, and engagement per post where it is known."""
    if growth.now is None or growth.before is None:
        words = f"{name}: followers are not known for both ends of this period"
    else:
        share = f" ({growth.growth:+.1f}%)" if growth.growth is not None else ""
        words = f"{name}: {growth.before:,} followers became {growth.now:,}{share}"
    if growth.per_post is not None:
        change = f" ({growth.per_post_change:+.0f}%)" if growth.per_post_change is not None else ""
        words += f", {number(growth.per_post)} engagements per post{change}"
    return f"{words}.".replace("(-", "(−")


def _moved(percent: float) -> str:
    if abs(percent) < _NOT_MUCH:
        return "stayed about the same"
    return f"{'grew' if percent > 0 else 'fell'} {abs(percent):.1f}%"


def _ranked(shares: Sequence[Share]) -> list[Share]:
    return sorted(shares, key=lambda share: -(share.figures.per_post or 0.0))
