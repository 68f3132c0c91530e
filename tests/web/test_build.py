"""The console is compiled when, and only when, something changed that can change it."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from contentcaster.web.build import BUILD_LOG, ensure_built
from contentcaster.web.fingerprint import UI_SOURCES, ui_fingerprint
from contentcaster.web.postprocess import (
    BAKED_API_URL,
    PostprocessError,
    inline_script_hashes,
    use_own_origin,
)
from contentcaster.web.toolchain import PROJECT_ROOT, write_shims


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    for source in UI_SOURCES:
        origin, target = PROJECT_ROOT / source, tmp_path / source
        if origin.is_dir():
            shutil.copytree(origin, target, ignore=shutil.ignore_patterns("__pycache__"))
        elif origin.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(origin, target)
    return tmp_path


def test_unchanged_sources_are_not_compiled_again(built: Path) -> None:
    compiled_at = BUILD_LOG.stat().st_mtime_ns if BUILD_LOG.exists() else 0
    assert ensure_built() == built
    assert (BUILD_LOG.stat().st_mtime_ns if BUILD_LOG.exists() else 0) == compiled_at


@pytest.mark.parametrize(
    "changed",
    ["assets/console.css", "contentcaster/pages/home.py", "contentcaster/state/shell.py", "rxconfig.py"],
)
def test_a_changed_source_changes_the_fingerprint(sources: Path, changed: str) -> None:
    before = ui_fingerprint(sources)
    assert ui_fingerprint(sources) == before
    with (sources / changed).open("a") as file:
        file.write("\n")
    assert ui_fingerprint(sources) != before


def test_node_and_npm_come_from_the_wheel_and_run(tmp_path: Path) -> None:
    folder = write_shims(tmp_path)
    for command in ("node", "npm"):
        answer = subprocess.run([folder / command, "--version"], capture_output=True, text=True, check=True)
        assert answer.stdout.strip()


def test_the_compiled_console_names_no_host(built: Path) -> None:
    for script in (built / "build" / "client").rglob("*.js"):
        assert BAKED_API_URL not in script.read_text(), script


def test_output_of_an_unknown_shape_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PostprocessError):
        use_own_origin(tmp_path)
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "reflex-env-x.js").write_text("export const e = {}")
    with pytest.raises(PostprocessError):
        use_own_origin(tmp_path)


def test_inline_scripts_are_hashed_and_scripts_from_files_are_not(tmp_path: Path) -> None:
    page = tmp_path / "index.html"
    page.write_text('<script src="/a.js"></script><script>alert("&amp;")</script>')
    digest = base64.b64encode(hashlib.sha256(b'alert("&amp;")').digest()).decode()
    assert inline_script_hashes(page) == [f"'sha256-{digest}'"]


def test_the_lock_file_names_no_registry() -> None:
    assert '"resolved"' not in (PROJECT_ROOT / "reflex.lock" / "package-lock.json").read_text()


def test_serving_on_a_foreign_configuration_is_refused(tmp_path: Path) -> None:
    program = (
        "from contentcaster.web.asgi import refuse_foreign_configuration\n"
        "refuse_foreign_configuration(['http://127.0.0.1:8000'])\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(PROJECT_ROOT)},
    )
    assert answer.returncode != 0
    assert "refusing to serve" in answer.stderr
