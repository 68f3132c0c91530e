"""Domains written without https://, as X finds and counts them.

Source: twitter-text, configuration 3 (what may stand before and behind one, and that it ends in a known ending). All
endings of countries are here, of the others those in common use; the browser counts by the same list
(assets/js/composer_domains.js; a test compares them).
"""

from __future__ import annotations

from collections.abc import Iterator

import regex

_ENDINGS = (
    "ac ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo br bs bt bw "
    "by bz ca cc cd cf cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg er es et "
    "eu fi fj fk fm fo fr ga gb gd ge gf gg gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu id "
    "ie il im in io iq ir is it je jm jo jp ke kg kh ki km kn kp kr kw ky kz la lb lc li lk lr ls lt lu "
    "lv ly ma mc md me mg mh mk ml mm mn mo mp mq mr ms mt mu mv mw mx my mz na nc ne nf ng ni nl no np "
    "nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt pw py qa re ro rs ru rw sa sb sc sd se sg sh si sj "
    "sk sl sm sn so sr ss st su sv sx sy sz tc td tf tg th tj tk tl tm tn to tr tt tv tw tz ua ug uk us "
    "uy uz va vc ve vg vi vn vu wf ws ye yt za zm zw com net org info biz edu gov mil int name pro aero "
    "coop museum jobs mobi travel tel cat asia post app dev page blog shop store online site website tech "
    "xyz club top live news media social agency design studio digital cloud software solutions systems "
    "network world today life space email zone group team events academy education university school "
    "training health care fitness clinic dental restaurant cafe bar pub beer wine coffee pizza kitchen "
    "fashion style clothing shoes photo photos photography pictures gallery art movie band theater game "
    "games fun run fit bike cars auto ninja guru expert consulting company business ventures capital "
    "finance fund money bank insurance legal law lawyer attorney tax green energy solar eco farm garden "
    "house homes land properties estate property apartments rent holiday flights vacations tours taxi "
    "berlin london paris nyc wien hamburg koeln cologne bayern ruhr saarland swiss moscow tokyo amsterdam "
    "brussels wales scot bzh eus gal quebec vegas miami boston istanbul melbourne sydney capetown earth "
    "community foundation charity support help wiki directory reviews report press link click download "
    "chat codes computer engineering science international center city town country sale deals discount "
    "gift gifts bet poker casino dating love kim moe red blue pink black zip mov "
)
ENDINGS: tuple[str, ...] = tuple(_ENDINGS.split())
_DOMAIN = regex.compile(
    r"(?<![A-Za-z0-9@\uff20$#\uff03_\-./])(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+"
    rf"(?:{'|'.join(sorted(ENDINGS, key=len, reverse=True))})(?![A-Za-z0-9@+\-])"
    r"(?:[/?][^\s<>\"\u3000\uff08\uff09]*)?",
    regex.IGNORECASE,
)
_TRAILING = ".,;:!?'\")]}…"


def find_bare_domains(text: str) -> Iterator[tuple[int, int]]:
    """Start and end, in characters, of each; `text` holds no links with a scheme."""
    if "." not in text:
        return
    for match in _DOMAIN.finditer(text):
        yield match.start(), match.start() + len(match.group().rstrip(_TRAILING))
