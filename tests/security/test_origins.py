from __future__ import annotations

from pathlib import Path

import pytest

from contentcaster.security import origins
from contentcaster.settings import Settings, SettingsError, load_settings


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "/\tx",
        "/\n/evil.example",
        "/ /evil.example",
        "evil.example",
        "",
        "/" + "x" * 1000,
        "/\u2028evil",
    ],
)
def test_signing_in_never_leads_to_another_site(target: str) -> None:
    assert origins.local_path(target) == "/"


@pytest.mark.parametrize(
    "target", ["/", "/posts", "/posts?status=Failed&cursor=a%2Fb", "/posts/01abc#timeline", "/a//b"]
)
def test_signing_in_leads_to_the_page_that_was_wanted(target: str) -> None:
    assert origins.local_path(target) == target


@pytest.mark.parametrize(
    "origin",
    [None, "", "null", "https://social.example.org.evil.example", "http://social.example.org", "https://social.example.org:444",
     "https://SOCIAL.example.org", "https://social.example.org/", "http://127.0.0.1:8001"],
)  # fmt: skip
def test_only_exactly_our_origin_is_ours(origin: str | None, tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path, public_url="https://social.example.org")
    assert not origins.is_own_origin(settings, origin)
    assert origins.is_own_origin(settings, "https://social.example.org")
    assert origins.is_own_origin(settings, "http://127.0.0.1:8000")


def _proxied(tmp_path: Path, proxies: str) -> Settings:
    return load_settings(data_dir=tmp_path, trusted_proxies=proxies)


@pytest.mark.parametrize(
    ("proxies", "peer", "forwarded_for", "expected"),
    [
        ("", "203.0.113.7", "10.0.0.1", "203.0.113.7"),
        ("", "127.0.0.1", "10.0.0.1", "127.0.0.1"),
        ("127.0.0.1", "127.0.0.1", "203.0.113.7", "203.0.113.7"),
        ("127.0.0.1", "127.0.0.1", "1.1.1.1, 203.0.113.7", "203.0.113.7"),
        ("127.0.0.1,10.0.0.0/8", "127.0.0.1", "1.1.1.1, 203.0.113.7, 10.2.3.4", "203.0.113.7"),
        ("127.0.0.1", "198.51.100.1", "203.0.113.7", "198.51.100.1"),
        ("127.0.0.1", "127.0.0.1", "", "127.0.0.1"),
        ("10.0.0.0/8", "10.0.0.1", "not an address", "not an address"),
        ("::1", "::1", "2001:db8::1", "2001:db8::1"),
    ],
)
def test_the_client_address_is_what_trusted_proxies_say(
    proxies: str, peer: str, forwarded_for: str, expected: str, tmp_path: Path
) -> None:
    assert origins.client_ip(_proxied(tmp_path, proxies), peer, forwarded_for) == expected


def test_a_proxy_that_is_no_address_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="CONTENTCASTER_TRUSTED_PROXIES"):
        _proxied(tmp_path, "nginx")
