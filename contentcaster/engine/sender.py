"""The loop that does the work: claims due jobs, prepares them, sends each at its due time, settles what came of it.

One event loop in one thread per process carries hundreds of sends at once. It looks at the ledger when a hint wakes
it and every second anyway, so a lost hint costs nothing while the lead is longer than a second. What it may not do:
send without a committed `sending` row of its own fence, or after its lease is no longer safely longer than the send.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

import structlog
from sqlalchemy.exc import DBAPIError

from contentcaster import tracing
from contentcaster.clock import utc_now
from contentcaster.db import Database
from contentcaster.engine import heartbeat
from contentcaster.engine.batcher import Batcher
from contentcaster.engine.crash import crash_point
from contentcaster.engine.ledger import ClaimedJob
from contentcaster.engine.outcomes import (
    AttemptTimes,
    CannotTell,
    LookupFailed,
    LookupOutcome,
    Outcome,
    Published,
    Released,
    RetryLater,
    SafeToSend,
    SendOutcome,
    Unknown,
)
from contentcaster.engine.policy import Policy
from contentcaster.engine.sender_ledger import SenderLedger
from contentcaster.engine.settlement import Settlement
from contentcaster.engine.timing import ClockMap
from contentcaster.errors import Unavailable

log = structlog.get_logger(__name__)

POLL_SECONDS = 1.0
_HEARTBEAT_SECONDS = 2.0
_CLOCK_SAMPLE_SECONDS = 5.0
_ARM_AHEAD_SECONDS = 0.05
"""The intent to send is committed this long before the due time, so that the request itself leaves on it."""
_LEASE_MARGIN_SECONDS = 5.0
_CLAIM_BATCH = 250
_CLAIM_GAP_SECONDS = 0.03
"""Between two looks at the ledger, so that a hundred wakes in a row cost one look."""
_LEAST_HELD = 8
_DB_THREADS = 4

SendNow = Callable[[float], Awaitable[SendOutcome]]
"""The one irreversible call; takes the monotonic time after which nothing may be written any more."""

T = TypeVar("T")


class Executor(Protocol):
    """Carries out one kind of job on the networks. Raising is a bug: foreseeable failures are outcomes."""

    async def prepare(self, job: ClaimedJob) -> SendNow | SendOutcome:
        """Everything that may happen before the due time; an outcome instead says that it cannot be sent."""
        ...

    async def look_up(self, job: ClaimedJob) -> LookupOutcome:
        """Find out whether an earlier send took effect."""
        ...


class Sender:
    """Runs the jobs of some queues in a thread of its own, until stopped."""

    def __init__(
        self,
        database: Database,
        policy: Policy,
        executors: dict[str, Executor],
        *,
        queues: Sequence[str],
        concurrency: int,
        channel_concurrency: int,
        is_queue_reachable: Callable[[], bool] = lambda: True,
        worker_id: str | None = None,
    ) -> None:
        self.worker_id = worker_id or heartbeat.new_worker_id()
        self._ledger = SenderLedger(database, policy, worker_id=self.worker_id, queues=queues)
        self._policy = policy
        self._executors = executors
        self._queues = tuple(queues)
        self._concurrency = concurrency
        self._channel_concurrency = channel_concurrency
        self._is_queue_reachable = is_queue_reachable
        self._clock = ClockMap()
        self._threads = ThreadPoolExecutor(_DB_THREADS, thread_name_prefix="ledger")
        self._jobs: set[asyncio.Task[None]] = set()
        self._channels: dict[str, asyncio.Semaphore] = {}
        self._sending = 0
        self._next_look = 0.0
        self._most_held = 4 * concurrency
        """How many jobs it takes on. Less when it cannot get them done within their leases: on a machine that is far
        too busy, claiming more than one can do only has the leases lapse."""
        self._eased_at = 0.0
        self._looked_at = 0.0
        self._is_behind = False
        """More was due at the last look than there was room for."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run_loop, name=f"sender-{self._queues[0]}", daemon=True)
        self._started = threading.Event()

    # ── from other threads ──────────────────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        self._thread.start()
        self._started.wait(timeout=10)

    def wake(self) -> None:
        """Look at the ledger now: a hint came in."""
        if self._loop is not None and self._loop.is_running():
            self._loop.call_soon_threadsafe(self._wake.set)

    def begin_stop(self) -> None:
        """Stop claiming and give back what is not sent; what is being sent goes on. Does not wait."""
        if self._loop is not None and self._loop.is_running():
            self._loop.call_soon_threadsafe(self._begin_stop)

    def join(self, timeout_seconds: float) -> bool:
        """Wait for the end after `begin_stop`; returns whether it came in time."""
        self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    def stop(self, timeout_seconds: float = 25.0) -> bool:
        """`begin_stop`, then `join`."""
        self.begin_stop()
        return self.join(timeout_seconds)

    # ── the loop ────────────────────────────────────────────────────────────────────────────────────────────

    def _run_loop(self) -> None:
        asyncio.run(self._main())

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._wake.set()
        self._stopping = asyncio.Event()
        self._slots = asyncio.Semaphore(self._concurrency)
        self._begin = Batcher(self._write_begin)
        self._settle = Batcher(self._write_settlements)
        self._started.set()
        loops = [
            asyncio.create_task(self._forever(self._claim_due, self._until_woken)),
            asyncio.create_task(self._forever(self._beat, lambda: self._pause(_HEARTBEAT_SECONDS))),
            asyncio.create_task(self._forever(self._reconcile, lambda: self._pause(POLL_SECONDS))),
            asyncio.create_task(
                self._forever(self._sample_clock, lambda: self._pause(_CLOCK_SAMPLE_SECONDS))
            ),
        ]
        await asyncio.gather(*loops)
        while self._jobs:
            await asyncio.wait(self._jobs)
        await self._say_goodbye()
        self._threads.shutdown(wait=False)

    async def _forever(
        self, step: Callable[[], Awaitable[None]], rest: Callable[[], Awaitable[None]]
    ) -> None:
        """Repeat until stopping; a database that is away is waited for, and said once."""
        is_away = False
        while not self._stopping.is_set():
            try:
                await step()
            except (Unavailable, DBAPIError) as error:
                if not is_away:
                    log.warning("database_away", step=step.__name__, error=type(error).__name__)
                is_away = True
                await self._pause(POLL_SECONDS)
            except Exception:
                # A bug of ours must not end the loop that everything hangs on; it is said every time.
                log.exception("step_failed", step=step.__name__)
                await self._pause(POLL_SECONDS)
            else:
                if is_away:
                    log.info("database_back", step=step.__name__)
                    self._wake.set()
                is_away = False
                await rest()

    def _begin_stop(self) -> None:
        self._stopping.set()
        self._wake.set()

    async def _until_woken(self) -> None:
        """Until a hint comes in, the next job comes within the lead, or a second has passed."""
        try:
            async with asyncio.timeout(min(POLL_SECONDS, max(self._next_look - time.monotonic(), 0.01))):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()
        await self._pause(self._looked_at + _CLAIM_GAP_SECONDS - time.monotonic())

    async def _pause(self, seconds: float) -> None:
        """Sleep, but not through a stop."""
        if seconds <= 0:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            pass

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    # ── claiming ────────────────────────────────────────────────────────────────────────────────────────────

    async def _claim_due(self) -> None:
        while not self._stopping.is_set():
            room = min(_CLAIM_BATCH, self._room())
            if room < (self._least_room() if self._is_behind else 1):
                return
            asked_at = self._looked_at = time.monotonic()
            jobs, lookups, wait = await self._in_thread(
                lambda room=room: self._ledger.claim(room, is_behind=self._is_behind)  # type: ignore[misc]
            )
            self._next_look = time.monotonic() + (POLL_SECONDS if wait is None else wait)
            self._is_behind = len(jobs) == room
            lease_ends = asked_at + self._policy.lease_seconds
            if jobs and not self._clock.has_samples:
                # Claimed before the first sample: without this the machine's own clock would decide, perhaps early.
                self._clock.observe(jobs[0].database_now, time.monotonic())
            for job in jobs:
                self._spawn(self._traced("job.send", job, self._run_send(job, lease_ends)))
            for job in lookups:
                self._spawn(self._traced("job.look_up", job, self._run_lookup(job)))
            if not self._is_behind:
                return

    def _room(self) -> int:
        """How many more jobs this worker may hold: those in flight, and some more that are ready to follow."""
        return self._most_held - len(self._jobs)

    def _least_room(self) -> int:
        """While more waits than there is room for, look again only when it is worth a look."""
        return max(1, min(_CLAIM_BATCH, self._most_held // 4) // 2)

    def _ease(self, job: ClaimedJob) -> None:
        """A job could not be done within its lease: take on half as many, once per second at most. Media may take
        long on a slow network, and say nothing about this machine."""
        if not job.payload.get("media") and time.monotonic() - self._eased_at > 1.0:
            self._eased_at = time.monotonic()
            self._most_held = max(_LEAST_HELD, self._most_held // 2)
            log.warning("worker_overloaded", takes_on=self._most_held)

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._jobs.add(task)
        task.add_done_callback(self._on_done)

    def _traced(
        self, name: str, job: ClaimedJob, work: Coroutine[Any, Any, None]
    ) -> Coroutine[Any, Any, None]:
        """`work` in a span of its own, where tracing is on."""
        if not tracing.is_on():
            return work

        async def run() -> None:
            with tracing.span(name, job_id=job.id, queue=job.queue, kind=job.kind, attempt=job.attempt):
                await work

        return run()

    def _on_done(self, task: asyncio.Task[None]) -> None:
        self._jobs.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("job_task_failed", exc_info=error)
        if self._is_behind and self._room() >= self._least_room():
            self._wake.set()

    # ── one job ─────────────────────────────────────────────────────────────────────────────────────────────

    async def _run_send(self, job: ClaimedJob, lease_ends: float) -> None:
        give_up_at = lease_ends - min(_LEASE_MARGIN_SECONDS, self._policy.lease_seconds / 4)
        crash_point("prepare.before")
        ready = await self._prepare(job, give_up_at)
        crash_point("prepare.after")
        prepared_at = utc_now()
        if not callable(ready):
            await self._finish(job, ready, AttemptTimes(prepared_at=prepared_at))
            return
        due = self._clock.monotonic(job.due_at)
        await self._wait_until(due - _ARM_AHEAD_SECONDS)
        channel = self._channel(job)
        if not await self._acquire(channel, give_up_at):
            self._ease(job)
            await self._finish(job, Released(message="Too many sends in progress."), AttemptTimes())
            return
        try:
            if not await self._acquire(self._slots, give_up_at):
                self._ease(job)
                await self._finish(job, Released(message="Too many sends in progress."), AttemptTimes())
                return
            try:
                outcome, times = await self._send(job, ready, due)
            finally:
                self._slots.release()
        finally:
            channel.release()
        if isinstance(outcome, Published):
            self._most_held = min(self._most_held + 2, 4 * self._concurrency)
        if outcome is not None:
            crash_point("send.after_answer")
            await self._finish(job, outcome, AttemptTimes(prepared_at, times))

    async def _prepare(self, job: ClaimedJob, give_up_at: float) -> SendNow | SendOutcome:
        executor = self._executors.get(job.kind)
        if executor is None:
            return RetryLater(error_class="internal", message=f"This worker cannot carry out “{job.kind}”.")
        try:
            async with asyncio.timeout_at(give_up_at):
                return await executor.prepare(job)
        except TimeoutError:
            self._ease(job)
            return RetryLater(
                error_class="prepare_timeout", message="The network took too long to take the media."
            )
        except (Unavailable, DBAPIError):
            return Released(error_class="database_away", message="The database was away while preparing.")
        except Exception:
            # A bug of ours. Nothing has left, so trying again is safe, and the failed task will show it.
            log.exception("prepare_crashed", job_id=job.id)
            return RetryLater(
                error_class="internal", message="Something in ContentCaster broke while preparing."
            )

    async def _send(self, job: ClaimedJob, send_now: SendNow, due: float) -> tuple[SendOutcome | None, Any]:
        """Commit the intent, wait for the due time, make the call. None: the lease was lost, nothing was sent."""
        if self._stopping.is_set():
            return Released(message="The worker was stopped."), None
        begun_at = time.monotonic()
        if not await self._begin_send(job, begun_at):
            log.info("lease_lost_before_send", job_id=job.id, fence=job.fence)
            self._ease(job)
            return None, None
        if due > time.monotonic():
            await asyncio.sleep(due - time.monotonic())
        # The deadline guard: however long this process slept (a debugger, SIGSTOP, a swapping machine), it writes
        # nothing that could still be under way when its lease ends and somebody else looks the job up.
        deadline = min(
            time.monotonic() + self._policy.send_deadline_seconds, begun_at + self._policy.lease_seconds
        )
        if not self._policy.may_still_send(time.monotonic() - begun_at):
            self._ease(job)
            return Released(error_class="too_late", message="The worker was too slow to send safely."), None
        sent_at = utc_now()
        self._sending += 1
        try:
            return await send_now(deadline), sent_at
        except Exception:
            # A bug of ours, at the worst place: bytes may have left.
            log.exception("send_crashed", job_id=job.id)
            return Unknown(
                error_class="internal", message="Something in ContentCaster broke while sending."
            ), sent_at
        finally:
            self._sending -= 1

    async def _begin_send(self, job: ClaimedJob, begun_at: float) -> bool:
        """Whether the intent is committed; asks again while the database is away and the lease allows."""
        while True:
            try:
                return await self._begin.submit((job.id, job.fence))
            except (Unavailable, DBAPIError):
                spent = time.monotonic() - begun_at
                if spent > self._policy.lease_seconds / 2:
                    return False
                await asyncio.sleep(0.2)

    async def _run_lookup(self, job: ClaimedJob) -> None:
        crash_point("lookup.claimed")
        executor = self._executors.get(job.kind)
        outcome: LookupOutcome
        try:
            async with asyncio.timeout(self._policy.lease_seconds * 0.8):
                outcome = (
                    await executor.look_up(job) if executor else CannotTell(message="No look-up for this.")
                )
        except TimeoutError:
            outcome = LookupFailed(
                error_class="lookup_timeout", message="The network did not answer the look-up."
            )
        except (Unavailable, DBAPIError):
            outcome = LookupFailed(
                error_class="database_away", message="The database was away during the look-up."
            )
        except Exception:
            log.exception("lookup_crashed", job_id=job.id)
            outcome = LookupFailed(
                error_class="internal", message="Something in ContentCaster broke while looking."
            )
        crash_point("lookup.after_answer")
        await self._finish(job, outcome, AttemptTimes(), is_lookup=True)

    async def _finish(
        self, job: ClaimedJob, outcome: Outcome, times: AttemptTimes, *, is_lookup: bool = False
    ) -> None:
        """Settle, for as long as it takes the database to come back: the proof is in hand only here."""
        item = Settlement(job, self.worker_id, outcome, times, is_lookup)
        if tracing.is_on():
            tracing.note(**_seen(job, outcome, times))
        while True:
            try:
                await self._settle.submit(item)
                break
            except (Unavailable, DBAPIError) as error:
                log.warning("settle_waits_for_database", job_id=job.id, error=type(error).__name__)
                await asyncio.sleep(0.5)
        if isinstance(outcome, RetryLater | SafeToSend | Published):
            self._wake.set()  # the retry, or the next part of the thread, may be due within the lead already

    async def _wait_until(self, moment: float) -> None:
        seconds = moment - time.monotonic()
        if seconds > 0:
            await self._pause(seconds)

    def _channel(self, job: ClaimedJob) -> asyncio.Semaphore:
        key = job.account_id or ""
        if key not in self._channels:
            self._channels[key] = asyncio.Semaphore(self._channel_concurrency)
        return self._channels[key]

    async def _acquire(self, semaphore: asyncio.Semaphore, until: float) -> bool:
        try:
            async with asyncio.timeout_at(until):
                await semaphore.acquire()
        except TimeoutError:
            return False
        return True

    # ── the ledger, in batches ──────────────────────────────────────────────────────────────────────────────

    async def _write_begin(self, claims: Sequence[tuple[int, int]]) -> list[bool]:
        begun = await self._in_thread(lambda: self._ledger.begin(claims))
        return [job_id in begun for job_id, _ in claims]

    async def _write_settlements(self, items: Sequence[Settlement]) -> list[None]:
        await self._in_thread(lambda: self._ledger.settle(items))
        return [None] * len(items)

    # ── beside the work ─────────────────────────────────────────────────────────────────────────────────────

    async def _beat(self) -> None:
        def write() -> None:
            is_reachable = self._is_queue_reachable()  # may hang for seconds: not inside the transaction
            self._ledger.beat(in_flight=len(self._jobs), is_queue_reachable=is_reachable)

        await self._in_thread(write)

    async def _reconcile(self) -> None:
        await self._in_thread(self._ledger.reconcile)

    async def _sample_clock(self) -> None:
        for _ in range(3):
            self._clock.observe(*await self._in_thread(self._ledger.tell_time))

    async def _say_goodbye(self) -> None:
        try:
            await self._in_thread(self._ledger.say_goodbye)
        except (Unavailable, DBAPIError):
            log.warning("goodbye_not_written")


def _seen(job: ClaimedJob, outcome: Outcome, times: AttemptTimes) -> dict[str, str | float]:
    """What a trace says of an outcome: no text, no address."""
    seen: dict[str, str | float] = {"outcome": type(outcome).__name__}
    if error_class := getattr(outcome, "error_class", None):
        seen["error_class"] = str(error_class)
    if times.sent_at is not None:
        seen["late_seconds"] = (times.sent_at - job.scheduled_at).total_seconds()
    return seen
