"""What can go wrong on the way out, told apart by the one question that matters: did bytes of the request leave?

EgressError
├── EgressRefused    our own rule forbids the address or the request; nothing was sent
├── EgressNotSent    provably never sent: DNS, refused, TLS, connect or pool timeout, deadline before writing
└── EgressNoAnswer   bytes left and no usable answer came back: what the server did is unknown
"""

from __future__ import annotations


class EgressError(Exception):
    """An outgoing request without an answer. The text names the host and the reason, never path, query or headers."""

    def __init__(self, message: str, *, details: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.details = details
        """For operators; holds addresses and system errors, no secrets."""


class EgressRefused(EgressError):
    pass


class EgressNotSent(EgressError):
    pass


class EgressNoAnswer(EgressError):
    pass


class EgressTooLarge(EgressNoAnswer):
    """The answer was longer than the cap; reading stopped there."""
