"""The media library: uploads, alt texts, and the files themselves for those who may see them.

Files live where `media_storage` keeps them: <key>.<type>, <key>.thumb.webp and, for big pictures, <key>.small.jpg.
Videos are kept by `media_video`.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlmodel import Session

from contentcaster import live
from contentcaster.clock import utc_now
from contentcaster.db import Database
from contentcaster.errors import Conflict, InvalidInput, NotFound
from contentcaster.models import Media, MetricPost, Post, PostMedia, PostStatus, Role
from contentcaster.models.types import new_id
from contentcaster.security.permissions import Permission, Principal
from contentcaster.services import media_storage
from contentcaster.services.drafts import clean_text
from contentcaster.services.ids import is_id
from contentcaster.services.images import SMALL_BYTES, EncodedImage, PreparedImage, prepare_image
from contentcaster.services.paging import decode_cursor, encode_cursor, like_pattern
from contentcaster.services.videos import length_of
from contentcaster.services.views import MediaView, Page
from contentcaster.settings import Settings, get_settings

MAX_ALT_LENGTH = 5_000
_STILL_NEEDED = (
    PostStatus.PENDING_APPROVAL,
    PostStatus.SCHEDULED,
    PostStatus.PENDING_QUEUE,
    PostStatus.PROCESSING,
    PostStatus.RETRYING,
    PostStatus.NEEDS_REVIEW,
)
_NOT_IN_A_NAME = re.compile(r'[\x00-\x1f\x7f"<>:|?*\\/;`$&%#{}\ud800-\udfff]+')


@dataclass(frozen=True)
class MediaFile:
    """A file to stream to someone who may see it."""

    path: Path
    mime_type: str
    filename: str
    etag: str


@dataclass(frozen=True)
class FrozenMedia:
    """A picture as one target will send it."""

    media_id: str
    storage_key: str
    mime_type: str
    width: int
    height: int
    size_bytes: int


def store_upload(
    database: Database, principal: Principal, *, filename: str, content: bytes, alt: str = ""
) -> MediaView:
    """Check, re-encode and keep an uploaded picture. Slow for big ones: call it in a thread.

    Raises:
        InvalidInput: field "media" (see `images.prepare_image`) or "alt".
    """
    principal.require(Permission.COMPOSE)
    alt = checked_alt(alt)
    prepared = prepare_image(content, max_bytes=database.settings.max_upload_mb * 1_000_000)
    return keep_image(database, principal, prepared, filename=filename, alt=alt)


def keep_image(
    database: Database,
    principal: Principal,
    prepared: PreparedImage,
    *,
    filename: str,
    alt: str,
    source_id: str | None = None,
) -> MediaView:
    """Write an encoded picture with its smaller copies, and its row; both or neither."""
    media_id = new_id()
    files = _files(media_id, prepared)
    try:
        for key, image in files.items():
            media_storage.keep_file(database.settings, key, image.content)
        with database.transaction() as session:
            media = Media(
                id=media_id,
                owner_id=principal.user_id,
                filename=safe_filename(filename, prepared.full.extension),
                mime_type=prepared.full.mime_type,
                width=prepared.full.width,
                height=prepared.full.height,
                size_bytes=len(prepared.full.content),
                sha256=hashlib.sha256(prepared.full.content).hexdigest(),
                storage_key=next(iter(files)),
                alt=alt,
                source_id=source_id,
            )
            session.add(media)
            session.flush()
            live.note(session, "media")
            return view_of(media, used_in_posts=0)
    except BaseException:
        for key in files:
            media_storage.drop_file(database.settings, key)
        raise


def list_media(
    session: Session, principal: Principal, *, cursor: str = "", limit: int = 60, search: str = ""
) -> Page[MediaView]:
    """The person's own uploads, or everybody's for those who may see all posts; newest first."""
    limit = max(1, min(limit, 200))
    query = select(Media, _use_count()).where(_may_list(principal), Media.deleted_at.is_(None))
    if search.strip():
        pattern = like_pattern(search)
        query = query.where(
            or_(
                func.lower(Media.filename).like(pattern, escape="\\"),
                func.lower(Media.alt).like(pattern, escape="\\"),
            )
        )
    if cursor:
        at, last_id = decode_cursor(cursor)
        query = query.where(or_(Media.created_at < at, and_(Media.created_at == at, Media.id < last_id)))
    query = query.order_by(Media.created_at.desc(), Media.id.desc()).limit(limit + 1)
    rows = session.execute(query).all()
    items = [view_of(media, used_in_posts=count) for media, count in rows[:limit]]
    next_cursor = encode_cursor(items[-1].created_at, items[-1].id) if len(rows) > limit else ""
    return Page(items, next_cursor)


def get_media(session: Session, principal: Principal, media_id: str) -> MediaView:
    """One picture that the person may see. Raises NotFound."""
    media, count = _get(session, principal, media_id)
    return view_of(media, used_in_posts=count)


def set_alt_text(session: Session, principal: Principal, media_id: str, alt: str) -> MediaView:
    """Describe a picture for people who cannot see it; posts that are scheduled already keep theirs."""
    principal.require(Permission.COMPOSE)
    media, count = _get_own(session, principal, media_id)
    media.alt = checked_alt(alt)
    session.add(media)
    session.flush()
    live.note(session, "media")
    return view_of(media, used_in_posts=count)


def delete_media(session: Session, principal: Principal, media_id: str) -> None:
    """Take a picture out of the library; posts that went out keep showing it.

    Raises:
        Conflict: a post that has not gone out yet uses it.
    """
    principal.require(Permission.COMPOSE)
    media, _count = _get_own(session, principal, media_id)
    waiting = session.execute(
        select(func.count())
        .select_from(PostMedia)
        .join(Post, Post.id == PostMedia.post_id)
        .where(PostMedia.media_id == media.id, Post.status.in_(_STILL_NEEDED), Post.deleted_at.is_(None))
    ).scalar_one()
    if waiting:
        posts = "A post that has" if waiting == 1 else f"{waiting} posts that have"
        what = "video" if media.duration_seconds else "picture"
        raise Conflict(f"{posts} not gone out yet will show this {what}. Remove it there first.")
    media.deleted_at = utc_now()
    session.add(media)
    live.note(session, "media")


def open_file(session: Session, principal: Principal, media_id: str, size: str = "full") -> MediaFile:
    """The file behind `MediaView.thumb_url` and `full_url`; also of deleted media that a visible post shows.

    Raises:
        NotFound: no such media, or not theirs.
    """
    media = _of_measured_post(session, principal, media_id)
    if media is None:
        media, _count = _get(session, principal, media_id, is_deleted_shown=True)
    if size == "thumb":
        key, mime_type = _thumb_key(media), "image/webp"
    elif size == "full":
        key, mime_type = media.storage_key, media.mime_type
    else:
        raise InvalidInput("Size is thumb or full.", field="size")
    path = media_storage.local_file(get_settings(), key)
    if not path.is_file():
        what = "video" if media.duration_seconds else "picture"
        raise NotFound(f"The file of this {what} is missing in the media folder.")
    return MediaFile(path, mime_type, media.filename, f'"{media.sha256[:32]}-{size}"')


def freeze(
    media: Media, settings: Settings, *, max_bytes: int, allowed_types: tuple[str, ...]
) -> FrozenMedia:
    """The copy of a picture that a network takes: the stored one, or the small JPEG where that is too big for it."""
    full = FrozenMedia(
        media.id, media.storage_key, media.mime_type, media.width, media.height, media.size_bytes
    )
    if media.duration_seconds:
        return full
    fits = not max_bytes or full.size_bytes <= max_bytes
    if (
        fits and (not allowed_types or full.mime_type in allowed_types)
    ) or not media.size_bytes > SMALL_BYTES:
        return full
    key = _small_key(media)
    path = media_storage.local_file(settings, key)
    if not path.is_file():
        return full
    with Image.open(path, formats=["JPEG"]) as picture:
        width, height = picture.size
    return FrozenMedia(media.id, key, "image/jpeg", width, height, path.stat().st_size)


def safe_filename(filename: str, extension: str, default: str = "picture") -> str:
    """The name a person gave, without folders, control characters and tricks; its ending says what it is."""
    name = unicodedata.normalize("NFC", filename).replace("\\", "/").rsplit("/", 1)[-1]
    name = "".join(char for char in name if unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co"))
    stem = name.rsplit(".", 1)[0] if "." in name else name
    stem = _NOT_IN_A_NAME.sub("_", stem).strip(" ._")[:100].strip() or default
    return f"{stem}.{extension}"


def media_urls(media_id: str) -> tuple[str, str]:
    """Paths of the thumbnail and of the full picture."""
    return f"/media/{media_id}/file?size=thumb", f"/media/{media_id}/file?size=full"


def visible_media(session: Session, principal: Principal, media_ids: list[str]) -> dict[str, Media]:
    """Those of these media that the person may attach to a post: their own, or any for editors of all posts."""
    query = select(Media).where(
        Media.id.in_([item for item in media_ids if is_id(item)]), Media.deleted_at.is_(None)
    )
    if not principal.can(Permission.EDIT_ALL_POSTS):
        query = query.where(Media.owner_id == principal.user_id)
    return {media.id: media for media in session.execute(query).scalars()}


def _files(media_id: str, prepared: PreparedImage) -> dict[str, EncodedImage]:
    """Storage key -> file, the full picture first. The ids' last letters are random: folders fill evenly."""
    base = f"{media_id[-2:]}/{media_id}"
    files = {f"{base}.{prepared.full.extension}": prepared.full, f"{base}.thumb.webp": prepared.thumb}
    if prepared.small is not None:
        files[f"{base}.small.jpg"] = prepared.small
    return files


def _thumb_key(media: Media) -> str:
    return media.storage_key.rsplit(".", 1)[0] + ".thumb.webp"


def _small_key(media: Media) -> str:
    return media.storage_key.rsplit(".", 1)[0] + ".small.jpg"


def checked_alt(alt: str) -> str:
    """The text as it is stored. Raises InvalidInput, field "alt"."""
    alt = clean_text(alt)
    if len(alt) > MAX_ALT_LENGTH:
        raise InvalidInput(f"An alt text may hold at most {MAX_ALT_LENGTH:,} characters.", field="alt")
    return alt


def _use_count() -> ColumnElement[int]:
    return (
        select(func.count())
        .select_from(PostMedia)
        .join(Post, Post.id == PostMedia.post_id)
        .where(PostMedia.media_id == Media.id, Post.deleted_at.is_(None))
        .correlate(Media)
        .scalar_subquery()
    )


def _may_list(principal: Principal) -> ColumnElement[bool]:
    if principal.can(Permission.VIEW_ALL_POSTS):
        return Media.id.is_not(None)  # type: ignore[no-any-return]
    return Media.owner_id == principal.user_id  # type: ignore[return-value]


def _may_see(principal: Principal) -> ColumnElement[bool]:
    in_own_post = exists().where(
        PostMedia.media_id == Media.id, PostMedia.post_id == Post.id, Post.author_id == principal.user_id
    )
    return or_(_may_list(principal), in_own_post)


def _get(
    session: Session, principal: Principal, media_id: str, *, is_deleted_shown: bool = False
) -> tuple[Media, int]:
    if not (principal.can(Permission.COMPOSE) or principal.can(Permission.VIEW_ALL_POSTS)):
        principal.require(Permission.COMPOSE)
    if not is_id(media_id):
        raise NotFound("This picture does not exist, or it is not yours.")
    query = select(Media, _use_count()).where(Media.id == media_id, _may_see(principal))
    if not is_deleted_shown:
        query = query.where(Media.deleted_at.is_(None))
    row = session.execute(query).one_or_none()
    if row is None:
        raise NotFound("This picture does not exist, or it is not yours.")
    return row[0], row[1]


def _of_measured_post(session: Session, principal: Principal, media_id: str) -> Media | None:
    """For Viewers, who read the numbers of everything that went out: the pictures of that, and no others."""
    if principal.role is not Role.VIEWER or not principal.can(Permission.VIEW_ANALYTICS):
        return None
    is_shown = exists().where(PostMedia.media_id == Media.id, MetricPost.post_id == PostMedia.post_id)
    found = select(Media).where(Media.id == media_id, is_shown) if is_id(media_id) else None
    return session.execute(found).scalar_one_or_none() if found is not None else None


def _get_own(session: Session, principal: Principal, media_id: str) -> tuple[Media, int]:
    media, count = _get(session, principal, media_id)
    if media.owner_id != principal.user_id and not principal.can(Permission.EDIT_ALL_POSTS):
        raise NotFound("This picture does not exist, or it is not yours.")
    return media, count


def view_of(media: Media, *, used_in_posts: int) -> MediaView:
    thumb_url, full_url = media_urls(media.id)
    return MediaView(
        id=media.id,
        owner_id=media.owner_id,
        filename=media.filename,
        mime_type=media.mime_type,
        width=media.width,
        height=media.height,
        size_bytes=media.size_bytes,
        alt=media.alt,
        created_at=media.created_at,
        used_in_posts=used_in_posts,
        thumb_url=thumb_url,
        full_url=full_url,
        duration_seconds=media.duration_seconds,
        duration=length_of(media.duration_seconds) if media.duration_seconds else "",
        codec=media.codec,
    )
