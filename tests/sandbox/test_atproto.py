"""The AT Protocol calls of the sandbox. Each expectation was measured on a real PDS (@atproto/pds 0.4.217)."""

from __future__ import annotations

import io
import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from PIL import Image

from contentcaster.sandbox import ids
from contentcaster.sandbox.client import SandboxControl, SandboxThread

from .conftest import CREATED_AT, POST, BlueskyPerson, post_record


def error(response: httpx.Response) -> tuple[int, str, str]:
    body = response.json()
    return response.status_code, body["error"], body["message"]


def test_the_cid_of_a_record_is_the_real_one() -> None:
    # The answers of a real PDS for these records.
    record = post_record("héllo 👩‍👩‍👧", langs=["en"])
    assert (
        ids.record_cid(post_record("fresh")) == "bafyreiayur2qxydytus64gyo77qn3qljpf4h7hzgmkiidiw4sxkhswfcci"
    )
    assert ids.record_cid(record) == "bafyreiftjg5trqf7vg5gbvzl6nygmwu744vyfvzppw3fgijilrp3qmhdne"
    assert ids.blob_cid(b"hello text") == "bafkreie3km4eqsz62642rftgw35hdiynqgdlm6smbez4l4i3fupwpgmluu"


def test_put_of_the_same_content_is_a_no_op_with_the_same_cid(
    ada: BlueskyPerson, control: SandboxControl
) -> None:
    rkey = ada.tids.next()
    first = ada.put(post_record("hi"), rkey, swapRecord=None).json()
    again = ada.put(post_record("hi"), rkey, swapRecord=None)
    assert again.status_code == 200
    assert again.json() == {k: v for k, v in first.items() if k != "commit"}
    assert "commit" in first
    assert ada.put(post_record("hi"), rkey).json()["cid"] == first["cid"]
    assert len(control.posts("ada")) == 1


def test_put_with_a_null_swap_never_changes_an_existing_record(ada: BlueskyPerson) -> None:
    rkey = ada.tids.next()
    cid = ada.put(post_record("first"), rkey).json()["cid"]
    assert error(ada.put(post_record("other"), rkey, swapRecord=None)) == (
        400,
        "InvalidSwap",
        f"Record was at {cid}",
    )
    missing = ada.put(post_record("other"), swapRecord=cid)
    assert error(missing) == (400, "InvalidSwap", "Record was at null")
    assert ada.put(post_record("other"), rkey, swapRecord=cid).status_code == 200


def test_put_without_a_swap_edits(ada: BlueskyPerson, control: SandboxControl) -> None:
    rkey = ada.tids.next()
    first, second = ada.put(post_record("a"), rkey).json(), ada.put(post_record("b"), rkey).json()
    assert first["cid"] != second["cid"]
    assert control.ledger()["counts"] == {"post": 1, "edit": 1}


def test_create_with_a_key_that_exists_is_500(ada: BlueskyPerson, control: SandboxControl) -> None:
    rkey = ada.tids.next()
    assert ada.create(post_record("a"), rkey=rkey).status_code == 200
    assert error(ada.create(post_record("a"), rkey=rkey)) == (
        500,
        "InternalServerError",
        "Internal Server Error",
    )
    assert len(control.posts()) == 1


def test_eight_puts_at_once_make_one_record_and_one_commit(
    ada: BlueskyPerson, control: SandboxControl
) -> None:
    rkey = ada.tids.next()
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda _: ada.put(post_record("race"), rkey, swapRecord=None).json(), range(8))
        )
    assert len({a["cid"] for a in answers}) == 1
    assert sum("commit" in a for a in answers) == 1
    assert len(control.posts()) == 1


def test_get_record_is_an_exact_answer(ada: BlueskyPerson) -> None:
    rkey = ada.tids.next()
    query = {"repo": ada.did, "collection": POST, "rkey": rkey}
    uri = f"at://{ada.did}/{POST}/{rkey}"
    missing = ada.http.get("com.atproto.repo.getRecord", params=query)
    assert error(missing) == (400, "RecordNotFound", f"Could not locate record: {uri}")
    cid = ada.put(post_record("there"), rkey).json()["cid"]
    found = ada.http.get("com.atproto.repo.getRecord", params=query)
    assert found.json() == {"uri": uri, "cid": cid, "value": post_record("there")}


@pytest.mark.parametrize(
    ("rkey", "message"),
    [
        ("my-custom-key", f'Invalid record key for {POST}: Invalid TID string (got "my-custom-key") at $'),
        ("not a valid/rkey", 'Invalid record key (got "not a valid/rkey") at $.rkey'),
    ],
)
def test_a_post_needs_a_tid_as_its_key(ada: BlueskyPerson, rkey: str, message: str) -> None:
    assert error(ada.put(post_record("x"), rkey)) == (400, "InvalidRequest", message)


_FAMILY = "👩‍👩‍👧"


@pytest.mark.parametrize("text", ["x" * 300, _FAMILY * 166, "क्ष" * 300])
def test_text_up_to_the_limits_is_taken(ada: BlueskyPerson, text: str) -> None:
    assert ada.put(post_record(text)).status_code == 200


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (post_record("x" * 301), "grapheme too big (maximum 300, got 301) at $.record.text"),
        (post_record(_FAMILY * 200), "string too big (maximum 3000, got 3600) at $.record.text"),
        ({"$type": POST, "createdAt": CREATED_AT}, 'Missing required key "text" at $.record'),
        (post_record("x", createdAt="yesterday"), 'Invalid datetime (got "yesterday") at $.record.createdAt'),
        (post_record("x") | {"text": 5}, "Expected string value type (got 5) at $.record.text"),
        (
            post_record("x", langs=["en", "de", "fr", "it"]),
            "array too big (maximum 3, got 4) at $.record.langs",
        ),
        (post_record("x", langs=["zz_!"]), 'Invalid language (got "zz_!") at $.record.langs[0]'),
        (
            post_record("x", reply={"parent": {"uri": "at://x", "cid": "y"}}),
            'Missing required key "root" at $.record.reply',
        ),
        (
            post_record(
                "x", embed={"$type": "app.bsky.embed.external", "external": {"uri": "https://example.com"}}
            ),
            'Missing required key "title" at $.record.embed.external',
        ),
    ],
)
def test_a_bad_post_is_refused_in_the_words_of_a_pds(
    ada: BlueskyPerson, record: dict[str, Any], message: str
) -> None:
    assert error(ada.put(record)) == (400, "InvalidRequest", f"Invalid {POST} record: {message}")


def test_facets_beyond_the_text_and_unknown_embeds_are_not_checked(
    ada: BlueskyPerson, sandbox: SandboxThread
) -> None:
    feature = {"$type": "app.bsky.richtext.facet#link", "uri": "javascript:alert(1)"}
    facet = {"index": {"byteStart": 0, "byteEnd": 999}, "features": [feature]}
    put = ada.put(post_record("short", facets=[facet], embed={"$type": "app.bsky.embed.nonsense"}))
    assert put.status_code == 200
    rkey = put.json()["uri"].rpartition("/")[2]
    page = httpx.get(f"{sandbox.base_url}/profile/ada.sandbox.test/post/{rkey}")
    assert page.status_code == 200
    assert "javascript:" not in page.text


def test_fractions_are_not_part_of_the_data_model(ada: BlueskyPerson) -> None:
    kinds = "null, boolean, integer, string, cid, bytes, array or object"
    message = f"Expected one of {kinds} value type (got 1.5) at $.record.x"
    assert error(ada.put(post_record("x", x=1.5))) == (400, "InvalidRequest", message)


def test_another_collection_passes_unless_validation_is_demanded(ada: BlueskyPerson) -> None:
    record = {"$type": "com.example.thing", "a": 1}
    assert ada.create(record).json()["validationStatus"] == "unknown"
    assert error(ada.create(record, validate=True))[2] == "Unknown lexicon type: com.example.thing"
    wrong = ada.call("putRecord", collection=POST, rkey=ada.tids.next(), record=record)
    assert error(wrong)[2] == f"Invalid $type: expected {POST}, got com.example.thing"


def test_only_the_own_repository_can_be_written(ada: BlueskyPerson, grace: BlueskyPerson) -> None:
    record, rkey = post_record("x"), ada.tids.next()
    other = ada.call("putRecord", repo=grace.did, collection=POST, rkey=rkey, record=record)
    assert error(other) == (401, "AuthenticationRequired", "Authentication Required")
    unknown = ada.call("putRecord", repo="nobody.test", collection=POST, rkey=rkey, record=record)
    assert error(unknown) == (403, "AccountNotFound", "Account not found")
    by_handle = ada.call("putRecord", repo="ada.sandbox.test", collection=POST, rkey=rkey, record=record)
    assert by_handle.status_code == 200


def _png(size: int) -> bytes:
    out = io.BytesIO()
    Image.frombytes("RGB", (size, size), os.urandom(size * size * 3)).save(out, "PNG")
    return out.getvalue()


def _upload(person: BlueskyPerson, data: bytes, kind: str = "image/png") -> httpx.Response:
    return person.http.post("com.atproto.repo.uploadBlob", content=data, headers={"Content-Type": kind})


def _images(*blobs: dict[str, Any]) -> dict[str, Any]:
    return {"$type": "app.bsky.embed.images", "images": [{"image": blob, "alt": "words"} for blob in blobs]}


def test_an_image_is_uploaded_shown_and_served(ada: BlueskyPerson) -> None:
    data = _png(16)
    blob = _upload(ada, data, "image/jpeg").json()["blob"]
    assert (blob["mimeType"], blob["size"]) == (
        "image/png",
        len(data),
    )  # the real type wins over the stated one
    uri = ada.put(post_record("see", embed=_images(blob))).json()["uri"]
    view = ada.http.get("app.bsky.feed.getPosts", params={"uris": uri}).json()["posts"][0]
    image = view["embed"]["images"][0]
    assert image["alt"] == "words"
    assert httpx.get(image["fullsize"]).content == data
    served = ada.http.get("com.atproto.sync.getBlob", params={"did": ada.did, "cid": blob["ref"]["$link"]})
    assert (served.content, served.headers["content-type"]) == (data, "image/png")


def test_an_image_above_a_million_bytes_is_refused_by_the_record_not_the_upload(ada: BlueskyPerson) -> None:
    blob = _upload(ada, data := _png(600)).json()["blob"]
    assert len(data) > 1_000_000
    message = f"blob too big (maximum 1000000, got {len(data)}) at $.record.embed.images[0].image"
    assert error(ada.put(post_record("x", embed=_images(blob))))[2] == f"Invalid {POST} record: {message}"


def test_what_is_wrong_with_blobs_is_said(ada: BlueskyPerson) -> None:
    blob = _upload(ada, _png(8)).json()["blob"]
    assert (
        "array too big (maximum 4, got 5)" in error(ada.put(post_record("x", embed=_images(*[blob] * 5))))[2]
    )
    text = _upload(ada, b"plain text", "text/plain").json()["blob"]
    assert 'Expected "image/*" (got "text/plain")' in error(ada.put(post_record("x", embed=_images(text))))[2]
    unknown = blob | {"ref": {"$link": ids.blob_cid(b"never uploaded")}}
    refused = ada.put(post_record("x", embed=_images(unknown)))
    assert error(refused)[:2] == (400, "BlobNotFound")
    assert error(_upload(ada, b"\x89PNG\r\n\x1a\n" + b"junk" * 9))[0] == 500
    assert error(_upload(ada, b"x" * 6_000_000)) == (413, "PayloadTooLarge", "request entity too large")


def test_apply_writes_is_all_or_nothing(ada: BlueskyPerson, control: SandboxControl) -> None:
    kind, first, second = "com.atproto.repo.applyWrites", ada.tids.next(), ada.tids.next()
    writes = [
        {"$type": f"{kind}#create", "collection": POST, "rkey": k, "value": post_record(k)}
        for k in (first, second)
    ]
    done = ada.call("applyWrites", writes=writes)
    assert [r["$type"] for r in done.json()["results"]] == [f"{kind}#createResult"] * 2
    third = {
        "$type": f"{kind}#create",
        "collection": POST,
        "rkey": ada.tids.next(),
        "value": post_record("3"),
    }
    assert ada.call("applyWrites", writes=[third, writes[0]]).status_code == 500
    bad = third | {"rkey": ada.tids.next(), "value": post_record("x" * 301)}
    assert ada.call("applyWrites", writes=[third, bad]).status_code == 400
    assert len(control.posts()) == 2
    deletes = [{"$type": f"{kind}#delete", "collection": POST, "rkey": first}]
    assert ada.call("applyWrites", writes=deletes).status_code == 200
    assert ada.call("applyWrites", writes=deletes).status_code == 500
    assert ada.call("applyWrites", writes=[]).json()["results"] == []


def test_delete_twice_is_200_and_shows_once(ada: BlueskyPerson, control: SandboxControl) -> None:
    rkey = ada.tids.next()
    ada.put(post_record("x"), rkey)
    assert "commit" in ada.call("deleteRecord", collection=POST, rkey=rkey).json()
    assert ada.call("deleteRecord", collection=POST, rkey=rkey).json() == {}
    assert control.ledger()["counts"] == {"post": 1, "delete": 1}
    assert control.posts() == []


def test_records_are_listed_newest_first_with_a_cursor(ada: BlueskyPerson) -> None:
    keys = [ada.put(post_record(str(n))).json()["uri"].rpartition("/")[2] for n in range(5)]
    seen, cursor = [], ""
    for _ in range(9):
        query = {"repo": ada.did, "collection": POST, "limit": 2} | ({"cursor": cursor} if cursor else {})
        page = ada.http.get("com.atproto.repo.listRecords", params=query).json()
        seen += [r["uri"].rpartition("/")[2] for r in page["records"]]
        if not (cursor := page.get("cursor", "")):
            break
    assert seen == keys[::-1]


def test_tokens_answer_as_on_a_pds(ada: BlueskyPerson, sandbox: SandboxThread) -> None:
    http = httpx.Client(base_url=f"{sandbox.base_url}/xrpc/")
    get = lambda header: http.get("com.atproto.server.getSession", headers=header)  # noqa: E731
    assert error(get({})) == (401, "AuthMissing", "Authentication Required")
    assert error(get({"Authorization": "Bearer junk"})) == (
        400,
        "InvalidToken",
        "Token could not be verified",
    )
    assert error(get({"Authorization": "Basic abc"})) == (
        400,
        "InvalidToken",
        "Unexpected authorization type",
    )
    refresh = {"Authorization": f"Bearer {ada.session['refreshJwt']}"}
    assert error(get(refresh)) == (400, "InvalidToken", "Invalid token type")
    wrong = http.post("com.atproto.server.createSession", json={"identifier": "ada", "password": "no"})
    assert error(wrong) == (401, "AuthenticationRequired", "Invalid identifier or password")
    missing = http.post("com.atproto.server.createSession", json={"identifier": "ada"})
    assert error(missing) == (400, "InvalidRequest", 'Missing required key "password" at $')
    assert get({"Authorization": f"Bearer {ada.session['accessJwt']}"}).json()["handle"] == "ada.sandbox.test"


def test_an_access_token_expires_and_is_refreshed(ada: BlueskyPerson, control: SandboxControl) -> None:
    control.config(token_life_seconds=0.2)
    ada.sign_in()
    deadline = time.monotonic() + 5
    while (answer := ada.put(post_record("late"))).status_code == 200 and time.monotonic() < deadline:
        pass
    assert error(answer) == (400, "ExpiredToken", "Token has expired")
    control.config(token_life_seconds=7200)
    refresh = {"Authorization": f"Bearer {ada.session['refreshJwt']}"}
    fresh = ada.http.post("com.atproto.server.refreshSession", headers=refresh).json()
    assert fresh["refreshJwt"] != ada.session["refreshJwt"]
    ada.http.headers["Authorization"] = f"Bearer {fresh['accessJwt']}"
    assert ada.put(post_record("in time")).status_code == 200
    assert ada.http.post("com.atproto.server.refreshSession", headers=refresh).status_code == 200  # grace
    newest = {"Authorization": f"Bearer {fresh['refreshJwt']}"}
    assert ada.http.post("com.atproto.server.deleteSession", headers=newest).status_code == 200
    gone = ada.http.post("com.atproto.server.refreshSession", headers=newest)
    assert error(gone) == (400, "ExpiredToken", "Token has been revoked")
    assert ada.put(post_record("still good")).status_code == 200  # the access token lives on


def test_unknown_methods_and_bad_bodies(ada: BlueskyPerson) -> None:
    assert ada.http.get("com.atproto.repo.nothing").status_code == 501
    json_kind, text_kind = {"Content-Type": "application/json"}, {"Content-Type": "text/plain"}
    assert (
        error(ada.http.post("com.atproto.repo.putRecord", content=b"{bad", headers=json_kind))[1]
        == "SyntaxError"
    )
    wrong = ada.http.post("com.atproto.repo.putRecord", content=b"{}", headers=text_kind)
    assert error(wrong)[2] == "Wrong request encoding (Content-Type): text/plain"
    assert "required but not provided" in error(ada.http.post("com.atproto.repo.putRecord"))[2]


def test_rate_headers_and_write_points(ada: BlueskyPerson, control: SandboxControl) -> None:
    first = ada.put(post_record("1"))
    assert {"ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "ratelimit-policy"} <= set(
        first.headers
    )
    assert int(first.headers["ratelimit-reset"]) > time.time()
    control.config(atproto_write_points_hour=4)
    assert [ada.put(post_record(str(n))).status_code for n in range(3)] == [200, 200, 429]


def test_likes_count_once_per_account_until_the_last_record_is_gone(
    ada: BlueskyPerson, grace: BlueskyPerson, control: SandboxControl
) -> None:
    put = ada.put(post_record("like me")).json()
    subject = {"uri": put["uri"], "cid": put["cid"]}
    like = {"$type": "app.bsky.feed.like", "subject": subject, "createdAt": CREATED_AT}
    keys = [grace.put(like).json()["uri"].rpartition("/")[2] for _ in range(2)]

    def view() -> dict[str, Any]:
        found: dict[str, Any] = grace.http.get("app.bsky.feed.getPosts", params={"uris": put["uri"]}).json()[
            "posts"
        ][0]
        return found

    assert view()["likeCount"] == 1
    assert [d["by"] for d in control.ledger()["duplicates"]] == ["like"]
    grace.call("deleteRecord", collection="app.bsky.feed.like", rkey=keys[0])
    assert view()["likeCount"] == 1
    assert "like" in view()["viewer"]
    grace.call("deleteRecord", collection="app.bsky.feed.like", rkey=keys[1])
    assert view()["likeCount"] == 0
    assert "like" not in view()["viewer"]


def test_replies_reposts_quotes_and_follows_reach_the_other_one(
    ada: BlueskyPerson, grace: BlueskyPerson
) -> None:
    put = ada.put(post_record("root")).json()
    ref = {"uri": put["uri"], "cid": put["cid"]}
    reply = grace.put(post_record("answer", reply={"root": ref, "parent": ref})).json()
    grace.put({"$type": "app.bsky.feed.repost", "subject": ref, "createdAt": CREATED_AT})
    grace.put(post_record("quote", embed={"$type": "app.bsky.embed.record", "record": ref}))
    grace.put({"$type": "app.bsky.graph.follow", "subject": ada.did, "createdAt": CREATED_AT})
    get = lambda name, **q: ada.http.get(f"app.bsky.{name}", params=q).json()  # noqa: E731
    notes = get("notification.listNotifications")["notifications"]
    assert [n["reason"] for n in notes] == ["follow", "quote", "repost", "reply"]
    view = get("feed.getPosts", uris=put["uri"])["posts"][0]
    assert (view["replyCount"], view["repostCount"], view["quoteCount"]) == (1, 1, 1)
    thread = get("feed.getPostThread", uri=put["uri"])["thread"]
    assert [r["post"]["uri"] for r in thread["replies"]] == [reply["uri"]]
    assert get("feed.getPostThread", uri=reply["uri"])["thread"]["parent"]["post"]["uri"] == put["uri"]
    assert get("actor.getProfile", actor="ada.sandbox.test")["followersCount"] == 1
    assert [f["did"] for f in get("graph.getFollowers", actor=ada.did)["followers"]] == [grace.did]
    assert [f["did"] for f in get("graph.getFollows", actor=grace.did)["follows"]] == [ada.did]
    feed = get("feed.getAuthorFeed", actor=grace.did)["feed"]
    assert [("reason" in e, e["post"]["author"]["handle"]) for e in feed] == [
        (False, "grace.sandbox.test"), (True, "ada.sandbox.test"), (False, "grace.sandbox.test"),
    ]  # fmt: skip
    mine = grace.http.get("app.bsky.feed.getTimeline").json()["feed"]
    assert put["uri"] in [e["post"]["uri"] for e in mine]


def test_search_finds_posts_and_people(ada: BlueskyPerson) -> None:
    ada.put(post_record("The moth in the #relay"))
    search = lambda q: ada.http.get("app.bsky.feed.searchPosts", params={"q": q}).json()["posts"]  # noqa: E731
    assert len(search("moth #relay from:ada.sandbox.test")) == 1
    assert search("butterfly") == []
    people = ada.http.get("app.bsky.actor.searchActors", params={"q": "ad"}).json()["actors"]
    assert [p["did"] for p in people] == [ada.did]


def test_handles_resolve(ada: BlueskyPerson) -> None:
    found = ada.http.get("com.atproto.identity.resolveHandle", params={"handle": "ada.sandbox.test"})
    assert found.json() == {"did": ada.did}
    unknown = ada.http.get("com.atproto.identity.resolveHandle", params={"handle": "nobody.test"})
    assert error(unknown) == (400, "InvalidRequest", "Unable to resolve handle")
    absent = ada.http.get("app.bsky.feed.getPosts", params={"uris": f"at://{ada.did}/{POST}/3zzzzzzzzzzzz"})
    assert absent.json() == {"posts": []}
