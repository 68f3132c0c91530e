"""`contentcaster doctor`: each check with what is well and with what is not, and a word on what to do."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from typer.testing import CliRunner

from contentcaster import doctor
from contentcaster.cli import app
from contentcaster.clock import utc_now
from contentcaster.doctor import CHECKS, Finding
from contentcaster.engine import heartbeat, queues
from contentcaster.models import AuditEvent, Role
from contentcaster.security.permissions import SYSTEM
from contentcaster.services import audit, oauth_apps
from contentcaster.settings import Settings
from tests.services_for_tests import factories
from tests.services_for_tests.redis_server import RedisServer
from tests.services_for_tests.stack import Stack, activated, as_environment

OTHER_KEYS = "k9:" + base64.b64encode(b"o" * 32).decode()


def look(stack: Stack, check: str, **settings: Any) -> tuple[str, str]:
    """Level and sentence of the only finding of a check."""
    (finding,) = looks(stack, check, **settings)
    return finding.level, finding.sentence


def looks(stack: Stack, check: str, **settings: Any) -> list[Finding]:
    changed: Settings = stack.settings.model_copy(update=settings)
    return list(CHECKS[check](changed, stack.database))


def test_a_new_installation_without_a_worker_is_well_but_for_that(sqlite_stack: Stack) -> None:
    findings = doctor.examine(sqlite_stack.settings, sqlite_stack.database)
    assert {finding.check: finding.level for finding in findings} == {
        "database": "ok",
        "clock": "ok",
        "queue": "ok",
        "workers": "bad",
        "public URL": "ok",
        "cookies": "ok",
        "keys": "ok",
        "audit log": "ok",
        "disk": "ok",
    }


def test_the_command_says_it_in_lines_and_in_json_and_its_exit_code_counts(sqlite_stack: Stack) -> None:
    plain = CliRunner().invoke(app, ["doctor"])
    assert plain.exit_code == 1
    assert "no worker is running" in plain.output
    told = json.loads(CliRunner().invoke(app, ["doctor", "--json"]).output)
    assert {"check", "level", "sentence"} == set(told[0])
    _beat(sqlite_stack)
    assert CliRunner().invoke(app, ["doctor"]).exit_code == 0


def _beat(stack: Stack) -> None:
    with stack.database.transaction() as session:
        heartbeat.beat(session, "w", queues=["publish"], in_flight=0, is_queue_reachable=True)


def test_before_the_first_migration_it_says_so_instead_of_breaking(tmp_path: Path) -> None:
    environment = as_environment(database_url=f"sqlite:///{tmp_path}/empty.sqlite", data_dir=tmp_path)
    with activated("sqlite", environment) as empty:
        findings = doctor.examine(empty.settings, empty.database)
    told = {finding.check: finding for finding in findings}
    assert told["database"].level == "bad" and "contentcaster migrate" in told["database"].sentence
    assert told["workers"].sentence.startswith("Not checked")
    assert told["disk"].level == "ok"


def test_a_database_of_another_version_and_one_that_is_away(sqlite_stack: Stack, tmp_path: Path) -> None:
    with sqlite_stack.database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    level, sentence = look(sqlite_stack, "database")
    assert level == "bad" and "contentcaster migrate" in sentence
    with sqlite_stack.database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    level, sentence = look(sqlite_stack, "database")
    assert level == "warn" and "newer version" in sentence

    environment = as_environment(
        database_url="postgresql+psycopg://nobody@127.0.0.1:1/none", data_dir=tmp_path
    )
    with activated("postgres", environment) as gone:
        findings = doctor.examine(gone.settings, gone.database)
    assert {finding.level for finding in findings if finding.check in ("database", "clock", "workers")} == {
        "bad"
    }


@pytest.mark.parametrize(("off_seconds", "level"), [(0, "ok"), (0.9, "ok"), (1.5, "warn"), (-90, "warn")])
def test_a_clock_that_differs_from_the_databases(
    sqlite_stack: Stack, monkeypatch: pytest.MonkeyPatch, off_seconds: float, level: str
) -> None:
    monkeypatch.setattr(doctor, "utc_now", lambda: utc_now() + timedelta(seconds=off_seconds))
    found, sentence = look(sqlite_stack, "clock")
    assert found == level
    assert ("NTP" in sentence) == (level == "warn")


def test_settings_with_which_a_post_could_be_sent_twice(sqlite_stack: Stack) -> None:
    assert looks(sqlite_stack, "timing") == []
    level, sentence = look(sqlite_stack, "timing", settle_seconds=5, send_deadline_seconds=20)
    assert level == "warn" and "SETTLE_SECONDS" in sentence


def test_a_queue_that_does_not_answer(sqlite_stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    assert look(sqlite_stack, "queue")[0] == "ok"
    monkeypatch.setattr(doctor, "is_reachable", lambda huey: False)
    level, sentence = look(sqlite_stack, "queue")
    assert level == "warn" and "Posts still go out" in sentence


def test_workers_that_live_pause_or_are_gone(sqlite_stack: Stack) -> None:
    assert look(sqlite_stack, "workers")[0] == "bad"
    _beat(sqlite_stack)
    assert look(sqlite_stack, "workers")[0] == "ok"
    with sqlite_stack.database.transaction() as session:
        queues.pause(session, "publish", by="Ada")
    assert look(sqlite_stack, "workers")[0] == "warn"


def test_the_redis_that_keeps_what_tabs_show(sqlite_stack: Stack) -> None:
    assert looks(sqlite_stack, "console") == []
    server = RedisServer.create()
    try:
        assert look(sqlite_stack, "console", console_redis_url=server.url())[0] == "ok"
    finally:
        server.close()
    level, sentence = look(sqlite_stack, "console", console_redis_url=server.url())
    assert level == "bad" and "posts go out all the same" in sentence
    assert server.password not in sentence


@pytest.mark.parametrize(
    ("public_url", "level", "word"),
    [
        ("https://social.example.org", "ok", "https://social.example.org"),
        ("http://127.0.0.1:8000", "ok", "127.0.0.1"),
        ("http://social.example.org", "warn", "TLS"),
    ],
)
def test_the_public_address(sqlite_stack: Stack, public_url: str, level: str, word: str) -> None:
    found, sentence = look(sqlite_stack, "public URL", public_url=public_url)
    assert found == level and word in sentence


@pytest.mark.parametrize(
    ("settings", "level", "word"),
    [
        ({"public_url": "https://social.example.org"}, "ok", "__Host-"),
        ({"public_url": ""}, "ok", "without TLS"),
        ({"public_url": "https://example.org/social"}, "bad", "without a path"),
        ({"secret_key": SecretStr("short")}, "bad", "Nobody can sign in"),
    ],
)
def test_cookies(sqlite_stack: Stack, settings: dict[str, Any], level: str, word: str) -> None:
    found, sentence = look(sqlite_stack, "cookies", **settings)
    assert found == level and word in sentence


def test_a_proxy_that_is_not_named(sqlite_stack: Stack) -> None:
    assert looks(sqlite_stack, "proxy") == []
    level, sentence = look(sqlite_stack, "proxy", environment="production")
    assert level == "warn" and "TRUSTED_PROXIES" in sentence
    assert looks(sqlite_stack, "proxy", environment="production", trusted_proxies=("10.0.0.1",)) == []


@pytest.mark.parametrize(
    ("public_url", "level", "word"),
    [
        ("https://social.example.org", "ok", "https://social.example.org/oauth/x/callback"),
        ("http://social.example.org", "warn", "https"),
    ],
)
def test_addresses_to_come_back_to_from_networks(
    sqlite_stack: Stack, public_url: str, level: str, word: str
) -> None:
    assert looks(sqlite_stack, "redirects") == []
    environment = dict(sqlite_stack.environment) | as_environment(public_url=public_url)
    with activated("sqlite", environment) as own:
        with own.database.transaction() as session:
            oauth_apps.save_app(session, SYSTEM, "x", client_id="id", client_secret="not-a-real-one")
        found, sentence = look(own, "redirects")
    assert found == level and word in sentence


def test_keys_that_are_missing_foreign_or_readable_by_others(sqlite_stack: Stack) -> None:
    assert look(sqlite_stack, "keys")[0] == "ok"
    assert look(sqlite_stack, "keys", encryption_keys=SecretStr("nonsense"))[0] == "bad"
    with sqlite_stack.database.transaction() as session:
        factories.create_account(session, factories.create_user(session, Role.ADMIN))
    level, sentence = look(sqlite_stack, "keys", encryption_keys=SecretStr(OTHER_KEYS))
    assert level == "bad" and "Put the keys back" in sentence
    key = sqlite_stack.settings.data_dir / "keys" / "secret_key"
    key.chmod(0o644)
    level, sentence = look(sqlite_stack, "keys")
    assert level == "bad" and "0600" in sentence


def test_an_audit_log_whose_key_is_gone(sqlite_stack: Stack) -> None:
    assert look(sqlite_stack, "audit log")[0] == "ok"
    with sqlite_stack.database.transaction() as session:
        audit.record(session, SYSTEM, "backup.made")
    environment = dict(sqlite_stack.environment) | as_environment(encryption_keys=OTHER_KEYS)
    with activated("sqlite", environment) as other:
        level, sentence = look(other, "audit log")
    assert level == "bad" and "Put the key back" in sentence


@pytest.mark.parametrize(
    ("days", "level", "word"),
    [(None, "warn", "No backup"), (0, "ok", "was made"), (30, "warn", "30 days old")],
)
def test_backups_in_production(sqlite_stack: Stack, days: int | None, level: str, word: str) -> None:
    assert looks(sqlite_stack, "backup") == []
    if days is not None:
        with sqlite_stack.database.transaction() as session:
            session.add(AuditEvent(action="backup.made", actor="system", at=utc_now() - timedelta(days=days)))
    found, sentence = look(sqlite_stack, "backup", environment="production")
    assert found == level and word in sentence


@pytest.mark.parametrize(("free", "level"), [(10**12, "ok"), (10**8, "warn")])
def test_disk(sqlite_stack: Stack, monkeypatch: pytest.MonkeyPatch, free: int, level: str) -> None:
    class Usage:
        def __init__(self) -> None:
            self.free = free

    usage: Callable[[Path], Usage] = lambda path: Usage()  # noqa: E731
    monkeypatch.setattr(doctor.shutil, "disk_usage", usage)
    assert look(sqlite_stack, "disk")[0] == level


def test_every_check_is_proven_here() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    assert [name for name in CHECKS if f'"{name}"' not in source] == []
