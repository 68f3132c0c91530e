"""The files under deploy/: right by their own validators, and true to what the product is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from contentcaster.settings import PROJECT_ROOT, Settings

DEPLOY = PROJECT_ROOT / "deploy"
PROD = DEPLOY / "compose.prod.yaml"
SCALE = DEPLOY / "compose.scale.yaml"
COMPOSE = [PROD, DEPLOY / "compose.dev.yaml"]
UNITS = sorted((DEPLOY / "systemd").iterdir())


def services(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))["services"]
    return found


@pytest.mark.parametrize("path", [*COMPOSE, SCALE], ids=lambda path: path.name)
def test_every_name_given_to_the_product_is_a_setting(path: Path) -> None:
    known = {f"CONTENTCASTER_{name.upper()}" for name in Settings.model_fields}
    known |= {f"{name}_FILE" for name in known}
    for service in services(path).values():
        given = {name for name in service.get("environment", {}) if name.startswith("CONTENTCASTER_")}
        assert given <= known


def test_in_production_nothing_of_ours_runs_with_more_rights_than_it_needs() -> None:
    ours = {
        name: row
        for name, row in services(PROD).items()
        if row.get("command", [""])[0] in ("migrate", "web", "worker")
    }
    assert set(ours) == {"migrate", "web", "worker"}
    for service in ours.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "privileged" not in service
        assert not any("SECRET_KEY" in name and not name.endswith("_FILE") for name in service["environment"])


def test_in_production_only_the_proxy_is_reachable_and_everything_that_stays_says_how_it_is() -> None:
    rows = services(PROD)
    assert [name for name, row in rows.items() if "ports" in row] == ["proxy"]
    assert all("test" in row["healthcheck"] for name, row in rows.items() if name != "migrate")
    assert rows["worker"]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}


def test_only_web_containers_reach_what_keeps_the_state_of_tabs() -> None:
    rows = services(SCALE)
    assert [name for name, row in rows.items() if "console" in row.get("networks", [])] == [
        "web",
        "console-redis",
    ]
    assert set(services(PROD)["web"]["networks"]) <= set(rows["web"]["networks"])
    assert set(services(PROD)["web"]["secrets"]) <= set(rows["web"]["secrets"])
    assert rows["console-redis"]["read_only"] is True and rows["console-redis"]["cap_drop"] == ["ALL"]


def test_a_worker_gets_more_time_to_stop_than_a_send_may_take() -> None:
    seconds = int(services(PROD)["worker"]["stop_grace_period"].removesuffix("s"))
    unit = (DEPLOY / "systemd" / "contentcaster-worker@.service").read_text(encoding="utf-8")
    assert (
        min(seconds, int(re.findall(r"TimeoutStopSec=(\d+)", unit)[0]))
        > Settings.model_fields["send_deadline_seconds"].default
    )


def test_development_listens_on_loopback_only() -> None:
    ports = [port for row in services(DEPLOY / "compose.dev.yaml").values() for port in row.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_dockerfile_passes_hadolint() -> None:
    program = Path(sys.executable).with_name("hadolint")
    checked = subprocess.run(
        [program, DEPLOY / "image" / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout) == (0, "")


def test_secrets_are_made_once_and_are_good_enough_for_production(tmp_path: Path) -> None:
    script = tmp_path / "make-secrets.sh"
    script.write_bytes((DEPLOY / "make-secrets.sh").read_bytes())
    subprocess.run(["sh", script], check=True, capture_output=True)
    made = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    subprocess.run(["sh", script], check=True, capture_output=True)
    assert {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()} == made
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    settings = Settings(
        environment="production",
        public_url="https://social.example.org",
        redis_url="redis://redis:6379/0",
        console_redis_url=made["console_redis_url"],
        secret_key=made["secret_key"],
        encryption_keys=made["encryption_keys"],
        database_url=made["database_url"],
    )
    assert made["postgres_password"] in settings.database_url
    assert f"requirepass {made['console_redis_password']}\n" in made["console_redis_conf"]
    assert made["console_redis_password"] in settings.console_redis_url


@pytest.mark.deploy
@pytest.mark.parametrize(
    "paths", [[path] for path in COMPOSE] + [[PROD, SCALE]], ids=lambda paths: paths[-1].name
)
def test_compose_itself_accepts_the_file(paths: list[Path], tmp_path: Path) -> None:
    checked = subprocess.run(
        ["docker-compose", *(part for path in paths for part in ("-f", path)), "config", "-q"],
        env={"PATH": "/usr/bin:/bin", "PUBLIC_URL": "https://social.example.org"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr


@pytest.mark.deploy
def test_systemd_itself_accepts_the_units(tmp_path: Path) -> None:
    for unit in UNITS:
        # The program is checked for, too; here its place is taken by one that every machine has.
        text = unit.read_text(encoding="utf-8").replace(
            "/opt/contentcaster/venv/bin/contentcaster", "/usr/bin/env"
        )
        (tmp_path / unit.name).write_text(text, encoding="utf-8")
    checked = subprocess.run(
        ["systemd-analyze", "verify", *(tmp_path / unit.name for unit in UNITS)],
        capture_output=True,
        text=True,
        check=False,
    )
    ours = [line for line in checked.stderr.splitlines() if "contentcaster" in line]
    assert (checked.returncode, ours) == (0, []), checked.stderr
