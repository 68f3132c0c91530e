"""Logging of every process: JSON in production, plain lines elsewhere, and never a secret.

Whatever is logged, by us or by a library, passes one redaction: values under telling names, things that look like
tokens wherever they stand, and the secrets of the settings word for word. Control characters are escaped, so that
nothing that was typed can look like a line of its own or steer a terminal.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable, Iterator
from typing import Any, TextIO
from urllib.parse import unquote, urlsplit

import structlog
from pydantic import SecretStr
from structlog.typing import EventDict, Processor

from contentcaster import observe
from contentcaster.settings import Settings

REDACTED = "[redacted]"
_MAX_DEPTH = 6
_MIN_SECRET_CHARACTERS = 8

_SECRET_NAME = re.compile(
    r"password|passwd|secret|authorization|cookie|credential|api_?key|private_?key|(^|_)token(s|_hash)?$|(^|_)jwt$",
    re.IGNORECASE,
)
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"), REDACTED),
    (re.compile(r"\b(Bearer|Basic|Bot)\s+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE), rf"\1 {REDACTED}"),
    (re.compile(r"(://[^/\s:@]*:)[^@\s/]+@"), rf"\1{REDACTED}@"),
    # Telegram puts its token into the path, Discord's webhooks do likewise.
    (re.compile(r"(/bot)\d+:[A-Za-z0-9_-]{20,}"), rf"\1{REDACTED}"),
    (re.compile(r"(/api/webhooks/\d+/)[A-Za-z0-9_-]{20,}"), rf"\1{REDACTED}"),
    (
        re.compile(
            r"""(["']?\b(?:password|app_password|access_?token|refresh_?token|accessJwt|refreshJwt|client_secret|"""
            r"""api_?key|token|key|code|sig(?:nature)?)["']?\s*[=:]\s*["']?)[^\s"'&,;}]{6,}""",
            re.IGNORECASE,
        ),
        rf"\1{REDACTED}",
    ),
    (
        re.compile(
            r"""(["']?\b(?:cookie|set-cookie|authorization)["']?\s*[:=]\s*)(["']?)[^"'\r\n]+\2""", re.I
        ),
        rf"\1{REDACTED}",
    ),
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_CONTROL_IN_TRACEBACK = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")

_QUIET = {
    # They log addresses, and some networks put tokens into addresses.
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
    "hpack": logging.WARNING,
    "huey": logging.WARNING,  # a line for each hint; the ledger's events say more
    "PIL": logging.INFO,
    "alembic": logging.WARNING,
    "asyncio": logging.WARNING,
    "watchfiles": logging.WARNING,
    "sqlalchemy.engine": logging.WARNING,  # INFO would print every parameter
}


def configure_logging(settings: Settings, *, stream: TextIO | None = None) -> None:
    """Set up structlog and the standard library's logging of this process; may be called again."""
    output = stream or sys.stderr
    redact = Redactor(_secrets_of(settings))
    observe.start_tracing(settings, redact.text)
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        *_reporting(observe.start_reports(settings, redact.text)),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        redact,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        # Loggers of modules are made at import, before this is called.
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(output)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _renderer(settings, output),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level)
    for name, level in _QUIET.items():
        logging.getLogger(name).setLevel(max(level, root.level))
    logging.captureWarnings(True)


def _reporting(report: observe.Report | None) -> Iterator[Processor]:
    """Hand errors to Sentry before their traceback becomes text."""
    if report is None:
        return

    def hand_over(logger: Any, name: str, event_dict: EventDict) -> EventDict:
        if event_dict.get("level") in ("error", "critical") and not str(event_dict.get("logger")).startswith(
            "sentry"
        ):
            report(event_dict)
        return event_dict

    yield hand_over


def _renderer(settings: Settings, output: TextIO) -> Processor:
    if settings.environment == "production":
        return structlog.processors.JSONRenderer(default=str)
    return structlog.dev.ConsoleRenderer(
        colors=output.isatty(),
        exception_formatter=structlog.dev.plain_traceback,
        pad_event_to=0,
        pad_level=False,
    )


class Redactor:
    """A structlog processor that takes secrets and control characters out of everything in an event."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        # The longest first, so that one which contains another goes as a whole.
        self._secrets = sorted(
            {secret for secret in secrets if len(secret) >= _MIN_SECRET_CHARACTERS}, key=len
        )[::-1]

    def __call__(self, logger: Any, name: str, event_dict: EventDict) -> EventDict:
        return {
            key: value if key.startswith("_") else self._clean_item(key, value, 0)
            for key, value in event_dict.items()
        }

    def text(self, text: str) -> str:
        """`text` without secrets; line breaks stay."""
        for secret in self._secrets:
            text = text.replace(secret, REDACTED)
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
        return text

    def _clean_item(self, key: str, value: Any, depth: int) -> Any:
        if _SECRET_NAME.search(key) and value not in (None, "", True, False):
            return REDACTED
        if key in ("exception", "stack") and isinstance(value, str):
            return _CONTROL_IN_TRACEBACK.sub(_escape, self.text(value))
        return self._clean(value, depth)

    def _clean(self, value: Any, depth: int) -> Any:
        if value is None or isinstance(value, bool | int | float):
            return value
        if depth > _MAX_DEPTH:
            return "..."
        if isinstance(value, dict):
            return {str(key): self._clean_item(str(key), item, depth + 1) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._clean(item, depth + 1) for item in value]
        return _CONTROL.sub(_escape, self.text(value if isinstance(value, str) else str(value)))


def _escape(match: re.Match[str]) -> str:
    return match.group().encode("unicode_escape").decode()


def _secrets_of(settings: Settings) -> Iterable[str]:
    """Everything in the settings that must never be printed, also in parts."""
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr) and value.get_secret_value():
            yield value.get_secret_value()
            yield from (part.partition(":")[2] or part for part in value.get_secret_value().split(","))
    for url in (
        settings.database_url,
        settings.redis_url,
        settings.console_redis_url,
        *settings.publish_redis_urls,
    ):
        password = urlsplit(url).password if url else None
        if password:
            yield from (password, unquote(password))
