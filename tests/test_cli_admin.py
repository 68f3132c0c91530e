"""The operator's commands as processes: what scripts read of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from sqlalchemy import text

from contentcaster.models import Role
from contentcaster.security.permissions import SYSTEM
from contentcaster.security.vault import SEALED
from contentcaster.services import audit
from tests.services_for_tests import factories
from tests.services_for_tests.stack import Stack

PASSPHRASE = "a passphrase for tests"


def _run(stack: Stack, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "contentcaster", *arguments],
        env=os.environ | dict(stack.environment),
        input=typed,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_backup_restore_audit_and_rotation_say_what_they_did(stack: Stack, tmp_path: Path) -> None:
    with stack.database.transaction() as session:
        owner = factories.create_user(session, Role.ADMIN)
        factories.create_account(session, owner)
        audit.record(session, SYSTEM, "test.act")
    file = str(tmp_path / "backup")
    made = _run(stack, "backup", file, "--passphrase-stdin", "--json", typed=PASSPHRASE + "\n")
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["rows"] >= 4
    refused = _run(stack, "restore", file, "--passphrase-stdin", typed=PASSPHRASE + "\n")
    assert refused.returncode == 65 and "--force" in refused.stderr
    restored = _run(stack, "restore", file, "--passphrase-stdin", "--force", typed=PASSPHRASE + "\n")
    assert restored.returncode == 0 and "What to do next" in restored.stdout, restored.stderr
    assert PASSPHRASE not in made.stdout + made.stderr + restored.stdout + restored.stderr

    intact = _run(stack, "audit", "verify", "--json")
    assert intact.returncode == 0 and json.loads(intact.stdout)["events"] == 2
    rotated = _run(stack, "keys", "rotate", "--json")
    assert json.loads(rotated.stdout)["changed"] == {table: 0 for table, _, _ in SEALED}
    with stack.database.transaction() as session:
        session.execute(text("UPDATE audit_event SET actor = 'somebody'"))
    broken = _run(stack, "audit", "verify")
    assert broken.returncode == 65 and "not as it was written" in broken.stderr
