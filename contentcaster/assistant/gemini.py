"""Gemini through google-genai, whose HTTP goes through the egress client (docs/decisions/011-gemini.md).

The library is imported with the first question, not with the process: it takes a second and 50 MB.
"""

from __future__ import annotations

import asyncio
import importlib
import re
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from contentcaster.assistant.model import AssistantError, Prompt, Usage
from contentcaster.security.egress import EgressClient, redact
from contentcaster.security.egress_transport import HTTPError, TimeoutException, library_client
from contentcaster.settings import Settings

if TYPE_CHECKING:
    from google.genai import types

BASE_URL = "https://generativelanguage.googleapis.com"
API_VERSION = "v1beta"
"""Named, because the library's default moved to v1, which lacks system instructions and schemas."""
READ_SECONDS = 45.0
"""Between two pieces of an answer."""
_KEYS = re.compile(r"AIza[\w-]{10,}|(?<=key=)[^\s&'\"]+")
_BLOCKED_FINISHES = (
    "SAFETY",
    "PROHIBITED_CONTENT",
    "BLOCKLIST",
    "SPII",
    "RECITATION",
    "IMAGE_SAFETY",
    "LANGUAGE",
)


class GeminiModel:
    """One per question: it belongs to the event loop that asks."""

    is_offline = False

    def __init__(self, settings: Settings, *, read_seconds: float = READ_SECONDS) -> None:
        self.name = settings.gemini_model
        self._key = settings.gemini_api_key.get_secret_value()
        self._base_url = settings.gemini_base_url or BASE_URL
        self._allow = settings.allowed_private_hosts | _named_by_the_operator(settings.gemini_base_url)
        self._read_seconds = read_seconds

    async def stream(self, prompt: Prompt, usage: Usage) -> AsyncGenerator[str, None]:
        """The answer piece by piece. Raises AssistantError."""
        # In a thread: a second of importing would hold up everybody else's console.
        await asyncio.to_thread(importlib.import_module, "google.genai")
        from google.genai import Client, errors, types  # noqa: PLC0415

        async with EgressClient(allow=self._allow, deadline_seconds=20.0, max_connections=4) as egress:
            http = library_client(egress, read_seconds=self._read_seconds)
            options = types.HttpOptions(
                base_url=self._base_url,
                api_version=API_VERSION,
                timeout=int(self._read_seconds * 1000),
                httpx_async_client=http,
            )
            client = Client(api_key=self._key, http_options=options)
            try:
                async for piece in self._answer(client, prompt, usage):
                    yield piece
            except errors.APIError as error:
                raise _explained(error) from None
            except TimeoutException:
                raise AssistantError(
                    "timeout", "Gemini did not answer in time. Nothing was changed; try again."
                ) from None
            except HTTPError as error:
                raise AssistantError(
                    "down",
                    "Gemini could not be reached. Nothing was changed; try again in a moment.",
                    details=redact(str(error)),
                ) from None
            except (
                ValueError
            ) as error:  # the library on bytes that are no JSON; pydantic's errors are ValueErrors
                raise AssistantError(
                    "malformed",
                    "Gemini answered with something that cannot be read. Nothing was changed; try again.",
                    details=redact(str(error))[:300],
                ) from None
            finally:
                await http.aclose()

    async def _answer(self, client: Any, prompt: Prompt, usage: Usage) -> AsyncGenerator[str, None]:
        from google.genai import types  # noqa: PLC0415

        parts = [types.Part.from_bytes(data=p.content, mime_type=p.mime_type) for p in prompt.pictures]
        config = types.GenerateContentConfig(
            system_instruction=prompt.system,
            max_output_tokens=prompt.max_output_tokens,
            temperature=0.7,
            response_mime_type="application/json" if prompt.schema else None,
            response_schema=prompt.schema,
        )
        said, finish = False, ""
        pieces = await client.aio.models.generate_content_stream(
            model=self.name, contents=[*parts, types.Part.from_text(text=prompt.text)], config=config
        )
        async for piece in pieces:
            _count(piece, usage)
            _refuse_blocked(piece)
            finish = _finish_of(piece) or finish
            if text := _text_of(piece):
                said = True
                yield text
        if finish in _BLOCKED_FINISHES:
            raise _blocked(finish)
        if finish == "MAX_TOKENS":
            raise AssistantError(
                "cut_off",
                "The answer was cut off before its end, so it was not taken over. Ask for less at once.",
            )
        if not said:
            raise AssistantError(
                "empty", "Gemini gave an empty answer. Nothing was changed; say it in other words."
            )
        if not finish:
            raise AssistantError(
                "cut_off", "The connection ended before the answer did, so it was not taken over. Try again."
            )


def _text_of(piece: types.GenerateContentResponse) -> str:
    """The text of one piece, without the model's thoughts; `.text` of the library warns and is None on a block."""
    candidates = piece.candidates or []
    content = candidates[0].content if candidates else None
    return "".join(part.text or "" for part in (content.parts or []) if not part.thought) if content else ""


def _finish_of(piece: types.GenerateContentResponse) -> str:
    candidates = piece.candidates or []
    reason = candidates[0].finish_reason if candidates else None
    return str(getattr(reason, "value", reason) or "")


def _count(piece: types.GenerateContentResponse, usage: Usage) -> None:
    counted = piece.usage_metadata
    if counted is None:
        return
    usage.input_tokens = counted.prompt_token_count or usage.input_tokens
    output = (counted.candidates_token_count or 0) + (counted.thoughts_token_count or 0)
    usage.output_tokens = output or usage.output_tokens


def _refuse_blocked(piece: types.GenerateContentResponse) -> None:
    feedback = piece.prompt_feedback
    if feedback is not None and feedback.block_reason is not None:
        raise _blocked(str(getattr(feedback.block_reason, "value", feedback.block_reason)))


def _blocked(reason: str) -> AssistantError:
    return AssistantError(
        "blocked",
        "Gemini's safety rules refused this text. Nothing was changed; write it yourself or in other words.",
        details=reason,
    )


def _explained(error: Any) -> AssistantError:
    code, details = int(error.code or 0), _KEYS.sub("[key]", redact(str(error)))[:400]
    if code == 429:
        wait = _retry_delay_seconds(error)
        when = f"in {wait:.0f} s" if wait else "in a minute"
        return AssistantError(
            "busy",
            f"Gemini has had too many requests with this key. Try again {when}.",
            details=details,
            retry_after=wait,
        )
    if code in (401, 403) or (code == 400 and "API key" in str(error)):
        return AssistantError(
            "key_refused",
            "Gemini does not accept the server's GEMINI_API_KEY. Tell an admin.",
            details=details,
        )
    if code == 404:
        return AssistantError(
            "down",
            "Gemini does not know the model that this server asks for (GEMINI_MODEL). Tell an admin.",
            details=details,
        )
    if code >= 500:
        return AssistantError(
            "down",
            "Gemini has a problem of its own right now. Nothing was changed; try again.",
            details=details,
        )
    return AssistantError(
        "malformed", "Gemini did not understand the request. Nothing was changed.", details=details
    )


def _retry_delay_seconds(error: Any) -> float:
    """What google.rpc.RetryInfo in the answer says: "17s"."""
    try:
        details = error.details["error"]["details"]
        text = next(str(item["retryDelay"]) for item in details if "retryDelay" in item)
        return min(float(text.removesuffix("s")), 3600.0)
    except (KeyError, TypeError, StopIteration, ValueError):
        return 0.0


def _named_by_the_operator(base_url: str) -> frozenset[str]:
    """GEMINI_BASE_URL is the operator's own word: a server on loopback may be asked, no other one."""
    if not base_url:
        return frozenset()
    parts = urlsplit(base_url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return frozenset({f"{parts.hostname}:{port}"})
