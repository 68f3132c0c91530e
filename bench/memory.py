"""Idle memory of everything that `make run` starts: web, worker, sandbox and their supervisor.

    python -m bench.memory [--seconds 20]

Resident sizes (RSS) count shared pages in each process; PSS shares them out, so its sum is what the machine gives.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import suppress

import psutil

from bench.harness import free_port, machine, stop, table, wait_until
from contentcaster.settings import PROJECT_ROOT


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20, help="how long it idles before it is measured")
    given = parser.parse_args()
    port, sandbox_port = free_port(), free_port()
    with tempfile.TemporaryDirectory(prefix="contentcaster-bench-") as folder:
        environment = os.environ | {
            "CONTENTCASTER_DATA_DIR": folder,
            "CONTENTCASTER_PORT": str(port),
            "CONTENTCASTER_SANDBOX_PORT": str(sandbox_port),
        }
        began = time.monotonic()
        up = subprocess.Popen(
            [sys.executable, "-m", "contentcaster", "up"], cwd=PROJECT_ROOT, env=environment
        )
        try:
            wait_until(lambda: _is_ready(port), seconds=180, what="the console")
            ready_seconds = time.monotonic() - began
            time.sleep(given.seconds)
            rows = _rows(up.pid)
        finally:
            stop([up])
    total = ["all", "", sum(row[2] for row in rows), sum(row[3] for row in rows)]
    table(
        f"Idle memory after {given.seconds:g} s; ready {ready_seconds:.1f} s after the start ({machine()})",
        ["part", "pid", "RSS MB", "PSS MB"],
        [*rows, total],
    )


def _is_ready(port: int) -> bool:
    with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1) as answer:
        return bool(answer.status == 200)
    return False


def _rows(pid: int) -> list[list[object]]:
    parent = psutil.Process(pid)
    rows: list[list[object]] = []
    for process in (parent, *parent.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            memory = process.memory_full_info()
            name = " ".join(process.cmdline()[1:])[:60]
            rows.append([name, process.pid, memory.rss / 1e6, memory.pss / 1e6])
    return rows


if __name__ == "__main__":
    main()
