"""A server on loopback that speaks the Gemini API's published shapes, and misbehaves on demand.

Speaks `POST /{version}/models/{model}:streamGenerateContent?alt=sse` (server-sent events of GenerateContentResponse)
and its errors (google.rpc.Status in `error`). Each test says what it answers: `script`.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.networks.node_server import free_port

PORT = free_port()
KEY = "canary-gemini-key-5f1c"
WITH_KEY: dict[str, Any] = {"gemini_api_key": KEY, "gemini_base_url": f"http://127.0.0.1:{PORT}"}
"""For @pytest.mark.settings: Gemini is the twin."""

Reply = Callable[["Handler"], None]


def says(
    *pieces: str,
    finish: str = "STOP",
    tokens: tuple[int, int] = (11, 7),
    pause_seconds: float = 0.0,
    go_on: threading.Event | None = None,
) -> Reply:
    """The text in these pieces, then the finish reason and the token counts; after the first it waits for `go_on`."""

    def reply(handler: Handler) -> None:
        handler.begin_stream()
        for number, text in enumerate(pieces):
            is_last = number == len(pieces) - 1
            candidate: dict[str, Any] = {"content": {"parts": [{"text": text}], "role": "model"}, "index": 0}
            if is_last and finish:
                candidate["finishReason"] = finish
            usage = {"promptTokenCount": tokens[0], "candidatesTokenCount": tokens[1] if is_last else 1,
                     "totalTokenCount": sum(tokens)}  # fmt: skip
            handler.event({"candidates": [candidate], "usageMetadata": usage, "modelVersion": "twin"})
            if go_on is not None and number == 0:
                go_on.wait(60)
            if pause_seconds and not is_last:
                time.sleep(pause_seconds)
        handler.end_stream()

    return reply


def fails(code: int, status: str, message: str = "No.", details: list[Any] | None = None) -> Reply:
    body = {"error": {"code": code, "message": message, "status": status, "details": details or []}}
    return lambda handler: handler.whole(code, json.dumps(body).encode(), "application/json")


def busy(retry_delay: str = "17s") -> Reply:
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": retry_delay}
    return fails(429, "RESOURCE_EXHAUSTED", "Resource exhausted", [info])


def blocks_prompt(reason: str = "SAFETY") -> Reply:
    def reply(handler: Handler) -> None:
        handler.begin_stream()
        handler.event({"promptFeedback": {"blockReason": reason}, "usageMetadata": {"promptTokenCount": 9}})
        handler.end_stream()

    return reply


def garbage(content: bytes, content_type: str = "text/event-stream") -> Reply:
    return lambda handler: handler.whole(200, content, content_type)


def hangs(seconds: float) -> Reply:
    def reply(handler: Handler) -> None:
        handler.begin_stream()
        handler.server.stop.wait(seconds)  # type: ignore[attr-defined]

    return reply


def breaks_off() -> Reply:
    def reply(handler: Handler) -> None:
        handler.begin_stream()
        handler.event({"candidates": [{"content": {"parts": [{"text": "Half a sen"}]}, "index": 0}]})
        handler.connection.close()

    return reply


@dataclass
class Twin:
    url: str
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    script: list[Reply] = field(default_factory=list)
    """Taken in order; the last one stays."""

    def answers(self, *replies: Reply) -> None:
        self.script = list(replies)

    @property
    def last_system(self) -> str:
        return str(self.requests[-1]["systemInstruction"]["parts"][0]["text"])

    @property
    def last_text(self) -> str:
        return str(self.requests[-1]["contents"][-1]["parts"][-1]["text"])


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        twin: Twin = self.server.twin  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers["content-length"]))
        twin.paths.append(self.path)
        twin.keys.append(self.headers.get("x-goog-api-key", ""))
        twin.requests.append(json.loads(body))
        reply = twin.script.pop(0) if len(twin.script) > 1 else twin.script[0]
        try:
            reply(self)
        except OSError:
            self.close_connection = True

    def begin_stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def event(self, value: dict[str, Any]) -> None:
        line = b"data: " + json.dumps(value).encode() + b"\r\n\r\n"
        self.wfile.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
        self.wfile.flush()

    def end_stream(self) -> None:
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()

    def whole(self, status: int, content: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def gemini_twin(port: int = 0) -> Iterator[Twin]:
    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    server.stop = threading.Event()  # type: ignore[attr-defined]
    twin = Twin(f"http://127.0.0.1:{server.server_port}", script=[says("Hello from the twin.")])
    server.twin = twin  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield twin
    finally:
        server.stop.set()  # type: ignore[attr-defined]
        server.shutdown()
        server.server_close()
