"""Reflex's configuration. What depends on the deployment (origins, Redis) is set by contentcaster.web.serve."""

from typing import Any

import reflex as rx


class LeanRadix(rx.plugins.RadixThemesPlugin):
    """Radix Themes without its whole namespace in every page.

    Reflex bundles that for components that are made at run time by evaluating text, which our CSP forbids; the parts
    that pages really use are imported by their own modules.
    """

    def get_frontend_dependencies(self, **_context: Any) -> tuple[str, ...]:
        return ()


config = rx.Config(
    app_name="contentcaster",
    # Baked into the compiled files and replaced there by location.origin (contentcaster.web.postprocess).
    api_url="http://console.invalid",
    telemetry_enabled=False,
    show_built_with_reflex=False,
    # Replaced at start by the exact origins of this installation; never "*".
    cors_allowed_origins=["http://127.0.0.1:8000"],
    state_manager_mode="memory",
    frontend_compression_formats=["brotli", "gzip"],
    # Truth lives in the database and the cookie: a tab that was away longer reads its page anew.
    redis_token_expiration=900,
    plugins=[
        LeanRadix(
            theme=rx.theme(accent_color="iris", gray_color="slate", radius="medium", has_background=False)
        )
    ],
    disable_plugins=[rx.plugins.SitemapPlugin],
)
