"""The short form of `make chaos`: two minutes of everything failing. The long form runs on demand."""

from __future__ import annotations

import secrets
import subprocess
import sys

import pytest

from contentcaster.settings import PROJECT_ROOT


@pytest.mark.timeout(900)
def test_while_everything_fails_no_post_is_lost_or_doubled() -> None:
    """Another seed each time; a failure prints it."""
    seed = secrets.token_hex(4)
    command = ["-m", "bench.chaos", "--posts", "100", "--seconds", "40", "--stack", "postgres", "--seed"]

    result = subprocess.run(
        [sys.executable, *command, seed], cwd=PROJECT_ROOT, capture_output=True, text=True, check=False
    )

    assert result.returncode == 0, result.stdout + result.stderr[-4000:]
