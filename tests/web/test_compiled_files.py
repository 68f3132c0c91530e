"""What the compiled console brings: the rules that it can ask for, and its scripts named ahead."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from contentcaster.settings import PROJECT_ROOT
from contentcaster.web.stylesheet import ACCENTS, prune

SCRIPTS = 'h("div",{className:"rt-DialogContent rt-r-size-"+size,style:{color:"var(--red-9)"}})'


@pytest.mark.parametrize(
    ("sheet", "kept"),
    [
        (".card{color:red}", ".card{color:red}"),
        (".rt-DialogContent:where(.rt-r-size-2){a:b}", ".rt-DialogContent:where(.rt-r-size-2){a:b}"),
        (".rt-SliderRoot{a:b}", ""),
        (".rt-SliderRoot,.card{a:b}", ".card{a:b}"),
        (":is(.card,.rt-SliderRoot){a:b}", ""),
        (".rt-r-gap-2{a:b}", ""),
        ("@media (width>=520px){.xs\\:rt-r-size-2{a:b}}", ""),
        ("@media print{.card{a:b}.rt-SliderRoot{a:b}}", "@media print{.card{a:b}}"),
        ("@keyframes spin{to{a:b}}.card{a:b}", "@keyframes spin{to{a:b}}.card{a:b}"),
        ('@import "a;b.css";.card{a:b}', '@import "a;b.css";.card{a:b}'),
        ('.card:after{content:"}.rt-SliderRoot{"}', '.card:after{content:"}.rt-SliderRoot{"}'),
        ("[data-accent-color=tomato]{--accent-1:var(--tomato-1)}:root{--tomato-1:#f00}", ":root{}"),
        (
            "[data-accent-color=iris]{--accent-1:var(--iris-1)}:root{--iris-1:#00f;--iris-2:#008}",
            "[data-accent-color=iris]{--accent-1:var(--iris-1)}:root{--iris-1:#00f;}",
        ),
        (
            ".rt-DialogContent:not([data-accent-color=tomato]){a:b}",
            ".rt-DialogContent:not([data-accent-color=tomato]){a:b}",
        ),
        (":root{--red-9:#e00;--red-8:#d00;--line:#ccc}", ":root{--red-9:#e00;--line:#ccc}"),
    ],
)
def test_a_rule_stays_if_a_script_can_ask_for_it(sheet: str, kept: str) -> None:
    assert prune(sheet, SCRIPTS) == kept


def test_every_colour_that_a_component_is_given_is_kept() -> None:
    sources = [*(PROJECT_ROOT / "contentcaster").rglob("*.py"), PROJECT_ROOT / "rxconfig.py"]
    named = {
        name
        for source in sources
        for name in re.findall(r'(?:color_scheme|accent_color)="(\w+)"', source.read_text())
    }
    assert named <= ACCENTS


def test_the_compiled_console_brings_no_component_that_no_page_uses(built: Path) -> None:
    assets = built / "build" / "client" / "assets"
    (sheet,) = assets.glob("__reflex_global_styles-*.css")
    rules, scripts = sheet.read_text(), "".join(each.read_text() for each in assets.glob("*.js"))
    for needed in (
        ".rt-BaseDialogContent",
        ".rt-BaseMenuItem",
        "--accent-9",
        ".palette-head",
    ):
        assert needed in rules
    for needless in ("rt-SegmentedControlRoot", "rt-TabNavRoot", "rt-ThemePanelSwatch"):
        assert needless not in rules + scripts
    assert len(rules) < 250_000


def test_a_page_names_all_scripts_that_it_will_ask_for(built: Path) -> None:
    client = built / "build" / "client"
    for path, part in (
        ("studio/index.html", "composer-"),
        ("calendar/index.html", "calendar-"),
        ("index.html", "palette-"),
    ):
        page = (client / path).read_text()
        named = re.findall(r'<link rel="modulepreload" href="/assets/([^"]+)"/>', page)
        assert any(name.startswith(part) for name in named), path
        assert len(named) == len(set(named))
        assert all((client / "assets" / name).is_file() for name in named)
