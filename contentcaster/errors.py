"""Errors that a person sees: a sentence for them, details for operators.

    ContentCasterError
    ├── InvalidInput        a field holds something that cannot be used; names the field
    ├── NotFound            no such thing, or not yours (we never say which)
    ├── NotAllowed          signed in, but the role may not do this
    ├── NotSignedIn         no session, or it has ended
    ├── Conflict            somebody or something else was there first
    │   └── ChangedMeanwhile    it is not the version that was read
    ├── PreconditionFailed  the same, where REST was told by If-Match
    ├── TooMany             a limit on tries or amounts is reached
    └── Unavailable         a part of the system does not answer right now

Whatever is not a ContentCasterError is a bug: it is logged with its traceback and shown as a reference number.
"""

from __future__ import annotations


class ContentCasterError(Exception):
    """Base of all errors whose `message` is written for the person in front of the screen."""

    http_status = 400
    code = "error"

    def __init__(self, message: str, *, details: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.details = details
        """For operators only; already redacted."""


class InvalidInput(ContentCasterError):
    """One or more fields hold something that cannot be used; `fields` maps field name -> sentence."""

    http_status = 422
    code = "invalid_input"

    def __init__(self, message: str, *, field: str = "", fields: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.fields = fields if fields is not None else ({field: message} if field else {})


class NotFound(ContentCasterError):
    http_status = 404
    code = "not_found"


class NotAllowed(ContentCasterError):
    http_status = 403
    code = "not_allowed"


class NotSignedIn(ContentCasterError):
    http_status = 401
    code = "not_signed_in"


class Conflict(ContentCasterError):
    http_status = 409
    code = "conflict"


class ChangedMeanwhile(Conflict):
    """Not the version that was read; REST answers 412 where the version came as If-Match."""


class PreconditionFailed(ContentCasterError):
    http_status = 412
    code = "precondition_failed"


class TooMany(ContentCasterError):
    """A limit is reached; `retry_after_seconds` says when another try makes sense."""

    http_status = 429
    code = "too_many"

    def __init__(self, message: str, *, retry_after_seconds: float = 0) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Unavailable(ContentCasterError):
    http_status = 503
    code = "unavailable"
