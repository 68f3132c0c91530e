"""Videos: read by their headers only, what they tell of the place is gone, hostile ones cost little."""

from __future__ import annotations

import io
import os
import random
import struct
import tracemalloc
from pathlib import Path

import pytest

from contentcaster.errors import InvalidInput
from contentcaster.services import media, media_crop, media_video, posts, preflight, video_mp4
from contentcaster.services.drafts import MediaDraft
from contentcaster.services.images import CropBox, prepare_image
from contentcaster.services.videos import VideoFacts, blank_metadata, inspect_video, looks_like_video
from tests.media_files import DEVICE, PLACE, TRACKED, box, make_fragmented_mp4, make_mp4, make_webm
from tests.services.service_kit import Team, png

CROP = CropBox(0.1, 0.1, 0.5, 0.5)


def facts_of(content: bytes) -> VideoFacts:
    return inspect_video(io.BytesIO(content), len(content))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (make_mp4(), VideoFacts("video/mp4", 1280, 720, 12.5, "H.264", True)),
        (
            make_mp4(brand=b"qt  ", codec=b"hvc1"),
            VideoFacts("video/quicktime", 1280, 720, 12.5, "HEVC", True),
        ),
        (make_mp4(is_turned=True), VideoFacts("video/mp4", 720, 1280, 12.5, "H.264", True)),
        (make_fragmented_mp4(), VideoFacts("video/mp4", 640, 360, 4.0, "H.264", False)),
        (make_webm(), VideoFacts("video/webm", 640, 360, 5.0, "VP9", False)),
        (make_webm(seconds=None), VideoFacts("video/webm", 640, 360, 4.9, "VP9", False)),
    ],
    ids=["mp4", "quicktime", "filmed upright", "fragmented", "webm", "webm as a browser records it"],
)
def test_the_headers_tell_what_a_video_is(content: bytes, expected: VideoFacts) -> None:
    assert looks_like_video(content[:64])
    found = facts_of(content)
    assert found.duration_seconds == pytest.approx(expected.duration_seconds)
    assert found == VideoFacts(**{**expected.__dict__, "duration_seconds": found.duration_seconds})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (make_mp4()[:-300], "cut off"),
        (make_mp4()[:40], "damaged"),
        (make_mp4(has_picture=False), "only sound"),
        (make_mp4(seconds=0), "nothing of its length"),
        (make_mp4(seconds=20_000), "longer than 4 hours"),
        (make_mp4(size=(0, 0)), "0 × 0"),
        (make_mp4(size=(60_000, 20)), "60000 × 20"),
        (make_mp4(brand=b"3gp4"), "3GP"),
        (make_webm(doc_type=b"matroska"), "MKV"),
        (b"\0\0\0\x18ftypisom" + b"\0" * 20, "damaged"),
        (b"\x1aE\xdf\xa3" + b"\xff" * 60, "damaged"),
    ],
)
def test_what_cannot_be_posted_is_refused_with_a_sentence(content: bytes, words: str) -> None:
    with pytest.raises(InvalidInput, match=words) as refused:
        facts_of(content)
    assert list(refused.value.fields) == ["media"] and refused.value.message.endswith(".")


def test_random_damage_never_crashes() -> None:
    dice = random.Random(20261125)
    for whole in (make_mp4(), make_webm(), make_fragmented_mp4()):
        for _ in range(400):
            damaged = bytearray(whole[: dice.randrange(20, len(whole) + 1)])
            for _ in range(dice.randrange(1, 12)):
                damaged[dice.randrange(4, len(damaged))] = dice.choice((0, 1, 127, 255, dice.randrange(256)))
            file = io.BytesIO(bytes(damaged))
            try:
                inspect_video(file, len(damaged))
            except InvalidInput:
                continue
            try:
                blank_metadata(file, len(damaged))
            except InvalidInput:
                continue
            assert len(file.getvalue()) == len(damaged)


def test_a_small_file_is_not_written_over_a_thousand_times() -> None:
    """Its table of samples names the same place again and again."""
    tables = {
        b"stco": box(b"stco", bytes(4), struct.pack(">I", 5000), bytes(4 * 5000)),
        b"stsz": box(b"stsz", bytes(4), struct.pack(">2I", 10_000, 0)),
        b"stsc": box(b"stsc", bytes(4), struct.pack(">4I", 1, 1, 1, 1)),
    }
    content, found, at = b"".join(tables.values()), {}, 0
    for kind, table in tables.items():
        found[kind] = video_mp4.Box(kind, at, at + 8, at + len(table))
        at += len(table)
    track = video_mp4.Track(found[b"stco"], tables=found)
    reader = video_mp4._Reader(io.BytesIO(content), len(content))
    with pytest.raises(video_mp4.Damaged):
        list(video_mp4._samples(reader, track, len(content)))


@pytest.mark.parametrize(
    "whole", [make_mp4(), make_mp4(brand=b"qt  "), make_webm()], ids=["mp4", "mov", "webm"]
)
def test_place_and_device_are_overwritten_and_nothing_else_moves(whole: bytes) -> None:
    file = io.BytesIO(whole)
    blank_metadata(file, len(whole))
    kept = file.getvalue()
    assert PLACE in whole and DEVICE in whole
    assert not any(secret in kept for secret in (PLACE, DEVICE, TRACKED[:40]))
    assert len(kept) == len(whole) and facts_of(kept) == facts_of(whole)
    assert kept.count(b"frame") == whole.count(b"frame")


def test_a_stored_video_has_its_facts_a_poster_and_no_place(team: Team) -> None:
    database = team.stack.database
    view = media_video.store_video(
        database, team.alice, filename="Holiday.MOV", source=io.BytesIO(make_mp4(brand=b"qt  ")), alt="A sea"
    )
    assert (view.filename, view.mime_type, view.codec) == ("Holiday.mov", "video/quicktime", "H.264")
    assert (view.width, view.height, view.duration_seconds) == (1280, 720, 12.5)
    file = team.read(media.open_file, team.alice, view.id)
    assert file.path.stat().st_size == view.size_bytes and PLACE not in file.path.read_bytes()
    assert team.read(media.open_file, team.alice, view.id, "thumb").path.read_bytes()[8:12] == b"WEBP"
    with_poster = media_video.store_video(
        database, team.alice, filename="a.mp4", source=io.BytesIO(make_mp4()), poster=png((900, 500))
    )
    thumbs = [
        team.read(media.open_file, team.alice, one.id, "thumb").path.read_bytes()
        for one in (view, with_poster)
    ]
    assert thumbs[0] != thumbs[1]
    with pytest.raises(InvalidInput, match="video cannot be cropped"):
        media_crop.crop_media(database, team.alice, view.id, CROP)


def test_what_is_refused_leaves_no_file_behind(team: Team) -> None:
    database = team.stack.database
    folder = database.settings.data_dir / "media"
    before = sorted(folder.rglob("*")) if folder.exists() else []
    limit = database.settings.max_video_mb * 1_000_000
    too_big = _Endless(limit + 5)
    for source, poster, field in (
        (io.BytesIO(make_mp4()[:-300]), None, "media"),
        (too_big, None, "media"),
        (io.BytesIO(make_mp4()), b"no picture", "poster"),
    ):
        with pytest.raises(InvalidInput) as refused:
            media_video.store_video(database, team.alice, filename="x.mp4", source=source, poster=poster)  # type: ignore[arg-type]
        assert list(refused.value.fields) == [field]
    assert sorted(path for path in folder.rglob("*") if path.is_file()) == [p for p in before if p.is_file()]
    with pytest.raises(InvalidInput, match="This is a video"):
        prepare_image(make_mp4(), max_bytes=limit)


def test_a_big_video_costs_little_memory(team: Team, tmp_path: Path) -> None:
    path = tmp_path / "big.mp4"
    with open(path, "wb") as file:
        content = make_mp4(content=b"x" * 1000)
        file.write(content)
        file.write((60_000_000 + 8).to_bytes(4, "big") + b"free")
        file.seek(60_000_000 - 1, os.SEEK_CUR)
        file.write(b"\0")
    tracemalloc.start()
    with open(path, "rb") as source:
        view = media_video.store_video(team.stack.database, team.alice, filename="big.mp4", source=source)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert view.size_bytes > 60_000_000 and peak < 8_000_000, peak


def test_each_channel_says_what_it_does_not_take(team: Team) -> None:
    database = team.stack.database
    film = media_video.store_video(
        database, team.alice, filename="film.mov", alt="x",
        source=io.BytesIO(make_mp4(brand=b"qt  ", codec=b"hvc1", seconds=200)),
    )  # fmt: skip
    picture = media.store_upload(database, team.alice, filename="p.png", content=png((40, 30)), alt="x")
    draft = team.draft(
        "Hello", team.mastodon, team.bluesky, media=(MediaDraft(film.id, "x"), MediaDraft(picture.id, "x"))
    )
    with pytest.raises(InvalidInput) as refused:
        team.scheduled(draft=draft)
    assert "a video or pictures, not both" in refused.value.fields["media"]
    items = team.read(
        preflight.check_draft, team.alice, team.draft("Hello", team.bluesky, media=draft.media[:1]), None
    )
    said = " ".join(item.sentence for item in items)
    assert "takes no QuickTime videos (film.mov). Export it as MP4." in said
    assert "lasts 3:20 minutes" in said and "takes 3 minutes" in said
    assert "is HEVC" not in said, "it is not taken anyway"
    post = team.scheduled(draft=team.draft("Hello", team.mastodon, media=draft.media[:1]))
    (job,) = team.jobs(post.id)
    assert job.payload["media"][0]["duration_seconds"] == 200
    assert team.read(posts.get_post, team.alice, post.id).media[0].codec == "HEVC"


class _Endless(io.RawIOBase):
    def __init__(self, size: int) -> None:
        self._left = size

    def read(self, size: int = -1) -> bytes:
        taken = min(size, self._left)
        self._left -= taken
        return bytes(taken)
