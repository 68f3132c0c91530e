"""Backup and restore: everything comes back, on either dialect, and nothing goes out twice."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import JSON, TypeDecorator
from sqlalchemy import select as select_rows
from sqlmodel import select

from contentcaster.clock import utc_now
from contentcaster.db import Database
from contentcaster.engine.policy import Policy
from contentcaster.engine.sender import Sender
from contentcaster.errors import Conflict, InvalidInput
from contentcaster.models import Account, Job, JobState, QueueState, Role, User, UserSession, Worker
from contentcaster.sandbox.client import SandboxThread
from contentcaster.sandbox.settings import SandboxSettings
from contentcaster.security import sealed_file, sessions
from contentcaster.security.egress import EgressClient
from contentcaster.security.sealed_file import FileDamaged, SealedReader, SealedWriter, WrongPassphrase
from contentcaster.security.tokens import TokenKind
from contentcaster.services import audit_chain, backup, connecting, operations, posts, restore
from contentcaster.services.backup import tables, write_backup
from contentcaster.services.channels import open_channel
from contentcaster.services.drafts import MediaDraft
from contentcaster.services.executors import create_executors
from contentcaster.services.restore import restore_backup
from contentcaster.services.schedule import Schedule
from tests.services.service_kit import Team, build_team, soon
from tests.services_for_tests import factories
from tests.services_for_tests.stack import Stack

PASSPHRASE = "a passphrase for tests"
QUICK = pytest.mark.settings(
    publish_lead_seconds=1.0, retry_base_seconds=0.05, settle_seconds=0.2, lease_seconds=25
)


@pytest.fixture
def sandbox(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxThread]:
    with SandboxThread(SandboxSettings(port=0)) as running:
        settings = stack.settings.model_copy(update={"sandbox_port": running.running.port})
        monkeypatch.setattr(stack.database, "settings", settings)
        yield running


@contextmanager
def sending(team: Team) -> Iterator[Sender]:
    database = team.stack.database
    running = Sender(
        database,
        Policy.from_settings(database.settings),
        create_executors(database),
        queues=("publish",),
        concurrency=20,
        channel_concurrency=10,
    )
    running.start()
    try:
        yield running
    finally:
        assert running.stop()


def connected(team: Team, sandbox: SandboxThread, platform: str) -> Account:
    made = sandbox.control.account("acme")
    given = (
        {
            "service_url": made["service_url"],
            "identifier": made["at_handle"],
            "app_password": made["app_password"],
        }
        if platform == "bluesky"
        else {"instance_url": made["instance_url"], "access_token": made["access_token"]}
    )
    view = asyncio.run(connecting.connect_account(team.stack.database, team.ada, platform, given))
    with team.stack.database.reading() as session:
        return session.get_one(Account, view.id)


def until(done: Callable[[], bool], tell: Callable[[], object], seconds: float = 40) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, tell()
        time.sleep(0.05)


def _states(team: Team) -> list[tuple[str, str, str | None]]:
    return [(job.payload.get("text", ""), job.state.value, job.error_class) for job in team.jobs()]


def _network(sandbox: SandboxThread) -> list[str]:
    return sorted(item["text"] for item in sandbox.control.posts())


def _contents(database: Database) -> dict[str, list[Any]]:
    with database.reading() as session:
        return {
            table.name: [
                tuple(row) for row in session.execute(select_rows(table).order_by(*table.primary_key))
            ]
            for table in tables()
        }


@QUICK
def test_a_backup_from_before_posts_went_out_doubles_nothing(
    stack: Stack, sandbox: SandboxThread, tmp_path: Path
) -> None:
    team = build_team(stack)
    channels = [connected(team, sandbox, platform) for platform in ("mastodon", "bluesky")]
    picture = team.picture(size=(300, 200), noise=True)
    sent = team.write(
        posts.create_post,
        team.alice,
        team.draft("One", *channels, media=(MediaDraft(picture.id),), thread=("Two",)),
        Schedule.at(soon(3)),
    )
    plain = team.write(posts.create_post, team.alice, team.draft("Plain", *channels), Schedule.at(soon(3)))
    unsent = team.write(posts.create_post, team.alice, team.draft("Unsent", *channels), Schedule.at(soon(4)))
    later = team.write(posts.create_post, team.alice, team.draft("Later", *channels), Schedule.at(soon(3600)))
    file = tmp_path / "backup"
    write_backup(stack.database, file, PASSPHRASE)

    team.write(posts.cancel_post, team.alice, unsent.id)  # so it is really not on the networks
    with sending(team):
        until(
            lambda: all(
                team.read(posts.get_post, team.alice, p.id).status == "Published" for p in (sent, plain)
            ),
            lambda: _states(team),
        )
    went_out = _network(sandbox)
    assert went_out == ["One", "One", "Plain", "Plain", "Two", "Two"]

    shutil.rmtree(stack.settings.data_dir / "media")
    until(lambda: utc_now() > unsent.scheduled_at + timedelta(milliseconds=100), lambda: unsent.scheduled_at)
    report = restore_backup(stack.database, file, PASSPHRASE, is_forced=True)
    assert report.in_doubt == 8 and report.still_to_come == 2 and report.media_files >= 1
    doubted = [job for job in team.jobs() if job.state is JobState.UNKNOWN]
    assert len(doubted) == 8 and all(job.post_id != later.id for job in doubted)

    with sending(team):
        until(
            lambda: not [j for j in team.jobs() if j.state in (JobState.UNKNOWN, JobState.RESOLVING)],
            lambda: _states(team),
        )
        assert _network(sandbox) == went_out  # looked up while paused; nothing was sent
        found = [team.read(posts.get_post, team.alice, p.id) for p in (sent, plain)]
        assert [post.status for post in found] == ["Published", "Published"], _states(team)
        team.write(operations.resume_queue, team.ada, "publish")
        until(
            lambda: team.read(posts.get_post, team.alice, unsent.id).status == "Published",
            lambda: _states(team),
        )
    assert _network(sandbox) == sorted([*went_out, "Unsent", "Unsent"])
    assert {job.state for job in team.jobs(later.id)} <= {JobState.PENDING_QUEUE, JobState.QUEUED}


def test_all_rows_and_pictures_come_back_into_the_other_dialect(
    sqlite_stack: Stack, postgres_stack: Stack, tmp_path: Path
) -> None:
    team = build_team(sqlite_stack)
    team.picture(noise=True)
    for number in range(3):
        team.scheduled(text=f'Post {number} ä\u2028😀 \\ "quoted"')
    before = _contents(sqlite_stack.database)
    first, second = tmp_path / "first", tmp_path / "second"
    made = write_backup(sqlite_stack.database, first, PASSPHRASE)
    assert made.rows == sum(map(len, before.values())) and made.missing_media == []
    assert (first.stat().st_mode & 0o777) == 0o600

    restore_backup(postgres_stack.database, first, PASSPHRASE)
    there = _contents(postgres_stack.database)
    changed_on_purpose = {"audit_event", "audit_chain", "queue_state", "user_session"}
    for name in before.keys() - changed_on_purpose:
        if name == "job":
            assert len(there[name]) == len(before[name])
        else:
            assert there[name] == before[name], name
    with postgres_stack.database.reading() as session:
        assert audit_chain.verify(session).problem == ""
        account = session.exec(select(Account)).first()
        paused = set(session.exec(select(QueueState.queue).where(QueueState.paused_at.is_not(None))).all())  # type: ignore[union-attr]
    assert paused == {"publish", "engagement", "growth", "finder"}
    assert account is not None
    assert open_channel(postgres_stack.database, account, EgressClient()).credentials
    with postgres_stack.database.transaction() as session:  # ids go on after the restored ones
        owner = session.exec(select(User).where(User.role == Role.ADMIN)).one()
        factories.create_post(session, owner)
    Team.scheduled(build_team_like(team, postgres_stack), text="New")

    write_backup(postgres_stack.database, second, PASSPHRASE)
    restore_backup(sqlite_stack.database, second, PASSPHRASE, is_forced=True)
    assert len(_contents(sqlite_stack.database)["post"]) == 5


def build_team_like(team: Team, stack: Stack) -> Team:
    """The same people, on another stack."""
    return Team(**(team.__dict__ | {"stack": stack}))


_ONE_OF_EACH: dict[type, Any] = {
    datetime: datetime(2026, 3, 1, 8, 30, 0, 123456, tzinfo=UTC),
    date: date(2026, 3, 1),
    bool: True,
    int: 7,
    float: 2.5,
    str: "é\n",
}


def test_a_value_of_every_kind_of_column_comes_back_as_it_was() -> None:
    """A kind that cannot be written would break the backup of everybody who has such a row."""
    for table in tables():
        row = {column.name: _of_kind(column.type) for column in table.columns}
        assert restore._decode(table, json.loads(backup._encode(row))) == row, table.name


def _of_kind(kind: Any) -> Any:
    if isinstance(kind, TypeDecorator):
        return _of_kind(kind.impl_instance)
    if isinstance(kind, JSON):
        return {"a": [1, None]}
    members = getattr(kind, "enum_class", None)
    return next(iter(members)) if members is not None else _ONE_OF_EACH[kind.python_type]


def test_a_database_in_use_is_not_thrown_away_by_mistake(stack: Stack, tmp_path: Path) -> None:
    team = build_team(stack)
    team.scheduled(text="Kept")
    file = tmp_path / "backup"
    write_backup(stack.database, file, PASSPHRASE)
    before = _contents(stack.database)
    with pytest.raises(Conflict, match="not empty"):
        restore_backup(stack.database, file, PASSPHRASE)
    with stack.database.transaction() as session:
        now = utc_now()
        session.add(Worker(id="w", hostname="h", pid=1, version="1", started_at=now, heartbeat_at=now))
    with pytest.raises(Conflict, match="Workers run"):
        restore_backup(stack.database, file, PASSPHRASE, is_forced=True)
    with pytest.raises(Conflict, match="exists already"):
        write_backup(stack.database, file, PASSPHRASE)
    assert _contents(stack.database) == before


@pytest.mark.parametrize("damage", ["flipped", "cut", "cut_at_chunk", "appended", "empty", "other"])
def test_a_damaged_file_changes_nothing(stack: Stack, tmp_path: Path, damage: str) -> None:
    team = build_team(stack)
    team.scheduled(text="Kept")
    folder = stack.settings.data_dir / "media"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "big.bin").write_bytes(os.urandom(3 << 20))  # several chunks
    file = tmp_path / "backup"
    write_backup(stack.database, file, PASSPHRASE)
    content = file.read_bytes()
    before = _contents(stack.database)
    damaged = {
        "flipped": content[:-40] + bytes([content[-40] ^ 1]) + content[-39:],
        "cut": content[:-100],
        "cut_at_chunk": _without_last_chunk(content),
        "appended": content + b"more",
        "empty": b"",
        "other": b"PK" + content,
    }[damage]
    file.write_bytes(damaged)
    with pytest.raises(InvalidInput, match=r"changed or cut off|is no backup"):
        restore_backup(stack.database, file, PASSPHRASE, is_forced=True)
    assert _contents(stack.database) == before


def _without_last_chunk(content: bytes) -> bytes:
    at, last = len(sealed_file._MAGIC) + 16 + 7, 0
    while at < len(content):
        last, at = at, at + 4 + int.from_bytes(content[at : at + 4], "big")
    return content[:last]


def test_the_wrong_passphrase_opens_nothing_and_short_ones_are_refused(stack: Stack, tmp_path: Path) -> None:
    build_team(stack)
    file = tmp_path / "backup"
    with pytest.raises(InvalidInput, match="12 characters"):
        write_backup(stack.database, file, "short")
    assert not file.exists()
    write_backup(stack.database, file, PASSPHRASE)
    with pytest.raises(InvalidInput, match="passphrase is not right"):
        restore_backup(stack.database, file, PASSPHRASE + "!", is_forced=True)
    assert b"alice" not in file.read_bytes().lower() and not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("key_id", ["k1", "k2"])
def test_without_the_keys_of_the_backup_nothing_is_changed(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key_id: str
) -> None:
    team = build_team(stack)
    team.scheduled(text="Kept")
    file = tmp_path / "backup"
    write_backup(stack.database, file, PASSPHRASE)
    before = _contents(stack.database)
    ring = SecretStr(f"{key_id}:" + base64.b64encode(os.urandom(32)).decode())
    other = stack.settings.model_copy(update={"encryption_keys": ring})
    monkeypatch.setattr(stack.database, "settings", other)
    monkeypatch.setattr("contentcaster.security.vault.get_settings", lambda: other)
    with pytest.raises(InvalidInput, match="ENCRYPTION_KEYS"):
        restore_backup(stack.database, file, PASSPHRASE, is_forced=True)
    assert _contents(stack.database) == before


def test_nobody_stays_signed_in_after_a_restore(stack: Stack, tmp_path: Path) -> None:
    with stack.database.transaction() as session:
        user = factories.create_user(session, Role.ADMIN)
        sessions.create(session, user, kind=TokenKind.BROWSER)
        cookie = factories.browser_cookie(session, user)
    file = tmp_path / "backup"
    write_backup(stack.database, file, PASSPHRASE)
    restore_backup(stack.database, file, PASSPHRASE, is_forced=True)
    with stack.database.reading() as session:
        assert sessions.principal_from_cookie(session, cookie) is None
        assert all(row.revoked_at for row in session.exec(select(UserSession)))


def test_chunks_of_a_sealed_file_cannot_be_reordered_or_repeated(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with path.open("wb") as file:
        writer = SealedWriter(file, PASSPHRASE)
        writer.write(b"a" * (1 << 20) + b"b" * (1 << 20) + b"c" * 10)
        writer.close()
    content, head = path.read_bytes(), len(sealed_file._MAGIC) + 23
    size = 4 + (1 << 20) + 16
    a, b, c = content[head : head + size], content[head + size : head + 2 * size], content[head + 2 * size :]
    for chunks, error in (
        ((b, a, c), WrongPassphrase),
        ((a, a, c), FileDamaged),
        ((a, c, b), FileDamaged),
        ((a, b), FileDamaged),
    ):
        path.write_bytes(content[:head] + b"".join(chunks))
        with path.open("rb") as file, pytest.raises(error):
            SealedReader(file, PASSPHRASE).read()
    path.write_bytes(content)
    with path.open("rb") as file:
        assert len(SealedReader(file, PASSPHRASE).read()) == (2 << 20) + 10


def test_what_was_snoozed_or_leased_at_the_backup_is_in_doubt_and_what_is_settled_is_not(
    stack: Stack, tmp_path: Path
) -> None:
    team = build_team(stack)
    ids = {}
    for state in (JobState.SNOOZED, JobState.SENDING, JobState.RETRY_WAIT, JobState.HELD, JobState.CANCELLED):
        job = team.jobs(team.scheduled(text=state.value).id)[0]
        past = utc_now() - timedelta(minutes=5)
        due = utc_now() + timedelta(hours=1) if state is JobState.SNOOZED else past
        team.set_job(job.id, state, scheduled_at=past, due_at=due)
        ids[state] = job.id
    file = tmp_path / "backup"
    write_backup(stack.database, file, PASSPHRASE)
    assert restore_backup(stack.database, file, PASSPHRASE, is_forced=True).in_doubt == 3
    with stack.database.reading() as session:
        now = {state: session.get_one(Job, own_id).state for state, own_id in ids.items()}
    assert now[JobState.HELD] is JobState.HELD and now[JobState.CANCELLED] is JobState.CANCELLED
    assert [now[s] for s in (JobState.SNOOZED, JobState.SENDING, JobState.RETRY_WAIT)] == [
        JobState.UNKNOWN
    ] * 3
