"""REST: a video is kept, described, streamed in parts, and refused in words that say what to do."""

from __future__ import annotations

from contentcaster.models import Role
from tests.api.conftest import Api
from tests.media_files import PLACE, make_mp4
from tests.services.service_kit import png

MEDIA = "/api/v1/media"


def test_a_video_is_kept_and_streamed_in_parts(api: Api) -> None:
    creator = api.as_role(Role.CREATOR)
    files = {
        "file": ("sea.mp4", make_mp4(), "application/octet-stream"),
        "poster": ("p.png", png((640, 360)), "image/png"),
    }
    answer = creator.post(MEDIA, files=files, data={"alt": "The sea"})
    assert answer.status_code == 201, answer.text
    view = answer.json()
    assert (view["mime_type"], view["duration_seconds"], view["duration"], view["codec"]) == (
        "video/mp4", 12.5, "0:12", "H.264",
    )  # fmt: skip
    url = f"{MEDIA}/{view['id']}/file"
    whole = creator.get(url)
    assert whole.headers["content-type"] == "video/mp4" and len(whole.content) == view["size_bytes"]
    assert PLACE not in whole.content
    part = creator.get(url, headers={"Range": "bytes=100-199"})
    assert part.status_code == 206 and part.content == whole.content[100:200]
    assert part.headers["content-range"] == f"bytes 100-199/{view['size_bytes']}"
    assert creator.get(url, params={"size": "thumb"}).headers["content-type"] == "image/webp"


def test_what_cannot_be_kept_says_why(api: Api) -> None:
    creator = api.as_role(Role.CREATOR)
    for content, poster, field, words in (
        (make_mp4()[:-200], None, "media", "cut off"),
        (make_mp4(has_picture=False), None, "media", "only sound"),
        (make_mp4(), b"%PDF", "poster", "no picture"),
    ):
        files = {"file": ("x.mp4", content, "video/mp4")} | (
            {"poster": ("p", poster, "image/png")} if poster else {}
        )
        answer = creator.post(MEDIA, files=files)
        assert answer.status_code == 422 and words in answer.json()["errors"][field], answer.text


def test_each_network_tells_its_rule_for_videos(api: Api) -> None:
    found = {
        view["platform"]: view["video"]
        for view in api.as_role(Role.ADMIN).get("/api/v1/platforms").json()["items"]
    }
    assert found["slack"] is None
    assert found["x"] == {
        "max_bytes": 512_000_000, "min_seconds": 0.5, "max_seconds": 140, "types": ["video/mp4", "video/quicktime"],
        "codecs": ["H.264"], "mixes": False,
    }  # fmt: skip
