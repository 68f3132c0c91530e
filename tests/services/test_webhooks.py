"""Webhooks out: what is told exactly when it happened, to whom, and how each delivery goes, against a real receiver."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import select

from contentcaster.clock import utc_now
from contentcaster.engine import announcements, ledger, settlement
from contentcaster.engine.outcomes import Published, Refused
from contentcaster.engine.policy import Policy
from contentcaster.engine.sender import Sender
from contentcaster.engine.settlement import Settlement
from contentcaster.errors import Conflict, InvalidInput, NotAllowed, NotFound
from contentcaster.models import (
    Account,
    AuditEvent,
    Job,
    JobState,
    Notification,
    WebhookEndpoint,
    WebhookEvent,
)
from contentcaster.services import posts, webhooks
from contentcaster.services.executors import create_executors
from contentcaster.services.schedule import Schedule
from contentcaster.services.webhook_events import EVENTS
from contentcaster.services.webhooks import NewEndpoint
from tests.services.service_kit import Team, build_team
from tests.services_for_tests.programs import free_port
from tests.services_for_tests.receiver import Receiver, running_receiver
from tests.services_for_tests.stack import Stack

PORT = free_port()
ALLOWED = pytest.mark.settings(egress_allow=f"127.0.0.1:{PORT}")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver(PORT) as running:
        yield running


@pytest.fixture
def team(stack: Stack) -> Team:
    return build_team(stack)


@pytest.fixture
def working(stack: Stack) -> Iterator[None]:
    """A sender that works the maintenance queue off."""
    sender = Sender(
        stack.database,
        Policy(lead_seconds=0.5, settle_seconds=0.1, retry_base_seconds=0.05),
        create_executors(stack.database),
        queues=["maintenance"],
        concurrency=8,
        channel_concurrency=8,
    )
    sender.start()
    yield
    assert sender.stop()


def until(condition: Callable[[], Any], seconds: float = 20) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)
    return value


def endpoint(team: Team, url: str, *events: str) -> NewEndpoint:
    made: NewEndpoint = team.write(
        webhooks.create_endpoint, team.ada, name="Warehouse", url=url, events=list(events or EVENTS)
    )
    return made


def settle(team: Team, post_id: str, outcome: Any) -> None:
    """What a worker would: claim the post's job, send, and settle it with this outcome."""
    with team.stack.database.transaction() as session:
        job_id = team_job(session, post_id)
        session.exec(select(Job).where(Job.id == job_id)).one().due_at = utc_now() - timedelta(seconds=1)
    with team.stack.database.transaction() as session:
        claimed = ledger.claim(
            session, queues=["publish"], worker="w", limit=5, lead_seconds=3, lease_seconds=60
        )
    with team.stack.database.transaction() as session:
        ledger.begin_send(session, [(job.id, job.fence) for job in claimed], lease_seconds=60)
    with team.stack.database.transaction() as session:
        settlement.settle(session, [Settlement(job, "w", outcome) for job in claimed], Policy())


def team_job(session: Any, post_id: str) -> int:
    job_id = session.exec(select(Job.id).where(Job.post_id == post_id)).one()
    return int(job_id)


def events(team: Team) -> list[WebhookEvent]:
    with team.stack.database.reading() as session:
        return list(
            session.exec(select(WebhookEvent).order_by(WebhookEvent.created_at, WebhookEvent.id)).all()
        )


def deliveries(team: Team, **filters: Any) -> list[webhooks.DeliveryView]:
    return team.read(webhooks.list_deliveries, team.ada, **filters).items  # type: ignore[no-any-return]


@ALLOWED
def test_an_outcome_is_told_with_a_good_signature_and_what_became_of_each_channel(
    team: Team, receiver: Receiver, working: None
) -> None:
    secret = endpoint(team, receiver.url).secret
    post = team.scheduled(text="Hello world")
    settle(team, post.id, Published(remote_id="r1", remote_url="https://social.example/1"))
    until(lambda: receiver.got)
    headers, body = receiver.got[0]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
    told = json.loads(body)
    assert (told["type"], told["id"]) == ("post.published", headers["webhook-id"])
    assert told["data"]["post"]["id"] == post.id and told["data"]["post"]["status"] == "Published"
    target = told["data"]["post"]["targets"][0]
    assert (target["status"], target["remote_url"]) == ("Published", "https://social.example/1")
    assert "credentials" not in body.decode()
    row = until(lambda: deliveries(team, outcome="delivered"))[0]
    assert (row.http_status, row.tries, row.event) == (
        204,
        1,
        "post.published",
    ) and row.latency_ms is not None


@ALLOWED
def test_a_receiver_that_fails_hears_the_same_event_again_with_the_same_id_until_it_takes_it(
    team: Team, receiver: Receiver, working: None
) -> None:
    endpoint(team, receiver.url)
    receiver.answers = [(500, b"token=supersecretvalue and <b>boom</b>"), (0, b""), (503, b"")]
    post = team.scheduled()
    team.write(posts.cancel_post, team.alice, post.id)
    until(lambda: deliveries(team, outcome="delivered"))
    assert receiver.types() == ["post.cancelled"] * 4 and len(set(receiver.ids())) == 1
    assert len({body for _, body in receiver.got}) == 1
    detail = team.read(webhooks.get_delivery, team.ada, deliveries(team)[0].id)
    assert [row.http_status for row in detail.tries] == [500, None, 503, 204]
    assert "boom" in detail.tries[0].excerpt and "supersecretvalue" not in detail.tries[0].excerpt
    assert detail.body["id"] == receiver.ids()[0]
    with team.stack.database.reading() as session:
        row = session.exec(select(WebhookEndpoint)).one()
    assert row.failures == 0 and row.failing_since is None


@ALLOWED
def test_each_outcome_has_its_event_and_an_edit_or_a_rollback_has_none(
    team: Team, receiver: Receiver
) -> None:
    endpoint(team, receiver.url)
    refused, approval = team.scheduled(text="No"), team.scheduled(text="Edited")
    settle(team, refused.id, Refused(message="Too long", error_class="rejected"))
    detail = team.read(posts.get_post, team.alice, approval.id)
    team.write(
        posts.update_post, team.alice, approval.id, team.draft("Edited", team.bluesky), version=detail.version
    )
    with pytest.raises(RuntimeError), team.stack.database.transaction() as session:
        posts.cancel_post(session, team.alice, approval.id)
        raise RuntimeError
    assert [event.type for event in events(team)] == ["post.failed"]
    problem = events(team)[0].data["post"]["targets"][0]
    assert (problem["status"], problem["problem"]) == ("Failed", "Too long")
    # The same outcome again changes nothing: told once.
    with team.stack.database.transaction() as session:
        announcements.posts_moved(session, {refused.id: "Failed"})
    assert len(events(team)) == 1


@ALLOWED
def test_a_channel_that_is_lost_is_told_once(team: Team, receiver: Receiver) -> None:
    endpoint(team, receiver.url, "channel.disconnected")
    first, second = team.scheduled(text="one"), team.scheduled(text="two")
    refusal = Refused(message="The token was revoked.", account_needs_reauthorising=True)
    settle(team, first.id, refusal)
    settle(team, second.id, refusal)
    told = events(team)
    assert [event.type for event in told] == ["channel.disconnected"]
    assert told[0].data["channel"]["id"] == team.mastodon.id and "revoked" in told[0].data["reason"]
    with team.stack.database.reading() as session:
        assert session.get_one(Account, team.mastodon.id).status == "reauthorise"


@ALLOWED
def test_approval_is_told_at_each_step(team: Team, receiver: Receiver) -> None:
    endpoint(team, receiver.url, "post.approval_requested", "post.approved", "post.rejected")
    when = Schedule.at(utc_now() + timedelta(hours=1), "UTC")
    post = team.write(posts.create_post, team.alice, team.draft("Please"), when, is_asking_approval=True)
    team.write(posts.reject_post, team.ada, post.id, "Not yet")
    told = events(team)
    assert [event.type for event in told] == ["post.approval_requested", "post.rejected"]
    assert told[1].data["reason"] == "Not yet" and told[1].data["decided_by"] == team.ada.email


@ALLOWED
def test_a_replay_is_another_delivery_of_the_same_event(
    team: Team, receiver: Receiver, working: None
) -> None:
    made = endpoint(team, receiver.url)
    team.write(webhooks.send_test, team.ada, made.view.id)
    first = until(lambda: deliveries(team, outcome="delivered"))[0]
    again = team.write(webhooks.replay, team.ada, first.id)
    assert again.is_replay and again.event_id == first.event_id
    until(lambda: len(deliveries(team, outcome="delivered")) == 2)
    assert len(receiver.got) == 2 and len(set(receiver.ids())) == 1 and receiver.types() == ["ping"] * 2


@ALLOWED
def test_an_endpoint_that_failed_for_a_day_or_is_gone_is_turned_off_and_admins_are_told(
    team: Team, receiver: Receiver, working: None
) -> None:
    made = endpoint(team, receiver.url)
    with team.stack.database.transaction() as session:
        row = session.exec(select(WebhookEndpoint)).one()
        row.failing_since, row.failures = utc_now() - timedelta(hours=25), 7
    receiver.answers = [(500, b"")] * 3
    for _ in range(3):
        team.write(webhooks.send_test, team.ada, made.view.id)
    until(lambda: not team.read(webhooks.get_endpoint, team.ada, made.view.id).is_enabled)
    view = team.read(webhooks.get_endpoint, team.ada, made.view.id)
    assert "failed for 24 hours" in view.disabled_reason
    with team.stack.database.reading() as session:
        told = session.exec(select(Notification).where(Notification.user_id == team.ada.user_id)).one()
        assert "Warehouse" in told.title and told.href == "/webhooks"
    until(lambda: not deliveries(team, outcome="waiting") and not deliveries(team, outcome="retrying"))
    team.write(posts.cancel_post, team.alice, team.scheduled().id)
    assert "post.cancelled" not in [event.type for event in events(team)]
    with pytest.raises(Conflict):
        team.write(webhooks.send_test, team.ada, made.view.id)
    team.write(webhooks.update_endpoint, team.ada, made.view.id, is_enabled=True)
    receiver.answers = [(410, b"")]
    team.write(webhooks.send_test, team.ada, made.view.id)
    until(lambda: not team.read(webhooks.get_endpoint, team.ada, made.view.id).is_enabled)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/hook",
        "https://127.0.0.1/hook",
        "https://169.254.169.254/latest",
        "https://[::1]/hook",
        "https://localhost/hook",
        "ftp://example.org",
        "javascript:alert(1)",
        "https://exa mple.org",
        "",
    ],
)
def test_addresses_that_must_not_be_called_are_refused_at_the_field(team: Team, url: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        endpoint(team, url)
    assert "url" in refused.value.fields


def test_only_admins_see_or_change_endpoints_and_the_signing_secret_is_stored_sealed(team: Team) -> None:
    made = endpoint(team, "https://example.org/hook")
    for who in (team.alice, team.mona, team.vic):
        for act in (
            lambda who=who: team.read(webhooks.list_endpoints, who),
            lambda who=who: endpoint_as(team, who),
            lambda who=who: team.write(webhooks.delete_endpoint, who, made.view.id),
            lambda who=who: team.read(webhooks.list_deliveries, who),
        ):
            with pytest.raises(NotAllowed):
                act()
    with team.stack.database.reading() as session:
        row = session.exec(select(WebhookEndpoint)).one()
        acts = session.exec(select(AuditEvent).where(AuditEvent.subject_type == "webhook")).all()
    assert made.secret not in str(row.__dict__) and made.secret not in str([act.details for act in acts])
    renewed = team.write(webhooks.rotate_secret, team.ada, made.view.id)
    assert renewed.secret != made.secret
    team.write(webhooks.delete_endpoint, team.ada, made.view.id)
    with pytest.raises(NotFound):
        team.read(webhooks.get_endpoint, team.ada, made.view.id)


def endpoint_as(team: Team, who: Any) -> Any:
    return team.write(
        webhooks.create_endpoint, who, name="x", url="https://example.org", events=["post.failed"]
    )


def test_what_is_past_its_time_is_forgotten_and_what_waits_is_kept(team: Team) -> None:
    made = endpoint(team, "https://example.org/hook")
    old, new = (team.write(webhooks.send_test, team.ada, made.view.id) for _ in range(2))
    with team.stack.database.transaction() as session:
        long_ago = utc_now() - webhooks.KEEP - timedelta(days=1)
        session.get_one(WebhookEvent, old.event_id).created_at = long_ago
        job = session.exec(select(Job).where(Job.dedupe_key == f"webhook:{old.id}")).one()
        job.created_at, job.state, job.ended_at = long_ago, JobState.CANCELLED, long_ago
    team.write(lambda session: webhooks.forget(session))
    assert [row.id for row in deliveries(team)] == [new.id]
