"""What is done to the compiled console so that one build serves every host and port under a strict CSP."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import brotli

CSP_FILE = "csp.json"
"""Per page: the sha256 sources of its inline scripts, for `script-src`."""

BAKED_API_URL = "http://console.invalid"
"""The address in rxconfig.py that the compiler bakes in; no request may ever go there."""

_BAKED_ADDRESS = re.compile(r"""([`"'])(http|ws)://console\.invalid(/[^`"'$]*)\1""")


class PostprocessError(Exception):
    """The compiler's output is not what this version of Reflex is known to write."""


def postprocess(release: Path) -> None:
    """Make the compiled files in `release/build/client` independent of host and port, and list its inline scripts."""
    client = release / "build" / "client"
    use_own_origin(client)
    hashes = {
        page.relative_to(client).as_posix(): inline_script_hashes(page) for page in client.rglob("*.html")
    }
    (release / CSP_FILE).write_text(json.dumps(hashes, indent=1, sort_keys=True))


def use_own_origin(client: Path) -> None:
    """Replace the baked-in backend address by the origin that the page was loaded from.

    Raises:
        PostprocessError: the address is not where Reflex 0.10 puts it, or is left over somewhere.
    """
    environments = list((client / "assets").glob("reflex-env-*.js"))
    if not environments:
        raise PostprocessError("reflex-env-*.js is missing from the compiled console")
    for script in environments:
        text, count = _BAKED_ADDRESS.subn(_own_origin, script.read_text())
        if not count or BAKED_API_URL in text:
            raise PostprocessError(f"{script.name} does not hold the backend address as expected")
        script.write_text(text)
        compress(script)


def _own_origin(match: re.Match[str]) -> str:
    scheme = '.replace(/^http/,"ws")' if match[2] == "ws" else ""
    return f'location.origin{scheme}+"{match[3]}"'


def compress(path: Path) -> None:
    """Write the brotli and gzip forms beside `path`; the server picks one by Accept-Encoding."""
    content = path.read_bytes()
    path.with_name(path.name + ".br").write_bytes(brotli.compress(content, quality=11))
    path.with_name(path.name + ".gz").write_bytes(gzip.compress(content, 9, mtime=0))


def inline_script_hashes(page: Path) -> list[str]:
    """The CSP sources ('sha256-...') of all scripts written into an HTML file."""
    collector = _InlineScripts()
    collector.feed(page.read_text(encoding="utf-8"))
    sources = {
        "'sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() + "'"
        for script in collector.scripts
    }
    return sorted(sources)


class _InlineScripts(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.scripts: list[str] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "script" and "src" not in dict(attrs):
            self._inside = True
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.scripts[-1] += data
