"""OpenTelemetry traces and Sentry reports: optional, off unless configured, and redacted as the log is.

Neither library is imported, nor needs to be installed, while OTLP_ENDPOINT and SENTRY_DSN are empty. Of a request or a
job a trace holds names, numbers and durations; a report holds the exception's type, its first line and where it arose.
Neither holds texts of posts, headers, bodies, variables or SQL parameters.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from contentcaster import __version__, tracing
from contentcaster.settings import Settings
from contentcaster.tracing import Value

_EXPORT_SECONDS = 5
_MOST_CHARACTERS = 300
_KEPT_FIELDS = ("job_id", "account_id", "post_id", "reference", "step", "worker", "method", "path", "queue")
"""What of a log line's fields goes into a report; everything else may hold what people wrote."""

Redact = Callable[[str], str]
Report = Callable[[Mapping[str, Any]], None]

_started: set[str] = set()


def start_tracing(settings: Settings, redact: Redact) -> None:
    """Send spans to OTLP_ENDPOINT from now on; once per process."""
    if not settings.otlp_endpoint or "otlp" in _started:
        return
    from opentelemetry import trace  # noqa: PLC0415 - optional
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased  # noqa: PLC0415

    provider = TracerProvider(
        resource=Resource(
            {
                "service.name": "contentcaster",
                "service.version": __version__,
                "deployment.environment.name": settings.environment,
                "host.name": socket.gethostname(),
            }
        ),
        sampler=ParentBased(TraceIdRatioBased(settings.trace_share)),
    )
    exporter = OTLPSpanExporter(
        endpoint=f"{settings.otlp_endpoint.rstrip('/')}/v1/traces",
        headers=_headers(settings.otlp_headers.get_secret_value()),
        timeout=_EXPORT_SECONDS,
    )
    provider.add_span_processor(BatchSpanProcessor(exporter))
    # Not the global one: libraries that would trace by themselves put addresses and texts into their spans.
    tracer = provider.get_tracer("contentcaster", __version__)

    def clean(attributes: Mapping[str, Value]) -> dict[str, Value]:
        return {
            name: redact(value)[:_MOST_CHARACTERS] if isinstance(value, str) else value
            for name, value in attributes.items()
        }

    @contextmanager
    def open_span(name: str, attributes: Mapping[str, Value]) -> Iterator[None]:
        with tracer.start_as_current_span(
            name, attributes=clean(attributes), record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield
            except BaseException as error:
                span.set_status(trace.StatusCode.ERROR)
                span.set_attribute("error.type", type(error).__name__)
                raise

    def note(attributes: Mapping[str, Value]) -> None:
        trace.get_current_span().set_attributes(clean(attributes))

    tracing.install(open_span, note)
    _started.add("otlp")


def start_reports(settings: Settings, redact: Redact) -> Report | None:
    """Make reports to SENTRY_DSN; what takes a log line of level error, or None without a DSN."""
    dsn = settings.sentry_dsn.get_secret_value()
    if not dsn:
        return None
    import sentry_sdk  # noqa: PLC0415 - optional
    from sentry_sdk.integrations.atexit import AtexitIntegration  # noqa: PLC0415

    if "sentry" not in _started:
        sentry_sdk.init(
            dsn=dsn,
            release=f"contentcaster@{__version__}",
            environment=settings.environment,
            # Each integration takes along what its library handles: requests, statements, command lines.
            default_integrations=False,
            auto_enabling_integrations=False,
            integrations=[AtexitIntegration(callback=lambda pending, timeout: None)],
            send_default_pii=False,
            include_local_variables=False,
            include_source_context=False,
            max_request_body_size="never",
            max_breadcrumbs=0,
            auto_session_tracking=False,
            send_client_reports=False,
            shutdown_timeout=2,
            http_proxy="",
            https_proxy="",
            before_send=lambda event, hint: scrub(event, redact),
        )
        _started.add("sentry")

    def report(line: Mapping[str, Any]) -> None:
        with sentry_sdk.new_scope() as scope:
            scope.set_level("error")
            scope.set_tag("logger", str(line.get("logger", "")))
            for name in _KEPT_FIELDS:
                if line.get(name) not in (None, ""):
                    scope.set_tag(name, str(line[name])[:_MOST_CHARACTERS])
            words = _first_line(line.get("event", ""))
            error = _exception_of(line.get("exc_info"))
            if error is None:
                sentry_sdk.capture_message(words)
            else:
                scope.set_transaction_name(words[:_MOST_CHARACTERS])
                sentry_sdk.capture_exception(error)

    return report


def scrub(event: Any, redact: Redact) -> Any:
    """The report without secrets: exceptions' messages are cut to their first line, which holds no parameters."""
    for error in (event.get("exception") or {}).get("values") or []:
        error["value"] = _first_line(error.get("value") or "")
    for name in ("modules", "request", "user", "breadcrumbs"):
        event.pop(name, None)
    return _clean(event, redact)


def _first_line(words: object) -> str:
    return next(iter(str(words).splitlines()), "")


def _clean(value: Any, redact: Redact) -> Any:
    if isinstance(value, str):
        return redact(value)[:2000]
    if isinstance(value, dict):
        return {key: _clean(item, redact) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item, redact) for item in value]
    return value


def _exception_of(exc_info: Any) -> BaseException | None:
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        return exc_info[1] if isinstance(exc_info[1], BaseException) else None
    return sys.exc_info()[1] if exc_info else None


def _headers(text: str) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in text.split(",") if "=" in pair]
    return {name.strip(): value.strip() for name, _, value in pairs}
