"""Answers that no honest server gives: of a wrong shape, without an end, of another kind of server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tests.platforms.raw_server import Exchange

Answer = Callable[[Exchange], Awaitable[None]]


def _says(status: str, body: bytes, content_type: str = "application/json", *headers: str) -> Answer:
    async def answer(exchange: Exchange) -> None:
        lines = [
            f"HTTP/1.1 {status}",
            f"Content-Type: {content_type}",
            f"Content-Length: {len(body)}",
            *headers,
        ]
        await exchange.send("\r\n".join([*lines, "", ""]).encode() + body)

    return answer


async def _huge(exchange: Exchange) -> None:
    """100 MB, as fast as they are taken."""
    await exchange.send(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000000\r\n\r\n"
    )
    for _ in range(100):
        await exchange.send(b"[" * 1_000_000)
    exchange.writer.close()


async def _endless_head(exchange: Exchange) -> None:
    await exchange.send(b"HTTP/1.1 200 OK\r\n")
    for number in range(10_000):
        await exchange.send(b"X-Filler-%d: %s\r\n" % (number, b"x" * 1000))
    exchange.writer.close()


HOSTILE: dict[str, Answer] = {
    "a number": _says("200 OK", b"42"),
    "a list of nothings": _says("200 OK", b'[null, 1, "x", [], {}, {"id": {}}]'),
    "another shape": _says("200 OK", b'{"unexpected": {"deep": [1, 2, {"a": null}]}}'),
    "wrong types under the right names": _says(
        "200 OK",
        b'{"id": [], "uri": 5, "cid": null, "url": {}, "ok": "yes", "result": [], "data": null, "errors": "x", '
        b'"event_id": 7, "account": [], "configuration": "x", "links": 3, "did": 1, "accessJwt": {}, "username": 9}',
    ),
    "a tower of brackets": _says("200 OK", b"[" * 200_000),
    "100 MB": _huge,
    "a head without an end": _endless_head,
    "bytes that are no text": _says("200 OK", bytes(range(128, 256)) * 40),
    "a page of another server": _says("404 Not Found", b"<html><h1>Not here</h1></html>", "text/html"),
    "a page where JSON should be": _says("200 OK", b"<html>Welcome</html>", "text/html"),
    "a redirect to itself": _says("302 Found", b"", "text/html", "Location: /"),
    "a refusal of the login": _says("401 Unauthorized", b"{}"),
    "a refusal of the media type": _says(
        "415 Unsupported Media Type", b'{"error": "File type is not supported"}'
    ),
    "a refusal in odd words": _says(
        "422 Unprocessable", b'{"error": {"code": [1, {"x": "' + b"y" * 9000 + b'"}]}}'
    ),
    "too many requests until never": _says(
        "429 Too Many", b"{}", "text/plain", "Retry-After: 99999999999999999999"
    ),
}
