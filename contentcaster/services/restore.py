"""`contentcaster restore`: puts a backup back so that nothing it knows as unsent is simply sent again.

All rows in one transaction: either everything is back, or nothing was changed. Afterwards the queues are paused,
whatever was due is looked up on its network first, and nobody is signed in.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import tarfile
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, cast

from sqlalchemy import Date, Enum, Table, func, insert, select, text, update
from sqlmodel import Session, col

from contentcaster import migrations
from contentcaster.clock import utc_now
from contentcaster.db import Database
from contentcaster.engine import after_restore
from contentcaster.errors import Conflict, InvalidInput
from contentcaster.models import Account, ApiKey, FailedTask, Job, Post, User, UserSession, Worker, metadata
from contentcaster.models.types import UTCDateTime
from contentcaster.security.permissions import SYSTEM
from contentcaster.security.sealed_file import FileDamaged, SealedReader, WrongPassphrase
from contentcaster.security.vault import create_vault, opens_nothing
from contentcaster.services import audit, audit_chain
from contentcaster.services.backup import MANIFEST, Manifest, tables

_MEDIA_NAME = re.compile(r"media/((?:[A-Za-z0-9]+/)?[A-Za-z0-9][A-Za-z0-9_.-]{0,200})")
_TABLE_NAME = re.compile(r"tables/([a-z_]+)/[0-9]{6}\.jsonl")
_OTHER_KEYS = (
    "The backup's secrets do not open with CONTENTCASTER_ENCRYPTION_KEYS as set here. Nothing was changed. "
    "Set the keys of the installation it was made on, then restore."
)
_ALIVE = timedelta(seconds=30)


@dataclass(frozen=True)
class RestoreReport:
    made_at: datetime
    rows: int
    media_files: int
    in_doubt: int
    """Jobs that were due since: each is looked up on its network before anything is sent."""
    still_to_come: int
    open_failed_tasks: int
    api_keys: int


def restore_backup(
    database: Database, path: Path, passphrase: str, *, is_forced: bool = False
) -> RestoreReport:
    """Put everything back into a migrated database; `is_forced` throws away what it holds.

    Raises:
        InvalidInput: the passphrase is wrong, the file is no backup, damaged, or of another version, or
            ENCRYPTION_KEYS does not hold the keys that it needs.
        Conflict: the database is not empty, or workers run on it.
    """
    try:
        with path.open("rb") as file:
            sealed = SealedReader(file, passphrase)
            packed = gzip.GzipFile(fileobj=cast("BinaryIO", sealed), mode="rb")
            with tarfile.open(fileobj=packed, mode="r|") as archive:
                return _restore(database, archive, sealed, is_forced)
    except (WrongPassphrase, FileDamaged) as error:
        raise InvalidInput(f"{error} Nothing was changed.") from None
    except (tarfile.TarError, gzip.BadGzipFile, EOFError) as error:
        raise InvalidInput("The file was changed or cut off. Nothing was changed.", field="file") from error


def _restore(
    database: Database, archive: tarfile.TarFile, sealed: SealedReader, is_forced: bool
) -> RestoreReport:
    first = archive.next()
    if first is None or first.name != MANIFEST:
        raise FileDamaged("This file does not begin as a backup does.")
    manifest = Manifest(**json.loads(_content(archive, first)))
    _check_fits(database, manifest)
    made_at = datetime.fromisoformat(manifest.made_at)
    with database.transaction() as session:
        _make_room(session, is_forced)
        rows = media_files = 0
        for entry in archive:
            if entry is first:
                continue
            if found := _TABLE_NAME.fullmatch(entry.name):
                rows += _insert(session, found.group(1), _content(archive, entry))
            elif found := _MEDIA_NAME.fullmatch(entry.name):
                _write_media(database.settings.data_dir / "media", found.group(1), _content(archive, entry))
                media_files += 1
            else:
                raise FileDamaged("The file holds something that no backup holds.")
        if opens_nothing(session, create_vault(database.settings)) or not audit_chain.can_continue(session):
            raise InvalidInput(_OTHER_KEYS)
        sealed.drain()  # proves that the end is there, before anything is committed
        if database.is_postgres:
            _set_sequences(session)
        return _after(session, made_at, rows, media_files)


def _check_fits(database: Database, manifest: Manifest) -> None:
    with database.engine.connect() as connection:
        revision = migrations.current_revision(connection)
    if manifest.revision != revision:
        raise InvalidInput(
            f"The backup is of version {manifest.version} (tables at {manifest.revision}), this database is at "
            f"{revision}. Restore it with that version, then upgrade."
        )
    missing = [
        key_id for key_id in manifest.key_ids[:1] if key_id not in create_vault(database.settings).key_ids
    ]
    if missing:
        raise InvalidInput(f"{_OTHER_KEYS} It needs key {missing[0]!r}.")


def _make_room(session: Session, is_forced: bool) -> None:
    is_alive = (col(Worker.stopped_at).is_(None)) & (col(Worker.heartbeat_at) > utc_now() - _ALIVE)
    if session.execute(select(Worker.id).where(is_alive).limit(1)).first():
        raise Conflict("Workers run on this database. Stop everything (web and workers) first, then restore.")
    is_used = any(
        session.execute(select(model).limit(1)).first() is not None for model in (User, Account, Post, Job)
    )
    if is_used and not is_forced:
        raise Conflict(
            "The database is not empty. Restore into an empty one, or throw away what it holds with --force."
        )
    for table in reversed(metadata.sorted_tables):
        session.execute(table.delete())


def _insert(session: Session, table_name: str, lines: bytes) -> int:
    table = metadata.tables.get(table_name)
    if table is None or table not in tables():
        raise FileDamaged(f"The backup holds a table {table_name!r}, which this version does not have.")
    rows = [_decode(table, json.loads(line)) for line in lines.splitlines()]
    if rows:
        session.execute(insert(table), rows)
    return len(rows)


def _decode(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    return {name: _value(table.c[name].type, value) for name, value in row.items()}


def _value(kind: Any, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(kind, UTCDateTime):
        return datetime.fromisoformat(value)
    if isinstance(kind, Date):
        return date.fromisoformat(value)
    if isinstance(kind, Enum) and kind.enum_class is not None:
        return kind.enum_class(value)
    return value


def _set_sequences(session: Session) -> None:
    """Postgres counts on from the highest id; SQLite does so by itself."""
    for table in tables():
        column = table.autoincrement_column
        if column is None:
            continue
        name = session.execute(
            text("SELECT pg_get_serial_sequence(:table, :column)"),
            {"table": table.name, "column": column.name},
        ).scalar()
        if name:
            highest = session.execute(select(func.coalesce(func.max(column), 0))).scalar_one()
            values = {"name": name, "value": max(highest, 1), "is_used": highest > 0}
            session.execute(text("SELECT setval(CAST(:name AS regclass), :value, :is_used)"), values)


def _after(session: Session, made_at: datetime, rows: int, media_files: int) -> RestoreReport:
    reason = f"Restored from the backup of {made_at:%Y-%m-%d %H:%M} UTC. Resume once nothing is in doubt."
    in_doubt = after_restore.doubt_what_was_due(session, made_at=made_at)
    after_restore.hold_everything(session, reason=reason)
    # Sessions that were ended since must not come alive again.
    session.execute(
        update(UserSession)
        .where(col(UserSession.revoked_at).is_(None))
        .values(revoked_at=utc_now(), refresh_hash=None)
    )
    audit.record(
        session,
        SYSTEM,
        "backup.restored",
        details={"made_at": made_at.isoformat(), "rows": rows, "in_doubt": in_doubt},
    )
    return RestoreReport(
        made_at=made_at,
        rows=rows,
        media_files=media_files,
        in_doubt=in_doubt,
        still_to_come=_count(session, Job, Job.state.in_(after_restore.CLAIMABLE)),  # type: ignore[attr-defined]
        open_failed_tasks=_count(session, FailedTask, col(FailedTask.resolved_at).is_(None)),
        api_keys=_count(
            session, ApiKey, col(ApiKey.revoked_at).is_(None), col(ApiKey.expires_at) > utc_now()
        ),
    )


def _count(session: Session, model: Any, *conditions: Any) -> int:
    return int(session.execute(select(func.count()).select_from(model).where(*conditions)).scalar_one())


def _content(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(entry)
    if file is None:
        raise FileDamaged("The file holds something that no backup holds.")
    return file.read()


def _write_media(folder: Path, name: str, content: bytes) -> None:
    """Pictures never change under one name: putting one back twice, or beside newer ones, does no harm."""
    path = folder / name
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.restoring")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    unfinished.replace(path)
