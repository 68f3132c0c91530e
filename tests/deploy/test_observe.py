"""The dashboard and the alerts speak of numbers that /metrics really has."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta

import yaml

from contentcaster.api import metrics
from contentcaster.clock import utc_now
from contentcaster.settings import PROJECT_ROOT
from tests.services_for_tests import factories
from tests.services_for_tests.stack import Stack

OBSERVE = PROJECT_ROOT / "deploy" / "observe"


def expressions() -> Iterator[str]:
    dashboard = json.loads((OBSERVE / "grafana-dashboard.json").read_text(encoding="utf-8"))
    for panel in dashboard["panels"]:
        yield from (target["expr"] for target in panel["targets"])
    for group in yaml.safe_load((OBSERVE / "prometheus-rules.yaml").read_text(encoding="utf-8"))["groups"]:
        yield from (rule["expr"] for rule in group["rules"])


def test_every_number_on_the_dashboard_and_in_the_alerts_is_one_of_ours(stack: Stack) -> None:
    printed = metrics.render(stack.database).decode()
    known = {line.split()[2] for line in printed.splitlines() if line.startswith("# TYPE")}
    known |= {f"{name}_bucket" for name in known}
    used = {name for text in expressions() for name in re.findall(r"contentcaster_\w+", text)}
    assert len(used) > 10
    assert used - known == set()


def test_the_end_of_a_login_is_told_by_the_channels_id_and_not_by_its_handle(stack: Stack) -> None:
    with stack.database.transaction() as session:
        owner = factories.create_user(session)
        account = factories.create_account(
            session, owner, handle="secret-handle", token_expires_at=utc_now() + timedelta(days=2)
        )
        account_id = account.id
    printed = metrics.render(stack.database).decode()
    (line,) = [
        line for line in printed.splitlines() if line.startswith("contentcaster_login_expires_seconds{")
    ]
    assert account_id in line
    assert 47 * 3600 < float(line.split()[-1]) <= 48 * 3600
    assert "secret-handle" not in printed
