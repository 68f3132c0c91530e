"""Health tells the truth about servers that are really stopped, and everything recovers without a restart."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlmodel import Session
from starlette.testclient import TestClient

from contentcaster.api import health
from contentcaster.api.app import create_api
from contentcaster.clock import utc_now
from contentcaster.models import Account, FailedTask, Job, JobAttempt, JobState, QueueState, Role, Worker
from contentcaster.models.types import new_id
from tests.api.conftest import Api
from tests.services_for_tests import factories
from tests.services_for_tests.postgres import PostgresServer
from tests.services_for_tests.programs import free_port, wait_until
from tests.services_for_tests.redis_server import RedisServer
from tests.services_for_tests.stack import Stack


@pytest.fixture
def client(disposable_stack: Stack) -> Iterator[TestClient]:
    with TestClient(create_api(), client=("127.0.0.1", 40000)) as started:
        yield started


def test_all_is_well(api: Api) -> None:
    client = api.as_nobody()
    assert client.get("/healthz").json() == {"status": "alive"}
    ready = client.get("/readyz")
    assert ready.status_code == 200
    assert ready.json() == {
        "status": "ready",
        "degraded": False,
        "database": "ok",
        "queue": "ok",
        "detail": "All parts answer.",
    }


@pytest.mark.parametrize("how", ["stop", "kill9"])
def test_without_postgres_not_ready_within_five_seconds_and_ready_again_without_a_restart(
    how: str, client: TestClient, disposable_stack: Stack, disposable_postgres: PostgresServer
) -> None:
    with disposable_stack.database.transaction() as session:
        token = factories.access_token(session, factories.create_user(session))
    me = {"url": "/api/v1/me", "headers": {"Authorization": f"Bearer {token}"}}
    assert client.get("/readyz").status_code == 200
    assert client.get(**me).status_code == 200

    getattr(disposable_postgres, how)()
    lost_at = time.monotonic()
    wait_until(lambda: client.get("/readyz").status_code == 503, what="/readyz to notice", seconds=5)
    assert time.monotonic() - lost_at < 5
    answer = client.get("/readyz").json()
    assert (answer["status"], answer["database"], answer["degraded"]) == ("unavailable", "down", True)
    assert "database does not answer" in answer["detail"]
    assert client.get("/healthz").status_code == 200

    refused = client.get(**me)
    assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
    assert refused.headers["content-type"] == "application/problem+json"
    assert int(refused.headers["retry-after"]) > 0
    assert client.get("/metrics").status_code == 503

    disposable_postgres.start()
    wait_until(lambda: client.get("/readyz").status_code == 200, what="/readyz to recover", seconds=10)
    assert client.get(**me).status_code == 200


def test_signing_in_without_postgres_leads_back_and_keeps_the_address(
    client: TestClient, disposable_postgres: PostgresServer
) -> None:
    disposable_postgres.stop(immediate=True)
    form = {"email": "ada@example.org", "password": "a good long password"}
    answer = client.post(
        "/auth/sign-in", data=form, headers={"Origin": "http://127.0.0.1:8000"}, follow_redirects=False
    )
    assert answer.headers["location"] == "/sign-in?error=unavailable&email=ada%40example.org"


def test_without_redis_ready_but_degraded_and_it_says_so(
    client: TestClient, disposable_redis: RedisServer
) -> None:
    assert client.get("/readyz").json()["degraded"] is False
    disposable_redis.stop(immediate=True)
    wait_until(lambda: client.get("/readyz").json()["degraded"], what="/readyz to notice", seconds=5)
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["queue"]) == ("ready", "down")
    assert "Redis does not answer" in answer.json()["detail"]
    disposable_redis.start()
    wait_until(lambda: not client.get("/readyz").json()["degraded"], what="/readyz to recover", seconds=5)


def test_a_database_gone_for_long_fails_the_process_itself(
    client: TestClient, disposable_postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "GONE_SECONDS", 1.5)
    assert client.get("/healthz").status_code == 200
    disposable_postgres.stop(immediate=True)
    wait_until(lambda: client.get("/healthz").status_code == 503, what="/healthz to give up", seconds=10)
    disposable_postgres.start()
    wait_until(lambda: client.get("/healthz").status_code == 200, what="/healthz to recover", seconds=10)


def test_a_database_that_takes_connections_and_never_answers_is_noticed_too(
    disposable_stack: Stack, client: TestClient, disposable_postgres: PostgresServer
) -> None:
    import os
    import signal

    assert client.get("/readyz").status_code == 200
    process = disposable_postgres._process
    assert process is not None
    from tests.services_for_tests.postgres import _children

    frozen = [process.pid, *_children(process.pid)]
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    try:
        wait_until(lambda: client.get("/readyz").status_code == 503, what="/readyz to notice", seconds=5)
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
    wait_until(lambda: client.get("/readyz").status_code == 200, what="/readyz to recover", seconds=15)


def test_a_database_of_another_version_is_not_ready(stack: Stack) -> None:
    with stack.database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    with TestClient(create_api()) as client:
        answer = client.get("/readyz")
        assert answer.status_code == 503
        assert "contentcaster migrate" in answer.json()["detail"]


def _publish_job(session: Session, account: Account, **values: object) -> Job:
    now = utc_now()
    times = {"due_at": now, "scheduled_at": now, "expires_at": now + timedelta(hours=1)}
    job = Job(queue="publish", dedupe_key=new_id(), account_id=account.id, **(times | values))
    session.add(job)
    session.flush()
    return job


def _attempt(session: Session, job: Job, fence: int, sent_after: float | None, outcome: str) -> None:
    sent_at = None if sent_after is None else job.scheduled_at + timedelta(seconds=sent_after)
    session.add(
        JobAttempt(
            job_id=job.id,
            fence=fence,
            kind="send",
            worker="w",
            attempt=fence,
            started_at=job.scheduled_at,
            sent_at=sent_at,
            ended_at=utc_now() - timedelta(seconds=60),
            outcome=outcome,
        )
    )


def _samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_metrics_come_from_the_database_and_only_grow(api: Api) -> None:
    client = api.as_nobody()
    database = api.stack.database
    past = utc_now() - timedelta(minutes=10)
    with database.transaction() as session:
        account = factories.create_account(session, factories.create_user(session, Role.ADMIN))
        sent = _publish_job(
            session, account, state=JobState.PUBLISHED, remote_id="1", scheduled_at=past, due_at=past
        )
        _attempt(session, sent, 1, None, "retry_later")
        _attempt(session, sent, 2, 0.02, "retry_later")
        _attempt(session, sent, 3, 2.0, "published")
        _publish_job(session, account, state=JobState.QUEUED, due_at=utc_now() - timedelta(seconds=90))
        _publish_job(session, account, state=JobState.UNKNOWN)
        held = _publish_job(session, account, state=JobState.HELD)
        dead = _publish_job(session, account, state=JobState.DEAD)
        for job in (held, dead):
            session.add(FailedTask(job_id=job.id, fence=1, reason="x"))
        session.add(FailedTask(job_id=sent.id, fence=1, reason="x", resolved_at=utc_now()))
        session.add(
            Worker(
                id="w", hostname="h", pid=1, version="1", queues=["publish"], started_at=past,
                heartbeat_at=utc_now() - timedelta(seconds=3),
            )
        )  # fmt: skip
        session.add(QueueState(queue="growth", paused_at=utc_now()))
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    values = _samples(answer.text)

    def value(name: str, **labels: str) -> float:
        return values[(f"contentcaster_{name}", tuple(sorted(labels.items())))]

    assert value("publish_lateness_seconds_count") == 1
    assert value("publish_lateness_seconds_sum") == pytest.approx(0.02, abs=0.001)
    assert value("publish_lateness_seconds_bucket", le="0.01") == 0
    assert value("publish_lateness_seconds_bucket", le="0.025") == 1
    assert value("publish_lateness_seconds_bucket", le="+Inf") == 1
    assert value("attempts_total", queue="publish", kind="send", outcome="retry_later") == 2
    assert value("attempts_total", queue="publish", kind="send", outcome="published") == 1
    assert 89 < value("oldest_due_seconds", queue="publish") < 100
    assert value("oldest_due_seconds", queue="growth") == 0
    assert value("jobs_unknown") == 1
    assert value("jobs_held", queue="publish") == 1
    assert value("failed_tasks_open", queue="publish") == 2
    assert value("jobs", queue="publish", state="queued") == 1
    assert 2 < value("worker_heartbeat_age_seconds", queue="publish") < 10
    assert value("worker_heartbeat_age_seconds", queue="finder") == float("inf")
    assert value("workers_alive", queue="publish") == 1
    assert value("queue_paused", queue="growth") == 1

    with database.transaction() as session:
        more = _publish_job(session, account, state=JobState.PUBLISHED, remote_id="2")
        _attempt(session, more, 1, 0.5, "published")
    values = _samples(client.get("/metrics").text)
    assert value("publish_lateness_seconds_count") == 2
    assert value("attempts_total", queue="publish", kind="send", outcome="published") == 2


@pytest.mark.parametrize(
    ("ip", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        ("203.0.113.7", {}, 404),
        ("127.0.0.1", {"X-Forwarded-For": "203.0.113.7"}, 404),
        ("127.0.0.1", {"Forwarded": "for=203.0.113.7"}, 404),
    ],
)
def test_without_a_token_metrics_are_for_loopback_only(
    ip: str, headers: dict[str, str], status: int, sqlite_stack: Stack
) -> None:
    with TestClient(create_api(), client=(ip, free_port())) as client:
        assert client.get("/metrics", headers=headers).status_code == status


@pytest.mark.settings(metrics_token="a-metrics-token")
def test_with_a_token_metrics_are_for_whoever_has_it(sqlite_stack: Stack) -> None:
    with TestClient(create_api(), client=("203.0.113.7", 1)) as client:
        good = client.get("/metrics", headers={"Authorization": "Bearer a-metrics-token"})
        assert good.status_code == 200
        for wrong in ("Bearer a-metrics-tokem", "Bearer ", "a-metrics-token", "Basic a-metrics-token"):
            assert client.get("/metrics", headers={"Authorization": wrong}).status_code == 404
    with TestClient(create_api(), client=("127.0.0.1", 1)) as client:
        assert client.get("/metrics").status_code == 404
