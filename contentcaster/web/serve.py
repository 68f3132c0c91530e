"""Serves console, websocket and REST from one process and one port, without Node."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from pathlib import Path

from granian.constants import Interfaces
from granian.server.embed import Server

from contentcaster.logs import configure_logging
from contentcaster.security.origins import allowed_origins
from contentcaster.settings import Settings
from contentcaster.web.build import BuildError, ensure_built
from contentcaster.web.toolchain import PROJECT_ROOT, WORK_DIR

DRAIN_SECONDS = 8.0
"""How long open requests may take after SIGTERM before the process ends anyway."""


def run_web(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; compiles the console first if its sources have changed.

    Ends the process with one clear line if the address is in use or the console cannot be compiled.
    """
    configure_logging(settings)  # redacts cookies and tokens, also in what Reflex logs
    require_free_address(settings)
    try:
        release = ensure_built()
    except BuildError as error:
        sys.exit(str(error))
    origins = allowed_origins(settings)
    prepare_reflex(release, origins, state_url=settings.console_redis_url)
    asyncio.run(_serve(settings, release, origins))


def require_free_address(settings: Settings) -> None:
    """End the process unless we may listen on HOST and PORT.

    Web processes that share their state share the port, too: the system spreads connections over them.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if settings.console_redis_url:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            sys.exit(
                f"Cannot listen on {settings.host}:{settings.port}: {error.strerror}. "
                "Stop what uses it, or choose another address with CONTENTCASTER_PORT and CONTENTCASTER_HOST."
            )


def prepare_reflex(release: Path, origins: list[str], *, state_url: str = "") -> None:
    """Set what Reflex reads from the environment and the current directory; must run before it is imported.

    With `state_url`, a Redis, what tabs show is kept there, and any web process can go on with any tab.

    The two names with double underscores are internal to Reflex 0.10 (its own `run` command sets them).
    """
    os.chdir(PROJECT_ROOT)
    if str(PROJECT_ROOT) not in sys.path:
        sys.path.insert(0, str(PROJECT_ROOT))
    for name in [name for name in os.environ if name.startswith(("REFLEX_", "__REFLEX_"))]:
        del os.environ[name]
    os.environ |= {
        "REFLEX_ENV_MODE": "prod",
        "__REFLEX_SKIP_COMPILE": "true",
        "__REFLEX_MOUNT_FRONTEND_COMPILED_APP": "true",
        "REFLEX_WEB_WORKDIR": str(release),
        "REFLEX_DIR": str(WORK_DIR / "reflex"),
        "REFLEX_CORS_ALLOWED_ORIGINS": ",".join(origins),
        "REFLEX_TELEMETRY_ENABLED": "false",
        "REFLEX_CHECK_LATEST_VERSION": "false",
        "REFLEX_USE_GRANIAN": "true",
        # Reflex works out a folder below it at import; in a container there may be no home.
        "HOME": os.environ.get("HOME", str(WORK_DIR)),
    }
    if state_url:
        os.environ |= {"REFLEX_STATE_MANAGER_MODE": "redis", "REFLEX_REDIS_URL": state_url}


async def _serve(settings: Settings, release: Path, origins: list[str]) -> None:
    from contentcaster.web.asgi import create_app  # noqa: PLC0415 - imports Reflex, which `prepare_reflex` comes before

    server = Server(
        create_app(settings, release, origins),
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        backlog=1024,
        websockets=True,
        log_enabled=False,
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop, server, loop)
    logging.getLogger(__name__).info("console on %s", settings.effective_public_url)
    await server.serve()


def _stop(server: object, loop: asyncio.AbstractEventLoop) -> None:
    # Idle websockets must not hold the process back; what was committed is safe, what was not is repeated.
    loop.call_later(DRAIN_SECONDS, os._exit, 0)
    server.stop()  # type: ignore[attr-defined]
