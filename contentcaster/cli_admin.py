"""What an operator does with keys and the audit log: `contentcaster keys ...`, `contentcaster audit ...`."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from contentcaster.cli_shared import EXIT_DATA, JsonFlag, fail, migrated_database

keys = typer.Typer(help="Keys that seal secrets at rest.", no_args_is_help=True)
audit = typer.Typer(help="The audit log.", no_args_is_help=True)


@audit.command("verify")
def verify_audit(
    expect: Annotated[
        str, typer.Option(help="The mark that an earlier check printed: the log must still contain it")
    ] = "",
    as_json: JsonFlag = False,
) -> None:
    """Check that no event was changed, removed, added or moved; exit 65 if one was."""
    from contentcaster.services import audit_chain

    with migrated_database().reading() as session:
        report = audit_chain.verify(session, expected_mark=expect.strip())
    if as_json:
        typer.echo(json.dumps(asdict(report) | {"mark": report.mark}))
        raise typer.Exit(EXIT_DATA if report.problem else 0)
    if report.problem:
        fail(f"The audit log is not intact. {report.problem}", EXIT_DATA)
    typer.echo(f"All {report.events} events are as they were written.")
    if report.older:
        typer.echo(f"{report.older} older events are from before the chain; nothing can be said about them.")
    typer.echo(f"Keep this mark elsewhere and give it next time with --expect: {report.mark}")


@keys.command("rotate")
def rotate_keys(as_json: JsonFlag = False) -> None:
    """Seal all stored secrets with the first key of ENCRYPTION_KEYS again; safe while everything runs."""
    from contentcaster.security import vault
    from contentcaster.settings import get_settings

    database = migrated_database()
    ring = vault.create_vault(get_settings())
    try:
        changed = vault.rotate(database, ring)
    except vault.SealBroken as error:
        fail(f"Stopped at a value that does not open: {error}", EXIT_DATA)
    if as_json:
        typer.echo(json.dumps({"key": ring.key_ids[0], "changed": changed}))
        return
    for name, count in changed.items():
        typer.echo(f"{name}: {count} sealed again")
    if len(ring.key_ids) > 1:
        old = ", ".join(ring.key_ids[1:])
        typer.echo(
            f"Everything is sealed with key {ring.key_ids[0]}. Once every process runs with it in front, "
            f"these may leave CONTENTCASTER_ENCRYPTION_KEYS: {old}. "
            "Backups made before need them: keep them where you keep the passphrase."
        )
