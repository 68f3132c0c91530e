"""The drawings of the pages: avatars of initials, the header, the icon."""

from __future__ import annotations

import html

from aiohttp import web

from .gateway import NETWORK
from .page_parts import hue, initials

_NAMESPACE = 'xmlns="http://www.w3.org/2000/svg"'
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
_HUES = (
    "#5b5bd6", "#8e4ec6", "#c2298a", "#d13415", "#b35309", "#7a6a00", "#3d7a1f", "#0d7f5f", "#0e7490", "#1570c7",
    "#4b63c9", "#7d5a50",
)  # fmt: skip


def _svg(*parts: str) -> web.Response:
    headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "max-age=3600"}
    return web.Response(text="".join(parts), content_type="image/svg+xml", headers=headers)


async def avatar(request: web.Request) -> web.Response:
    account = request.app[NETWORK].account_named(request.match_info["name"])
    colour, letters = (_HUES[hue(account)], html.escape(initials(account))) if account else ("#888", "?")
    return _svg(
        f'<svg {_NAMESPACE} viewBox="0 0 96 96"><rect width="96" height="96" fill="{colour}"/>',
        '<text x="48" y="60" text-anchor="middle" font-family="system-ui,sans-serif" font-size="36" ',
        f'font-weight="600" fill="#fff">{letters}</text></svg>',
    )


async def header(request: web.Request) -> web.Response:
    return _svg(
        f'<svg {_NAMESPACE} viewBox="0 0 1500 500"><defs><linearGradient id="g"><stop stop-color="#d97706"/>',
        '<stop offset="1" stop-color="#f59e0b"/></linearGradient></defs>',
        '<rect width="1500" height="500" fill="url(#g)"/></svg>',
    )


async def icon(request: web.Request) -> web.Response:
    return _svg(
        f'<svg {_NAMESPACE} viewBox="0 0 32 32"><defs><linearGradient id="g" x2="1" y2="1">',
        '<stop stop-color="#d97706"/><stop offset="1" stop-color="#f59e0b"/></linearGradient></defs>',
        '<rect width="32" height="32" rx="9" fill="url(#g)"/><path d="M8 21c2-5 4-5 6-2s4 3 6-1 3-3 4-2" ',
        'fill="none" stroke="#fff" stroke-width="2.6" stroke-linecap="round"/>',
        '<circle cx="21" cy="10.5" r="2.6" fill="#fff"/></svg>',
    )
