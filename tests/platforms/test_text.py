"""Counting, by the examples that the networks' own documents and servers give."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contentcaster.platforms import CONNECTORS
from contentcaster.platforms.base import TextRule, TextUnit
from contentcaster.platforms.domains import ENDINGS
from contentcaster.platforms.text import count, describe_rule, find_urls, measure
from contentcaster.sandbox.text import mastodon_length

FAMILY = "👩‍👩‍👧"
MASTODON = CONNECTORS["mastodon"].capabilities.text
BLUESKY = CONNECTORS["bluesky"].capabilities.text


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("", 0),
        ("héllo", 5),
        (FAMILY, 1),
        ("क्ष", 1),
        ("https://example.com/a/very/long/path?with=query#and-more", 23),
        ("see https://a.io.", 4 + 23 + 1),
        ("(https://a.io/x_(y))", 1 + 23 + 1),
        ("@ada@social.example hi", len("@ada hi")),
        ("mail me@host.example", len("mail me@host.example")),
        ("http://", 7),
    ],
)
def test_mastodon_counts_graphemes_links_as_23_and_mentions_without_server(text: str, length: int) -> None:
    assert measure(text, MASTODON).length == length


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("see example.com", 27), ("example.de/path", 23), ("it.so", 23), ("e.g. this", 9), ("v1.2.3", 6),
        ("README.md", 23), ("node.js", 7), ("a@example.com", 13), ("#tag.com", 8), ("example.com.", 24),
        ("end.It was", 27), ("bbc.co.uk", 23), ("exa_mple.com", 12), ("-example.com", 12), ("日本.com", 8),
        ("日本語example.com", 29), ("sub.domain.example.info/x?y=1", 23), ("example.notatld", 15),
        ("see:example.com", 27), ("(example.com)", 25), ("ftp://example.com", 17), ("example..com", 12),
        ("example.comfort", 15), ("8.8.8.8", 7), ("3.de", 23),
    ],
)  # fmt: skip
def test_x_counts_a_domain_without_https_as_twitter_text_does(text: str, length: int) -> None:
    """The lengths are those that twitter-text-parser 3.0.0 gives."""
    assert measure(text, CONNECTORS["x"].capabilities.text).length == length


def test_the_browser_knows_the_same_endings_of_domains() -> None:
    script = (Path(__file__).parents[2] / "assets" / "js" / "composer_domains.js").read_text(encoding="utf-8")
    listed = script.partition("ENDINGS = [")[2].partition("]")[0]
    assert tuple(" ".join(re.findall(r'"([^"]+)"', listed)).split()) == ENDINGS


@given(st.text(st.sampled_from("ab é👩\u200d@.#/:() \nhttps:"), max_size=60))
def test_our_count_and_the_sandboxs_agree_although_written_apart(text: str) -> None:
    assert measure(text, MASTODON).length == mastodon_length(text)


def test_a_content_warning_counts_where_the_network_counts_it() -> None:
    assert measure("abc", MASTODON, "warn").length == 7
    assert measure("abc", BLUESKY, "warn").length == 3


def test_bluesky_has_two_limits_and_says_which_one_is_broken() -> None:
    assert not measure("x" * 300, BLUESKY).is_too_long
    over = measure("x" * 301, BLUESKY)
    assert over.is_too_long and over.sentence == "The text is 1 too long: 301 of 300 characters."
    assert not measure(FAMILY * 166, BLUESKY).is_too_long
    heavy = measure(FAMILY * 200, BLUESKY)
    assert (heavy.length, heavy.bytes, heavy.is_too_long) == (200, 3600, True)
    assert "3,600 bytes" in heavy.sentence


@pytest.mark.parametrize(
    ("text", "length"),
    [("hello", 5), ("日本", 4), ("😀", 2), (FAMILY, 2), ("é", 1), ("’", 1), ("🇩🇪", 2)],
)
def test_x_weighs_emoji_and_cjk_double(text: str, length: int) -> None:
    assert count(text, TextUnit.WEIGHTED) == length


def test_telegram_counts_utf16_units() -> None:
    assert count("a😀", TextUnit.UTF16) == 3


def test_links_end_before_closing_punctuation() -> None:
    text = 'Go to https://a.io/b, or (https://c.io/d_(e)) or "https://f.io".'
    assert [text[a:b] for a, b in find_urls(text)] == ["https://a.io/b", "https://c.io/d_(e)", "https://f.io"]


def test_every_rule_can_be_said_in_a_sentence() -> None:
    for connector in CONNECTORS.values():
        sentence = describe_rule(connector.text_rule({}))
        assert sentence.startswith("Up to ") and sentence.endswith(".")
    assert describe_rule(TextRule(500, url_length=23)) == "Up to 500 characters; every link counts 23."
