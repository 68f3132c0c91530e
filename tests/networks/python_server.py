"""Servers that come from PyPI, each in a venv of its own in the cache, so that none meets our dependencies."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from tests.networks.node_server import CACHE

_FOLDER = Path(__file__).parent


def installed(package: str, version: str) -> Path:
    """The bin folder of a venv that has this package; exactly what PACKAGE.lock names, where there is one.

    Raises:
        subprocess.CalledProcessError: it could not be downloaded.
    """
    lock = _FOLDER / f"{package}.lock"
    digest = f"-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}" if lock.exists() else ""
    folder = CACHE / f"{package}-{version}-py{sys.version_info.major}{sys.version_info.minor}{digest}"
    if not (folder / ".installed").exists():
        wanted = ["--require-hashes", "-r", str(lock)] if lock.exists() else [f"{package}=={version}"]
        make, install = _commands(folder)
        subprocess.run(make, check=True)
        subprocess.run([*install, *wanted], check=True, timeout=900)
        (folder / ".installed").touch()
    return folder / "bin"


def _commands(folder: Path) -> tuple[list[str], list[str]]:
    """What makes the venv, and what installs into it: uv where it is, as after make, seconds instead of minutes."""
    python = str(folder / "bin" / "python")
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if uv:
        make = [uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)]
        return make, [uv, "pip", "install", "--quiet", "--python", python]
    return [sys.executable, "-m", "venv", "--clear", str(folder)], [python, "-m", "pip", "--quiet", "install"]
