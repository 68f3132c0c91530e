"""The REST application: routes, errors, headers, and its own description at /api/openapi.json."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI

from contentcaster import __version__
from contentcaster.api import (
    docs_page,
    middleware,
    openapi,
    problems,
    routes_accounts,
    routes_analytics,
    routes_analytics_sharing,
    routes_api_keys,
    routes_assistant,
    routes_audit,
    routes_auth,
    routes_bots,
    routes_browser,
    routes_bulk,
    routes_failed_tasks,
    routes_health,
    routes_imports,
    routes_invitations,
    routes_jobs,
    routes_labels,
    routes_media,
    routes_missed,
    routes_notifications,
    routes_oauth,
    routes_platforms,
    routes_posts,
    routes_queues,
    routes_series,
    routes_sessions,
    routes_shared,
    routes_slots,
    routes_snippets,
    routes_users,
    routes_webhooks,
)
from contentcaster.api.health import HealthMonitor
from contentcaster.api.rate_limit import Limits
from contentcaster.db import Database
from contentcaster.security.keys import key_ring
from contentcaster.security.sessions import is_https
from contentcaster.security.vault import create_vault
from contentcaster.settings import get_settings

_DESCRIPTION = """\
Everything the console does, for programs. Get a token from `POST /api/v1/auth/token` and send it as
`Authorization: Bearer ...`. Times are RFC 3339. Errors are problem+json (RFC 9457). Lists are paged by `cursor`.
"""


def create_api() -> FastAPI:
    """Build the application for this process's settings and database.

    Raises:
        SettingsError: SECRET_KEY or ENCRYPTION_KEYS cannot be used.
    """
    settings = get_settings()
    key_ring(settings, "jwt")
    create_vault(settings)
    app = FastAPI(
        title="ContentCaster",
        version=__version__,
        description=_DESCRIPTION,
        openapi_url="/api/openapi.json",
        docs_url=None,  # FastAPI's page loads scripts from another host
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.health = HealthMonitor(Database(settings, pool_size=1))
    app.state.limits = Limits()
    problems.install(app)
    openapi.install(app)
    # The last one added is the outermost.
    app.add_middleware(middleware.BodyLimit, settings=settings)
    app.add_middleware(middleware.ErrorBoundary)
    app.add_middleware(middleware.SecurityHeaders, is_https=is_https(settings))
    app.add_middleware(middleware.Trace)
    for router in (
        routes_browser.router,
        routes_media.browser_router,
        routes_oauth.browser_router,
        routes_health.router,
        routes_shared.router,
        docs_page.router,
    ):
        app.include_router(router)
    app.include_router(_version_1())
    return app


def _version_1() -> APIRouter:
    router = APIRouter(prefix="/api/v1")
    for module in (
        routes_auth,
        routes_api_keys,
        routes_slots,
        routes_series,
        routes_bulk,
        routes_imports,  # before the posts: /posts/export is no post's address
        routes_posts,
        routes_labels,
        routes_snippets,
        routes_accounts,
        routes_platforms,
        routes_oauth,
        routes_media,
        routes_failed_tasks,
        routes_missed,
        routes_queues,
        routes_jobs,
        routes_bots,
        routes_analytics,
        routes_analytics_sharing,
        routes_notifications,
        routes_assistant,
        routes_users,
        routes_invitations,
        routes_sessions,
        routes_audit,
        routes_webhooks,
    ):
        router.include_router(module.router)
    router.include_router(routes_snippets.accounts_router)
    return router
