"""The e-mail connector on a real SMTP server (aiosmtpd), and behind a proxy that breaks the exchange at each step."""

from __future__ import annotations

import asyncio
import email
import email.policy
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

from contentcaster.platforms import get_connector
from contentcaster.platforms.base import (
    Channel,
    NotSent,
    OutcomeUnknown,
    Reauthorise,
    Rejected,
    TemporarilyRejected,
)
from contentcaster.security.egress import EgressClient
from tests.networks.node_server import free_port
from tests.platforms.channels import connect, make_picture, make_post, send
from tests.security.test_egress import make_certificate

MAIL = get_connector("email")
NAME = "mail.test"


class Mailbox:
    """What the server took, and what it is told to answer."""

    def __init__(self) -> None:
        self.mails: list[tuple[list[str], bytes]] = []
        self.refuse: dict[str, str] = {}
        self.data_answer = "250 OK"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if answer := self.refuse.get(address):
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.data_answer.startswith("2"):
            self.mails.append((list(envelope.rcpt_tos), bytes(envelope.content)))
        return self.data_answer


class Server:
    def __init__(self, port: int, mailbox: Mailbox, trusting: ssl.SSLContext) -> None:
        self.port, self.mailbox, self.trusting = port, mailbox, trusting

    def credentials(self, **more: Any) -> dict[str, Any]:
        return {
            "host": NAME,
            "port": self.port,
            "username": "ada",
            "password": "correct horse",
            "sender": "news@acme.example",
            "recipients": "one@example.org, two@example.org",
            **more,
        }

    @asynccontextmanager
    async def client(self, port: int = 0, **more: Any) -> AsyncIterator[EgressClient]:
        async def resolver(host: str, port: int) -> list[str]:
            return ["127.0.0.1"]

        allow = frozenset({f"{NAME}:{port or self.port}"})
        async with EgressClient(allow=allow, resolver=resolver, ssl_context=self.trusting, **more) as client:
            yield client


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    mailbox = Mailbox()
    server_context, trusting = make_certificate(tmp_path, NAME)

    def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        is_known = (data.login, data.password) == (b"ada", b"correct horse")
        return AuthResult(success=is_known, handled=False)

    class Starttls(Controller):
        def factory(self) -> SMTP:
            return SMTP(
                self.handler,
                tls_context=server_context,
                require_starttls=True,
                auth_required=True,
                authenticator=authenticate,
                hostname="mail.test",
            )

    controller = Starttls(mailbox, hostname="127.0.0.1", port=free_port())
    controller.start()
    yield Server(controller.port, mailbox, trusting)
    controller.stop()


def on(server: Server, test: Callable[[Channel], Awaitable[None]], **credentials: Any) -> None:
    async def inner() -> None:
        async with server.client() as client:
            channel, _ = await connect(MAIL, client, server.credentials(**credentials))
            await test(channel)

    asyncio.run(asyncio.wait_for(inner(), 30))


def read(mail: bytes) -> Any:
    return email.message_from_bytes(mail, policy=email.policy.default)


def test_a_post_arrives_as_mail_encrypted_and_signed_in(server: Server, tmp_path: Path) -> None:
    async def test(channel: Channel) -> None:
        assert server.mailbox.mails == [], "connecting sends nothing"
        picture = make_picture(tmp_path, alt="Ein rotes Feld")
        post = make_post(MAIL, "Betreff mit Umläuten\n\nHallo!\n.\n..two dots\nEnde", media=(picture,))
        remote = await send(MAIL, channel, post)
        [(recipients, content)] = server.mailbox.mails
        assert recipients == ["one@example.org", "two@example.org"]
        assert b"one@example.org" not in content, "recipients do not see each other"
        message = read(content)
        assert message["Subject"] == "Betreff mit Umläuten"
        assert message["From"] == "news@acme.example"
        assert message["Message-ID"] == remote.id
        assert (
            "\n".join(message.get_body().get_content().split("\r\n")).strip() == "Hallo!\n.\n..two dots\nEnde"
        )
        [attachment] = message.iter_attachments()
        assert attachment.get_content() == picture.path.read_bytes()
        assert attachment["Content-Description"] == "Ein rotes Feld"
        assert remote.extra == {}

    on(server, test)


def test_the_same_job_is_the_same_mail_and_a_thread_refers_to_its_first(server: Server) -> None:
    async def test(channel: Channel) -> None:
        post = make_post(MAIL, "Twice")
        first = await send(MAIL, channel, post)
        assert (await send(MAIL, channel, post)).id == first.id
        assert server.mailbox.mails[0] == server.mailbox.mails[1]
        await send(MAIL, channel, make_post(MAIL, "Part two", reply_to=first))
        assert read(server.mailbox.mails[2][1])["In-Reply-To"] == first.id

    on(server, test)


def test_each_recipient_has_an_answer_of_its_own(server: Server) -> None:
    async def test(channel: Channel) -> None:
        server.mailbox.refuse = {"two@example.org": "550 no such user"}
        remote = await send(MAIL, channel, make_post(MAIL, "To one of two"))
        assert remote.extra == {"refused": {"two@example.org": "550 no such user"}}
        assert server.mailbox.mails[0][0] == ["one@example.org"]
        server.mailbox.refuse["one@example.org"] = "451 try later"
        with pytest.raises(TemporarilyRejected, match="try later"):
            await send(MAIL, channel, make_post(MAIL, "To none"))
        server.mailbox.refuse["one@example.org"] = "550 gone"
        with pytest.raises(Rejected, match="no such user|gone"):  # noqa: RUF043
            await send(MAIL, channel, make_post(MAIL, "To none"))
        assert len(server.mailbox.mails) == 1

    on(server, test)


def test_a_refused_message_was_not_sent(server: Server) -> None:
    async def test(channel: Channel) -> None:
        for answer, error in (("451 busy", TemporarilyRejected), ("554 spam", Rejected)):
            server.mailbox.data_answer = answer
            with pytest.raises(error):
                await send(MAIL, channel, make_post(MAIL, "x"))
        assert server.mailbox.mails == []

    on(server, test)


def test_a_wrong_password_a_foreign_certificate_and_an_open_line_are_refused(server: Server) -> None:
    async def attempt(client: EgressClient, **more: Any) -> None:
        await connect(MAIL, client, server.credentials(**more))

    async def test() -> None:
        async with server.client() as client:
            with pytest.raises(Reauthorise):
                await attempt(client, password="wrong")
        async with server.client() as client:
            client._ssl_context = ssl.create_default_context()
            with pytest.raises(NotSent):
                await attempt(client)

        async def resolver(host: str, port: int) -> list[str]:
            return ["127.0.0.1"]

        async with EgressClient(resolver=resolver) as client:
            with pytest.raises(Rejected):
                await attempt(client)
            with pytest.raises(Rejected, match="encrypted"):
                await attempt(client, security="none")

    asyncio.run(test())
    assert server.mailbox.mails == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"sender": "nobody"},
        {"sender": "a@b.example\r\nRCPT TO:<x@y.example>"},
        {"recipients": ""},
        {"recipients": "one@example.org, not an address"},
        {"recipients": ",".join(f"u{n}@example.org" for n in range(101))},
        {"security": "maybe"},
        {"host": "mail.example.org/x"},
    ],
)
def test_what_is_no_address_is_refused_at_the_field(server: Server, wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        MAIL.Credentials.model_validate(server.credentials(**wrong))


# ── a connection that breaks ────────────────────────────────────────────────────────────────────────────────────


@asynccontextmanager
async def breaking_proxy(
    upstream: int, stop_at: bytes, *, forward: bool, hang: bool = False
) -> AsyncIterator[int]:
    """A plain proxy that ends (or freezes) once the client has written `stop_at`, passed on or not."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", upstream)
        is_over = False

        async def down() -> None:
            while data := await up_reader.read(4096):
                if not is_over:
                    writer.write(data)

        task = asyncio.create_task(down())
        tasks.add(task)
        seen = b""
        while data := await reader.read(4096):
            seen += data
            if stop_at in seen:
                is_over = True
                if forward:
                    up_writer.write(data)
                    await asyncio.sleep(0.3)  # until the server has taken it
                if hang:
                    await asyncio.sleep(30)
                break
            up_writer.write(data)
        up_writer.close()
        writer.transport.abort()

    proxy = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield proxy.sockets[0].getsockname()[1]
    finally:
        proxy.close()
        for task in tasks:
            task.cancel()


@pytest.fixture
def plain() -> Iterator[Server]:
    """A server without TLS, so that the proxy can read where the exchange stands."""
    mailbox = Mailbox()
    controller = Controller(mailbox, hostname="127.0.0.1", port=free_port())
    controller.start()
    yield Server(controller.port, mailbox, ssl.create_default_context())
    controller.stop()


@pytest.mark.parametrize(
    ("stop_at", "forward", "hang", "error", "mails"),
    [
        (b"EHLO", False, False, NotSent, 0),
        (b"MAIL FROM", False, False, NotSent, 0),
        (b"RCPT TO", True, False, NotSent, 0),
        (b"DATA", True, False, NotSent, 0),
        (b"Subject:", False, False, (NotSent, OutcomeUnknown), 0),
        (b"\r\n.\r\n", False, False, OutcomeUnknown, 0),
        (b"\r\n.\r\n", True, False, OutcomeUnknown, 1),
        (b"\r\n.\r\n", True, True, OutcomeUnknown, 1),
        (b"MAIL FROM", False, True, NotSent, 0),
    ],
)
def test_only_after_the_final_dot_is_the_outcome_in_doubt(
    plain: Server, stop_at: bytes, forward: bool, hang: bool, error: Any, mails: int
) -> None:
    async def test() -> None:
        async with breaking_proxy(plain.port, stop_at, forward=forward, hang=hang) as port:
            async with plain.client(port, deadline_seconds=1.5) as client:
                credentials = plain.credentials(port=plain.port, security="none", username="")
                async with plain.client(plain.port) as direct:
                    channel, _ = await connect(MAIL, direct, credentials)
                channel.client, channel.credentials["port"] = client, port
                with pytest.raises(error):
                    await send(MAIL, channel, make_post(MAIL, "A mail"))
        assert len(plain.mailbox.mails) == mails

    asyncio.run(asyncio.wait_for(test(), 30))


def test_what_does_not_speak_smtp_is_told_and_cannot_flood() -> None:
    async def nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"x" * 10_000_000)
        await asyncio.sleep(0.5)
        writer.close()

    async def test() -> None:
        listener = await asyncio.start_server(nonsense, "127.0.0.1", 0)
        port = listener.sockets[0].getsockname()[1]
        server = Server(port, Mailbox(), ssl.create_default_context())
        async with server.client(deadline_seconds=2) as client:
            with pytest.raises(NotSent):
                await connect(MAIL, client, server.credentials(security="none"))
        listener.close()

    asyncio.run(test())
