"""LinkedIn's "little" text: reserved characters are escaped, or LinkedIn cuts the post off there without a word.

Source: learn.microsoft.com/linkedin/marketing/community-management/shares/little-text-format. All of
| { } @ [ ] ( ) < > # \\ * _ ~ are reserved and need a backslash; #tag alone is the HashtagElement and stays as it is.
"""

from __future__ import annotations

import regex

_HASHTAG = regex.compile(r"(?<![\w&#])#(?=[\p{L}\p{N}])")
_RESERVED = regex.compile(r"[|{}@\[\]()<>#\\*_~]")
_ESCAPED = regex.compile(r"\\([|{}@\[\]()<>#\\*_~])")
_HASHTAG_TEMPLATE = regex.compile(r"\{hashtag\|\\?[#＃]\|((?:[^{}|\\]|\\.)*)\}")


def to_little(text: str) -> str:
    """Plain text as it must be sent; hashtags stay hashtags."""
    pieces, position = [], 0
    for match in _HASHTAG.finditer(text):
        pieces += [_RESERVED.sub(r"\\\g<0>", text[position : match.start()]), "#"]
        position = match.end()
    pieces.append(_RESERVED.sub(r"\\\g<0>", text[position:]))
    return "".join(pieces)


def from_little(text: str) -> str:
    """What people read of it."""
    return str(_ESCAPED.sub(r"\1", _HASHTAG_TEMPLATE.sub(r"#\1", text)))
