"""What the engine tells whoever listens, in the transaction in which it happens: posts that moved, channels lost.

A listener writes rows (an outbox) and nothing else; it raises only for what must also undo the change itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlmodel import Session

from contentcaster.db import before_commit

_TOUCHED = "posts_whose_status_moved"

PostListener = Callable[[Session, Mapping[str, str]], None]
"""Takes the status that each of these posts had before this transaction; called as its last statements."""
ChannelListener = Callable[[Session, str], None]
"""Takes the id of a channel that has to be connected again."""

_post_listeners: list[PostListener] = []
_channel_listeners: list[ChannelListener] = []


def listen_to_posts(listener: PostListener) -> None:
    _post_listeners.append(listener)


def listen_to_channels(listener: ChannelListener) -> None:
    _channel_listeners.append(listener)


def posts_moved(session: Session, before: Mapping[str, str]) -> None:
    """The status of these posts was derived anew. What counts is where they stand at the commit: an edit cancels jobs
    and makes others in one transaction, and nobody is told of a post that was never cancelled for anybody to see."""
    touched: dict[str, str] = session.info.setdefault(_TOUCHED, {})
    for post_id, status in before.items():
        touched.setdefault(post_id, status)
    before_commit(session, _tell)


def channel_lost(session: Session, account_id: str) -> None:
    """This channel has just been found to need a new login."""
    for listener in _channel_listeners:
        listener(session, account_id)


def _tell(session: Session) -> None:
    touched: dict[str, str] = session.info.pop(_TOUCHED, {})
    for listener in _post_listeners:
        listener(session, touched)
