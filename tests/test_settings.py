"""Settings: every one is documented, and what makes no sense stops the start with one line."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest

from contentcaster.settings import PROJECT_ROOT, Settings, SettingsError, load_settings


def test_every_setting_is_in_the_docs_and_nothing_else() -> None:
    documented = set(re.findall(r"`([A-Z][A-Z0-9_]+)`(?=[^|]*\|)", _first_column()))
    assert documented == {name.upper() for name in Settings.model_fields}


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("PORT", "eighty", "CONTENTCASTER_PORT: Input should be a valid integer"),
        ("PORT", "70000", "CONTENTCASTER_PORT: Input should be less than or equal to 65535"),
        ("DATABASE_URL", "mysql://x", "CONTENTCASTER_DATABASE_URL: must start with sqlite:/// or postgresql"),
        ("REDIS_URL", "http://x", "CONTENTCASTER_REDIS_URL: must start with redis://"),
        ("LEASE_SECONDS", "5", "LEASE_SECONDS must be greater than SEND_DEADLINE_SECONDS"),
        ("PUBLISH_LEAD_SECONDS", "45", "PUBLISH_LEAD_SECONDS must be at most half of LEASE_SECONDS"),
        ("WEB_PROCESSES", "2", "WEB_PROCESSES above 1 needs CONSOLE_REDIS_URL"),
        ("PUBLISH_REDIS_URLS", "redis://a/0", "PUBLISH_REDIS_URLS needs REDIS_URL as well"),
        ("PUBLISH_REDIS_URLS", "redis://a,http://b", "PUBLISH_REDIS_URLS: must start with redis://"),
        ("PUBLISH_REDIS_URLS", "redis://a/0,redis://a:6379", "names the same Redis database twice"),
        ("OTLP_ENDPOINT", "collector:4318", "OTLP_ENDPOINT: must start with http://"),
        ("ENVIRONMENT", "staging", "CONTENTCASTER_ENVIRONMENT: Input should be 'simulation'"),
        ("PUBLISH_LED_SECONDS", "3", "CONTENTCASTER_PUBLISH_LED_SECONDS is no setting of ContentCaster"),
        (
            "SECRET_KEY_FILE",
            "/nonexistent/key",
            "CONTENTCASTER_SECRET_KEY_FILE: cannot read /nonexistent/key",
        ),
    ],
)
def test_a_setting_that_makes_no_sense_is_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv(f"CONTENTCASTER_{name}", value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_production_names_everything_that_is_unsafe(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(environment="production", data_dir=tmp_path, settle_seconds=20)
    for missing in (
        "SECRET_KEY",
        "ENCRYPTION_KEYS",
        "PUBLIC_URL",
        "DATABASE_URL",
        "REDIS_URL",
        "SETTLE_SECONDS",
    ):
        assert missing in str(caught.value)


@pytest.mark.parametrize(
    "console_redis_url",
    ["redis://h/0", "redis://h:6379", "redis://:x@h:6379/0?db=0", "redis://h/1", "redis://h/5?db=1"],
)
def test_what_tabs_show_is_never_kept_where_hints_go(tmp_path: Path, console_redis_url: str) -> None:
    queues = {"redis_url": "redis://h:6379/0", "publish_redis_urls": ("redis://other/0", "redis://h/1")}
    with pytest.raises(SettingsError, match="CONSOLE_REDIS_URL must be another Redis"):
        load_settings(data_dir=tmp_path, console_redis_url=console_redis_url, **queues)
    load_settings(data_dir=tmp_path, console_redis_url="redis://h/2", **queues)


def test_one_machine_by_two_names_is_one_redis(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="CONSOLE_REDIS_URL must be another Redis"):
        load_settings(
            data_dir=tmp_path, redis_url="redis://localhost/0", console_redis_url="redis://127.0.0.1/0"
        )


@pytest.mark.parametrize(
    ("url", "is_guarded"),
    [
        ("redis://h/2", False),
        ("redis://user@h/2", False),
        ("redis://:pass-word@h/2", True),
        ("unix:///run/r.sock", True),
    ],
)
def test_production_refuses_to_keep_what_tabs_show_where_anybody_can_write(
    tmp_path: Path, url: str, is_guarded: bool
) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(environment="production", data_dir=tmp_path, console_redis_url=url)
    assert ("CONSOLE_REDIS_URL needs a password" in str(caught.value)) is not is_guarded


def test_generated_secrets_are_kept_and_private(tmp_path: Path) -> None:
    first = load_settings(data_dir=tmp_path)
    again = load_settings(data_dir=tmp_path)
    assert first.secret_key == again.secret_key
    assert first.encryption_keys == again.encryption_keys
    for path in (tmp_path / "keys").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_secret_comes_from_its_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("k" * 40 + "\n")
    monkeypatch.setenv("CONTENTCASTER_SECRET_KEY_FILE", str(tmp_path / "key"))
    assert load_settings(data_dir=tmp_path).secret_key.get_secret_value() == "k" * 40


def test_secrets_do_not_show_when_settings_are_printed(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path, secret_key="canary-" * 6, admin_password="canary-password")
    assert "canary" not in repr(settings)


def _first_column() -> str:
    lines = (PROJECT_ROOT / "docs" / "settings.md").read_text(encoding="utf-8").splitlines()
    return "\n".join(line.split("|")[1] + "|" for line in lines if line.startswith("| `"))
