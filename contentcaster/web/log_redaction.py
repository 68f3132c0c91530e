"""Keeps cookies and query strings out of what Reflex and its libraries log."""

from __future__ import annotations

import logging
import re

# Reflex logs the whole event, with the handshake's headers, when a client sends a name it does not know.
_HEADER = re.compile(
    r"""(['"]?(?:cookie|authorization|set-cookie|token)['"]?\s*[:=]\s*)(['"])(?:(?!\2).)*\2""", re.IGNORECASE
)
# The tab token is in the address of the websocket.
_TAB_TOKEN = re.compile(r"([?&]token=)[^&\s'\"]+")
_MARKERS = ("cookie", "authorization", "token")


def redact(text: str) -> str:
    """The text without the values of cookie and authorization headers and of `token=` parameters."""
    return _TAB_TOKEN.sub(r"\1[redacted]", _HEADER.sub(r"\1\2[redacted]\2", text))


def install() -> None:
    """Redact every record of this process as it is made, whichever handler later writes it."""
    make_record = logging.getLogRecordFactory()
    if getattr(make_record, "redacts", False):
        return

    def factory(*args: object, **kwargs: object) -> logging.LogRecord:
        record = make_record(*args, **kwargs)
        message = record.getMessage()
        if any(marker in message.lower() for marker in _MARKERS):
            record.msg, record.args = redact(message), ()
        return record

    factory.redacts = True  # type: ignore[attr-defined]
    logging.setLogRecordFactory(factory)
