"""For supervisors and Prometheus: alive, ready, and numbers."""

from __future__ import annotations

import hmac
import ipaddress

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from contentcaster.api import metrics
from contentcaster.api.deps import DatabaseDep, SettingsDep
from contentcaster.api.health import GONE_SECONDS, HealthMonitor
from contentcaster.errors import NotFound
from contentcaster.settings import Settings

router = APIRouter(include_in_schema=False)


@router.get("/healthz")
async def healthz(request: Request) -> JSONResponse:
    """200 while this process works; 503 once the database has been gone for a minute."""
    if await _monitor(request).is_alive():
        return JSONResponse({"status": "alive"})
    detail = f"The database has not answered for {GONE_SECONDS:.0f} seconds; start this process again."
    return JSONResponse({"status": "failing", "detail": detail}, 503)


@router.get("/readyz")
async def readyz(request: Request) -> JSONResponse:
    """200 while requests can be answered; without Redis degraded but ready."""
    health = await _monitor(request).read()
    body = {
        "status": "ready" if health.is_ready else "unavailable",
        "degraded": not (health.is_ready and health.is_queue_fine and health.is_console_fine),
        "database": "ok" if health.is_database_fine else "down",
        "queue": "ok" if health.is_queue_fine else "down",
        "detail": health.sentence,
    }
    if not health.is_console_fine:
        body["console"] = "down"
    headers = {} if health.is_ready else {"Retry-After": "5"}
    return JSONResponse(body, 200 if health.is_ready else 503, headers=headers)


@router.get("/metrics")
def read_metrics(request: Request, database: DatabaseDep, settings: SettingsDep) -> Response:
    """Prometheus text, for loopback, or for whoever holds METRICS_TOKEN if that is set."""
    if not _may_read_metrics(request, settings):
        raise NotFound("There is nothing at this address.")
    return PlainTextResponse(metrics.render(database), media_type=metrics.CONTENT_TYPE)


def _may_read_metrics(request: Request, settings: Settings) -> bool:
    expected = settings.metrics_token.get_secret_value()
    if expected:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), expected.encode())
    # Behind a reverse proxy on this machine everybody looks like loopback.
    is_passed_on = any(name in request.headers for name in ("x-forwarded-for", "forwarded", "x-real-ip"))
    return not is_passed_on and _is_loopback(request.client.host if request.client else "")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _monitor(request: Request) -> HealthMonitor:
    monitor = request.app.state.health
    assert isinstance(monitor, HealthMonitor)
    return monitor
