"""`contentcaster backup FILE` and `contentcaster restore FILE`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from contentcaster.cli_shared import EXIT_DATA, JsonFlag, fail, migrated_database
from contentcaster.settings import get_settings

PassphraseFlag = Annotated[
    bool,
    typer.Option(
        "--passphrase-stdin",
        help="Read the passphrase from stdin; else CONTENTCASTER_BACKUP_PASSPHRASE is used",
    ),
]


def backup(file: Path, passphrase_stdin: PassphraseFlag = False, as_json: JsonFlag = False) -> None:
    """Write all tables and pictures into one encrypted file, while everything runs."""
    from contentcaster.errors import ContentCasterError
    from contentcaster.services.backup import write_backup

    database = migrated_database()
    try:
        report = write_backup(database, file, _passphrase(passphrase_stdin, is_new=True))
    except ContentCasterError as error:
        fail(error.message)
    except OSError as error:
        fail(f"{file} cannot be written: {error.strerror}")
    if as_json:
        typer.echo(json.dumps(asdict(report)))
        return
    typer.echo(f"{file}: {report.rows} rows, {report.media_files} pictures, {report.size_bytes} bytes.")
    for name in report.missing_media:
        typer.secho(
            f"The picture {name} is missing on this server and so in the backup.", fg="yellow", err=True
        )
    typer.echo(
        "CONTENTCASTER_ENCRYPTION_KEYS and CONTENTCASTER_SECRET_KEY are not in it, on purpose. Keep them, and the "
        f"passphrase, apart from it: without key {report.key_ids[0]!r} it cannot be restored."
    )


def restore(
    file: Path,
    passphrase_stdin: PassphraseFlag = False,
    force: Annotated[bool, typer.Option("--force", help="Throw away what the database holds")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Put a backup back: publishing starts paused, and what was due since is looked up before anything is sent."""
    from contentcaster.errors import ContentCasterError
    from contentcaster.services.restore import restore_backup

    database = migrated_database()
    try:
        report = restore_backup(database, file, _passphrase(passphrase_stdin, is_new=False), is_forced=force)
    except ContentCasterError as error:
        fail(error.message, EXIT_DATA)
    except OSError as error:
        fail(f"{file} cannot be read: {error.strerror}")
    if as_json:
        typer.echo(json.dumps(asdict(report) | {"made_at": report.made_at.isoformat()}))
        return
    typer.echo(
        f"Restored the backup of {report.made_at:%Y-%m-%d %H:%M} UTC: "
        f"{report.rows} rows, {report.media_files} pictures.\n\n"
        "Nothing is sent yet: all queues that reach out are paused. What to do next:\n"
        "  1. contentcaster audit verify\n"
        "  2. contentcaster up    (or start web and workers as usual)\n"
        f"  3. {report.in_doubt} posts and acts were due since the backup. Each is looked up on its network now; what\n"
        "     cannot be told waits for you under Failed tasks.\n"
        f"  4. {report.still_to_come} are still to come. Was one of them moved to an earlier time, or sent by hand,\n"
        "     after the backup? The backup cannot know: cancel it.\n"
        f"  5. {report.open_failed_tasks} failed tasks are open as they were then. Some may be settled by now: look\n"
        "     on the network before you retry one.\n"
        f"  6. Everybody has to sign in again. {report.api_keys} API keys work as they did then, also those revoked\n"
        "     since: revoke them again. Passwords, roles and two-factor sign-in are as then, too.\n"
        "  7. Queues > Resume: publish first, the bots' queues when you are sure."
    )


def _passphrase(is_on_stdin: bool, *, is_new: bool) -> str:
    if is_on_stdin:
        return sys.stdin.readline().rstrip("\n")
    given = get_settings().backup_passphrase.get_secret_value()
    return given or str(typer.prompt("Passphrase", hide_input=True, confirmation_prompt=is_new))
