"""A small SMTP client over a checked connection, that knows the one moment after which a mail may be on its way.

Source: RFC 5321 (commands, answers, dot stuffing, section 4.2.5 on answers after DATA), RFC 3207 (STARTTLS), RFC 4954
and 4616 (AUTH PLAIN). Until the line with the final dot is written, nothing was sent; after it only an answer tells.
"""

from __future__ import annotations

import asyncio
import base64
import re
import ssl
from dataclasses import dataclass

_MAX_LINE = 4096
_MAX_LINES = 100


@dataclass(frozen=True)
class Answer:
    code: int
    text: str

    @property
    def is_good(self) -> bool:
        return 200 <= self.code < 400

    @property
    def is_temporary(self) -> bool:
        return 400 <= self.code < 500


class SmtpRefused(Exception):
    """The server said no to a command; nothing was sent by it."""

    def __init__(self, command: str, answer: Answer) -> None:
        super().__init__(f"{command}: {answer.code} {answer.text}")
        self.command, self.answer = command, answer


class SmtpBroken(Exception):
    """The connection ended or made no sense. `was_sent`: after the final dot, so that the mail may be on its way."""

    def __init__(self, reason: str, *, was_sent: bool = False) -> None:
        super().__init__(reason)
        self.was_sent = was_sent


class SmtpSession:
    """One connection; use as an async context manager. Every method raises SmtpRefused or SmtpBroken."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._extensions: set[str] = set()
        self.has_sent = False

    async def __aenter__(self) -> SmtpSession:
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._writer.transport.abort()

    async def greet(self, own_name: str) -> None:
        """Read the server's greeting and say EHLO."""
        self._expect("greeting", await self._answer())
        await self._ehlo(own_name)

    async def start_tls(self, context: ssl.SSLContext, host: str, own_name: str) -> None:
        await self._command("STARTTLS")
        try:
            await self._writer.start_tls(context, server_hostname=host)
        except (OSError, ssl.SSLError) as error:
            raise SmtpBroken(f"TLS failed: {error}") from None
        await self._ehlo(own_name)

    async def log_in(self, username: str, password: str) -> None:
        token = base64.b64encode(f"\0{username}\0{password}".encode()).decode()
        await self._command(f"AUTH PLAIN {token}", shown="AUTH")

    async def send(self, sender: str, recipients: list[str], message: bytes) -> dict[str, Answer]:
        """Hand the message over; returns the answer for each recipient.

        Raises:
            SmtpRefused: the sender, every recipient or the message itself was refused; nothing was sent.
            SmtpBroken: as its `was_sent` says.
        """
        await self._command(f"MAIL FROM:<{sender}>")
        answers: dict[str, Answer] = {}
        for recipient in recipients:
            self._write(f"RCPT TO:<{recipient}>")
            answers[recipient] = await self._answer()
        if not any(answer.is_good for answer in answers.values()):
            # A temporary no outweighs: this recipient may be taken the next time.
            worst = next((a for a in answers.values() if a.is_temporary), next(iter(answers.values())))
            raise SmtpRefused("RCPT", worst)
        await self._command("DATA")
        body = re.sub(rb"\r\n|\r|\n", b"\r\n", message)
        body = re.sub(rb"(?m)^\.", b"..", body)
        self._writer.write(body + (b"" if body.endswith(b"\r\n") else b"\r\n"))
        try:
            await self._writer.drain()
        except OSError as error:
            raise SmtpBroken(str(error)) from None
        self.has_sent = True
        self._writer.write(b".\r\n")
        self._expect("message", await self._answer())
        return answers

    async def _ehlo(self, own_name: str) -> None:
        answer = await self._command(f"EHLO {own_name}")
        self._extensions = {line.split(" ")[0].upper() for line in answer.text.split("\n")[1:] if line}

    def offers(self, extension: str) -> bool:
        return extension in self._extensions

    async def _command(self, line: str, *, shown: str = "") -> Answer:
        self._write(line)
        answer = await self._answer()
        self._expect(shown or line.split(" ")[0], answer)
        return answer

    def _expect(self, command: str, answer: Answer) -> None:
        if not answer.is_good:
            raise SmtpRefused(command, answer)

    def _write(self, line: str) -> None:
        if "\r" in line or "\n" in line:
            raise SmtpBroken("a command must be one line")
        self._writer.write(line.encode() + b"\r\n")

    async def _answer(self) -> Answer:
        lines: list[str] = []
        try:
            for _ in range(_MAX_LINES):
                raw = await self._reader.readuntil(b"\n")
                if len(raw) > _MAX_LINE or not re.match(rb"\d{3}[ -]", raw.rstrip(b"\r\n") + b" "):
                    raise SmtpBroken("the server does not speak SMTP", was_sent=self.has_sent)
                lines.append(raw[4:].decode("utf-8", "replace").strip())
                if raw[3:4] != b"-":
                    return Answer(int(raw[:3]), "\n".join(lines))
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError) as error:
            raise SmtpBroken(f"the connection ended: {error!r}", was_sent=self.has_sent) from None
        raise SmtpBroken("the answer does not end", was_sent=self.has_sent)
