"""The interface to a language model, and what can go wrong with one."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from contentcaster.errors import ContentCasterError

Problem = Literal[
    "no_key", "key_refused", "busy", "down", "blocked", "malformed", "cut_off", "empty", "timeout", "offline"
]

_STATUS: dict[Problem, int] = {"busy": 429, "blocked": 422, "offline": 422}


class AssistantError(ContentCasterError):
    """The assistant has no answer; the message says why and what to do. Nothing that was written is lost by it."""

    http_status = 503
    code = "assistant"

    def __init__(self, problem: Problem, message: str, *, details: str = "", retry_after: float = 0) -> None:
        super().__init__(message, details=details)
        self.problem: Problem = problem
        self.retry_after_seconds = retry_after
        self.http_status = _STATUS.get(problem, 503)
        self.code = f"assistant_{problem}"


@dataclass(frozen=True)
class Picture:
    mime_type: str
    content: bytes


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """What a model is asked. `system` is ours; what people and the web wrote stands fenced in `text`."""

    task: str
    system: str
    text: str
    pictures: tuple[Picture, ...] = ()
    schema: dict[str, Any] | None = None
    """A JSON schema for the answer; the answer is then JSON."""
    max_output_tokens: int = 2048
    facts: dict[str, Any] = field(default_factory=dict)
    """The same request in plain values, for a stand-in that follows rules instead of words."""

    @property
    def estimated_tokens(self) -> int:
        """About what it will take, for the cap: 4 characters a token, 260 a picture, and the answer."""
        asked = (len(self.system) + len(self.text)) // 4 + 260 * len(self.pictures)
        return asked + min(self.max_output_tokens, 1024)


@dataclass
class Usage:
    """Tokens as the model counts them; thinking counts as output."""

    input_tokens: int = 0
    output_tokens: int = 0


class TextModel(Protocol):
    """Writes text. Both calls raise AssistantError; `usage` holds what was counted, also after an error."""

    name: str
    is_offline: bool

    def stream(self, prompt: Prompt, usage: Usage) -> AsyncGenerator[str, None]:
        """The answer piece by piece."""
        ...
