"""From the arguments of a request to what goes over the wire: addresses judged, headers whole, nothing smuggled in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import h11
import httpx

from contentcaster import __version__
from contentcaster.security.egress_body import FileBody
from contentcaster.security.egress_connection import Origin
from contentcaster.security.egress_errors import EgressRefused
from contentcaster.security.egress_redaction import redact

USER_AGENT = f"ContentCaster/{__version__}"
SAFE_METHODS = ("GET", "HEAD")
_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+")


@dataclass(frozen=True, slots=True)
class Target:
    origin: Origin
    host_header: bytes
    path: bytes


def http_request(
    method: str, target: Target, headers: list[tuple[bytes, bytes]], body: bytes | FileBody
) -> h11.Request:
    all_headers = [(b"Host", target.host_header), (b"Accept-Encoding", b"identity"), *headers]
    names = {name.lower() for name, _ in headers}
    if b"user-agent" not in names:
        all_headers.append((b"User-Agent", USER_AGENT.encode()))
    if b"accept" not in names:
        all_headers.append((b"Accept", b"*/*"))
    if body or method not in SAFE_METHODS:
        all_headers.append((b"Content-Length", str(len(body)).encode()))
    try:
        return h11.Request(method=method, target=target.path, headers=all_headers)
    except h11.LocalProtocolError as error:
        raise EgressRefused("The request is not valid HTTP.", details=str(error)) from None


def parse_url(url: str) -> httpx.URL:
    try:
        return httpx.URL(url)
    except (httpx.InvalidURL, UnicodeError, ValueError) as error:
        raise EgressRefused("This is no web address.", details=redact(str(error))) from None


@lru_cache(maxsize=2048)
def parse_target(url: str) -> Target:
    parsed = parse_url(url)
    scheme, host = parsed.scheme, parsed.raw_host.decode("ascii").lower().rstrip(".")
    if scheme not in ("http", "https"):
        raise EgressRefused("A web address starts with https://.")
    if not _HOST.fullmatch(host) or parsed.userinfo:
        raise EgressRefused("The web address needs a host name, and no user name or password in it.")
    port = parsed.port or (443 if scheme == "https" else 80)
    if port > 65535:
        raise EgressRefused(f"There is no port {port}.")
    name = f"[{host}]" if ":" in host else host
    is_default = port == (443 if scheme == "https" else 80)
    return Target(
        Origin(scheme, host, port),
        (name if is_default else f"{name}:{port}").encode(),
        parsed.raw_path or b"/",
    )


def resolve_location(target: Target, location: str) -> str:
    base = f"{target.origin.scheme}://{target.host_header.decode()}{target.path.decode('ascii')}"
    return str(parse_url(base).join(location))


def joined_headers(headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
    joined: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined
