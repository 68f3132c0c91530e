"""A server made of npm packages: installed once into a cache, started on loopback, stopped with its test."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "contentcaster-tests"
_INSTALL_SECONDS = 900


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def installed(source: Path) -> Path:
    """The folder with the package's scripts and modules; `source` holds package.json, its lock and start.cjs."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise RuntimeError("Tests on real networks need node (18.7 to 22) and npm on the PATH.")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    lock = (source / "package-lock.json").read_bytes() + version.encode()
    folder = CACHE / f"{source.name}-{hashlib.sha256(lock).hexdigest()[:16]}"
    if not (folder / ".installed").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(source / name, folder / name)
        command = [npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_INSTALL_SECONDS)
        if done.returncode:
            raise RuntimeError(f"npm ci failed in {source.name}: {done.stderr[-2000:]}")
        (folder / ".installed").touch()
    shutil.copy(source / "start.cjs", folder / "start.cjs")
    return folder


@contextmanager
def running(source: Path, *arguments: str) -> Iterator[None]:
    """`node start.cjs ARGUMENTS DATA`, from its line of JSON that says it is ready until the block ends."""
    folder = installed(source)
    with tempfile.TemporaryDirectory() as data, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            ["node", "start.cjs", *arguments, data],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line or not json.loads(line).get("ready"):
                errors.seek(0)
                raise RuntimeError(f"{source.name} did not start: {errors.read()[-2000:]}")
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
