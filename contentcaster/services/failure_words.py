"""The words for each reason why a job was given up: what it is called, and what to do about it."""

from __future__ import annotations

from contentcaster.services.views import ChannelView

_RECONNECT = "reauthorise"


def title_for(reason: str, attempts: int) -> str:
    """The badge of a failed task."""
    if reason == "retries_spent":
        return f"Gave up after {attempts} tries" if attempts > 1 else "Gave up"
    return {
        _RECONNECT: "Token revoked",
        "rejected": "Refused by the network",
        "needs_review": "Needs review",
        "missed": "Missed",
        "expired": "Ran out of time",
        "crashed": "Stopped three times",
        "thread_broken": "Thread was cut",
    }.get(reason, reason.replace("_", " ").capitalize())


def advice_for(reason: str, channel: ChannelView | None) -> str:
    """What it means and what to do, in one or two sentences."""
    name = channel.platform_name if channel else "the network"
    return {
        _RECONNECT: f"{name} no longer accepts this login, so nothing was sent. Connect the channel again, then retry.",
        "rejected": f"{name} refused it and will again as it is. Edit and retry: change what is wrong, and send that.",
        "retries_spent": f"{name} could not take it in any of the tries. Nothing was posted; retry when it is back.",
        "needs_review": f"It was sent, and {name} cannot say whether it arrived. Look at the channel: is it there? "
        "Nothing is sent until you decide.",
        "missed": "Its time passed while publishing was down. Nothing was sent: retry to publish late, or let it go.",
        "expired": "It waited too long (a rate limit or a paused queue). Nothing was sent: retry to publish it late.",
        "crashed": "The worker ended three times while preparing it. Nothing was sent: look at the worker's log first.",
        "thread_broken": "There is nothing it could follow, and it was not sent. Let it go, or send its text as a "
        "new post.",
    }.get(reason, "Look at its history, then retry it or let it go.")


def is_reconnect_advised(reason: str) -> bool:
    """Whether connecting the channel again is the way out."""
    return reason == _RECONNECT
