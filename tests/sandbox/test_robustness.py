"""No body makes the sandbox fail by itself: a 500 from it must always be one that was asked for or measured."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contentcaster.sandbox.client import SandboxControl, SandboxThread
from contentcaster.sandbox.settings import SandboxSettings

from .conftest import CREATED_AT, POST, BlueskyPerson, MastodonPerson, post_record

_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-9, 2**40)
    | st.text(max_size=8)
    | st.floats(allow_nan=False, allow_infinity=False)
)
_JSON = st.recursive(
    _LEAVES,
    lambda c: st.lists(c, max_size=3) | st.dictionaries(st.text(max_size=5), c, max_size=3),
    max_leaves=8,
)
_STATUS = st.dictionaries(
    st.sampled_from(
        [
            "status",
            "media_ids",
            "poll",
            "visibility",
            "spoiler_text",
            "sensitive",
            "language",
            "in_reply_to_id",
        ]
    ),
    _JSON | st.fixed_dictionaries({"options": _JSON, "expires_in": _JSON}),
    max_size=5,
)
_RECORD = st.dictionaries(
    st.sampled_from(
        ["$type", "text", "createdAt", "facets", "reply", "embed", "langs", "labels", "tags", "subject"]
    ),
    _JSON
    | st.just("2026-11-24T21:15:47Z")
    | st.fixed_dictionaries({"root": _JSON, "parent": _JSON})
    | st.fixed_dictionaries({"$type": st.just("app.bsky.embed.images"), "images": _JSON})
    | st.lists(st.fixed_dictionaries({"index": _JSON, "features": _JSON}), max_size=2),
)
_FUZZ = settings(
    max_examples=150, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip


@_FUZZ
@given(body=_STATUS | _JSON)
def test_any_status_body_is_taken_or_refused(alice: MastodonPerson, body: Any) -> None:
    response = alice.http.post("/api/v1/statuses", json=body)
    assert response.status_code in (200, 400, 404, 422), response.text
    assert alice.http.get("/").status_code == 200


@_FUZZ
@given(
    record=_RECORD.map(lambda more: {"text": "t", "createdAt": CREATED_AT} | more) | _RECORD | _JSON,
    collection=st.sampled_from([POST, "app.bsky.feed.like", "app.bsky.graph.follow", "x.y.z"]),
)
def test_any_record_is_taken_or_refused(ada: BlueskyPerson, record: Any, collection: str) -> None:
    body = {"collection": collection, "rkey": ada.tids.next(), "record": record}
    response = ada.call("putRecord", **body, validate=False)
    assert response.status_code in (200, 400), response.text
    assert ada.http.get("app.bsky.feed.getAuthorFeed", params={"actor": ada.did}).status_code == 200
    page = str(ada.http.base_url).removesuffix("xrpc/")
    assert ada.http.get(page).status_code == 200


def test_a_repeat_inside_the_key_gap_doubles_as_on_mastodon(
    alice: MastodonPerson, control: SandboxControl
) -> None:
    control.config(idempotency_gap_ms=200)
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: alice.post("raced", key="k").json()["id"], range(2)))
    assert len(set(answers)) == 2
    assert len(control.ledger()["duplicates"]) == 2
    assert alice.post("raced", key="k").json()["id"] in answers


def test_a_public_url_is_used_where_others_reach_the_network_by_another_name() -> None:
    with SandboxThread(SandboxSettings(public_url="http://sandbox.test:9/")) as sandbox:
        assert sandbox.running.network.base_url == "http://sandbox.test:9"
        assert sandbox.base_url.startswith("http://127.0.0.1:")
        sandbox.control.reset()
        account = sandbox.control.account("alice")
        assert account["url"] == "http://sandbox.test:9/@alice"
        ada = BlueskyPerson(sandbox.base_url, sandbox.control.account("ada"))
        assert ada.put(post_record("x")).status_code == 200
