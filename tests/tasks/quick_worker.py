"""Worker processes in a fraction of the time: forked from a process that has imported the product already.

Run as a program it reads one JSON object of environment variables per line, runs `contentcaster worker publish` with
them in a fork, and answers with its exit code; null after TIMEOUT_SECONDS.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from types import TracebackType

TIMEOUT_SECONDS = 60


class QuickWorkers:
    """`with QuickWorkers() as workers: code = workers.run(environment)`."""

    def __enter__(self) -> QuickWorkers:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.tasks.quick_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def run(self, environment: dict[str, str]) -> int | None:
        """Run one worker to its end; returns its exit code, None if it had to be killed for taking too long."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(environment) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the process that forks workers has ended"
        code: int | None = json.loads(answer)
        return code

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(TIMEOUT_SECONDS + 10)


def _serve() -> None:
    # Everything that reads no settings when imported; tasks.* does, so the fork imports that.
    import tasks.hint_queue  # noqa: F401

    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            os._exit(_run_worker(json.loads(line)))
        sys.stdout.write(json.dumps(_wait(pid)) + "\n")
        sys.stdout.flush()


def _run_worker(environment: dict[str, str]) -> int:
    from contentcaster.cli import app
    from contentcaster.engine import crash

    os.environ.clear()
    os.environ.update(environment)
    sys.stdout = sys.stderr
    crash._active = environment.get("CRASH_AT", "")  # read when the module was imported, before the fork
    try:
        app(["worker", "publish"], standalone_mode=False)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def _wait(pid: int) -> int | None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    return None


if __name__ == "__main__":
    _serve()
