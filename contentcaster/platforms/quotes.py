"""Addresses of posts that a post of ours can quote: what people copy from the network's own pages.

A quote is a network's own: an address of another network is left out, and the preflight says so.
"""

from __future__ import annotations

import re

MAX_ADDRESS_LENGTH = 500
_X = re.compile(r"https?://(?:www\.|mobile\.)?(?:x|twitter)\.com/[^/?#]+/status/(\d{1,19})(?:[/?#].*)?")
_BLUESKY = re.compile(r"https?://[^/?#]+/profile/([^/?#]+)/post/([A-Za-z0-9._~-]{1,512})(?:[/?#].*)?")
_AT_URI = re.compile(r"at://([^/?#]+)/app\.bsky\.feed\.post/([A-Za-z0-9._~-]{1,512})")


def x_post_id(address: str) -> str:
    """The id in https://x.com/name/status/123; "" if it is none of X."""
    found = _X.fullmatch(address.strip())
    return found.group(1) if found else ""


def bluesky_post(address: str) -> tuple[str, str] | None:
    """Who (a handle or DID) and the record key, of a web address or an at:// one; None if it is none of Bluesky."""
    found = _BLUESKY.fullmatch(address.strip()) or _AT_URI.fullmatch(address.strip())
    return (found.group(1), found.group(2)) if found else None


def can_quote(platform: str, address: str) -> bool:
    """Whether that network can quote what stands at this address."""
    if platform == "x":
        return bool(x_post_id(address))
    return platform == "bluesky" and bluesky_post(address) is not None


def is_address(address: str) -> bool:
    """Whether it is the address of a post at all."""
    return len(address) <= MAX_ADDRESS_LENGTH and any(can_quote(name, address) for name in ("x", "bluesky"))
