"""Never lost, never twice: posts go out while workers, Redis, Postgres, clocks and the network fail at random.

python -m bench.chaos [--posts 300] [--seed 1] [--stack postgres] [--stack sqlite] [--seconds 90]

Real worker processes, real servers, a recording network with faults before and after the effect. Four channels:
Mastodon with idempotency keys (through a proxy that goes half open), a server that ignores keys but shows the own
timeline, Bluesky with record keys, and one with neither key nor read-back. Ends with a table; exits 1 if a post was
lost or doubled, or if too few faults happened for the run to mean anything. A seed repeats the plan and the network's
draws, not the machine's scheduling.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import itertools
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import select

from bench.chaos_faults import Faults
from bench.chaos_proxy import HalfOpenProxy
from bench.harness import free_port, machine, percentile, table, wait_until
from contentcaster.clock import utc_now
from contentcaster.engine import hints
from contentcaster.errors import ContentCasterError
from contentcaster.models import Account, FailedTask, Job, JobState, Role
from contentcaster.sandbox.client import SandboxThread
from contentcaster.sandbox.settings import SandboxSettings
from contentcaster.security.permissions import Principal
from contentcaster.services import connecting, posts, setup
from contentcaster.services.drafts import PostDraft, TargetDraft
from contentcaster.services.schedule import Schedule
from tasks.hint_queue import create_huey, send_hints
from tests.services_for_tests.postgres import PostgresServer
from tests.services_for_tests.redis_server import RedisServer
from tests.services_for_tests.stack import Servers, Stack, activated, as_environment, migrated_database

_LEASE_SECONDS = 6
_WORKERS = 3
_CALM_SHARE = 0.8
"""The faults go on until so much of the posts has ended in the middle of them."""
_PER_SECOND = 8.0
_MIX = {
    "error_before": 0.03,
    "rate_limit": 0.03,
    "drop_before": 0.03,
    "error_after": 0.04,
    "drop_after": 0.04,
    "drop_mid_body": 0.02,
    "malformed": 0.02,
    "malformed_before": 0.02,
    "html": 0.01,
    "hang": 0.01,
}
_CHANNELS = 4
_PLANTED = ("error_before", "drop_before", "error_after", "drop_after", "rate_limit")
"""One post of the keyed channel meets each of these for certain; a short run's draw may leave one out."""
_FINAL = (JobState.PUBLISHED, JobState.DEAD, JobState.HELD)


@dataclass
class Networks:
    keyed: SandboxThread
    by_timeline: SandboxThread
    blind: SandboxThread

    @property
    def all(self) -> tuple[SandboxThread, ...]:
        return (self.keyed, self.by_timeline, self.blind)


@dataclass
class Verdict:
    """What the ledger says against what the networks have."""

    states: Counter[str]
    lost: list[str]
    doubled: list[str]
    unproven: list[str]
    late_seconds: list[float]
    early: int
    channels: dict[str, Counter[str]]
    reasons: Counter[str]


def run(stack_name: str, count: int, seed: str, least_seconds: float) -> bool:
    """One run; prints its table and returns whether it stands. The posts are spread over `least_seconds` or more."""
    chance = random.Random(seed)
    folder = Path(tempfile.mkdtemp(prefix="contentcaster-chaos-"))
    started = time.monotonic()
    with contextlib.ExitStack() as everything:
        networks = _start_networks(everything, seed)
        proxy = HalfOpenProxy(networks.keyed.running.port).start()
        everything.callback(proxy.close)
        ports = [proxy.port, *(network.running.port for network in networks.all)]
        stack, postgres, redis = everything.enter_context(_stack(stack_name, folder, ports))
        faults = Faults(
            stack, proxy, chance, folder / "workers.log", _LEASE_SECONDS, postgres=postgres, redis=redis
        )
        everything.callback(faults.end)
        due_of = _schedule(stack, _connect(stack, networks, proxy), count, least_seconds, faults)
        for network in networks.all:
            network.control.config(fault_mix=_MIX, seed=seed, fault_seconds=1.0, latency_ms=40)
        _plant(networks.keyed, due_of)
        for _ in range(_WORKERS):
            faults.start_worker()
        last_due = max(due_of.values())
        least = time.monotonic() + (last_due - utc_now()).total_seconds()
        faults.run_until(lambda: time.monotonic() > least and _share_over(stack) > _CALM_SHARE)
        faults.calm()
        for network in networks.all:
            network.control.config(fault_mix={})
        _wait_for_the_end(stack)
        verdict = _judge(stack, networks, due_of)
        return _report(stack_name, count, seed, faults, networks, verdict, time.monotonic() - started, folder)


def _start_networks(everything: contextlib.ExitStack, seed: str) -> Networks:
    keyed, by_timeline, blind = (
        everything.enter_context(SandboxThread(SandboxSettings(seed=seed))) for _ in range(3)
    )
    by_timeline.control.config(keyless=True, software="pleroma")
    blind.control.config(keyless=True, software="pleroma", hide_timeline=True)
    return Networks(keyed, by_timeline, blind)


def _plant(keyed: SandboxThread, due_of: Iterable[str]) -> None:
    for text, kind in zip(itertools.islice(due_of, 0, None, _CHANNELS), _PLANTED, strict=False):
        keyed.control.fault(kind, {"method": "POST", "text_contains": text})


@contextlib.contextmanager
def _stack(
    name: str, folder: Path, ports: Sequence[int]
) -> Iterator[tuple[Stack, PostgresServer | None, RedisServer | None]]:
    settings: dict[str, object] = {
        "data_dir": folder / "data",
        "sandbox_port": free_port(),
        "egress_allow": ",".join(f"127.0.0.1:{port}" for port in ports),
        "publish_lead_seconds": 1.0,
        "lease_seconds": _LEASE_SECONDS,
        "send_deadline_seconds": 3,
        # Longer than a send can take, as by default: a clock that jumps may end a lease early, and a request of
        # that lease is over all the same before anybody looks it up.
        "settle_seconds": 3.5,
        "hint_timeout_seconds": 2,
        "publish_retries": 6,
        "log_level": "WARNING",
    }
    (folder / "data").mkdir(mode=0o700)
    with contextlib.ExitStack() as servers:
        postgres = redis = None
        if name == "postgres":
            postgres, redis = PostgresServer.create(), RedisServer.create()
            servers.callback(postgres.close)
            servers.callback(redis.close)
            settings["database_url"] = migrated_database(postgres.url(), "contentcaster")
            settings["redis_url"] = redis.url()
        else:
            shared = Servers()
            servers.callback(shared.close)
            settings["database_url"] = shared.new_sqlite_database(folder / "data")
        with activated(name, as_environment(**settings)) as stack:
            yield stack, postgres, redis


def _connect(stack: Stack, networks: Networks, proxy: HalfOpenProxy) -> tuple[Principal, list[str]]:
    """Connect the four channels; returns who did it and their ids."""
    email = "chaos@example.org"
    user_id = setup.create_admin(stack.database, email=email, password="correct horse battery")
    principal = Principal(user_id=user_id, email=email, name="Chaos", role=Role.ADMIN, timezone="UTC")

    def connect(platform: str, credentials: dict[str, str]) -> str:
        return asyncio.run(connecting.connect_account(stack.database, principal, platform, credentials)).id

    def mastodon(network: SandboxThread, handle: str, port: int) -> str:
        token = network.control.account(handle)["access_token"]
        return connect("mastodon", {"instance_url": f"http://127.0.0.1:{port}", "access_token": token})

    bluesky = networks.keyed.control.account("record")
    return principal, [
        mastodon(networks.keyed, "keyed", proxy.port),
        mastodon(networks.by_timeline, "timeline", networks.by_timeline.running.port),
        mastodon(networks.blind, "blind", networks.blind.running.port),
        connect(
            "bluesky",
            {
                "service_url": networks.keyed.base_url,
                "identifier": bluesky["at_handle"],
                "app_password": bluesky["app_password"],
            },
        ),
    ]


def _schedule(
    stack: Stack,
    channels: tuple[Principal, list[str]],
    count: int,
    least_seconds: float,
    faults: Faults,
) -> dict[str, datetime]:
    """Spread the posts over the run, the channels in turn; returns when each text is due."""
    principal, account_ids = channels
    huey = create_huey("publish", stack.settings)

    def forward(job_id: int) -> None:
        raise AssertionError("consumers run elsewhere")

    forward.__module__ = "tasks.publish"
    task = huey.task(name="run")(forward)
    hints.register_sender(lambda batch: send_hints(lambda _: task, batch), lead_seconds=1.0)
    # Written faster than they come due, even on a busy machine.
    start = utc_now() + timedelta(seconds=10 + count * 0.03)
    seconds = max(count / _PER_SECOND, least_seconds)
    due_of = {_text(number): start + timedelta(seconds=number * seconds / count) for number in range(count)}
    numbered = list(enumerate(due_of.items()))
    for first in range(0, count, 50):
        with stack.database.transaction() as session:
            for number, (text, due) in numbered[first : first + 50]:
                target = TargetDraft(account_id=account_ids[number % len(account_ids)])
                posts.create_post(
                    session, principal, PostDraft(text=text, targets=(target,)), Schedule.at(due)
                )
    with stack.database.reading() as session:
        faults.job_ids = list(session.execute(select(Job.id)).scalars())
    return due_of


def _text(number: int) -> str:
    """Words that no other text has: a look-up in the own timeline must be able to tell the posts apart."""
    digest = hashlib.sha256(b"%d" % number).hexdigest()
    return " ".join(digest[start : start + 8] for start in range(0, 40, 8))


def _share_over(stack: Stack) -> float:
    with stack.database.reading() as session:
        states = list(session.execute(select(Job.state)).scalars())
    return sum(state in _FINAL for state in states) / len(states)


def _wait_for_the_end(stack: Stack) -> None:
    def is_over() -> bool:
        try:
            with stack.database.reading() as session:
                query = select(Job.id).where(Job.state.not_in(_FINAL)).limit(1)  # type: ignore[attr-defined]
                return session.execute(query).first() is None
        except ContentCasterError:
            return False

    with contextlib.suppress(SystemExit):  # what is still open counts as lost
        # As long as look-ups that fail go on, each after twice the wait of the one before.
        wait_until(is_over, seconds=600, what="every job to end")


def _judge(stack: Stack, networks: Networks, due_of: dict[str, datetime]) -> Verdict:
    effects: dict[str, list[str]] = {text: [] for text in due_of}
    arrived: dict[str, datetime] = {}
    for network in networks.all:
        for effect in network.control.posts():
            effects[effect["text"]].append(effect["id"])
        for row in network.control.requests(limit=1_000_000):
            if row["method"] == "POST" and row["text"] in due_of:
                moment = datetime.fromisoformat(row["arrived_at"])
                arrived[row["text"]] = min(moment, arrived.get(row["text"], moment))
    with stack.database.reading() as session:
        jobs = list(session.execute(select(Job)).scalars())
        handles = dict(session.execute(select(Account.id, Account.handle)).all())  # type: ignore[arg-type]
        reported = set(session.execute(select(FailedTask.job_id)).scalars())
    by_text = {job.payload["text"]: job for job in jobs}
    lost = [text for text in due_of if text not in by_text or by_text[text].state not in _FINAL]
    unproven = []
    for text, job in by_text.items():
        found = effects[text]
        if job.state is JobState.PUBLISHED and not found:
            lost.append(text)
        if job.state is JobState.PUBLISHED and found and not _is_same(job.remote_id, found):
            unproven.append(text)
        if job.state in (JobState.DEAD, JobState.HELD) and job.id not in reported:
            unproven.append(text)
        if job.state is JobState.DEAD and found:
            unproven.append(text)  # said to have failed, and yet it is there
    late = sorted((moment - due_of[text]).total_seconds() for text, moment in arrived.items())
    return Verdict(
        states=Counter(job.state.value for job in jobs),
        lost=lost,
        doubled=[text for text, found in effects.items() if len(found) > 1],
        unproven=unproven,
        late_seconds=late,
        early=sum(value < 0 for value in late),
        channels={
            handle: Counter(job.state.value for job in jobs if job.account_id == account_id)
            for account_id, handle in handles.items()
        },
        reasons=Counter(
            f"{handles[job.account_id or '']}: {job.state.value}: {job.error_message}"
            for job in jobs
            if job.state is not JobState.PUBLISHED
        ),
    )


def _is_same(remote_id: str | None, found: Sequence[str]) -> bool:
    """Bluesky's proof is an at:// address, which ends in the record key."""
    return remote_id is not None and any(remote_id == one or remote_id.endswith(f"/{one}") for one in found)


def _report(
    name: str,
    count: int,
    seed: str,
    faults: Faults,
    networks: Networks,
    verdict: Verdict,
    seconds: float,
    folder: Path,
) -> bool:
    network_faults: Counter[str] = Counter()
    for network in networks.all:
        network_faults.update(network.control.stats()["faults"])
    table(
        f"Chaos on {name}: {count} posts, seed {seed}, {seconds:.0f} s ({machine()})",
        ["published", "held", "failed", "lost", "doubled", "unproven", "early", "late p50 s", "late p99 s"],
        [
            [
                verdict.states["published"],
                verdict.states["held"],
                verdict.states["dead"],
                len(verdict.lost),
                len(verdict.doubled),
                len(verdict.unproven),
                verdict.early,
                percentile(verdict.late_seconds, 0.5),
                percentile(verdict.late_seconds, 0.99),
            ]
        ],
    )
    table(
        "Channels",
        ["channel", "published", "held", "failed"],
        [
            [handle, states["published"], states["held"], states["dead"]]
            for handle, states in verdict.channels.items()
        ],
    )
    table("Not published, and why", ["channel: state: reason", "posts"], verdict.reasons.most_common())
    table("Faults", ["kind", "times"], [*sorted(faults.counts.items())])
    table("Faults of the network", ["kind", "times"], [*sorted(network_faults.items())])
    problems = _problems(count, faults, network_faults, verdict)
    for problem in problems:
        print(f"FAILED: {problem}")
    if problems:
        print(f"Logs and data: {folder}")
    return not problems


def _problems(count: int, faults: Faults, network_faults: Counter[str], verdict: Verdict) -> list[str]:
    found = [
        f"{len(texts)} {what}: {', '.join(texts[:5])}"
        for what, texts in (
            ("lost", verdict.lost),
            ("doubled", verdict.doubled),
            ("whose proof is wrong", verdict.unproven),
        )
        if texts
    ]
    if verdict.early:
        found.append(f"{verdict.early} sent before their time")
    found += [f"no {name} happened" for _, name, _ in faults.kinds() if not faults.counts[name]]
    found += [f"the network never did {kind}" for kind in _PLANTED if not network_faults[kind]]
    if network_faults.total() < count * 0.1:
        found.append(f"only {network_faults.total()} network faults")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--posts", type=int, default=300)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--stack", choices=("postgres", "sqlite"), action="append")
    parser.add_argument("--seconds", type=float, default=90, help="spread even few posts over so long")
    given = parser.parse_args()
    # As Ctrl-C: what was started here is ended, and no verdict is given on half a run.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    results = [
        run(name, given.posts, given.seed, given.seconds) for name in given.stack or ("postgres", "sqlite")
    ]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
