"""`contentcaster backup`: all tables, in a form that both databases take, and all pictures, in one sealed file.

Keys are not in it: ENCRYPTION_KEYS and SECRET_KEY belong elsewhere, or whoever finds a backup has the channels too.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from enum import Enum
from pathlib import Path
from typing import Any, BinaryIO, cast

from sqlalchemy import Connection, Table, select

from contentcaster import __version__, migrations
from contentcaster.clock import utc_now
from contentcaster.db import Database
from contentcaster.errors import Conflict, InvalidInput
from contentcaster.models import Media, metadata
from contentcaster.security.permissions import SYSTEM
from contentcaster.security.sealed_file import MIN_PASSPHRASE_CHARACTERS, SealedWriter
from contentcaster.security.vault import create_vault
from contentcaster.services import audit

LEFT_OUT = ("worker", "leader_lease", "sign_in_throttle", "one_time_token", "post_words")
"""About processes and tries of the moment: of no use later, and used-up links must not come alive again. Words for
searching are made anew by the database as the posts come in."""
MANIFEST = "manifest.json"
_ROWS_PER_PART = 2000


@dataclass(frozen=True)
class Manifest:
    version: str
    revision: str
    """The migration that the tables are at."""
    made_at: str
    """Before the first row was read, in ISO 8601: what was unsent then had not been sent before it."""
    key_ids: list[str]
    """Names of the keys in ENCRYPTION_KEYS that are needed to open what is sealed in it."""


@dataclass(frozen=True)
class BackupReport:
    rows: int
    media_files: int
    missing_media: list[str]
    """Pictures that the tables name and the folder does not hold."""
    size_bytes: int
    key_ids: list[str]


def check_passphrase(passphrase: str) -> str:
    """The passphrase, if it is long enough.

    Raises:
        InvalidInput: it is short.
    """
    if len(passphrase) < MIN_PASSPHRASE_CHARACTERS:
        raise InvalidInput(
            f"Use a passphrase of {MIN_PASSPHRASE_CHARACTERS} characters or more; it is all that protects the file."
        )
    return passphrase


def write_backup(database: Database, path: Path, passphrase: str) -> BackupReport:
    """Write everything into one file while the product runs: the tables as they were at one moment.

    Raises:
        InvalidInput: a short passphrase.
        Conflict: the file exists.
        OSError: it cannot be written.
    """
    check_passphrase(passphrase)
    if path.exists():
        raise Conflict(f"{path} exists already. Choose another name; a backup never overwrites one.")
    unfinished = path.with_name(path.name + ".part")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            report = _write(database, file, passphrase)
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    with database.transaction() as session:
        details = {"rows": report.rows, "media_files": report.media_files}
        audit.record(session, SYSTEM, "backup.made", details=details)
    return BackupReport(**(asdict(report) | {"size_bytes": size}))


def _write(database: Database, file: BinaryIO, passphrase: str) -> BackupReport:
    sealed = SealedWriter(file, passphrase)
    key_ids = list(create_vault(database.settings).key_ids)
    # Lightly: rows shrink well anyway, and pictures are compressed already.
    packed = gzip.GzipFile(fileobj=cast("BinaryIO", sealed), mode="wb", compresslevel=3, mtime=0)
    with packed, tarfile.open(fileobj=packed, mode="w|") as archive:
        made_at = utc_now()
        with _snapshot(database) as connection:
            revision = migrations.current_revision(connection) or ""
            manifest = Manifest(__version__, revision, made_at.isoformat(), key_ids)
            _add(archive, MANIFEST, json.dumps(asdict(manifest)).encode())
            rows = sum(_write_table(archive, connection, table) for table in tables())
            names = connection.execute(select(Media.storage_key)).scalars().all()
        # After the transaction: pictures never change, and a long one would hold up the database's cleaning.
        folder = database.settings.data_dir / "media"
        # What is still being written (a dot before its name) belongs to no row yet.
        whole = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
        files = {path.relative_to(folder).as_posix(): path for path in whole}
        for name, path in sorted(files.items()):
            archive.add(path, arcname=f"media/{name}", recursive=False, filter=_anonymous)
    sealed.close()
    return BackupReport(rows, len(files), sorted(set(names) - files.keys()), 0, key_ids)


def tables() -> list[Table]:
    """The tables that a backup holds, those first that others point to."""
    return [table for table in metadata.sorted_tables if table.name not in LEFT_OUT]


def _snapshot(database: Database) -> Connection:
    """Everything read through it is of one moment, whoever writes meanwhile."""
    level = {"isolation_level": "REPEATABLE READ"} if database.is_postgres else {}
    return database.engine.connect().execution_options(**level)


def _write_table(archive: tarfile.TarFile, connection: Connection, table: Table) -> int:
    count = 0
    for number, part in enumerate(_parts(connection, table), start=1):
        _add(archive, f"tables/{table.name}/{number:06}.jsonl", b"\n".join(part))
        count += len(part)
    return count


def _parts(connection: Connection, table: Table) -> Iterator[list[bytes]]:
    statement = select(table).order_by(*table.primary_key.columns)
    with connection.execution_options(yield_per=_ROWS_PER_PART).execute(statement) as result:
        for rows in result.partitions():
            yield [_encode(dict(row._mapping)) for row in rows]


def _encode(row: dict[str, Any]) -> bytes:
    return json.dumps({name: _plain(value) for name, value in row.items()}, ensure_ascii=True).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, date):
        return value.isoformat()
    return value.value if isinstance(value, Enum) else value


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o600
    archive.addfile(entry, io.BytesIO(content))


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o600
    return entry
