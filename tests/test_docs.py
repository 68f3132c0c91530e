"""What the documents point at is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from contentcaster.settings import PROJECT_ROOT

DOCUMENTS = sorted([*PROJECT_ROOT.glob("*.md"), *(PROJECT_ROOT / "docs").rglob("*.md")])
_FENCED = re.compile(r"```.*?```", re.S)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.M)


def anchors(path: Path) -> set[str]:
    headings = _HEADING.findall(_FENCED.sub("", path.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(PROJECT_ROOT)))
def test_every_link_leads_somewhere(document: Path) -> None:
    broken = []
    for link in _LINK.findall(_FENCED.sub("", document.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (document.parent / name).resolve() if name else document
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_no_document_is_out_of_reach_of_the_readme() -> None:
    reached: set[Path] = set()
    waiting = [PROJECT_ROOT / "README.md"]
    while waiting:
        document = waiting.pop()
        if document in reached or not document.exists():
            continue
        reached.add(document)
        if document.is_dir():
            waiting += document.glob("*.md")
        elif document.suffix == ".md":
            names = (link.partition("#")[0] for link in _LINK.findall(document.read_text(encoding="utf-8")))
            waiting += [(document.parent / name).resolve() for name in names if name and "://" not in name]
    assert [str(path.relative_to(PROJECT_ROOT)) for path in DOCUMENTS if path not in reached] == []
