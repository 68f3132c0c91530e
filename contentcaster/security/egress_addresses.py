"""Which addresses an outgoing connection may go to: only global ones, unless the operator listed host:port.

A name is resolved once per connection and every answer is checked; the connection then goes to a checked address,
not to the name, so a second DNS answer (rebinding) has nothing to change. Odd spellings (0x7f.1, 2130706433)
need no parser of their own: the resolver turns them into an address, and that is what is judged.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from contentcaster.security.egress_errors import EgressNotSent, EgressRefused

Resolver = Callable[[str, int], Awaitable[list[str]]]
"""Name and port to the addresses behind it; raises OSError where there are none."""

_REUSE_SECONDS = 5.0
_NOT_GLOBAL = tuple(
    ipaddress.ip_network(network)
    for network in (
        # Python's is_global misses these, or judges them differently from release to release.
        "0.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT
        "192.0.0.0/24",
        "192.88.99.0/24",  # 6to4 relays
        "198.18.0.0/15",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/96",  # IPv4-compatible, deprecated
        "64:ff9b::/96",  # NAT64: the network decides what is behind it
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",  # Teredo, ORCHID and other special purposes
        "2001:db8::/32",
        "2002::/16",  # 6to4 carries an IPv4 address that nobody checked
        "3fff::/20",
        "5f00::/16",
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",  # site-local, deprecated
        "ff00::/8",
    )
)


def is_global_address(text: str) -> bool:
    """True if a public service can live at this IP address; anything unparsable is not."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            return False
        if address.ipv4_mapped is not None:
            return is_global_address(str(address.ipv4_mapped))
    if address.is_multicast or address.is_unspecified or address.is_reserved or not address.is_global:
        return False
    return not any(address in network for network in _NOT_GLOBAL if network.version == address.version)


async def system_resolver(host: str, port: int) -> list[str]:
    """The operating system's answer, in its order of preference."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@dataclass
class _Answer:
    asked_at: float
    addresses: asyncio.Task[list[str]]


class AddressGuard:
    """Resolves and judges. Concurrent questions for one name share one look-up, answers are kept for 5 s."""

    def __init__(self, allow: frozenset[str], resolver: Resolver = system_resolver) -> None:
        self._allow = frozenset(entry.strip().lower() for entry in allow)
        self._resolver = resolver
        self._answers: dict[tuple[str, int], _Answer] = {}

    def is_allowed_privately(self, host: str, port: int) -> bool:
        """Whether the operator listed this host:port: it may be private and may speak plain http."""
        name = f"[{host}]" if ":" in host else host
        return f"{name.lower()}:{port}" in self._allow

    async def addresses(self, host: str, port: int) -> list[str]:
        """Checked addresses to connect to, in order.

        Raises:
            EgressNotSent: the name has no address now.
            EgressRefused: one of its addresses is not global. One bad answer spoils all: an honest server has none.
        """
        try:
            found = await self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise EgressNotSent(f"The name {host} could not be found.", details=str(error)) from None
        if not found:
            raise EgressNotSent(f"The name {host} has no address.")
        if self.is_allowed_privately(host, port):
            return found
        for address in found:
            if not is_global_address(address):
                raise EgressRefused(
                    f"{host} does not lead to a public address, and private ones are off limits.",
                    details=f"{host}:{port} resolves to {address}; an operator can allow it with "
                    f"CONTENTCASTER_EGRESS_ALLOW={host}:{port}",
                )
        return found

    async def _resolve(self, host: str, port: int) -> list[str]:
        key, now = (host, port), time.monotonic()
        answer = self._answers.get(key)
        if answer is None or now - answer.asked_at > _REUSE_SECONDS or _has_failed(answer.addresses):
            if len(self._answers) > 1000:
                self._answers = {k: a for k, a in self._answers.items() if now - a.asked_at <= _REUSE_SECONDS}
            answer = _Answer(now, asyncio.ensure_future(self._resolver(host, port)))
            answer.addresses.add_done_callback(_has_failed)  # reads the error, should all who asked be gone
            self._answers[key] = answer
        # Shielded: one caller that gives up must not take the answer away from the others.
        return await asyncio.shield(answer.addresses)


def _has_failed(task: asyncio.Task[list[str]]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
