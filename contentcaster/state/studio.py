"""The Studio's State: passes documents between the composer in the browser and the services, and keeps none itself."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any
from urllib.parse import parse_qs

import reflex as rx
from sqlmodel import Session

from contentcaster.clock import utc_now
from contentcaster.errors import Conflict, ContentCasterError, InvalidInput, NotSignedIn, Unavailable
from contentcaster.models import PostStatus
from contentcaster.security.permissions import Permission, Principal
from contentcaster.services import accounts, approval, media, posts, preflight, series, series_edit, slots
from contentcaster.services.drafts import PostDraft
from contentcaster.services.schedule import Schedule, format_when
from contentcaster.services.series_edit import SeriesContent
from contentcaster.services.views import AccountView, MediaView, PostDetail, PostReviewView, PreflightItem
from contentcaster.settings import get_settings
from contentcaster.state.bridge import read, write
from contentcaster.state.flash import flash
from contentcaster.state.marks import current_principal, guarded
from contentcaster.state.page import page_load
from contentcaster.state.studio_form import IDLE, Change, document_of, document_of_series

MAX_REMEMBERED = 50

_WALL_TIME = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d)")


class StudioState(rx.State):
    channels: list[AccountView] = []
    document: dict[str, Any] = {}
    """What the composer starts from; `nonce` makes each arrival a new one."""
    ack: dict[str, Any] = {}
    """The answer to the composer's last message."""
    preflight: list[PreflightItem] = []
    stop_count: int = 0
    check_count: int = 0
    is_checked: bool = False
    is_new: bool = True
    is_series: bool = False
    """Whether a whole series is changed."""
    reviews: list[PostReviewView] = []
    review_state: str = ""
    max_upload_bytes: int = 0
    max_video_bytes: int = 0
    is_refused: bool = False
    """Whether the last try to schedule was; until something is changed."""
    _created: dict[str, tuple[str, int]] = {}
    """Key of a new document -> its post id and version."""
    _nonce: int = 0

    @page_load(Permission.COMPOSE)
    async def load(self) -> Any:
        """A new post, or the one that the address names."""
        query = parse_qs(self.router.url.query)
        post_id, media_id, series_id = (
            query.get(name, [""])[-1][:26] for name in ("post", "media", "series")
        )
        self.channels = await read(accounts.list_accounts)
        self.max_upload_bytes = get_settings().max_upload_mb * 1_000_000
        self.max_video_bytes = get_settings().max_video_mb * 1_000_000
        self.preflight, self.is_checked, self.is_refused = [], False, False
        post = await read(posts.get_post, post_id) if post_id else None
        if post is not None and not post.is_editable:
            await flash(
                self,
                "warn",
                post.locked_reason or "This post belongs to somebody else; only they can change it.",
            )
            return rx.redirect(f"/posts/{post.id}")
        content = await read(series_edit.get_content, series_id) if series_id and post is None else None
        self.is_new, self.is_series = post is None and content is None, content is not None
        self.reviews = await read(approval.list_reviews, post.id) if post is not None else []
        self.review_state = post.review_state if post is not None else ""
        start_with = [await read(media.get_media, media_id)] if media_id and post is None else []
        self._show(post, start_with, query.get("at", [""])[-1], content)
        return None

    def _show(
        self, post: PostDetail | None, start_with: list[MediaView], at: str, content: SeriesContent | None
    ) -> None:
        person = current_principal()
        # Not only counted up: a State that was lost and begun anew must not repeat a number.
        self._nonce = max(self._nonce + 1, int(utc_now().timestamp() * 1000))
        known = {channel.id for channel in self.channels}
        doc = document_of(post, timezone=person.timezone) if post is not None else {}
        doc = document_of_series(content) if content is not None else doc
        if doc:
            doc["targets"] = [target for target in doc["targets"] if target in known]
        elif len(usable := [channel.id for channel in self.channels if channel.status == "connected"]) == 1:
            doc["targets"] = usable
        if not doc.get("schedule") and post is None and (wall := _WALL_TIME.fullmatch(at)):
            doc["schedule"] = {
                "date": wall[1],
                "time": wall[2],
                "zone": person.timezone,
                "fold": None,
                "chosen": True,
            }
        if start_with:
            doc["media"] = [asdict(item) | {"part": 0} for item in start_with]
        self.document = {
            "nonce": self._nonce,
            "post_id": post.id if post is not None else "",
            "doc": doc,
            "saved_at": post.updated_at.isoformat() if post is not None else "",
            "theirs": _theirs(post) if post is not None else {},
            "accounts": self.channels,
            "missed_after_minutes": get_settings().missed_after_minutes,
            "person": {
                "id": person.user_id,
                "timezone": person.timezone,
                "needs_approval": person.needs_approval and not person.can(Permission.APPROVE_POSTS),
                "can_connect": person.can(Permission.MANAGE_ACCOUNTS),
                "can_share": person.can(Permission.EDIT_ALL_POSTS),
                "name": person.name,
            },
        }

    @guarded(Permission.COMPOSE)
    async def refresh(self) -> None:
        """A channel has changed; what is being written stays as it is in the browser."""
        self.channels = await read(accounts.list_accounts)

    @guarded(Permission.COMPOSE)
    async def sync(self, change: Change) -> None:
        """Save a draft while it is being written, and look it over."""
        self.is_refused = False
        try:
            answer = await self._save_quietly(change) if change.should_save else {"is_saved": False}
            await self._look_over(change)
        except Unavailable:
            answer = {"is_saved": False, "is_silent": True}
        self._answer(change, answer)

    async def _save_quietly(self, change: Change) -> dict[str, Any]:
        try:
            return self._saved(change, await self._save(change, None))
        except InvalidInput as error:
            return {"is_saved": False, "problem": f"Not saved yet: {error.message}"}
        except Conflict as error:
            return {"is_saved": False, **await self._conflict(change, error)}

    @guarded(Permission.COMPOSE)
    async def submit(self, change: Change) -> Any:
        """Save the draft, publish now, or schedule; then show the post's own page."""
        self.is_refused = False
        if change.action == "repeat":
            return await self._keep_series(change)
        try:
            post = await self._save(change, _when(change))
        except NotSignedIn:
            raise
        except ContentCasterError as error:
            # The browser must know that nothing was saved, so that it keeps its copy.
            self._answer(
                change, {"is_saved": False, "action": change.action, **await self._refused(change, error)}
            )
            return None
        post = await read(posts.get_post, post.id)  # the queue has answered meanwhile
        self._answer(change, self._saved(change, post) | {"action": change.action, "is_done": True})
        await self._say_done(change, post)
        return rx.redirect(f"/posts/{post.id}")

    async def _refused(self, change: Change, error: ContentCasterError) -> dict[str, Any]:
        if isinstance(error, InvalidInput) and error.fields:
            self.is_refused = True
            # What cannot be scheduled yet can still be kept as the draft that it is.
            kept = await self._save_quietly(change) if change.doc.status in IDLE else {}
            await self._look_over(change)
            return ({} if kept.get("problem") else kept) | {"errors": error.fields}
        if isinstance(error, Conflict):
            return await self._conflict(change, error)
        return {"problem": f"Not saved. {error.message}"}

    async def _save(self, change: Change, when: Schedule | None) -> PostDetail:
        doc, draft = change.doc, change.doc.to_draft()
        # An answer that got lost: the browser does not know yet that its new post has an id.
        post_id, version = (doc.post_id, doc.version) if doc.post_id else self._created.get(doc.key, ("", 0))
        planned = doc.schedule.to_schedule() if doc.schedule.chosen else None
        if change.action == "queue" and not change.should_save:
            post = await self._put_into_queue(post_id, draft, version)
        elif not post_id:
            post = await write(posts.create_post, draft, when, planned=planned)
        elif when is None and not change.should_save and doc.status not in IDLE:
            post = await write(_back_to_draft, post_id, draft, version)
        else:
            post = await write(posts.update_post, post_id, draft, version=version, when=when, planned=planned)
        if not doc.post_id:
            kept = list(self._created.items())[-MAX_REMEMBERED:]
            self._created = dict(kept) | {doc.key: (post.id, post.version)}
        return post

    async def _put_into_queue(self, post_id: str, draft: PostDraft, version: int) -> PostDetail:
        if not post_id:
            return await write(slots.create_in_queue, draft)
        return await write(slots.update_into_queue, post_id, draft, version=version)

    async def _keep_series(self, change: Change) -> Any:
        try:
            told = await (self._change_series(change) if change.doc.series_id else self._begin_series(change))
        except NotSignedIn:
            raise
        except ContentCasterError as error:
            self._answer(
                change, {"is_saved": False, "action": change.action, **await self._refused(change, error)}
            )
            return None
        done = {"is_saved": True, "saved_seq": change.seq, "post_id": "", "version": 0, "status": "Draft"}
        stamp = {"saved_at": utc_now().isoformat(), "action": change.action, "is_done": True}
        self._answer(change, done | stamp)
        await flash(self, "ok", told)
        return rx.redirect("/recurring")

    async def _begin_series(self, change: Change) -> str:
        doc = change.doc
        post_id = doc.post_id or self._created.get(doc.key, ("", 0))[0]
        await write(
            _make_series,
            doc.to_draft(),
            change.rule,
            doc.schedule.wall_time,
            doc.schedule.zone,
            post_id if doc.status in IDLE else "",
        )
        return "It repeats now. The posts of the coming two weeks are scheduled."

    async def _change_series(self, change: Change) -> str:
        doc = change.doc
        changed = await write(
            series_edit.update_series,
            doc.series_id,
            doc.to_draft(),
            rule=change.rule,
            first_wall_time=doc.schedule.wall_time,
            timezone=doc.schedule.zone,
            version=doc.series_version,
        )
        return changed.sentence

    def _saved(self, change: Change, post: PostDetail) -> dict[str, Any]:
        return {
            "is_saved": True,
            "saved_seq": change.seq,
            "post_id": post.id,
            "version": post.version,
            "status": post.status,
            "saved_at": utc_now().isoformat(),
        }

    async def _conflict(self, change: Change, error: Conflict) -> dict[str, Any]:
        """What to tell the composer: somebody else's version, or why the post is closed."""
        if change.doc.post_id:
            theirs = await read(posts.get_post, change.doc.post_id)
            if theirs.version != change.doc.version and theirs.is_editable:
                return {"conflict": _theirs(theirs)}
        return {"problem": error.message}

    async def _look_over(self, change: Change) -> None:
        doc = change.doc
        when = doc.schedule.to_schedule() if doc.schedule.date else None
        self.preflight = await read(preflight.check_draft, doc.to_draft(), when, post_id=doc.post_id)
        self.stop_count = sum(item.level == "stop" for item in self.preflight)
        self.check_count = sum(item.level == "check" for item in self.preflight)
        self.is_checked = True

    def _answer(self, change: Change, answer: dict[str, Any]) -> None:
        stamp = utc_now().timestamp()
        self.ack = {"seq": change.seq, "key": change.doc.key, "stamp": stamp, **answer}

    async def _say_done(self, change: Change, post: PostDetail) -> None:
        when = format_when(post.scheduled_at, post.timezone) if post.scheduled_at else ""
        if change.action == "draft":
            await flash(self, "ok", "Saved as a draft.")
        elif post.status == PostStatus.PENDING_APPROVAL:
            await flash(self, "ok", f"Sent for approval. Once approved it goes out on {when}.")
        elif change.action == "queue":
            await flash(self, "ok", f"In the queue: it goes out on {when}.")
        elif post.status == PostStatus.PENDING_QUEUE:
            await flash(
                self, "warn", "Saved. The queue does not answer right now; it will still go out on time."
            )
        elif change.action == "now":
            await flash(self, "ok", "On its way. This page shows how far it is.")
        else:
            await flash(self, "ok", f"Scheduled for {when}.")


def _when(change: Change) -> Schedule | None:
    if change.action in ("draft", "queue"):
        return None
    if change.action == "now":
        return Schedule.now(current_principal().timezone)
    return change.doc.schedule.to_schedule()


def _back_to_draft(
    session: Session, principal: Principal, post_id: str, draft: PostDraft, version: int
) -> PostDetail:
    """A scheduled post stops and becomes a draft again, which may be unfinished: both or neither."""
    stopped = posts.unschedule_post(session, principal, post_id, version=version)
    return posts.update_post(session, principal, post_id, draft, version=stopped.version)


def _make_series(
    session: Session, principal: Principal, draft: PostDraft, rule: str, first: str, zone: str, draft_id: str
) -> None:
    """The series takes the place of the draft that was saved while it was written."""
    series.create_series(session, principal, draft, rule=rule, first_wall_time=first, timezone=zone)
    if draft_id:
        posts.delete_post(session, principal, draft_id)


def _theirs(post: PostDetail) -> dict[str, Any]:
    """Another person's newer version, as far as the composer shows it."""
    return {"version": post.version, "who": "", "text": post.text[:600]}
