"""No secret stands in the tree: what looks like a credential of a known kind, or a long random value given to a name
that means a secret. Works offline; runs with every test run and so in CI."""

from __future__ import annotations

import math
import re
import secrets
import string
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from contentcaster.settings import PROJECT_ROOT

_KINDS = {
    "private key": r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----",
    "AWS key": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "GitHub token": r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{60,})\b",
    "Slack token": r"\bxox[abeprs]-[0-9A-Za-z-]{20,}",
    "Slack webhook": r"hooks\.slack\.com/services/T[0-9A-Z]{8,}/B[0-9A-Z]{8,}/[0-9A-Za-z]{20,}",
    "Google API key": r"\bAIza[0-9A-Za-z_-]{35}\b",
    "our API key": r"\bcck_[A-Za-z0-9_-]{43}\b",
    "webhook secret": r"\bwhsec_[A-Za-z0-9+/]{42,44}=?",
    "Nostr key": r"\bnsec1[02-9ac-hj-np-z]{58}\b",
    "Telegram bot token": r"\b[0-9]{8,10}:[A-Za-z0-9_-]{35}\b",
}
_ASSIGNED = re.compile(
    r"(?i)(?:secret|token|passw(?:or)?d|api_?key|credential)\w*[\"']?\s*[:=]\s*[\"']([A-Za-z0-9+/_=-]{32,})[\"']"
)
_SKIPPED = (".png", ".woff2", ".lock", ".svg", ".ico")
_MIN_BITS_PER_CHARACTER = 4.2
"""Drawn by lot base64 of 32 characters and more has about 4.6 and more; words and names have less than 4."""
_KNOWN = {
    "AKIA" + "IOSFODNN7EXAMPLE",  # AWS's documentation uses it for its worked signatures
    # The key of a published test vector (BIP-340, RFC 6238, NIP-19) is no secret.
    "nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5",
}


def findings(text: str) -> list[str]:
    """What in `text` looks like a secret, named without showing it."""
    found = [
        f"{kind} ({match[0][:8]}…)"
        for kind, pattern in _KINDS.items()
        for match in re.finditer(pattern, text)
        if match[0] not in _KNOWN
    ]
    for match in _ASSIGNED.finditer(text):
        if _bits_per_character(match[1]) > _MIN_BITS_PER_CHARACTER:
            found.append(f"random value ({match[1][:6]}…)")
    return found


def _bits_per_character(text: str) -> float:
    counts = Counter(text)
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts.values())


def _tracked_files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=PROJECT_ROOT, capture_output=True, check=False, text=True
    )
    if listed.returncode:
        pytest.skip("this is no checkout of the repository")
    return [PROJECT_ROOT / name for name in listed.stdout.split("\0") if name]


def test_the_tree_holds_no_secret() -> None:
    files = [path for path in _tracked_files() if not path.name.endswith(_SKIPPED) and path.is_file()]
    assert len(files) > 300
    found = {
        str(path.relative_to(PROJECT_ROOT)): problems
        for path in files
        if (problems := findings(path.read_text(encoding="utf-8", errors="replace")))
    }
    assert found == {}


def test_nothing_that_a_running_product_writes_is_tracked() -> None:
    tracked = {path.relative_to(PROJECT_ROOT).as_posix() for path in _tracked_files()}
    assert not [name for name in tracked if name.startswith((".data/", "keys/")) or name.endswith(".env")]


@pytest.mark.parametrize(
    "planted",
    [
        "-----BEGIN RSA " + "PRIVATE KEY-----",
        "aws = AKIA" + "ABCDEFGHIJKLMNOP",
        "gh" + "p_" + "a1B2" * 10,
        "AIza" + "b" * 35,
        "cck_" + secrets.token_urlsafe(32),
        "token = '" + "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(60)) + "'",
    ],
    ids=["private-key", "aws", "github", "google", "own", "random"],
)
def test_a_planted_secret_is_found_and_not_repeated(planted: str) -> None:
    (problem,) = findings(planted)
    assert planted not in problem


def test_words_and_placeholders_are_none() -> None:
    for harmless in (
        'password = "correct horse battery staple"',
        'SECRET_KEY = "change-me-change-me-change-me-change-me"',
        'token="aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"',
        'credentials_encrypted="credentials_encrypted_column_name"',
    ):
        assert findings(harmless) == []
