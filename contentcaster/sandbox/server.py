"""Starts and stops the sandbox network: `start_sandbox` inside an event loop, `run_sandbox` as a process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import sys
from dataclasses import dataclass

from aiohttp import web

from . import routes
from .control import POPULATION
from .faults import Faults
from .gateway import FAULTS, LIMITS, NETWORK, Limits, gateway
from .network import Network
from .population import PopulationPlan
from .population_life import Population
from .settings import SandboxSettings

log = logging.getLogger(__name__)
_MAX_BODY_BYTES = 105 * 1024 * 1024

__all__ = ["RunningSandbox", "SandboxSettings", "run_sandbox", "start_sandbox"]


@dataclass(slots=True)
class RunningSandbox:
    """A sandbox network that is listening."""

    base_url: str
    port: int
    network: Network
    faults: Faults
    population: Population
    _runner: web.AppRunner
    _flusher: asyncio.Task[None]

    async def stop(self) -> None:
        """Close the connections, write what is not yet on disk, and free the port."""
        self.network.stopping = True
        await self.population.stop()
        await self._runner.cleanup()
        self._flusher.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._flusher
        await self.network.store.close()


async def start_sandbox(settings: SandboxSettings) -> RunningSandbox:
    """Listen on the host and port of the settings; raises OSError when the port is taken."""
    network = Network(settings)
    listener = socket.create_server((settings.host, settings.port), backlog=1024, reuse_port=False)
    port = int(listener.getsockname()[1])
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    local_url = f"http://{host}:{port}"
    network.base_url = (settings.public_url or local_url).rstrip("/")
    app = web.Application(middlewares=[gateway], client_max_size=_MAX_BODY_BYTES)
    app[NETWORK], app[FAULTS], app[LIMITS] = network, Faults(network), Limits()
    app[POPULATION] = Population(network)
    routes.add_routes(app)
    runner = web.AppRunner(
        app, access_log=None, handle_signals=False, shutdown_timeout=2.0, keepalive_timeout=75.0
    )
    await runner.setup()
    await web.SockSite(runner, listener, backlog=1024).start()
    if settings.population:
        app[POPULATION].start(PopulationPlan(people=settings.population, posts=settings.population * 5))
    flusher = asyncio.create_task(network.store.run())
    return RunningSandbox(local_url, port, network, app[FAULTS], app[POPULATION], runner, flusher)


def run_sandbox(settings: SandboxSettings) -> None:
    """Serve until SIGTERM or SIGINT; prints one line with the address once it listens."""
    asyncio.run(_run(settings))


async def _run(settings: SandboxSettings) -> None:
    running = await start_sandbox(settings)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    where = f", kept in {settings.data_path}" if settings.data_path else ", in memory only"
    sys.stdout.write(f"Sandbox network at {running.base_url}{where}\n")
    sys.stdout.flush()
    try:
        await stopped.wait()
    finally:
        await running.stop()
