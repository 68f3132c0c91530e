"""Ways to use the sandbox network from synchronous code: a thread that serves it, and a client for its controls."""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType
from typing import Any

import httpx

from .server import RunningSandbox, start_sandbox
from .settings import SandboxSettings


class SandboxControl:
    """The control calls of a running sandbox, wherever it runs. Raises httpx.HTTPStatusError on a refusal."""

    def __init__(self, base_url: str) -> None:
        self.http = httpx.Client(base_url=base_url, timeout=30, trust_env=False)

    def close(self) -> None:
        self.http.close()

    def _call(self, method: str, path: str, **more: Any) -> Any:
        response = self.http.request(method, path, **more)
        response.raise_for_status()
        return response.json()

    def account(self, handle: str, **more: Any) -> dict[str, Any]:
        """Create an account, or answer the credentials of the one that has this handle."""
        return dict(self._call("POST", "/sandbox/accounts", json={"handle": handle, **more}))

    def fault(self, kind: str, match: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
        """Add a fault; `times`, `probability`, `seed` and `params` as documented in `settings.FAULT_KINDS`."""
        return dict(self._call("POST", "/sandbox/faults", json={"kind": kind, "match": match or {}, **more}))

    def clear_faults(self) -> None:
        self._call("DELETE", "/sandbox/faults")

    def config(self, **changes: Any) -> dict[str, Any]:
        return dict(self._call("POST", "/sandbox/config", json=changes))

    def requests(self, **query: Any) -> list[dict[str, Any]]:
        return list(self._call("GET", "/sandbox/requests", params=query)["requests"])

    def ledger(self, **query: Any) -> dict[str, Any]:
        return dict(self._call("GET", "/sandbox/ledger", params=query))

    def posts(self, account: str | None = None) -> list[dict[str, Any]]:
        """The posts and replies that are visible now."""
        query = {"account": account} if account else {}
        effects = self.ledger(**query)["effects"]
        return [e for e in effects if e["visible"] and e["kind"] in ("post", "reply")]

    def population(self, **plan: Any) -> dict[str, Any]:
        """Make generated people, see `population.PopulationPlan` for the fields."""
        return dict(self._call("POST", "/sandbox/population", json=plan))

    def stats(self) -> dict[str, Any]:
        return dict(self._call("GET", "/sandbox/stats"))

    def reset(self, keep_accounts: bool = False) -> None:
        self._call("POST", "/sandbox/reset", json={"keep_accounts": keep_accounts})


class SandboxThread:
    """A sandbox network on a thread of this process, for tests and benches: `with SandboxThread() as sandbox:`."""

    def __init__(self, settings: SandboxSettings | None = None) -> None:
        self.settings = settings or SandboxSettings()
        self.running: RunningSandbox
        self.control: SandboxControl
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sandbox", daemon=True)

    @property
    def base_url(self) -> str:
        return self.running.base_url

    def __enter__(self) -> SandboxThread:
        self._thread.start()
        try:
            self.running = asyncio.run_coroutine_threadsafe(start_sandbox(self.settings), self._loop).result(
                20
            )
        except BaseException:
            self._end_loop()
            raise
        self.control = SandboxControl(self.base_url)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.control.close()
        asyncio.run_coroutine_threadsafe(self.running.stop(), self._loop).result(20)
        self._end_loop()

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)
        self._loop.close()
