"""What a report of pip-audit comes to: a service that knew nothing is never taken for a clean bill."""

from __future__ import annotations

import subprocess

import pytest

from contentcaster.settings import PROJECT_ROOT

CLEAN = "No known vulnerabilities found\n"
UNKNOWN = "urllib3  Dependency not found on PyPI and could not be audited: urllib3 (2.8.0)\n"
VULNERABLE = "Found 1 known vulnerability in 1 package\nName Version ID\njinja2 2.0 PYSEC-1\n"


@pytest.mark.parametrize(
    ("report", "code", "words"),
    [
        (CLEAN, 0, "No known vulnerabilities in what is locked"),
        (CLEAN + UNKNOWN, 2, "NOT CHECKED"),
        (VULNERABLE, 1, "Found 1 known"),
        (VULNERABLE + UNKNOWN, 1, "Found 1 known"),
        ("ConnectionError: no route\n", 2, "NOT CHECKED"),
        ("", 2, "NOT CHECKED"),
    ],
)
def test_the_verdict_of_a_report(report: str, code: int, words: str) -> None:
    told = subprocess.run(
        [PROJECT_ROOT / ".ci" / "supply-chain", "--verdict"],
        input=report,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == code
    assert words in told.stdout
