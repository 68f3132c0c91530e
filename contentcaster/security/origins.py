"""Which pages may send us forms, and which clients may tell us whose request they pass on."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from contentcaster.settings import Settings


def allowed_origins(settings: Settings) -> list[str]:
    """The exact origins of this installation: the public address, and loopback at our own port."""
    loopback = [f"http://127.0.0.1:{settings.port}", f"http://localhost:{settings.port}"]
    public = urlsplit(settings.effective_public_url)
    return list(dict.fromkeys([f"{public.scheme}://{public.netloc}", *loopback]))


def is_own_origin(settings: Settings, origin: str | None) -> bool:
    """Whether a browser's Origin header names a page of ours; missing and "null" do not."""
    return origin is not None and origin in allowed_origins(settings)


def client_ip(settings: Settings, peer: str, forwarded_for: str) -> str:
    """Whose request it is: the peer, or what a trusted proxy says, read from the right.

    X-Forwarded-For is anybody's to write, so only entries added by the proxies of TRUSTED_PROXIES count.
    """
    address = peer
    for entry in reversed([part.strip() for part in forwarded_for.split(",") if part.strip()]):
        if not _is_trusted(settings, address):
            break
        address = entry
    return address[:64]


def _is_trusted(settings: Settings, address: str) -> bool:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(ip in ipaddress.ip_network(network, strict=False) for network in settings.trusted_proxies)


def local_path(target: str, *, default: str = "/") -> str:
    """`target` if it is a path on this site, else `default`; never a way to another site."""
    is_plain = all(character.isprintable() and character not in "\\ " for character in target)
    if not target.startswith("/") or target.startswith("//") or not is_plain or len(target) > 1000:
        return default
    parts = urlsplit(target)
    return default if parts.scheme or parts.netloc else target
