"""What the commands share: the database ready to use, and how they end when something is wrong."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from contentcaster.settings import Settings, SettingsError, get_settings

if TYPE_CHECKING:
    from contentcaster.db import Database

EXIT_DATA = 65  # sysexits.h EX_DATAERR
EXIT_SETTINGS = 78  # EX_CONFIG
EXIT_UNAVAILABLE = 69  # EX_UNAVAILABLE

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON object, for scripts.")]


def settings_or_exit() -> Settings:
    try:
        return get_settings()
    except SettingsError as error:
        fail(str(error), EXIT_SETTINGS)


def fail(message: str, code: int = 1) -> NoReturn:
    typer.secho(message, fg="red", err=True)
    raise typer.Exit(code)


def load_huey(settings: Settings) -> None:
    """Import Huey without the drivers that this installation does not use: by itself it loads them all, for 25 MB."""
    used = {"redis": bool(settings.redis_url), "psycopg": settings.is_postgres}
    left_out = [name for name, is_used in used.items() if not is_used and name not in sys.modules]
    for name in left_out:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        import huey  # noqa: F401
    finally:
        for name in left_out:
            del sys.modules[name]


def reachable_database() -> Database:
    from contentcaster.db import get_database
    from contentcaster.errors import Unavailable
    from contentcaster.logs import configure_logging

    settings = settings_or_exit()
    configure_logging(settings)
    database = get_database()
    try:
        database.ping()
    except Unavailable as error:
        fail(f"{error.message} ({error.details})", EXIT_UNAVAILABLE)
    return database


def migrated_database() -> Database:
    from contentcaster import migrations

    database = reachable_database()
    if not migrations.is_usable(database):
        fail("The database is at an earlier version. Run `contentcaster migrate` first.", EXIT_UNAVAILABLE)
    return database
