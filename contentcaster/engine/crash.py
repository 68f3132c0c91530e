"""Named points at which a test can end the process as kill -9 would: CRASH_AT=begin_send.after_commit."""

from __future__ import annotations

import os

CRASH_POINTS = (
    "enqueue.before_hint",
    "enqueue.after_hint",
    "claim.before_commit",
    "claim.after_commit",
    "prepare.before",
    "prepare.after",
    "begin_send.before_commit",
    "begin_send.after_commit",
    "send.after_answer",
    "settle.before_commit",
    "settle.after_commit",
    "reconcile.before_commit",
    "reconcile.after_commit",
    "lookup.claimed",
    "lookup.after_answer",
)

_active = os.environ.get("CRASH_AT", "")
if _active and _active not in CRASH_POINTS:
    raise SystemExit(f"CRASH_AT={_active} names no crash point; there are: {', '.join(CRASH_POINTS)}")


def crash_point(name: str) -> None:
    """End the process here, without any clean-up, if CRASH_AT names this point."""
    if name == _active:
        os._exit(137)
