"""The ASGI application of the web process: REST and console behind one port."""

from __future__ import annotations

from pathlib import Path

from reflex_base.config import get_config
from reflex_base.constants import StateManagerMode
from starlette.types import ASGIApp

from contentcaster.settings import Settings
from contentcaster.web.access_log import AccessLog
from contentcaster.web.headers import ConsoleHeaders


class ForeignConfiguration(Exception):
    """Reflex did not read our rxconfig.py; on its defaults it would accept every origin."""


def create_app(settings: Settings, release: Path, origins: list[str]) -> ASGIApp:
    """Build the application that serves the compiled console in `release`.

    Raises:
        ForeignConfiguration: Reflex runs on another configuration than this project's.
    """
    refuse_foreign_configuration(origins, is_shared=bool(settings.console_redis_url))
    # Only now: Reflex's configuration is checked first, and the queues read the settings when imported.
    from contentcaster.contentcaster import app  # noqa: PLC0415
    from tasks.runtime import connect_hints  # noqa: PLC0415

    connect_hints()

    is_https = settings.effective_public_url.startswith("https://")
    return AccessLog(ConsoleHeaders(app(), release=release, origins=origins, is_https=is_https))


def refuse_foreign_configuration(origins: list[str], *, is_shared: bool = False) -> None:
    """Fail closed unless Reflex runs with our app, exactly these origins, and keeps tabs' state where it should."""
    config = get_config()
    kept = StateManagerMode.REDIS if is_shared else StateManagerMode.MEMORY
    is_ours = config.app_name == "contentcaster" and StateManagerMode(config.state_manager_mode) is kept
    if not is_ours or list(config.cors_allowed_origins) != origins:
        raise ForeignConfiguration(
            "Reflex did not load this project's rxconfig.py with the origins of this installation; refusing to serve."
        )
