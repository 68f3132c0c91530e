"""Servers that come from PyPI, each in a venv of its own in the cache, so that none meets our dependencies."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.networks.node_server import CACHE


def installed(package: str, version: str) -> Path:
    """The bin folder of a venv that has this package."""
    folder = CACHE / f"{package}-{version}-py{sys.version_info.major}{sys.version_info.minor}"
    if not (folder / ".installed").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        install = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", f"{package}=={version}"]
        subprocess.run(install, check=True, timeout=900)
        (folder / ".installed").touch()
    return folder / "bin"
