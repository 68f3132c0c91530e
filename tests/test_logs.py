"""What is logged never holds a secret, and nothing that was typed can look like a line of its own."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from contentcaster.logs import configure_logging
from contentcaster.settings import Settings, load_settings

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJlLWNhbmFyeQ"


@pytest.fixture(autouse=True)
def _restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    structlog.reset_defaults()


def _written(settings: Settings) -> io.StringIO:
    output = io.StringIO()
    configure_logging(settings, stream=output)
    return output


@pytest.mark.parametrize(
    "text",
    [
        f"session {JWT} refused",
        "Authorization: Bearer canary-canary-canary",
        "GET https://api.telegram.org/bot123456:canarycanarycanarycanarycanary/sendMessage",
        "https://discord.com/api/webhooks/12345/canarycanarycanarycanary",
        "https://example.org/callback?code=canary-code&state=1",
        '{"access_token": "canarycanary", "accessJwt": "canarycanary"}',
        "connect to postgresql://user:canary-password@db/contentcaster failed",
        "{'cookie': 'contentcaster=canary; other=canary'}",
    ],
)
def test_tokens_in_the_middle_of_a_text_do_not_reach_the_log(text: str, settings: Settings) -> None:
    output = _written(settings)
    structlog.get_logger("ours").warning("something_happened", answer=text, nested={"list": [text]})
    logging.getLogger("library").warning("library says %s", text)
    logging.getLogger("library").warning(text)
    assert "something_happened" in output.getvalue()
    assert "library says" in output.getvalue()
    assert "canary" not in output.getvalue()
    assert JWT not in output.getvalue()


def test_values_under_telling_names_and_the_secrets_of_the_settings_do_not_reach_the_log(
    tmp_path: Path,
) -> None:
    settings = load_settings(
        data_dir=tmp_path,
        secret_key="canary-" + "s" * 40,
        metrics_token="canary-metrics-token",
        database_url="postgresql+psycopg://user:canary%20db@127.0.0.1/x",
    )
    output = _written(settings)
    log = structlog.get_logger()
    log.info("a", password="canary1234", app_password="canary1234", token="canary1234", token_count=7)
    log.info("key is canary-" + "s" * 40, why="canary-metrics-token and canary db")
    try:
        raise ValueError("cannot use canary-metrics-token")
    except ValueError:
        log.exception("failed")
    assert "canary" not in output.getvalue()
    assert "token_count=7" in output.getvalue()
    assert "ValueError" in output.getvalue()


def test_production_writes_one_json_object_for_each_event(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path).model_copy(update={"environment": "production"})
    output = _written(settings)
    structlog.get_logger("ours").warning("first", detail="two\nlines")
    logging.getLogger("library").error('second\n{"event": "forged"}')
    lines = [json.loads(line) for line in output.getvalue().splitlines()]
    assert [line["level"] for line in lines] == ["warning", "error"]
    assert lines[0]["event"] == "first"
    assert {"timestamp", "logger"} <= lines[0].keys()


def test_a_line_break_in_what_somebody_typed_makes_no_second_line(settings: Settings) -> None:
    output = _written(settings)
    structlog.get_logger().info("sign_in_refused", email="a@b\n2026-11-24 forged line \x1b[31m")
    logging.getLogger("library").warning("typed %s", "x\r\nforged line")
    assert len(output.getvalue().splitlines()) == 2
    assert "\x1b[31m" not in output.getvalue()


def test_http_clients_do_not_log_addresses(settings: Settings) -> None:
    output = _written(settings.model_copy(update={"log_level": "DEBUG"}))
    logging.getLogger("httpx").info("HTTP Request: GET https://example.org/secret-path")
    logging.getLogger("httpcore.http11").debug("send_request_headers")
    assert output.getvalue() == ""
