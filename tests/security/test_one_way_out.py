"""Nothing in the product but the egress client opens a connection to somewhere a person named."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from contentcaster.settings import PROJECT_ROOT

CLIENTS = (
    "aiohttp",
    "ftplib",
    "http.client",
    "httpx",
    "requests",
    "smtplib",
    "urllib.request",
    "urllib3",
    "websockets",
)
ALLOWED = {
    "contentcaster/security/": "the egress client itself",
    "contentcaster/sandbox/": "a server that people play with; reached by the product, reaches nothing",
    "contentcaster/supervisor.py": "asks its own web process on loopback whether it is ready",
    "contentcaster/cli.py": "asks the web process of its own host on loopback: the health check of a container",
}


def _imports(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _clients_in(source: str) -> set[str]:
    return {
        client
        for name in _imports(source)
        for client in CLIENTS
        if name == client or name.startswith(f"{client}.")
    }


def _offenders(root: Path) -> dict[str, set[str]]:
    files = [path for folder in ("contentcaster", "tasks") for path in (root / folder).rglob("*.py")]
    assert len(files) > 100
    names = {
        path.relative_to(root).as_posix(): _clients_in(path.read_text(encoding="utf-8")) for path in files
    }
    return {name: found for name, found in names.items() if found and not name.startswith(tuple(ALLOWED))}


def test_only_the_egress_client_reaches_out() -> None:
    assert _offenders(PROJECT_ROOT) == {}


def test_another_client_would_be_noticed_however_it_is_imported() -> None:
    for planted in (
        "import httpx",
        "def f():\n    import httpx as h",
        "from httpx import AsyncClient",
        "from urllib import request",
        "import urllib.request",
        "import http.client as c",
        "from aiohttp.client import ClientSession",
    ):
        assert _clients_in(planted), planted
    assert not _clients_in("from urllib.parse import quote\nfrom http import HTTPStatus")
