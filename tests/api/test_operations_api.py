"""REST: channels, media, failed tasks, queues."""

from __future__ import annotations

import io

import pytest
from PIL import Image
from starlette.testclient import TestClient

from contentcaster.clock import utc_now
from contentcaster.models import FailedTask, Job, JobState, Role
from tests.api.conftest import Api
from tests.services_for_tests import factories

V1 = "/api/v1"


def png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (800, 600), "teal").save(buffer, "PNG")
    return buffer.getvalue()


def upload(
    client: TestClient, content: bytes | None = None, name: str = "a.png", **form: str
) -> dict[str, object]:
    answer = client.post(f"{V1}/media", files={"file": (name, content or png())}, data=form)
    assert answer.status_code == 201, answer.text
    media: dict[str, object] = answer.json()
    return media


def test_platforms_say_what_connecting_asks_for(api: Api) -> None:
    items = api.as_role(Role.CREATOR).get(f"{V1}/platforms").json()["items"]
    by_name = {item["platform"]: item for item in items}
    assert {"mastodon", "bluesky", "sandbox"} <= set(by_name)
    fields = {field["name"]: field for field in by_name["mastodon"]["credential_fields"]}
    assert fields["access_token"]["is_secret"] and not fields["instance_url"]["is_secret"]
    assert by_name["mastodon"]["text_rule"]["max_length"] == 500


def test_a_picture_goes_up_and_its_files_come_down_to_its_people_only(api: Api) -> None:
    creator = api.as_role(Role.CREATOR)
    media = upload(creator, alt="A field")
    assert (media["alt"], media["width"]) == ("A field", 800)
    thumb = creator.get(f"{V1}/media/{media['id']}/file", params={"size": "thumb"})
    assert thumb.headers["content-type"] == "image/webp"
    assert thumb.headers["x-content-type-options"] == "nosniff"
    assert "private" in thumb.headers["cache-control"]
    same = creator.get(thumb.request.url, headers={"If-None-Match": thumb.headers["etag"]})
    assert same.status_code == 304 and same.content == b""
    with api.stack.database.transaction() as session:
        other = factories.create_user(session, Role.CREATOR)
    for path in (f"{V1}/media/{media['id']}", f"{V1}/media/{media['id']}/file"):
        assert api.as_user(other).get(path).status_code == 404
        assert api.as_nobody().get(path).status_code == 401
    assert creator.get(f"{V1}/media/{media['id']}/file", params={"size": "huge"}).status_code == 422


def test_the_consoles_own_file_address_takes_its_cookie(api: Api) -> None:
    browser = api.as_browser(Role.CREATOR)
    media = upload(browser)
    assert browser.get(str(media["thumb_url"])).status_code == 200
    assert api.as_nobody().get(str(media["thumb_url"])).status_code == 401


@pytest.mark.parametrize("content", [b"hello", b"<svg/>", b"\xff\xd8\xff"])
def test_a_file_that_is_no_picture_is_a_problem_at_its_field(api: Api, content: bytes) -> None:
    answer = api.as_role(Role.CREATOR).post(f"{V1}/media", files={"file": ("a.png", content, "image/png")})
    assert answer.status_code == 422 and "media" in answer.json()["errors"]


@pytest.mark.settings(max_upload_mb=1)
def test_a_file_that_is_too_big_is_refused(api: Api) -> None:
    answer = api.as_role(Role.CREATOR).post(f"{V1}/media", files={"file": ("a.png", b"x" * 1_500_000)})
    assert answer.status_code in (413, 422)


def test_channels_never_show_credentials(api: Api) -> None:
    admin, owner = api.as_role(Role.ADMIN), api.user(Role.ADMIN)
    with api.stack.database.transaction() as session:
        account = factories.create_account(
            session, owner, platform="mastodon", credentials={"access_token": "CANARY"}
        )
    listed, one = admin.get(f"{V1}/accounts"), admin.get(f"{V1}/accounts/{account.id}")
    assert listed.json()["items"] == [one.json()]
    assert "CANARY" not in listed.text and "credential" not in listed.text
    off = admin.patch(f"{V1}/accounts/{account.id}", json={"is_enabled": False}).json()
    assert off["status"] == "disabled" and "Admin" in off["status_reason"]
    assert (
        admin.patch(f"{V1}/accounts/{account.id}", json={"is_enabled": True}).json()["status"] == "connected"
    )
    assert admin.delete(f"{V1}/accounts/{account.id}").status_code == 204
    assert admin.get(f"{V1}/accounts/{account.id}").status_code == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"platform": "myspace"}, "platform"),
        ({"platform": "mastodon"}, "instance_url"),
        ({"platform": "mastodon", "instance_url": "https://x.example"}, "access_token"),
        (
            {"platform": "mastodon", "instance_url": "http://127.0.0.1:1", "access_token": "CANARY"},
            "instance_url",
        ),
        ({"platform": "mastodon", "instance_url": "file:///etc", "access_token": "CANARY"}, "instance_url"),
        ({"platform": "mastodon", "instance_url": ["x"], "access_token": {"a": "CANARY"}}, "access_token"),
    ],
)
def test_connecting_with_wrong_credentials_names_the_field_and_repeats_no_secret(
    api: Api, body: dict[str, object], field: str
) -> None:
    answer = api.as_role(Role.ADMIN).post(f"{V1}/accounts", json=body)
    assert answer.status_code == 422, answer.text
    assert field in answer.json()["errors"]
    assert "CANARY" not in answer.text


def test_failed_tasks_and_queues_over_rest(api: Api) -> None:
    admin, monitor, creator = (api.as_role(role) for role in (Role.ADMIN, Role.MONITOR, Role.CREATOR))
    now, owner = utc_now(), api.user(Role.ADMIN)
    with api.stack.database.transaction() as session:
        account = factories.create_account(session, owner, platform="mastodon")
        job = Job(
            queue="publish", dedupe_key="x", account_id=account.id, state=JobState.DEAD, due_at=now,
            scheduled_at=now, expires_at=now, payload={"text": "Hi"},
        )  # fmt: skip
        session.add(job)
        session.flush()
        task = FailedTask(job_id=job.id or 0, fence=1, reason="rejected", message="No.")
        session.add(task)
        session.flush()
        url = f"{V1}/failed-tasks/{task.id}"
    assert monitor.get(f"{V1}/failed-tasks").json()["items"][0]["title"] == "Refused by the network"
    assert monitor.get(f"{V1}/failed-tasks/groups").json()["items"][0]["count"] == 1
    assert monitor.get(url).json()["payload_text"] == "Hi"
    assert creator.get(url).status_code == 403 and monitor.post(f"{url}/retry").status_code == 403
    assert admin.post(f"{url}/resolve", json={"remote_url": "javascript:1"}).status_code == 422
    assert admin.post(f"{url}/retry").json()["resolution"] == "retried"
    assert admin.post(f"{url}/discard").status_code == 409
    for odd in ("0", "-1", "x", "9" * 30):
        assert admin.get(f"{V1}/failed-tasks/{odd}").status_code == 422
    assert admin.get(f"{V1}/failed-tasks/123456").status_code == 404
    job_url = f"{V1}/jobs/{monitor.get(url).json()['task']['job_id']}"
    assert monitor.get(job_url).json()["job"]["queue"] == "publish"
    assert creator.get(job_url).status_code == creator.get(f"{V1}/jobs").status_code == 403
    assert admin.get(f"{V1}/jobs/123456").status_code == 404
    assert admin.get(f"{V1}/jobs", params={"state": "nope"}).status_code == 422
    names = [queue["name"] for queue in monitor.get(f"{V1}/queues").json()["items"]]
    assert names == ["publish", "engagement", "growth", "finder", "maintenance"]
    assert admin.post(f"{V1}/queues/publish/pause", json={"reason": "x"}).json()["is_paused"]
    assert not admin.post(f"{V1}/queues/publish/resume").json()["is_paused"]
    assert admin.post(f"{V1}/queues/nope/pause").status_code == 422
    assert admin.post(f"{V1}/queues/rebuild").json() == {"jobs": 1}
    assert monitor.get(f"{V1}/workers").json() == {"items": []}
    assert creator.get(f"{V1}/workers").status_code == 403


def test_the_openapi_description_has_every_call_of_the_contract(api: Api) -> None:
    paths = api.as_nobody().get("/api/openapi.json").json()["paths"]
    for path, methods in {
        "/platforms": {"get"},
        "/accounts": {"get", "post"},
        "/accounts/{account_id}": {"get", "patch", "delete"},
        "/accounts/{account_id}/check": {"post"},
        "/posts": {"get", "post"},
        "/posts/{post_id}": {"get", "patch", "delete"},
        "/posts/{post_id}/cancel": {"post"},
        "/posts/{post_id}/timeline": {"get"},
        "/media": {"get", "post"},
        "/media/{media_id}": {"get"},
        "/failed-tasks": {"get"},
        "/failed-tasks/{task_id}": {"get"},
        "/failed-tasks/{task_id}/retry": {"post"},
        "/failed-tasks/{task_id}/resolve": {"post"},
        "/failed-tasks/{task_id}/discard": {"post"},
        "/queues": {"get"},
        "/queues/{name}/pause": {"post"},
        "/queues/{name}/resume": {"post"},
        "/queues/rebuild": {"post"},
        "/workers": {"get"},
    }.items():
        assert methods <= set(paths[V1 + path]), path
