"""Uploads: hostile files cost little, metadata is gone, files belong to their people."""

from __future__ import annotations

import io
import os
import random
import struct
import subprocess
import sys
import textwrap
import zlib
from datetime import timedelta
from pathlib import Path

import pytest
from PIL import Image

from contentcaster.errors import Conflict, InvalidInput, NotFound
from contentcaster.services import media, media_crop, posts
from contentcaster.services.drafts import MediaDraft
from contentcaster.services.images import CropBox, prepare_image
from contentcaster.services.schedule import Schedule
from tests.services.service_kit import Team, png, soon

LIMIT = 20_000_000


def png_bomb(width: int, height: int) -> bytes:
    """A tiny file that claims, and holds, width x height white pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = zlib.compressobj(9)
    line = b"\0" + b"\xff" * ((width + 7) // 8)
    data = b"".join(rows.compress(line) for _ in range(height)) + rows.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


REFUSED = {
    "empty": b"",
    "text": b"hello",
    "html": b"<!doctype html><script>alert(1)</script>",
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
    "svg with prolog": b"<?xml version='1.0'?><svg/>",
    "truncated png": png((200, 200), noise=True)[:5000],
    "jpeg head only": b"\xff\xd8\xff\xe0",
    "png head only": b"\x89PNG\r\n\x1a\n" + b"x" * 50,
    "webp head only": b"RIFF\x10\0\0\0WEBPVP8 xxxx",
    "gif head only": b"GIF89a\xff\xff\xff\xff",
    "heic": b"\0\0\0\x18ftypheic" + b"\0" * 20,
    "video": b"\0\0\0\x18ftypisom" + b"\0" * 20,
    "pdf": b"%PDF-1.7",
    "png in name only": b"MZ\x90\0",
    "bomb": png_bomb(30_000, 30_000),
    "wide": png_bomb(70_000, 10),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_is_no_fit_picture_is_refused_with_a_sentence(name: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        prepare_image(REFUSED[name], max_bytes=LIMIT)
    assert list(refused.value.fields) == ["media"]
    assert refused.value.message.endswith(".")


def test_an_animation_is_refused_rather_than_stopped() -> None:
    frames = [Image.new("RGB", (20, 20), color) for color in ("red", "blue")]
    for file_format in ("GIF", "WEBP", "PNG"):
        buffer = io.BytesIO()
        frames[0].save(buffer, file_format, save_all=True, append_images=frames[1:], duration=100)
        with pytest.raises(InvalidInput, match="Animated"):
            prepare_image(buffer.getvalue(), max_bytes=LIMIT)


def test_a_bomb_is_refused_with_little_memory(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.png"
    bomb.write_bytes(png_bomb(40_000, 40_000))
    assert bomb.stat().st_size < 500_000
    code = textwrap.dedent(
        f"""
        import resource
        from contentcaster.errors import InvalidInput
        from contentcaster.services.images import prepare_image
        content = open({str(bomb)!r}, "rb").read()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            prepare_image(content, max_bytes=20_000_000)
        except InvalidInput as error:
            print(error.message)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path.cwd()
    )
    sentence, kilobytes = done.stdout.strip().splitlines()
    assert "megapixels" in sentence
    assert int(kilobytes) < 30_000, "1.6 gigapixels would be 200 MB even at one bit each"


def test_too_many_bytes_are_refused_before_looking_at_them() -> None:
    with pytest.raises(InvalidInput, match="at most 1 MB"):
        prepare_image(b"x" * 1_000_001, max_bytes=1_000_000)


def test_random_damage_never_crashes() -> None:
    seed = int(os.environ.get("SEED", "7"))
    dice = random.Random(seed)
    originals = [png((64, 64), noise=True, file_format=f) for f in ("PNG", "JPEG", "WEBP", "GIF")]
    refused = 0
    for _ in range(400):
        content = bytearray(dice.choice(originals))
        for _ in range(dice.randint(1, 12)):
            content[dice.randrange(12, len(content))] = dice.randrange(256)
        try:
            prepare_image(bytes(content[: dice.randint(20, len(content))]), max_bytes=LIMIT)
        except InvalidInput:
            refused += 1
    assert refused > 100, f"seed {seed}: the damage did nothing"


def jpeg_with_gps() -> bytes:
    picture = Image.new("RGB", (60, 40), "red")
    picture.paste("blue", (0, 0, 30, 40))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn 90 degrees clockwise to show
    exif[0x010F] = "SECRETCAMERA"
    gps = exif.get_ifd(0x8825)
    gps[1], gps[2] = "N", (52.0, 31.0, 12.0)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", exif=exif.tobytes(), comment=b"SECRETCOMMENT")
    return buffer.getvalue() + b"SECRETTRAILER"


def test_a_picture_is_turned_upright_and_loses_its_metadata(team: Team) -> None:
    original = jpeg_with_gps()
    assert b"SECRETCAMERA" in original and Image.open(io.BytesIO(original)).getexif().get_ifd(0x8825)
    view = media.store_upload(team.stack.database, team.alice, filename="a.jpg", content=original)
    assert (view.width, view.height) == (40, 60)
    folder = team.stack.settings.data_dir / "media"
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) == 2
    for path in files:
        stored = path.read_bytes()
        assert b"SECRET" not in stored
        assert path.stat().st_mode & 0o077 == 0
        with Image.open(path) as picture:
            assert not picture.getexif()
            assert picture.convert("RGB").getpixel((20, 5))[2] > 150, "the blue half is on top now"


def test_a_thumbnail_is_at_most_480_pixels(team: Team) -> None:
    picture = team.picture(size=(2000, 500))
    thumb = team.read(media.open_file, team.alice, picture.id, "thumb")
    with Image.open(thumb.path) as image:
        assert image.size == (480, 120)
    assert team.read(media.open_file, team.alice, picture.id, "full").mime_type == "image/png"


def test_a_huge_photo_is_stored_at_a_sensible_size(team: Team) -> None:
    content = png((6000, 3000), file_format="JPEG")
    view = media.store_upload(team.stack.database, team.alice, filename="big.jpg", content=content)
    assert (view.width, view.height) == (4096, 2048)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("cat.png", "cat.png"),
        ("../../etc/passwd", "passwd.png"),
        ("C:\\Users\\me\\cat.jpg", "cat.png"),
        ("evil\u202egnp.exe", "evilgnp.png"),
        ("a\x00b\r\nSet-Cookie: x.png", "abSet-Cookie_ x.png"),
        ("", "picture.png"),
        ("...", "picture.png"),
        ("Grüße 🐈.webp", "Grüße 🐈.png"),
        ("x" * 400 + ".png", "x" * 100 + ".png"),
        ('"><script>.png', "script.png"),
    ],
)
def test_file_names_are_made_harmless(given: str, kept: str) -> None:
    assert media.safe_filename(given, "png") == kept


def test_a_picture_that_a_waiting_post_shows_is_not_deleted(team: Team) -> None:
    picture = team.picture()
    post = team.scheduled(media=(MediaDraft(picture.id),))
    with pytest.raises(Conflict, match="will show this picture"):
        team.write(media.delete_media, team.alice, picture.id)
    team.write(posts.cancel_post, team.alice, post.id)
    team.write(media.delete_media, team.alice, picture.id)
    assert team.read(media.list_media, team.alice).items == []
    assert team.read(media.open_file, team.alice, picture.id).path.is_file(), "the old post still shows it"


def test_a_failed_save_leaves_no_files_behind(team: Team) -> None:
    from dataclasses import replace

    nobody = replace(team.alice, user_id="0" * 26)
    with pytest.raises(Exception, match=r"(?i)foreign key"):
        media.store_upload(team.stack.database, nobody, filename="a.png", content=png())
    folder = team.stack.settings.data_dir / "media"
    assert [path for path in folder.rglob("*") if path.is_file()] == []


def test_alt_texts_are_bounded_and_can_be_changed(team: Team) -> None:
    picture = team.picture(alt="Before")
    assert team.write(media.set_alt_text, team.alice, picture.id, " After ").alt == "After"
    with pytest.raises(InvalidInput):
        team.write(media.set_alt_text, team.alice, picture.id, "x" * 5001)


def test_the_library_counts_uses_and_searches(team: Team) -> None:
    first, second = team.picture(alt="A cat"), team.picture(alt="A dog")
    when = Schedule.at(soon() + timedelta(days=1))
    team.write(posts.create_post, team.alice, team.draft(media=(MediaDraft(first.id),)), when)
    used = {item.id: item.used_in_posts for item in team.read(media.list_media, team.alice).items}
    assert used == {first.id: 1, second.id: 0}
    found = team.read(media.list_media, team.alice, search="DOG").items
    assert [item.id for item in found] == [second.id]
    page = team.read(media.list_media, team.alice, limit=1)
    rest = team.read(media.list_media, team.alice, limit=1, cursor=page.next_cursor)
    assert [page.items[0].id, rest.items[0].id] == [second.id, first.id] and not rest.next_cursor


def test_a_crop_is_a_new_picture_and_the_original_stays(team: Team) -> None:
    original = team.picture(size=(400, 200), alt="Wide")
    box = CropBox(left=0.25, top=0, width=0.5, height=1)
    cropped = media_crop.crop_media(team.stack.database, team.alice, original.id, box)
    assert (cropped.width, cropped.height, cropped.alt) == (200, 200, "Wide")
    assert team.read(media.get_media, team.alice, original.id).width == 400
    with pytest.raises(NotFound):
        media_crop.crop_media(team.stack.database, team.bob, original.id, box)


@pytest.mark.parametrize(
    "box", [(0, 0, 0, 1), (0.6, 0, 0.5, 1), (-0.1, 0, 1, 1), (0, 0, float("nan"), 1), (0, 0, 0.01, 1)]
)
def test_a_crop_outside_of_the_picture_is_refused(team: Team, box: tuple[float, ...]) -> None:
    original = team.picture(size=(400, 200))
    with pytest.raises(InvalidInput) as refused:
        media_crop.crop_media(team.stack.database, team.alice, original.id, CropBox(*box))
    assert "box" in refused.value.fields
