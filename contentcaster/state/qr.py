"""A QR code as the outline of an SVG: drawn by the page, so the secret in it goes through no image file or address."""

from __future__ import annotations

from dataclasses import dataclass

import segno


@dataclass(frozen=True)
class QrCode:
    path: str
    """For <path d>: one square per dark module, one unit wide, with the quiet zone around them."""
    size: int
    """Width and height in units."""


QUIET_ZONE = 4
"""Modules of white around the code (ISO/IEC 18004)."""


def qr_code(text: str) -> QrCode:
    """Draw `text`; medium error correction survives a dirty screen."""
    matrix = segno.make(text, error="m", micro=False).matrix
    squares = [
        f"M{x + QUIET_ZONE} {y + QUIET_ZONE}h1v1h-1z"
        for y, row in enumerate(matrix)
        for x, is_dark in enumerate(row)
        if is_dark
    ]
    return QrCode("".join(squares), len(matrix) + 2 * QUIET_ZONE)
