"""Requests of connectors: errors of the way out become connector errors, answers are read with suspicion."""

from __future__ import annotations

from typing import Any

from contentcaster.platforms.base import (
    ConnectorError,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    Reauthorise,
    Rejected,
    TemporarilyRejected,
)
from contentcaster.platforms.rate_limits import wait_seconds
from contentcaster.security.egress import (
    EgressClient,
    EgressNoAnswer,
    EgressNotSent,
    EgressRefused,
    EgressResponse,
    redact,
)


async def send(client: EgressClient, method: str, url: str, **more: Any) -> EgressResponse:
    """One request; `more` as for EgressClient.request.

    Raises:
        Rejected: our own rules forbid the address.
        NotSent: nothing left.
        OutcomeUnknown: no usable answer came back. Where the request changes nothing this means: try again.
    """
    try:
        return await client.request(method, url, **more)
    except EgressRefused as error:
        raise Rejected(error.message, diagnostics=redact(error.details)) from None
    except EgressNotSent as error:
        raise NotSent(error.message, diagnostics=redact(error.details)) from None
    except EgressNoAnswer as error:
        raise OutcomeUnknown(error.message, diagnostics=redact(error.details)) from None


async def warm_up(client: EgressClient, url: str) -> None:
    """Have a connection ready. A server that is away now may be back at the due time, so that is no error yet."""
    try:
        await client.warm(url)
    except EgressNotSent:
        return
    except EgressRefused as error:
        raise Rejected(error.message, diagnostics=redact(error.details)) from None


def json_object(response: EgressResponse) -> dict[str, Any]:
    """The answer as a JSON object, {} if it is anything else."""
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def about(response: EgressResponse) -> dict[str, Any]:
    """What every connector error says of the answer: its status, and a redacted extract for operators."""
    content_type = response.headers.get("content-type", "")
    return {
        "http_status": response.status,
        "diagnostics": redact(f"HTTP {response.status} {content_type} {response.text[:8000]}".strip()),
    }


def rate_limited(name: str, response: EgressResponse) -> RateLimited:
    seconds = wait_seconds(response)
    return RateLimited(
        f"{name} asks to wait {describe_seconds(seconds)}: too many requests.",
        retry_after_seconds=seconds,
        **about(response),
    )


def describe_seconds(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} seconds"
    if seconds < 7200:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3600:.0f} hours"


def unusable(name: str, response: EgressResponse) -> OutcomeUnknown:
    """An answer that proves nothing: a server error, HTML, an empty or half a body."""
    if response.status >= 500:
        sentence = f"{name} answered with a server error ({response.status}), which does not say what it did."
    else:
        sentence = f"{name} answered in a form that does not say what it did."
    return OutcomeUnknown(sentence, **about(response))


def refusal(
    name: str, response: EgressResponse, reason: str = "", *, reauthorise: tuple[int, ...] = (401,)
) -> ConnectorError:
    """What an answer other than success to an irreversible call means, where the network has no words of its own.

    `reason` is the network's own, "" where it gave none. The statuses in `reauthorise` say that the credentials are
    refused; every other 4xx is a definite no if it comes with a reason, else a gate that may open again.
    """
    status, details = response.status, about(response)
    if status == 429:
        return rate_limited(name, response)
    if status in reauthorise:
        return Reauthorise(
            f"{name} no longer accepts the credentials of this channel. Connect it again.", **details
        )
    if status == 413:
        return Rejected(f"{name} finds this post too large.", **details)
    if 300 <= status < 400:
        return Rejected(f"The address of this {name} channel has moved. Connect it again.", **details)
    if status == 408 or status >= 500 or status < 400:
        return unusable(name, response)
    if not reason:
        return TemporarilyRejected(f"{name} turned the request away ({status}).", **details)
    return Rejected(f"{name} refuses this: {as_sentence(reason)}", **details)


def as_sentence(reason: str) -> str:
    """A network's own words, cut, as the end of one of our sentences."""
    words = " ".join(reason.split())[:300]
    return words if words.endswith((".", "!", "?", "…")) else f"{words}."


def reading_failed(name: str, response: EgressResponse) -> ConnectorError:
    """A request that changes nothing was not answered usefully; it may be repeated."""
    if response.status == 429:
        return rate_limited(name, response)
    return unusable(name, response)
