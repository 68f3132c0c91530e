"""The `contentcaster` command: start the product, and what an operator does by hand.

Heavy imports stand inside the commands on purpose: `--help` and the supervisor of `up` stay small and quick.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from contentcaster import cli_admin, cli_backup
from contentcaster.cli_shared import (
    EXIT_UNAVAILABLE,
    JsonFlag,
    fail,
    load_huey,
    migrated_database,
    reachable_database,
    settings_or_exit,
)
from contentcaster.settings import QUEUES

app = typer.Typer(
    name="contentcaster",
    help="ContentCaster: a self-hosted social publishing console. Nothing lost, nothing doubled, to the second.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

app.add_typer(cli_admin.keys, name="keys")
app.add_typer(cli_admin.audit, name="audit")
app.command()(cli_backup.backup)
app.command()(cli_backup.restore)


@app.command()
def up() -> None:
    """Start everything: web console, workers and, in the simulation, the sandbox network."""
    from contentcaster.supervisor import run_everything

    sys.exit(run_everything(settings_or_exit()))


@app.command()
def web(is_preparing: Annotated[bool, typer.Option("--prepare", hidden=True)] = False) -> None:
    """Start the web console and the REST API."""
    from contentcaster.supervisor import EXIT_NOT_PREPARED, prepare
    from contentcaster.web.serve import run_web

    settings = settings_or_exit()
    if not is_preparing:
        migrated_database()
    elif (problem := prepare()) is not None:
        fail(problem, EXIT_NOT_PREPARED)
    load_huey(settings)
    run_web(settings)


@app.command()
def worker(
    queues: Annotated[list[str] | None, typer.Argument(help=f"Of: {', '.join(QUEUES)}")] = None,
    shards: Annotated[
        list[int] | None,
        typer.Option("--shard", help="Read only this shard of the publish queue (from 0); may be repeated"),
    ] = None,
) -> None:
    """Run the queues in this process: all of them, or those named."""
    unknown = [queue for queue in queues or () if queue not in QUEUES]
    if unknown:
        fail(f"There is no queue called {unknown[0]}; there are: {', '.join(QUEUES)}", 2)
    count = max(1, len(settings_or_exit().publish_shards))
    if any(not 0 <= shard < count for shard in shards or ()):
        fail(f"The publish queue has {count} shard{'s' if count > 1 else ''}, numbered from 0.", 2)
    migrated_database()
    load_huey(settings_or_exit())
    from tasks.embedded import run_worker

    run_worker(queues or QUEUES, shards=shards or ())


@app.command()
def sandbox(
    host: str = "127.0.0.1",
    port: Annotated[int | None, typer.Option(help="Default: CONTENTCASTER_SANDBOX_PORT")] = None,
    data: Annotated[
        Path | None, typer.Option(help="File that keeps its posts; default: in the data dir")
    ] = None,
) -> None:
    """Start the sandbox network alone: it speaks the Mastodon API and the AT Protocol."""
    from contentcaster.logs import configure_logging
    from contentcaster.sandbox.server import SandboxSettings, run_sandbox

    settings = settings_or_exit()
    configure_logging(settings)
    run_sandbox(
        SandboxSettings(
            host=host,
            port=port or settings.sandbox_port,
            data_path=data or settings.data_dir / "sandbox.sqlite",
        )
    )


@app.command()
def migrate(as_json: JsonFlag = False) -> None:
    """Bring the database to the version that this code expects."""
    from contentcaster import migrations

    before, after = migrations.upgrade(reachable_database())
    if as_json:
        typer.echo(json.dumps({"before": before, "after": after}))
    elif before == after != migrations.head():
        typer.echo(f"A newer version has migrated the database already ({after}); this one works with it.")
    elif before == after:
        typer.echo(f"The database is up to date ({after}).")
    else:
        typer.echo(f"Migrated from {before or 'nothing'} to {after}.")


@app.command()
def recover(as_json: JsonFlag = False) -> None:
    """Run one pass of the reconciler by hand and print what it did."""
    from contentcaster.engine.policy import Policy
    from contentcaster.engine.reconciler import reconcile

    database = migrated_database()
    from tasks.runtime import connect_hints

    connect_hints()
    done = asdict(reconcile(database, Policy.from_settings(settings_or_exit()), worker="recover"))
    if as_json:
        typer.echo(json.dumps(done))
    elif any(done.values()):
        for name, count in done.items():
            if count:
                typer.echo(f"{name.replace('_', ' ')}: {count}")
    else:
        typer.echo("Nothing to recover: no lapsed lease, no lost hint, nothing missed.")


@app.command()
def doctor(as_json: JsonFlag = False) -> None:
    """Look at everything that publishing needs, and say what to do where it is not well; exit 1 if something is bad."""
    from contentcaster.db import get_database
    from contentcaster.doctor import examine
    from contentcaster.logs import configure_logging

    settings = settings_or_exit()
    configure_logging(settings)
    findings = examine(settings, get_database())
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings]))
    else:
        for finding in findings:
            color = {"ok": "green", "warn": "yellow", "bad": "red"}[finding.level]
            typer.echo(typer.style(f"{finding.level:5}", fg=color) + f"{finding.check:12}{finding.sentence}")
    if any(finding.level == "bad" for finding in findings):
        raise typer.Exit(1)


@app.command(hidden=True)
def probe(part: Annotated[str, typer.Argument(help="web or worker")]) -> None:
    """Exit 0 if the web process or a worker of this host is well: the health check of a container."""
    import socket
    import urllib.request

    from sqlmodel import col, select

    from contentcaster.clock import utc_now
    from contentcaster.engine.heartbeat import ALIVE_SECONDS
    from contentcaster.models import Worker

    if part == "web":
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{settings_or_exit().port}/readyz", timeout=4):
                return
        except OSError as error:
            fail(f"The web process is not ready: {error}")
    with reachable_database().reading() as session:
        newest = session.exec(
            select(Worker.heartbeat_at)
            .where(Worker.hostname == socket.gethostname(), col(Worker.stopped_at).is_(None))
            .order_by(col(Worker.heartbeat_at).desc())
        ).first()
    if newest is None or (utc_now() - newest).total_seconds() > ALIVE_SECONDS:
        fail("No worker of this host has been heard of lately.")


@app.command()
def demo(
    year: Annotated[
        bool, typer.Option("--year", help="Also a made-up year of published posts, for Analytics")
    ] = False,
) -> None:
    """Fill the simulation with something to look at: three sandbox channels and posts in many states."""
    import asyncio

    from sqlmodel import select

    from contentcaster.errors import ContentCasterError
    from contentcaster.models import Role, User
    from contentcaster.security.permissions import Principal
    from contentcaster.services.demo import create_demo
    from tasks.runtime import connect_hints

    database = migrated_database()
    with database.reading() as session:
        admin = session.exec(select(User).where(User.role == Role.ADMIN, User.is_active)).first()
    if admin is None:
        fail("There is no admin yet. Open the link that `contentcaster up` printed, or run create-admin.")
    connect_hints()
    principal = Principal(
        user_id=admin.id, email=admin.email, name=admin.name, role=admin.role, timezone=admin.timezone
    )
    try:
        made = asyncio.run(create_demo(database, principal))
    except ContentCasterError as error:
        fail(error.message, EXIT_UNAVAILABLE)
    if year:
        from contentcaster.services.analytics_demo import create_year_on_sandbox

        typer.echo(
            f"{create_year_on_sandbox(database, admin.id)} published posts of the last year were made up."
        )
    typer.echo(f"{len(made)} posts were written; look at {settings_or_exit().effective_public_url}")


@app.command("create-admin")
def create_admin(
    email: Annotated[str, typer.Option(help="The admin's e-mail address")],
    name: str = "",
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from stdin")
    ] = False,
) -> None:
    """Create an admin, or give an existing account the admin role and a new password."""
    from contentcaster.errors import ContentCasterError
    from contentcaster.services import setup

    database = migrated_database()
    if password_stdin:
        password = sys.stdin.readline().rstrip("\n")
    else:
        password = typer.prompt("Password (12 characters or more)", hide_input=True, confirmation_prompt=True)
    try:
        setup.create_admin(database, email=email, password=password, name=name)
    except ContentCasterError as error:
        fail(error.message)
    typer.echo(f"{email} can sign in as Admin.")


if __name__ == "__main__":
    app()
