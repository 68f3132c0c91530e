"""Paths for the small pictures that pages draw as SVG (components/sparkline.py)."""

from __future__ import annotations

from collections.abc import Sequence

WIDTH, HEIGHT, GAP = 240, 44, 2.0


def bars_path(values: Sequence[int]) -> str:
    """One SVG path with a bar for each value, scaled to the highest; a zero is a hairline."""
    if not values:
        return ""
    highest = max(*values, 1)
    step = WIDTH / len(values)
    bars = []
    for index, value in enumerate(values):
        height = max(3.0, value / highest * (HEIGHT - 2)) if value else 1.0
        bars.append(f"M{index * step:.1f} {HEIGHT}v{-height:.1f}h{step - GAP:.1f}v{height:.1f}z")
    return "".join(bars)
