"""A shared link shows one view to whoever has it, changes nothing, and ends: by time, by hand, with its maker."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update
from starlette.testclient import TestClient

from contentcaster.api.app import create_api
from contentcaster.api.rate_limit import Limits, RateLimiter
from contentcaster.clock import utc_now
from contentcaster.errors import InvalidInput, NotAllowed, NotFound
from contentcaster.models import AnalyticsShare, AuditEvent, Role, User
from contentcaster.platforms.metrics import PostCounts
from contentcaster.security.permissions import Permission, Principal
from contentcaster.services import analytics_share
from contentcaster.services.analytics_collect import enrol
from contentcaster.services.analytics_rollup import Measured, record
from contentcaster.services.analytics_share import LinkEnded, create_share, open_share, revoke_share
from tests.analytics.analytics_kit import published
from tests.services_for_tests import factories
from tests.services_for_tests.stack import Stack

HOSTILE = (
    "", "x", "x" * 43, "x" * 5000, "../../etc/passwd", "' OR 1=1 --", "%00", "\x00" * 43, "🦊" * 43,
    "<script>alert(1)</script>", "null", "{{7*7}}", "A" * 43 + "\r\nSet-Cookie: a=b",
)  # fmt: skip


@pytest.fixture
def people(stack: Stack) -> dict[str, Principal]:
    """Two creators with a post of today each, an admin and a viewer."""
    at = utc_now() - timedelta(minutes=2)
    with stack.database.transaction() as session:
        users = {
            name: factories.create_user(session, role, name=name)
            for name, role in [
                ("alice", Role.CREATOR), ("bob", Role.CREATOR), ("ada", Role.ADMIN), ("vic", Role.VIEWER)
            ]
        }  # fmt: skip
        account = factories.create_account(session, users["ada"])
        for name, likes in (("alice", 3), ("bob", 5)):
            job_id = published(
                session,
                users[name],
                account,
                at,
                text=f"<img src=x onerror=alert(1)> by {name}",
                labels=("a",),
            )
            enrol(session, now=at)
            record(session, account.id, [Measured(job_id, 0, at, PostCounts(likes=likes))])
    return {name: factories.principal_for(user) for name, user in users.items()}


def test_a_key_that_may_share_but_not_see_makes_no_link_to_read_through(
    stack: Stack, people: dict[str, Principal]
) -> None:
    may_only_share = frozenset({Permission.SHARE_ANALYTICS})
    key = replace(people["ada"], scopes=may_only_share)
    with stack.database.transaction() as session, pytest.raises(NotAllowed):
        create_share(session, key, view={})


def share(stack: Stack, principal: Principal, **values: object) -> str:
    """The token of a new link."""
    with stack.database.transaction() as session:
        made = create_share(session, principal, **({"view": {"days": "7"}} | values))  # type: ignore[arg-type]
    return made.link.rpartition("token=")[2]


def test_a_link_shows_what_its_maker_may_see_and_no_more(stack: Stack, people: dict[str, Principal]) -> None:
    of_alice = open_share(stack.database, share(stack, people["alice"])).found
    of_ada = open_share(stack.database, share(stack, people["ada"], view={"label": "a"})).found
    assert (of_alice.summary.now.likes, of_ada.summary.now.likes) == (3, 8)
    assert of_alice.authors == [] and of_alice.asked.period.days == 7
    with stack.database.transaction() as session:
        with pytest.raises(NotAllowed):
            create_share(session, people["vic"], view={})
        for values, field in [
            ({"view": {"label": "none"}}, "label"), ({"view": {"days": "9"}}, "days"),
            ({"view": {}, "expires_in_days": 0}, "expires_in_days"), ({"view": {}, "title": "x" * 200}, "title"),
            ({"view": {}, "timezone": "Mars/Olympus"}, "timezone"),
        ]:  # fmt: skip
            with pytest.raises(InvalidInput) as refused:
                create_share(session, people["ada"], **values)  # type: ignore[arg-type]
            assert field in refused.value.fields


def test_only_the_hash_is_kept_and_making_and_revoking_is_audited(
    stack: Stack, people: dict[str, Principal]
) -> None:
    token = share(stack, people["alice"], title="  For\nthe board ")
    with stack.database.transaction() as session:
        row = session.execute(select(AnalyticsShare)).scalar_one()
        assert token not in str(row.model_dump()) and row.title == "For the board"
        with pytest.raises(NotFound):
            revoke_share(session, people["bob"], row.id)
        assert analytics_share.list_shares(session, people["bob"]) == []
        [seen] = analytics_share.list_shares(session, people["ada"])
        assert (seen.owner_name, seen.state, seen.opened) == ("alice", "open", 0)
        revoke_share(session, people["ada"], row.id)
        with pytest.raises(NotFound):
            revoke_share(session, people["ada"], row.id)
    with stack.database.reading() as session:
        events = session.execute(select(AuditEvent.action, AuditEvent.actor)).all()
        assert token not in str(session.execute(select(AuditEvent.details)).all())
    assert [tuple(event) for event in events] == [
        ("analytics.shared", people["alice"].email), ("analytics.share_revoked", people["ada"].email)
    ]  # fmt: skip
    with pytest.raises(LinkEnded):
        open_share(stack.database, token)


@pytest.mark.parametrize("end", ["expired", "disabled", "demoted", "label gone"])
def test_a_link_ends_with_its_time_its_maker_and_its_subject(
    stack: Stack, people: dict[str, Principal], end: str
) -> None:
    token = share(stack, people["alice"], view={"label": "a"})
    assert open_share(stack.database, token).found.summary.now.posts == 1
    change = {
        "expired": update(AnalyticsShare).values(expires_at=datetime(2026, 1, 1, tzinfo=UTC)),
        "disabled": update(User).where(User.id == people["alice"].user_id).values(is_active=False),
        "demoted": update(User).where(User.id == people["alice"].user_id).values(role=Role.VIEWER),
        "label gone": update(AnalyticsShare).values(view={"label": "gone"}),
    }
    with stack.database.transaction() as session:
        session.execute(change[end])  # type: ignore[arg-type]
    with pytest.raises(LinkEnded):
        open_share(stack.database, token)


@pytest.fixture
def client(stack: Stack) -> Iterator[TestClient]:
    with TestClient(create_api(), base_url="http://127.0.0.1:8000") as client:
        yield client


def test_the_page_needs_no_account_runs_nothing_and_takes_nothing(
    stack: Stack, people: dict[str, Principal], client: TestClient
) -> None:
    token = share(stack, people["ada"], title='"><script>alert(1)</script>')
    page = client.get(f"/shared/analytics?token={token}")
    assert page.status_code == 200 and "set-cookie" not in page.headers
    assert "<script" not in page.text and "<img src=x" not in page.text and "<form" not in page.text
    assert "&lt;img src=x onerror=alert(1)&gt; by bob" in page.text
    assert people["ada"].email not in page.text and "Ada" not in page.text
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "script-src" not in policy and "unsafe" not in policy
    assert page.headers["referrer-policy"] == "no-referrer" and page.headers["cache-control"] == "no-store"
    assert page.headers["x-robots-tag"].startswith("noindex")
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert client.request(method, f"/shared/analytics?token={token}").status_code == 405
    with stack.database.reading() as session:
        assert session.execute(select(AnalyticsShare.opened)).scalar_one() == 1
    # The token opens this one page only.
    for path in ("/api/v1/analytics/summary", "/api/v1/analytics/shares", "/api/v1/posts"):
        assert client.get(f"{path}?token={token}").status_code == 401
        assert client.get(path, headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_hostile_and_ended_links_all_get_the_same_answer_and_not_often(
    stack: Stack, people: dict[str, Principal], client: TestClient
) -> None:
    revoked = share(stack, people["ada"])
    with stack.database.transaction() as session:
        revoke_share(session, people["ada"], session.execute(select(AnalyticsShare.id)).scalar_one())
    client.app.state.limits = Limits(by_address=RateLimiter(burst=len(HOSTILE) + 1, per_second=0.001))  # type: ignore[attr-defined]
    answers = [client.get("/shared/analytics", params={"token": token}) for token in (*HOSTILE, revoked)]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.text for answer in answers}) == 1
    again = client.get("/shared/analytics", params={"token": revoked})
    assert again.status_code == 429 and int(again.headers["retry-after"]) > 0


def test_links_over_rest(stack: Stack, people: dict[str, Principal], client: TestClient) -> None:
    with stack.database.transaction() as session:
        users = {name: session.get_one(User, person.user_id) for name, person in people.items()}
        bearer = {
            name: {"Authorization": f"Bearer {factories.access_token(session, user)}"}
            for name, user in users.items()
        }
    body = {"view": {"days": "month", "vs": "year"}, "title": "October", "expires_in_days": 14}
    made = client.post("/api/v1/analytics/shares", json=body, headers=bearer["alice"])
    assert made.status_code == 201, made.text
    assert made.json()["query"] == {"days": "month", "vs": "year"}
    address = made.json()["link"].partition("/shared/")[2]
    assert client.get(f"/shared/{address}").status_code == 200
    [listed] = client.get("/api/v1/analytics/shares", headers=bearer["alice"]).json()
    assert listed["opened"] == 1 and "link" not in listed and "token" not in str(listed)
    path = f"/api/v1/analytics/shares/{listed['id']}"
    assert client.delete(path, headers=bearer["bob"]).status_code == 404
    assert client.post("/api/v1/analytics/shares", json=body, headers=bearer["vic"]).status_code == 403
    bad = client.post("/api/v1/analytics/shares", json={"view": {"days": "9"}}, headers=bearer["alice"])
    assert bad.status_code == 422
    assert client.delete(path, headers=bearer["alice"]).status_code == 204
    assert client.get(f"/shared/{address}").status_code == 404
