"""The way out: no private address, no lost second, no unbounded byte, and an honest word on what was sent."""

from __future__ import annotations

import ast
import asyncio
import datetime
import ipaddress
import socket
import ssl
import time
import tracemalloc
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from contentcaster.clock import utc_now
from contentcaster.security.egress import (
    EgressClient,
    EgressNoAnswer,
    EgressNotSent,
    EgressRefused,
    EgressTooLarge,
    is_global_address,
    redact,
)
from tests.platforms.raw_server import OK, Exchange, RawServer, raw_server

EVIL_HOSTS = [
    "127.0.0.1",
    "127.1",
    "0x7f.1",
    "0x7f000001",
    "2130706433",
    "017700000001",
    "0177.0.0.1",
    "localhost",
    "LOCALHOST.",
    "0.0.0.0",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::ffff:169.254.169.254]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b::169.254.169.254]",
    "[2002:7f00:1::]",
    "[fe80::1]",
    "[fc00::1]",
    "[fec0::1]",
    "[ff02::1]",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "100.100.100.200",
    "192.0.0.192",
    "198.18.0.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
]


async def _answer_ok(exchange: Exchange) -> None:
    await exchange.send(OK)


def _client(*servers: RawServer, **more: object) -> EgressClient:
    return EgressClient(allow=frozenset(s.host for s in servers), **more)  # type: ignore[arg-type]


def _run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 30))  # type: ignore[arg-type]


@pytest.mark.parametrize("host", EVIL_HOSTS)
def test_an_address_that_is_not_public_hears_nothing_however_it_is_spelt(host: str) -> None:
    async def test() -> None:
        async with raw_server(_answer_ok) as canary:
            async with EgressClient(deadline_seconds=5) as client:
                for url in (f"https://{host}:{canary.port}/", f"http://{host}:{canary.port}/"):
                    with pytest.raises((EgressRefused, EgressNotSent)):
                        await client.request("POST", url, json={"a": 1})
                    with pytest.raises((EgressRefused, EgressNotSent)):
                        await client.warm(url)
            assert canary.connections == 0

    _run(test)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "https://",
        "https:///path",
        "//example.com",
        "example.com",
        "",
        "https://user:secret@example.com/",
        "https://exa mple.com/",
        "https://example.com:99999/",
        "https://[::1/",
        "http://127.0.0.1:1\r\nX: y/",
    ],
)
def test_what_is_no_plain_https_address_is_refused_before_any_look_up(url: str) -> None:
    async def resolver(host: str, port: int) -> list[str]:
        raise AssertionError(f"{host} was looked up")

    async def test() -> None:
        async with EgressClient(resolver=resolver) as client:
            with pytest.raises(EgressRefused) as refused:
                await client.request("GET", url)
            assert "secret" not in str(refused.value)

    _run(test)


def test_public_addresses_pass_the_judge() -> None:
    for address in ("1.1.1.1", "93.184.215.14", "2606:4700::1111", "::ffff:8.8.8.8"):
        assert is_global_address(address), address
    for address in ("", "nonsense", "1.1.1", "fe80::1%eth0", "2001:db8::1", "2001::1"):
        assert not is_global_address(address), address


def test_a_name_that_is_answered_differently_the_second_time_gains_nothing() -> None:
    answers = iter([["93.184.215.14"], ["127.0.0.1"], ["127.0.0.1"]])
    asked = []

    async def resolver(host: str, port: int) -> list[str]:
        asked.append(host)
        return next(answers)

    async def test() -> None:
        async with raw_server(_answer_ok) as canary:
            # The first answer is judged and is itself where the connection goes: no second question is asked for it.
            async with EgressClient(resolver=resolver, deadline_seconds=0.3) as client:
                with pytest.raises(EgressNotSent):
                    await client.request("GET", f"https://rebind.test:{canary.port}/")
                assert asked == ["rebind.test"]
            async with EgressClient(resolver=resolver, deadline_seconds=1) as client:
                with pytest.raises(EgressRefused):
                    await client.request("GET", f"https://rebind.test:{canary.port}/")
            assert canary.connections == 0

    _run(test)


def test_one_private_address_among_public_ones_spoils_the_name() -> None:
    async def resolver(host: str, port: int) -> list[str]:
        return ["93.184.215.14", "127.0.0.1"]

    async def test() -> None:
        async with raw_server(_answer_ok) as canary:
            async with EgressClient(resolver=resolver) as client:
                with pytest.raises(EgressRefused) as refused:
                    await client.request("GET", f"https://mixed.test:{canary.port}/")
            assert canary.connections == 0
            assert "127.0.0.1" not in refused.value.message, "people must not learn inner addresses"
            assert "127.0.0.1" in refused.value.details

    _run(test)


@pytest.mark.parametrize(
    "place", ["https://169.254.169.254/latest/meta-data/", "http://127.0.0.1:{canary}/", "//[::1]:{canary}/"]
)
def test_a_redirect_to_an_inner_address_is_not_followed(place: str) -> None:
    async def test() -> None:
        async with raw_server(_answer_ok) as canary:
            location = place.format(canary=canary.port)

            async def redirect(exchange: Exchange) -> None:
                await exchange.send(
                    f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()
                )

            async with raw_server(redirect) as server, _client(server) as client:
                with pytest.raises((EgressRefused, EgressNotSent)):
                    await client.request("GET", server.url, max_redirects=3, deadline_seconds=2)
            assert canary.connections == 0

    _run(test)


def test_redirects_are_off_unless_asked_for_and_never_follow_a_post() -> None:
    async def test() -> None:
        async def redirect(exchange: Exchange) -> None:
            if exchange.path == "/new":
                await exchange.send(OK)
            else:
                await exchange.send(b"HTTP/1.1 307 Moved\r\nLocation: /new\r\nContent-Length: 0\r\n\r\n")

        async with raw_server(redirect) as server, _client(server) as client:
            assert (await client.request("GET", server.url)).status == 307
            assert (await client.request("POST", server.url, json={}, max_redirects=3)).status == 307
            assert (await client.request("GET", server.url, max_redirects=1)).status == 200

    _run(test)


def test_a_redirect_to_another_server_does_not_carry_the_token_along() -> None:
    async def test() -> None:
        async with raw_server(_answer_ok) as other:

            async def redirect(exchange: Exchange) -> None:
                await exchange.send(
                    f"HTTP/1.1 301 Moved\r\nLocation: {other.url}/x\r\nContent-Length: 0\r\n\r\n".encode()
                )

            async with raw_server(redirect) as server, _client(server, other) as client:
                answer = await client.request(
                    "GET", server.url, headers={"Authorization": "Bearer t0ps3cret"}, max_redirects=1
                )
            assert answer.status == 200
            assert b"t0ps3cret" in server.exchanges[0].head
            assert b"t0ps3cret" not in other.exchanges[0].head

    _run(test)


def test_proxy_settings_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        async with raw_server(_answer_ok) as proxy, raw_server(_answer_ok) as server:
            for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
                monkeypatch.setenv(name, proxy.url)
            async with _client(server) as client:
                assert (await client.request("GET", server.url)).status == 200
            assert proxy.connections == 0

    _run(test)


# ── sent or not ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_refused_connections_and_unknown_names_are_provably_unsent() -> None:
    async def test() -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
            async with EgressClient(allow=frozenset({f"127.0.0.1:{port}"})) as client:
                with pytest.raises(EgressNotSent):
                    await client.request("POST", f"http://127.0.0.1:{port}/", json={})
                with pytest.raises(EgressNotSent):
                    await client.request("POST", "https://no-such-name.invalid/", json={})

    _run(test)


def test_a_deadline_that_passed_before_writing_means_that_nothing_was_written() -> None:
    async def test() -> None:
        async with raw_server(_answer_ok) as server, _client(server) as client:
            await client.request(
                "GET", server.url
            )  # a connection is waiting, only the deadline keeps it from use
            for bounded, seconds in (
                (client, 0.0),
                (client, -5.0),
                (client.until(time.monotonic() - 1), None),
            ):
                with pytest.raises(EgressNotSent):
                    await bounded.request("POST", server.url, json={}, deadline_seconds=seconds)
            await asyncio.sleep(0.05)
            assert len(server.exchanges) == 1

    _run(test)


def test_the_deadline_bounds_the_whole_exchange_not_each_read() -> None:
    async def drip(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(1000):
            await exchange.send(b"x")
            await asyncio.sleep(0.05)

    async def test() -> None:
        async with raw_server(drip) as server, _client(server, deadline_seconds=0.5) as client:
            began = time.monotonic()
            with pytest.raises(EgressNoAnswer):
                await client.request("POST", server.url, json={})
            assert time.monotonic() - began < 1.5

    _run(test)


@pytest.mark.parametrize(
    "answer",
    [
        b"",  # FIN without a word
        b"RST",
        b"HTTP/1.1 200 OK\r\nContent-Len",
        b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"220 mail.example.org ESMTP\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    ],
)
def test_whatever_breaks_after_the_request_left_is_no_answer(answer: bytes) -> None:
    async def break_off(exchange: Exchange) -> None:
        if answer == b"RST":
            exchange.reset()
            return
        await exchange.send(answer)
        exchange.writer.close()

    async def test() -> None:
        async with raw_server(break_off) as server, _client(server) as client:
            with pytest.raises(EgressNoAnswer):
                await client.request("POST", server.url, json={"a": 1})
            assert len(server.exchanges) == 1

    _run(test)


def test_a_post_on_a_reused_connection_that_breaks_is_unknown_and_not_repeated() -> None:
    async def once(exchange: Exchange) -> None:
        if exchange.number == 1:
            await exchange.send(OK)
        else:
            exchange.reset()

    async def test() -> None:
        async with raw_server(once) as server, _client(server) as client:
            await client.request("POST", server.url, json={})
            with pytest.raises(EgressNoAnswer):
                await client.request("POST", server.url, json={})
            assert (len(server.exchanges), server.connections) == (2, 1)
            # Reading harms nobody: a GET that finds its old connection closed is made on a new one.
            await client.request("GET", server.url)
            assert (await client.request("GET", server.url)).status == 200

    _run(test)


def test_a_connection_that_the_server_closed_while_it_waited_is_not_used() -> None:
    async def close_after(exchange: Exchange) -> None:
        await exchange.send(OK)
        exchange.writer.close()

    async def test() -> None:
        async with raw_server(close_after) as server, _client(server) as client:
            for _ in range(3):
                assert (await client.request("POST", server.url, json={})).status == 200
                await asyncio.sleep(0.02)
            assert server.connections == 3

    _run(test)


def test_connections_are_reused_and_closed_when_they_waited_too_long() -> None:
    async def test() -> None:
        async with raw_server(_answer_ok) as server, _client(server, keepalive_seconds=0.2) as client:
            for _ in range(5):
                await client.request("POST", server.url, json={})
            assert server.connections == 1
            await asyncio.sleep(0.3)
            await client.request("POST", server.url, json={})
            assert server.connections == 2

    _run(test)


def test_warm_opens_as_many_connections_as_requests_were_announced() -> None:
    async def test() -> None:
        async with raw_server(_answer_ok) as server, _client(server) as client:
            await asyncio.gather(*(client.warm(server.url) for _ in range(3)))
            assert server.exchanges == []
            await asyncio.gather(*(client.request("POST", server.url, json={}) for _ in range(3)))
            assert server.connections == 3
            await client.warm(server.url)  # one of the three waits: no fourth is needed
            assert server.connections == 3

    _run(test)


def test_no_more_requests_are_in_flight_than_connections_are_allowed() -> None:
    active = most = 0

    async def slow(exchange: Exchange) -> None:
        nonlocal active, most
        active += 1
        most = max(most, active)
        await asyncio.sleep(0.02)
        active -= 1
        await exchange.send(OK)

    async def test() -> None:
        async with raw_server(slow) as server, _client(server, max_connections=4) as client:
            await asyncio.gather(*(client.request("POST", server.url, json={}) for _ in range(20)))
            assert most == 4

    _run(test)


# ── memory ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("stated", [True, False])
def test_an_answer_of_100_mb_is_cut_off_with_little_memory(stated: bool) -> None:
    async def flood(exchange: Exchange) -> None:
        size = b"Content-Length: 100000000" if stated else b"Connection: close"
        await exchange.send(b"HTTP/1.1 200 OK\r\n" + size + b"\r\n\r\n")
        for _ in range(100):
            await exchange.send(b"x" * 1_000_000)

    async def test() -> None:
        async with raw_server(flood) as server, _client(server, deadline_seconds=10) as client:
            tracemalloc.start()
            with pytest.raises(EgressTooLarge):
                await client.request("POST", server.url, json={})
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert peak < 12_000_000

    _run(test)


def test_endless_headers_are_cut_off() -> None:
    async def headers(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\n")
        for number in range(100_000):
            await exchange.send(b"X-Header-%d: value\r\n" % number)

    async def test() -> None:
        async with raw_server(headers) as server, _client(server, deadline_seconds=10) as client:
            with pytest.raises(EgressNoAnswer):
                await client.request("POST", server.url, json={})

    _run(test)


def test_a_refusal_of_a_large_upload_is_heard_while_it_is_being_sent() -> None:
    async def test() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
            await asyncio.sleep(5)

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with EgressClient(allow=frozenset({f"127.0.0.1:{port}"}), deadline_seconds=4) as client:
            answer = await client.request("POST", f"http://127.0.0.1:{port}/", content=b"x" * 50_000_000)
        assert answer.status == 413
        server.close()

    _run(test)


# ── what goes over the wire ─────────────────────────────────────────────────────────────────────────────────────


def test_bodies_and_headers_arrive_as_given() -> None:
    async def test() -> None:
        async with raw_server(_answer_ok) as server, _client(server) as client:
            url = server.url + "/p"
            await client.request("POST", url, json={"text": "héllo"}, headers={"X-Key": "k"})
            await client.request(
                "POST", url, data={"a": "b c"}, files={"file": ("x.png", b"\x89PNG", "image/png")}
            )
            await client.request("GET", url, params={"q": "a b&c", "none": None, "n": 3})
            first, second, third = server.exchanges
            assert first.body == '{"text":"héllo"}'.encode()
            assert (first.header("content-type"), first.header("x-key")) == ("application/json", "k")
            assert first.header("host") == server.host
            assert b'name="file"; filename="x.png"' in second.body and b"\x89PNG" in second.body
            assert third.path == "/p?q=a%20b%26c&n=3" or third.path == "/p?q=a+b%26c&n=3"
            assert third.header("content-length") == ""

    _run(test)


def test_a_header_cannot_smuggle_a_second_one() -> None:
    async def test() -> None:
        async with raw_server(_answer_ok) as server, _client(server) as client:
            with pytest.raises(EgressRefused):
                await client.request("POST", server.url, headers={"X-A": "b\r\nX-Evil: yes"}, json={})
            assert server.connections == 0

    _run(test)


# ── TLS ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def make_certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """(server context, client context that trusts it) for a host name."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = utc_now()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("127.0.0.2"))]
            ),
            False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "server.pem"
    path.write_bytes(private + pem)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(path)
    return server, ssl.create_default_context(cadata=pem.decode())


def test_tls_is_checked_against_the_name_although_the_connection_goes_to_an_address(tmp_path: Path) -> None:
    server_context, trusting = make_certificate(tmp_path, "social.test")

    async def resolver(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    async def test() -> None:
        async with raw_server(_answer_ok, ssl_context=server_context) as server:
            allow = frozenset({f"social.test:{server.port}", f"other.test:{server.port}"})
            more = {"allow": allow, "resolver": resolver}
            async with EgressClient(ssl_context=trusting, **more) as client:  # type: ignore[arg-type]
                answer = await client.request("GET", f"https://social.test:{server.port}/")
                assert answer.status == 200
                assert server.exchanges[0].header("host") == f"social.test:{server.port}"
                for _ in range(3):
                    await client.request("POST", f"https://social.test:{server.port}/", json={})
                assert server.connections == 1
                with pytest.raises(EgressNotSent, match="certificate"):
                    await client.request("POST", f"https://other.test:{server.port}/", json={})
            async with EgressClient(**more) as client:  # type: ignore[arg-type]
                with pytest.raises(EgressNotSent, match="certificate"):
                    await client.request("POST", f"https://social.test:{server.port}/", json={})
            assert len(server.exchanges) == 4

    _run(test)


# ── diagnostics ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "secret",
    [
        "Authorization: Bearer CANARY-7f3e9a1b2c",
        '{"access_token": "CANARY7f3e9a"}',
        '{"accessJwt":"CANARY.7f3e9a","refreshJwt":"CANARY2"}',
        "password=CANARYpw&x=1",
        "https://hooks.slack.com/services/T000/B000/CANARY",
        "https://discord.com/api/webhooks/123/CANARY-token",
        "https://api.telegram.org/bot123456:CANARY-abc/sendMessage",
        "https://user:CANARY@example.org/",
        "https://example.org/x?sig=CANARY",
        "eyJhbGciOi.CANARYpayload.sig",
        "nsec1CANARYqqqqqqqqqq",
        "the key is CANARY0123456789abcdef0123456789abcdef",
    ],
)
def test_redact_leaves_no_secret(secret: str) -> None:
    assert "CANARY" not in redact(f"before {secret} after")


def test_redact_keeps_what_operators_need_and_cuts_the_rest() -> None:
    text = '422 {"error":"Validation failed: Text character limit of 500 exceeded"}'
    assert redact(text) == text
    cid = "bafyreihvhfnblihuwqyd4yscoks7nkdftfhmlrjvbxqhzx4qn5hxj7evoy"
    assert redact(f"Record was at {cid}") == f"Record was at {cid}"
    assert redact("a\r\nb\x00c") == "a b c"
    assert len(redact("word " * 10_000)) == 2000


# ── nobody else goes out ────────────────────────────────────────────────────────────────────────────────────────

WAYS_OUT = {
    "httpx.AsyncClient", "httpx.Client", "httpx.get", "httpx.post", "httpx.request", "httpx.stream",
    "urllib.request", "http.client", "smtplib", "requests", "aiohttp.ClientSession", "socket.create_connection",
    "asyncio.open_connection", "websockets",
}  # fmt: skip
MAY_GO_OUT = {
    "contentcaster/security/egress_connection.py": {"asyncio.open_connection"},
    "contentcaster/sandbox/client.py": {"httpx.Client"},  # the sandbox's own control calls, on loopback
    "contentcaster/supervisor.py": {"urllib.request"},  # asks our own /healthz
    "contentcaster/cli.py": {"urllib.request"},  # `probe` asks our own /readyz
    # What a library gets that insists on an httpx client: its transport is the egress client.
    "contentcaster/security/egress_transport.py": {"httpx.AsyncClient"},
}


def _ways_out(path: Path) -> set[str]:
    """The dotted names in a module that open connections."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Attribute):
            found.add(ast.unparse(node))
    return found & WAYS_OUT


def test_no_other_code_of_the_product_opens_connections() -> None:
    root = Path(__file__).resolve().parents[2]
    modules = [path for name in ("contentcaster", "tasks") for path in (root / name).rglob("*.py")]
    assert len(modules) > 50
    used = {str(path.relative_to(root)): _ways_out(path) for path in modules}
    others = {name: ways - MAY_GO_OUT.get(name, set()) for name, ways in used.items()}
    assert {name: ways for name, ways in others.items() if ways} == {}
    assert used["contentcaster/security/egress_connection.py"], "the scan finds nothing, so it proves nothing"
