"""E-mail: a post goes to a list of addresses by SMTP.

Sources: RFC 5321 for the exchange (see smtp.py), RFC 5322 for the message. The Message-ID is derived from the job, so
mail programs show a repeat once; but nothing proves whether a mail arrived, so it is sent at most once. Recipients do
not see each other. An address that is refused while others are taken is noted with the post; the others have the mail.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any, ClassVar, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from contentcaster.platforms.articles import split_title
from contentcaster.platforms.base import (
    Capabilities,
    Channel,
    ConnectorError,
    Feature,
    Idempotency,
    Identity,
    Lookup,
    MediaRule,
    NotSent,
    OutcomeUnknown,
    OutgoingPost,
    Reauthorise,
    Rejected,
    RemotePost,
    TemporarilyRejected,
    TextRule,
)
from contentcaster.platforms.calls import as_sentence
from contentcaster.platforms.plain import PlainConnector
from contentcaster.platforms.smtp import SmtpBroken, SmtpRefused, SmtpSession
from contentcaster.security.egress import EgressClient, EgressNotSent, EgressRefused, redact

NAME = "E-mail"
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
_MAX_RECIPIENTS = 100
_T = TypeVar("_T")


class MailCredentials(BaseModel):
    model_config = ConfigDict(extra="forbid")

    host: str = Field(
        title="SMTP server",
        description="The server that sends mail for you.",
        min_length=1,
        max_length=255,
        pattern=r"^[A-Za-z0-9.\-:\[\]]+$",
        json_schema_extra={"placeholder": "smtp.example.org"},
    )
    port: int = Field(
        default=587, title="Port", description="587 with STARTTLS, 465 with TLS.", ge=1, le=65535
    )
    security: Literal["starttls", "tls", "none"] = Field(
        default="starttls",
        title="Encryption",
        description="starttls, tls, or none for a server that the operator has allowed.",
    )
    username: str = Field(default="", title="User name", description="Empty: no sign-in.", max_length=255)
    password: SecretStr = Field(
        default=SecretStr(""),
        title="Password",
        description="An app password where the provider has them.",
        max_length=255,
    )
    sender: str = Field(title="From", description="The address that the mail comes from.", max_length=254)
    recipients: str = Field(
        title="To",
        description=f"Up to {_MAX_RECIPIENTS} addresses, separated by commas. They do not see each other.",
        max_length=20_000,
    )

    @field_validator("sender")
    @classmethod
    def _one_address(cls, value: str) -> str:
        if not _ADDRESS.fullmatch(value.strip()):
            raise ValueError("This is no mail address.")
        return value.strip()

    @field_validator("recipients")
    @classmethod
    def _some_addresses(cls, value: str) -> str:
        addresses = [part for part in re.split(r"[\s,;]+", value) if part]
        for address in addresses:
            if not _ADDRESS.fullmatch(address):
                raise ValueError(f"{address[:80]} is no mail address.")
        if not 1 <= len(addresses) <= _MAX_RECIPIENTS:
            raise ValueError(f"Give 1 to {_MAX_RECIPIENTS} addresses.")
        return ",".join(dict.fromkeys(addresses))


class MailConnector(PlainConnector):
    capabilities: ClassVar[Capabilities] = Capabilities(
        platform="email",
        name=NAME,
        color="#b45309",
        text=TextRule(100_000, is_required=True),
        media=MediaRule(10, 5_000_000, ("image/jpeg", "image/png", "image/gif", "image/webp"), 1000),
        idempotency=Idempotency.NONE,
        features=frozenset({Feature.IMAGES, Feature.ALT_TEXT, Feature.THREAD}),
        docs_url="https://www.rfc-editor.org/rfc/rfc5321",
        proven_on="a real SMTP server (aiosmtpd)",
    )
    Credentials: ClassVar[type[BaseModel]] = MailCredentials

    def new_client_ref(self, idempotency_key: str, scheduled_at: datetime) -> str:
        return "cc" + hashlib.sha256(idempotency_key.encode()).hexdigest()[:32]

    async def verify(self, credentials: BaseModel, client: EgressClient) -> tuple[Identity, dict[str, Any]]:
        assert isinstance(credentials, MailCredentials)
        stored = credentials.model_dump() | {"password": credentials.password.get_secret_value()}
        return await self._identify(client, stored), stored

    async def check(self, channel: Channel) -> Identity:
        return await self._identify(channel.client, channel.credentials)

    async def _identify(self, client: EgressClient, stored: dict[str, Any]) -> Identity:
        """Sign in and leave again; no mail is sent."""

        async def nothing(session: SmtpSession) -> None:
            return None

        await _with_session(client, stored, nothing)
        to = stored["recipients"].split(",")
        digest = hashlib.sha256(stored["recipients"].encode()).hexdigest()[:12]
        others = f" and {len(to) - 1} more" if len(to) > 1 else ""
        return Identity(
            remote_id=f"{stored['sender']}>{digest}"[:255],
            handle=f"{to[0]}{others}"[:255],
            display_name=f"{stored['sender']} to {to[0]}{others}"[:255],
        )

    async def prepare(self, post: OutgoingPost, channel: Channel, progress: dict[str, Any]) -> dict[str, Any]:
        return progress

    async def publish(self, post: OutgoingPost, channel: Channel, progress: dict[str, Any]) -> RemotePost:
        stored = channel.credentials
        message = await asyncio.to_thread(make_message, post, stored)
        recipients = stored["recipients"].split(",")
        answers = await _with_session(
            channel.client, stored, lambda session: session.send(stored["sender"], recipients, message)
        )
        refused = {to: f"{a.code} {a.text}"[:200] for to, a in answers.items() if not a.is_good}
        return RemotePost(id=f"<{_message_id(post, stored)}>", extra={"refused": refused} if refused else {})

    async def find_own_post(self, post: OutgoingPost, channel: Channel, first_sent_at: datetime) -> Lookup:
        return Lookup(note="Sent mail cannot be looked up. Please ask a recipient.")

    async def delete(self, remote: RemotePost, channel: Channel) -> None:
        raise Rejected("A mail that was sent cannot be taken back. Delete it in the mailbox.")


async def deliver(
    client: EgressClient, server: dict[str, Any], sender: str, recipient: str, message: bytes
) -> None:
    """Hand one mail to a server: host, port, security (tls, starttls or none), username, password.

    Raises:
        ConnectorError: as `MailConnector.publish`.
    """
    stored = server | {"sender": sender}
    await _with_session(client, stored, lambda session: session.send(sender, [recipient], message))


def make_message(post: OutgoingPost, stored: dict[str, Any]) -> bytes:
    """The mail, the same bytes each time: subject from the first line, pictures attached with their alt text."""
    subject, body = split_title(post.text)
    # 7 bits: the next server on the way need not take more.
    message = EmailMessage(policy=SMTP.clone(cte_type="7bit"))
    message["From"] = stored["sender"]
    recipients = stored["recipients"].split(",")
    message["To"] = recipients[0] if len(recipients) == 1 else "undisclosed-recipients:;"
    message["Subject"] = subject
    message["Date"] = format_datetime(post.created_at)
    message["Message-ID"] = f"<{_message_id(post, stored)}>"
    if post.reply_to is not None:
        message["In-Reply-To"] = message["References"] = post.reply_to.id
    message.set_content(body)
    for media in post.media:
        main, sub = media.mime_type.split("/")
        message.add_attachment(media.path.read_bytes(), maintype=main, subtype=sub, filename=media.path.name)
        part = list(message.iter_attachments())[-1]
        if media.alt:
            part["Content-Description"] = " ".join(media.alt.split())
    if message.is_multipart():
        message.set_boundary(f"={post.client_ref}=")
    return message.as_bytes()


def _message_id(post: OutgoingPost, stored: dict[str, Any]) -> str:
    return f"{post.client_ref}@{stored['sender'].rpartition('@')[2]}"


async def _with_session(
    client: EgressClient, stored: dict[str, Any], work: Callable[[SmtpSession], Awaitable[_T]]
) -> _T:
    """Connect, greet, encrypt, sign in, do the work; what goes wrong becomes a connector error."""
    host, port = stored["host"].strip("[]"), int(stored["port"])
    if stored["security"] == "none" and not client.is_private_allowed(host, port):
        raise Rejected("Mail must be handed over encrypted: choose starttls or tls.")
    session: SmtpSession | None = None
    try:
        async with asyncio.timeout(client.remaining_seconds()):
            streams = await client.open_stream(host, port, tls=stored["security"] == "tls")
            async with SmtpSession(*streams) as session:
                await _sign_in(session, client, stored, host)
                return await work(session)
    except TimeoutError:
        if session is not None and session.has_sent:
            raise OutcomeUnknown("The mail server did not confirm the mail in time.") from None
        raise NotSent("The mail server did not answer in time.") from None
    except EgressRefused as error:
        raise Rejected(error.message, diagnostics=redact(error.details)) from None
    except EgressNotSent as error:
        raise NotSent(error.message, diagnostics=redact(error.details)) from None
    except SmtpBroken as error:
        if error.was_sent:
            raise OutcomeUnknown(
                "The mail server went away before it confirmed the mail.", diagnostics=redact(str(error))
            ) from None
        raise NotSent("The mail server broke the connection off.", diagnostics=redact(str(error))) from None
    except SmtpRefused as error:
        raise _refusal(error) from None


async def _sign_in(session: SmtpSession, client: EgressClient, stored: dict[str, Any], host: str) -> None:
    own_name = stored["sender"].rpartition("@")[2]
    await session.greet(own_name)
    if stored["security"] == "starttls":
        if not session.offers("STARTTLS"):
            raise SmtpBroken("the server offers no STARTTLS")
        await session.start_tls(client.ssl_context, host, own_name)
    if stored["username"]:
        await session.log_in(stored["username"], stored["password"])


def _refusal(error: SmtpRefused) -> ConnectorError:
    answer, details = error.answer, redact(str(error))
    if error.command == "AUTH" and not answer.is_temporary:
        return Reauthorise(
            "The mail server does not accept this user name and password.", diagnostics=details
        )
    if answer.is_temporary:
        return TemporarilyRejected(
            f"The mail server asks to try later: {as_sentence(answer.text[:200])}", diagnostics=details
        )
    return Rejected(f"The mail server refuses this: {as_sentence(answer.text[:200])}", diagnostics=details)
