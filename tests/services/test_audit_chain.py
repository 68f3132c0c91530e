"""The audit log's chain: whatever is done to it behind the product's back is noticed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlmodel import Session

from contentcaster.errors import Unavailable
from contentcaster.models import Role
from contentcaster.security.permissions import SYSTEM
from contentcaster.services import audit, audit_chain, users
from contentcaster.services.audit_chain import ChainReport
from contentcaster.settings import get_settings
from tests.services_for_tests import factories
from tests.services_for_tests.stack import Stack


def _record(stack: Stack, *names: str) -> None:
    for name in names:
        with stack.database.transaction() as session:
            audit.record(
                session, SYSTEM, f"test.{name}", "thing", name, {"ä": [1, 2.5, None, {"deep": "\u2028"}]}
            )


def _verify(stack: Stack, expected_mark: str = "") -> ChainReport:
    with stack.database.reading() as session:
        return audit_chain.verify(session, expected_mark=expected_mark)


def _tamper(stack: Stack, *statements: str) -> None:
    with stack.database.transaction() as session:
        for statement in statements:
            assert session.execute(text(statement)).rowcount > 0


def test_what_was_written_is_found_as_it_was_written(stack: Stack) -> None:
    at_first = _verify(stack)
    assert at_first.events == 0
    _record(stack, "a", "b")
    assert _verify(stack, at_first.mark).problem == ""
    with stack.database.transaction() as session:  # several in one transaction
        for name in "cde":
            audit.record(session, SYSTEM, f"test.{name}")
    report = _verify(stack)
    assert (report.events, report.older, report.problem) == (5, 0, "")


@pytest.mark.parametrize(
    "statements",
    [
        ("UPDATE audit_event SET actor = 'somebody' WHERE id = 3",),
        ("UPDATE audit_event SET details = '{}' WHERE id = 3",),
        ("UPDATE audit_event SET at = '2020-01-01 00:00:00.000000' WHERE id = 3",),
        ("UPDATE audit_event SET chain_mac = '' WHERE id = 3",),
        ("DELETE FROM audit_event WHERE id = 1",),
        ("DELETE FROM audit_event WHERE id = 3",),
        ("DELETE FROM audit_event WHERE id = 6",),  # the newest: nothing after it is out of place
        ("DELETE FROM audit_event",),
        ("DELETE FROM audit_chain",),
        (
            "UPDATE audit_event SET id = 100 WHERE id = 2",
            "UPDATE audit_event SET id = 2 WHERE id = 4",
            "UPDATE audit_event SET id = 4 WHERE id = 100",
        ),
        (
            "INSERT INTO audit_event (id, at, actor, action, subject_type, subject_id, details, ip, chain_mac) "
            "SELECT 50, at, actor, action, subject_type, subject_id, details, ip, chain_mac FROM audit_event "
            "WHERE id = 6",
        ),
    ],
)
def test_an_event_changed_removed_added_or_moved_is_noticed(
    stack: Stack, statements: tuple[str, ...]
) -> None:
    _record(stack, *"abcdef")
    assert _verify(stack).problem == ""
    _tamper(stack, *statements)
    assert _verify(stack).problem != ""


def test_a_whole_older_copy_put_back_is_noticed_with_the_mark_kept_elsewhere(stack: Stack) -> None:
    _record(stack, *"abc")
    early = _verify(stack)
    with stack.database.reading() as session:
        end = session.execute(text("SELECT last_mac, events FROM audit_chain")).one()
    _record(stack, *"de")
    late = _verify(stack, early.mark)
    assert late.problem == "" and late.events == 5
    _tamper(stack, "DELETE FROM audit_event WHERE id > 3")
    with stack.database.transaction() as session:
        session.execute(
            text("UPDATE audit_chain SET last_mac = :mac, events = :events"),
            {"mac": end[0], "events": end[1]},
        )
    assert _verify(stack).problem == ""  # by itself it cannot know
    assert _verify(stack, late.mark).problem != ""


def test_events_older_than_the_chain_are_counted_not_vouched_for(stack: Stack) -> None:
    with stack.database.transaction() as session:
        session.execute(
            text(
                "INSERT INTO audit_event (at, actor, action, subject_type, subject_id, details, ip) "
                "VALUES ('2026-01-01 00:00:00.000000', 'old', 'old.act', '', '', '{}', '')"
            )
        )
    _record(stack, "a")
    report = _verify(stack)
    assert (report.events, report.older, report.problem) == (1, 1, "")


def test_many_at_once_make_one_chain_and_nobody_waits_for_ever(stack: Stack) -> None:
    """Each locks a person first or last, in both orders: with the chain locked early, these would deadlock."""
    with stack.database.transaction() as session:
        people = [factories.create_user(session, Role.CREATOR) for _ in range(2)]
    errors: list[BaseException] = []

    def work(number: int) -> None:
        def once(session: Session) -> None:
            for person in people if number % 2 else people[:1]:
                audit.record(session, SYSTEM, "test.act", "user", person.id)
                if number % 2 == 0:
                    users.update_user(session, SYSTEM, person.id, name=f"Name {number}")

        try:
            for _ in range(6):
                with stack.database.transaction() as session:
                    once(session)
        except Exception as error:  # noqa: BLE001 - shown by the assertion below
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    report = _verify(stack)
    assert report.problem == "" and report.events >= 24


def test_without_the_key_nothing_is_done_unrecorded(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    _record(stack, "a")
    other = get_settings().model_copy(update={"encryption_keys": SecretStr("zz:" + "A" * 43 + "=")})
    for module in ("contentcaster.security.vault",):
        monkeypatch.setattr(f"{module}.get_settings", lambda: other)
    with pytest.raises(Unavailable, match="ENCRYPTION_KEYS"):
        _record(stack, "b")
    assert "ENCRYPTION_KEYS" in _verify(stack).problem
    monkeypatch.undo()
    assert _verify(stack).events == 1


def test_a_rolled_back_act_leaves_no_event(stack: Stack) -> None:
    def act(fail: bool) -> Callable[[Session], Any]:
        def run(session: Session) -> None:
            audit.record(session, SYSTEM, "test.act")
            if fail:
                raise RuntimeError("no")

        return run

    for fail in (False, True, False):
        try:
            with stack.database.transaction() as session:
                act(fail)(session)
        except RuntimeError:
            pass
    assert (_verify(stack).events, _verify(stack).problem) == (2, "")
