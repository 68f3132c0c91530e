"""The clock that is never early, and the batches that fail no one but their own."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contentcaster.engine import timing
from contentcaster.engine.batcher import Batcher
from contentcaster.engine.timing import ClockMap

START = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


class _World:
    """A database clock and a monotonic clock that a test moves; answers take time on their way."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monotonic = 1000.0
        self.database = START
        monkeypatch.setattr(timing.time, "monotonic", lambda: self.monotonic)

    def wait(self, seconds: float) -> None:
        self.monotonic += seconds
        self.database += timedelta(seconds=seconds)

    def sample(self, clock: ClockMap, *, there: float = 0.001, back: float = 0.001) -> None:
        self.wait(there)
        told = self.database
        self.wait(back)
        clock.observe(told, self.monotonic)

    def error(self, clock: ClockMap) -> float:
        """How late the mapped moment is, in seconds; negative: early."""
        due = self.database + timedelta(seconds=10)
        true_monotonic = self.monotonic + 10
        return clock.monotonic(due) - true_monotonic


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> _World:
    return _World(monkeypatch)


def test_a_moment_is_mapped_late_by_at_most_the_way_back_and_never_early(world: _World) -> None:
    clock = ClockMap()
    chance = random.Random(7)
    for _ in range(500):
        world.sample(clock, there=chance.uniform(0, 0.2), back=chance.choice([0.0005, 0.01, 0.3]))
        assert -1e-6 <= world.error(clock) <= 0.3 + 1e-6
        world.wait(chance.uniform(0, 5))


def test_the_quickest_answer_of_the_window_counts(world: _World) -> None:
    clock = ClockMap()
    for back in (0.2, 0.001, 0.4):
        world.sample(clock, back=back)

    assert world.error(clock) == pytest.approx(0.001, abs=1e-6)


def test_a_step_forward_of_the_databases_clock_is_followed_at_the_next_sample(world: _World) -> None:
    clock = ClockMap()
    world.sample(clock)
    world.database += timedelta(hours=1)

    world.sample(clock)

    assert 0 <= world.error(clock) < 0.01


def test_a_step_back_of_an_hour_is_followed_at_the_next_sample(world: _World) -> None:
    clock = ClockMap()
    world.sample(clock)
    world.database -= timedelta(hours=1)

    world.sample(clock)

    assert 0 <= world.error(clock) < 0.01


def test_one_very_slow_answer_does_not_make_everything_late(world: _World) -> None:
    clock = ClockMap()
    world.sample(clock)

    world.sample(clock, back=8.0)

    assert 0 <= world.error(clock) < 0.01


def test_before_the_first_sample_the_machines_clock_serves(world: _World) -> None:
    clock = ClockMap()
    assert not clock.has_samples
    due = datetime.fromtimestamp(time.time() + 10, UTC)

    assert clock.monotonic(due) - world.monotonic == pytest.approx(10, abs=0.5)


# ── batches ─────────────────────────────────────────────────────────────────────────────────────────────────


class _Writer:
    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.running = 0

    async def __call__(self, items: Sequence[int]) -> list[int]:
        assert self.running == 0, "two batches at once"
        self.running += 1
        await self.gate.wait()
        self.running -= 1
        self.batches.append(list(items))
        if 13 in items:
            raise ValueError("13")
        return [item * 10 for item in items]


def test_one_item_alone_is_written_at_once() -> None:
    async def main() -> None:
        writer = _Writer()
        assert await Batcher(writer).submit(1) == 10
        assert writer.batches == [[1]]

    asyncio.run(main())


def test_what_arrives_while_a_batch_is_written_goes_out_together_in_the_next() -> None:
    async def main() -> None:
        writer = _Writer()
        writer.gate.clear()
        batcher = Batcher(writer)
        first = asyncio.create_task(batcher.submit(1))
        while writer.running == 0:
            await asyncio.sleep(0)
        others = [asyncio.create_task(batcher.submit(n)) for n in (2, 3, 4)]
        await asyncio.sleep(0)
        writer.gate.set()
        assert await first == 10
        assert await asyncio.gather(*others) == [20, 30, 40]
        assert writer.batches == [[1], [2, 3, 4]]

    asyncio.run(main())


def test_a_failed_batch_fails_exactly_its_own_items_and_the_next_one_goes_on() -> None:
    async def main() -> None:
        batcher = Batcher(_Writer(), limit=2)
        results = await asyncio.gather(*(batcher.submit(n) for n in (12, 13, 14, 15)), return_exceptions=True)
        assert [type(result) for result in results] == [ValueError, ValueError, int, int]
        assert await batcher.submit(16) == 160

    asyncio.run(main())


def test_a_writer_that_answers_too_little_fails_the_batch_and_hangs_nobody() -> None:
    async def main() -> None:
        async def write(items: Sequence[int]) -> list[int]:
            return []

        batcher: Batcher[int, int] = Batcher(write)
        for _ in range(2):
            async with asyncio.timeout(1):
                with pytest.raises(ValueError):
                    await batcher.submit(1)

    asyncio.run(main())


def test_an_item_whose_waiter_has_gone_disturbs_no_other() -> None:
    async def main() -> None:
        writer = _Writer()
        writer.gate.clear()
        batcher = Batcher(writer)
        gone, kept = asyncio.create_task(batcher.submit(1)), asyncio.create_task(batcher.submit(2))
        while writer.running == 0:
            await asyncio.sleep(0)
        gone.cancel()
        writer.gate.set()
        assert await kept == 20

    asyncio.run(main())


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(min_value=0, max_value=12), max_size=60), st.integers(min_value=1, max_value=7))
def test_every_item_gets_its_own_result_in_order_and_no_batch_is_too_large(
    items: list[int], limit: int
) -> None:
    async def main() -> None:
        writer = _Writer()
        batcher = Batcher(writer, limit=limit)
        results = await asyncio.gather(*(batcher.submit(item) for item in items))
        assert results == [item * 10 for item in items]
        assert [item for batch in writer.batches for item in batch] == items
        assert all(len(batch) <= limit for batch in writer.batches)

    asyncio.run(main())
