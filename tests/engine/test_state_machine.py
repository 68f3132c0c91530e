"""The invariants hold whatever happens in whatever order, and every planted mutant breaks them.

CONTENTCASTER_LONG_RUN=2000 runs that many examples per dialect instead of a short round, and lets chance look for the
mutants too. Each mutant also has a script: a path through the machine's own rules on which the engine stands and the
mutant falls.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import event

from tests.engine.ledger_kit import add_account
from tests.engine.machine import LedgerMachine, NarrowMachine
from tests.engine.mutants import MUTANTS, Mutant, missing_unique_row
from tests.services_for_tests.stack import Stack

_LONG_RUN = int(os.environ.pop("CONTENTCASTER_LONG_RUN", "0"))


def _settings(examples: int, *phases: Phase) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=40,
        deadline=None,
        database=None,
        phases=phases,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )


@pytest.fixture
def machine(stack: Stack) -> Iterator[type[LedgerMachine]]:
    if not stack.database.is_postgres:
        # Nothing here outlives a power cut, and waiting for the disk would take most of the time.
        @event.listens_for(stack.database.engine, "connect")
        def _hasty(connection: object, _record: object) -> None:
            connection.execute("PRAGMA synchronous=OFF")  # type: ignore[attr-defined]

        stack.database.engine.dispose()

    class Machine(LedgerMachine):
        database = stack.database
        account_id = add_account(stack.database)

    yield Machine


@pytest.mark.timeout(3600 if _LONG_RUN else 180)
def test_whatever_happens_in_whatever_order_the_invariants_hold(machine: type[LedgerMachine]) -> None:
    run_state_machine_as_test(machine, settings=_settings(_LONG_RUN or 25, Phase.generate, Phase.shrink))


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.plant.__name__)
def test_a_planted_mutant_falls_where_the_engine_stands(
    machine: type[LedgerMachine], mutant: Mutant, monkeypatch: pytest.MonkeyPatch
) -> None:
    mutant.script(machine.started())

    mutant.plant(monkeypatch)
    with pytest.raises(AssertionError, match=mutant.breaks):
        mutant.script(machine.started())


if _LONG_RUN:  # chance needs long for the deeper ones

    @pytest.mark.timeout(3600)
    @pytest.mark.parametrize("stack", ["sqlite"], indirect=True)
    @pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.plant.__name__)
    def test_chance_finds_a_planted_mutant(
        machine: type[LedgerMachine], mutant: Mutant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Chance(LedgerMachine if mutant.plant is missing_unique_row else NarrowMachine):  # type: ignore[misc]
            database, account_id = machine.database, machine.account_id

        mutant.plant(monkeypatch)

        with pytest.raises(AssertionError):
            run_state_machine_as_test(seed(1)(Chance), settings=_settings(_LONG_RUN, Phase.generate))
