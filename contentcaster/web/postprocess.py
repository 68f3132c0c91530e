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

from contentcaster.web.stylesheet import prune

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
    prune_style_sheets(client)
    preload_lazy_parts(client)
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


def prune_style_sheets(client: Path) -> None:
    """Leave out of the common style sheet what no script can ask for.

    Raises:
        PostprocessError: the sheet is not where Reflex 0.10 puts it.
    """
    sheets = list((client / "assets").glob("__reflex_global_styles-*.css"))
    if not sheets:
        raise PostprocessError("__reflex_global_styles-*.css is missing from the compiled console")
    scripts = "".join(script.read_text() for script in (client / "assets").glob("*.js"))
    for sheet in sheets:
        sheet.write_text(prune(sheet.read_text(), scripts))
        compress(sheet)


def preload_lazy_parts(client: Path) -> None:
    """Name in each page the scripts that its components would only ask for once they are drawn.

    Reflex imports whatever is not rendered on the server when it first appears: one round after the other, each as
    long as the way to the server. Named in the head, they are fetched with everything else.
    """
    for page in client.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        known = _PRELOADED.findall(text)
        lazy = dict.fromkeys(
            part
            for name in known
            if (script := client / "assets" / name).is_file()
            for listed in _LAZY_PARTS.findall(script.read_text())
            for part in _PART.findall(listed)
            if part not in known
        )
        end = text.rfind(_PRELOAD_END) + len(_PRELOAD_END)
        if lazy and end >= len(_PRELOAD_END):
            links = "".join(f'<link rel="modulepreload" href="/assets/{part}"/>' for part in lazy)
            page.write_text(text[:end] + links + text[end:], encoding="utf-8")
            compress(page)


_PRELOADED = re.compile(r'<link rel="modulepreload" href="/assets/([\w.-]+\.js)"/>')
_PRELOAD_END = '.js"/>'
_LAZY_PARTS = re.compile(r"m\.f\s*=\s*\[([^\]]*)\]")
_PART = re.compile(r"assets/([\w.-]+\.js)")


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
