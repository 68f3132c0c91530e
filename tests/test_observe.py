"""Traces and error reports: real libraries, real receivers; nothing secret in them, and nothing at all when off."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import brotli
import pytest

from contentcaster import tracing
from contentcaster.models import PostStatus
from contentcaster.observe import scrub
from contentcaster.settings import PROJECT_ROOT, SettingsError, load_settings
from tests.services_for_tests.programs import free_port, wait_until
from tests.services_for_tests.receiver import Receiver, running_receiver
from tests.services_for_tests.stack import Stack, as_environment
from tests.tasks import product_kit

CANARY = "canary-7f3a-canary-7f3a-canary-7f3a-canary"
POST = "The text of a post that is nobody's business"

_PROGRAM = f"""
import sys
import structlog
from sqlalchemy import create_engine, text
from contentcaster import tracing
from contentcaster.logs import configure_logging
from contentcaster.settings import get_settings
configure_logging(get_settings())
configure_logging(get_settings())
log = structlog.get_logger("contentcaster.test")
with tracing.span("job.send", job_id=7, channel="Bearer {CANARY}"):
    tracing.note(outcome="Published")
password = "{CANARY}"
try:
    with tracing.span("job.look_up", job_id=8):
        create_engine("sqlite://").connect().execute(text("SELECT nothing FROM :t"), {{"t": {POST!r}}})
except Exception:
    log.exception("settle_refused", job_id=8, authorization=password, text={POST!r})
log.error("token={CANARY} was refused\\nDETAIL: {POST}", token=password)
log.warning("only a warning")
print(sorted(name for name in sys.modules if name in ("sentry_sdk", "opentelemetry.sdk.trace")))
"""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver(free_port()) as running:
        running.answers += [(200, b"{}")] * 20
        yield running


def _run(folder: Path, **settings: object) -> str:
    environment = as_environment(data_dir=folder, secret_key=CANARY, **settings)
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        env=os.environ | environment | {"PYTHONPATH": str(PROJECT_ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert CANARY not in done.stderr
    return done.stdout.strip()


def test_traces_and_reports_arrive_without_a_secret_or_a_text(receiver: Receiver, tmp_path: Path) -> None:
    loaded = _run(
        tmp_path,
        otlp_endpoint=f"http://127.0.0.1:{receiver.port}",
        otlp_headers="x-team=ours",
        sentry_dsn=f"http://{CANARY[:32].replace('-', '0')}@127.0.0.1:{receiver.port}/1",
    )
    assert loaded == "['opentelemetry.sdk.trace', 'sentry_sdk']"

    spans, reports = _spans(receiver), _reports(receiver)
    assert {span["name"] for span in spans} == {"job.send", "job.look_up"}
    sent = next(span for span in spans if span["name"] == "job.send")
    assert sent["attributes"] == {"job_id": 7, "channel": "Bearer [redacted]", "outcome": "Published"}
    failed = next(span for span in spans if span["name"] == "job.look_up")
    assert (failed["attributes"]["error.type"], failed["status"]) == ("OperationalError", 2)

    assert len(reports) == 2
    crash = next(report for report in reports if "exception" in report)
    (error,) = crash["exception"]["values"][-1:]
    assert error["type"] == "OperationalError"
    assert error["stacktrace"]["frames"]
    assert crash["tags"] == {"logger": "contentcaster.test", "job_id": "8"}
    (told,) = [report for report in reports if "exception" not in report]
    assert "[redacted]" in json.dumps(told)

    everything = json.dumps([spans, reports])
    for secret in (CANARY, POST, "canary-7f3a"):
        assert secret not in everything
    assert all(
        headers["x-team"] == "ours" for headers, _ in receiver.got if "protobuf" in headers["content-type"]
    )


def _plain(headers: dict[str, str], body: bytes) -> bytes:
    decode = {"gzip": gzip.decompress, "br": brotli.decompress}.get(
        headers.get("content-encoding", ""), bytes
    )
    return bytes(decode(body))


def _spans(receiver: Receiver) -> list[dict[str, Any]]:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    found = []
    for headers, body in receiver.got:
        if "protobuf" not in headers["content-type"]:
            continue
        request = ExportTraceServiceRequest()
        request.ParseFromString(_plain(headers, body))
        for resource in request.resource_spans:
            assert "contentcaster" in str(resource.resource)
            for scope in resource.scope_spans:
                for span in scope.spans:
                    attributes = {
                        item.key: getattr(item.value, item.value.WhichOneof("value"))
                        for item in span.attributes
                    }
                    found.append({"name": span.name, "attributes": attributes, "status": span.status.code})
    return found


def _reports(receiver: Receiver) -> list[dict[str, Any]]:
    found = []
    for headers, body in receiver.got:
        if "sentry-envelope" not in headers["content-type"]:
            continue
        lines = _plain(headers, body).split(b"\n")
        found += [
            json.loads(lines[i + 1])
            for i, line in enumerate(lines)
            if b'"type":"event"' in line.replace(b" ", b"")
        ]
    return found


def test_without_an_address_nothing_is_imported_and_nothing_is_traced(tmp_path: Path) -> None:
    assert _run(tmp_path) == "[]"
    assert not tracing.is_on()
    with tracing.span("anything", job_id=1):
        tracing.note(outcome="nothing")


def test_a_missing_library_stops_the_start_with_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("contentcaster.settings._is_installed", lambda library: False)
    for name, value, extra in (
        ("otlp_endpoint", "http://127.0.0.1:4318", "otel"),
        ("sentry_dsn", "http://key@127.0.0.1/1", "sentry"),
    ):
        with pytest.raises(SettingsError, match=rf"contentcaster\[{extra}\]"):
            load_settings(data_dir=tmp_path, **{name: value})


def test_a_published_post_is_a_span_with_its_outcome_and_lateness(
    sqlite_stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    from contextlib import contextmanager

    seen: list[tuple[str, dict[str, Any]]] = []

    @contextmanager
    def open_span(name: str, attributes: Any) -> Iterator[None]:
        seen.append((name, dict(attributes)))
        yield

    tracing.install(open_span, lambda attributes: seen[-1][1].update(attributes))
    try:
        with product_kit.product(sqlite_stack, publish_lead_seconds=0.5) as product:
            product.connect()
            with product.sender():
                post_id = product.schedule(POST, in_seconds=0.6)
                product.wait_for(post_id, PostStatus.PUBLISHED)
                wait_until(lambda: "outcome" in seen[-1][1], what="the span's outcome", seconds=10)
            job_id = product.job_of(post_id).id
    finally:
        tracing.install(None, None)
    (name, attributes), *_ = seen
    assert (name, attributes["job_id"], attributes["outcome"]) == ("job.send", job_id, "Published")
    assert 0 <= attributes["late_seconds"] < 5
    assert POST not in str(seen)


def test_a_report_keeps_only_the_first_line_of_an_error_and_nothing_about_its_surroundings() -> None:
    event = {
        "exception": {"values": [{"type": "IntegrityError", "value": f"duplicate key\nDETAIL: {POST}"}]},
        "request": {"data": POST},
        "user": {"email": "a@example.org"},
        "modules": {"a": "1"},
        "extra": {"list": ["Bearer abcdefghijkl"]},
    }

    clean = scrub(event, lambda text: text.replace("abcdefghijkl", "[redacted]"))

    assert clean == {
        "exception": {"values": [{"type": "IntegrityError", "value": "duplicate key"}]},
        "extra": {"list": ["Bearer [redacted]"]},
    }
