"""People, channels and pictures for tests of the services, and short ways to call them in transactions."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from PIL import Image
from sqlalchemy import update
from sqlmodel import Session, select

from contentcaster.clock import utc_now
from contentcaster.models import Account, FailedTask, Job, JobState, Media, Role, User
from contentcaster.security.permissions import Principal
from contentcaster.services import media, posts
from contentcaster.services.drafts import PostDraft, TargetDraft
from contentcaster.services.schedule import Schedule
from contentcaster.services.views import PostDetail
from tests.services_for_tests import factories
from tests.services_for_tests.stack import Stack


@dataclass
class Team:
    """Alice and Bob write, Ada runs it, Mona watches, Vic reads numbers; two shared channels and one of Ada's own."""

    stack: Stack
    alice: Principal
    bob: Principal
    ada: Principal
    mona: Principal
    vic: Principal
    mastodon: Account
    bluesky: Account
    private: Account
    users: dict[str, User] = field(default_factory=dict)

    def write(self, service: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call a service in a transaction that commits."""
        with self.stack.database.transaction() as session:
            return service(session, *args, **kwargs)

    def read(self, service: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        with self.stack.database.reading() as session:
            return service(session, *args, **kwargs)

    def draft(self, text: str = "Hello", *accounts: Account, **more: Any) -> PostDraft:
        chosen = accounts or (self.mastodon,)
        return PostDraft(text=text, targets=tuple(TargetDraft(account.id) for account in chosen), **more)

    def scheduled(self, who: Principal | None = None, *, in_seconds: float = 3600, **more: Any) -> PostDetail:
        """A scheduled post of Alice, or of `who`."""
        draft = more.pop("draft", None) or self.draft(**more)
        when = Schedule.at(utc_now() + timedelta(seconds=in_seconds), "Europe/Berlin")
        post: PostDetail = self.write(posts.create_post, who or self.alice, draft, when)
        return post

    def jobs(self, post_id: str | None = None) -> list[Job]:
        with self.stack.database.reading() as session:
            query = select(Job).order_by(Job.id)  # type: ignore[arg-type]
            return list(session.exec(query.where(Job.post_id == post_id) if post_id else query))

    def set_job(self, job_id: int, state: JobState, **values: Any) -> None:
        """Put a job into a state as the engine would leave it there."""
        leased = state in (JobState.CLAIMED, JobState.SENDING, JobState.RESOLVING)
        lease = {"lease_until": utc_now() + timedelta(minutes=1) if leased else None}
        with self.stack.database.transaction() as session:
            session.execute(update(Job).where(Job.id == job_id).values(state=state, **(lease | values)))
            from contentcaster.engine.post_status import refresh_posts

            refresh_posts(session, [session.get_one(Job, job_id).post_id])

    def fail_job(
        self, job_id: int, reason: str = "rejected", state: JobState = JobState.DEAD, **values: Any
    ) -> int:
        """End a job with its failed task; returns the task's id."""
        self.set_job(job_id, state, **({"ended_at": utc_now(), "error_message": "No."} | values))
        with self.stack.database.transaction() as session:
            task = FailedTask(job_id=job_id, fence=1, reason=reason, message="The network said no.")
            session.add(task)
            session.flush()
            assert task.id is not None
            return task.id

    def picture(self, who: Principal | None = None, **more: Any) -> Media:
        """A small picture in the library."""
        view = media.store_upload(
            self.stack.database,
            who or self.alice,
            filename="cat.png",
            content=png(**{k: more.pop(k) for k in ("size", "noise") if k in more}),
            **more,
        )
        with self.stack.database.reading() as session:
            return session.get_one(Media, view.id)


def build_team(stack: Stack) -> Team:
    with stack.database.transaction() as session:
        users = {
            "alice": factories.create_user(session, Role.CREATOR, name="Alice", timezone="Europe/Berlin"),
            "bob": factories.create_user(session, Role.CREATOR, name="Bob"),
            "ada": factories.create_user(session, Role.ADMIN, name="Ada"),
            "mona": factories.create_user(session, Role.MONITOR, name="Mona"),
            "vic": factories.create_user(session, Role.VIEWER, name="Vic"),
        }
        ada = users["ada"]
        return Team(
            stack,
            **{name: factories.principal_for(user) for name, user in users.items()},
            mastodon=factories.create_account(
                session, ada, platform="mastodon", handle="@acme@example.social"
            ),
            bluesky=factories.create_account(session, ada, platform="bluesky", handle="acme.example"),
            private=factories.create_account(
                session, ada, platform="mastodon", handle="@boss@x.social", is_shared=False
            ),
            users=users,
        )


def png(
    size: tuple[int, int] = (40, 30), *, noise: bool = False, file_format: str = "PNG", **more: Any
) -> bytes:
    """The bytes of a picture; noise does not compress."""
    picture = Image.effect_noise(size, 90).convert("RGB") if noise else Image.new("RGB", size, "teal")
    buffer = io.BytesIO()
    picture.save(buffer, file_format, **more)
    return buffer.getvalue()


def soon(seconds: float = 3600) -> datetime:
    return utc_now() + timedelta(seconds=seconds)


def all_sessions(stack: Stack) -> Iterator[Session]:
    with stack.database.reading() as session:
        yield session
