"""The stand-in of the simulation: simple rules instead of a model, so that every button can be tried without a key.

It says what it is wherever it writes, and refuses what rules cannot do.
"""

from __future__ import annotations

import asyncio
import io
import json
import re
from collections import Counter
from collections.abc import AsyncGenerator

from PIL import Image

from contentcaster.assistant.model import AssistantError, Picture, Prompt, Usage
from contentcaster.assistant.tasks import Wish

NAME = "offline stand-in"
_SENTENCE = re.compile(r"(?<=[.!?…])\s+|\n{2,}")
_WORD = re.compile(r"[^\W\d_][\w'-]{3,}")
_COMMON = frozenset(
    """
    about after again also because been before being could does down each even every from have here into
    just like made make many more most much must only other over same should some such than that their
    them then there these they this those through under very want well were what when where which while
    will with would your ours today aber alle auch auf aus bei dass dem den der die das ein eine einen
    für haben ihr ist mit nach nicht noch nur oder sich sie sind und uns von vor was wenn wie wir wird
    zum zur über http https
    """.split()  # noqa: SIM905 - a list of words reads better as words
)
_OPENERS = {
    "friendly": "Good news: ",
    "professional": "Announcement: ",
    "playful": "Guess what: ",
    "bold": "Here it is: ",
}
_COLOURS = {
    "red": (200, 40, 40), "orange": (230, 140, 40), "yellow": (235, 215, 60), "green": (60, 150, 70),
    "teal": (30, 140, 140), "blue": (50, 90, 200), "purple": (130, 60, 170), "pink": (235, 130, 170),
    "brown": (120, 80, 50), "white": (245, 245, 245), "grey": (128, 128, 128), "black": (20, 20, 20),
}  # fmt: skip
_PIECE = re.compile(r"\S+\s*|\s+")
PAUSE_SECONDS = 0.02
"""Between words, so that streaming can be seen."""


class OfflineModel:
    """Deterministic: the same request, the same text."""

    name = NAME
    is_offline = True

    async def stream(self, prompt: Prompt, usage: Usage) -> AsyncGenerator[str, None]:
        """The answer word by word."""
        text = self._answer(prompt)
        usage.input_tokens, usage.output_tokens = len(prompt.text) // 4, len(text) // 4
        for piece in _PIECE.findall(text):
            yield piece
            await asyncio.sleep(PAUSE_SECONDS)

    def _answer(self, prompt: Prompt) -> str:
        if prompt.task == "reply":
            return "Thank you, this is good to hear!"
        if prompt.task == "score":
            return json.dumps({"scores": _fits(prompt.facts["wanted"], prompt.facts["texts"])})
        wish: Wish = prompt.facts["wish"]
        match wish.task:
            case "draft":
                return shortened(_OPENERS.get(wish.tone, "") + _capital(wish.text), wish.limit)
            case "rewrite":
                opener = _OPENERS.get(wish.tone, "")
                body = wish.text if wish.text.startswith(opener) else opener + wish.text
                return shortened(body, wish.limit)
            case "shorten":
                return shortened(wish.text, max(20, wish.limit - wish.tighter_by) if wish.limit else 0)
            case "hashtags":
                return json.dumps({"hashtags": _keywords(wish.text)})
            case "alt_text":
                assert wish.picture is not None
                return _described(wish.picture)
            case "thread":
                return "\n---\n".join(_parts(wish.text, wish.limit or 280))
        raise AssistantError(
            "offline",
            "The offline stand-in of the simulation cannot translate: it follows simple rules. Set GEMINI_API_KEY.",
        )


def shortened(text: str, limit: int) -> str:
    """Whole sentences as long as they fit, then whole words; 0: as it is."""
    text = text.strip()
    if not limit or len(text) <= limit:
        return text
    kept = ""
    for sentence in _SENTENCE.split(text):
        longer = f"{kept} {sentence}".strip()
        if len(longer) > limit:
            break
        kept = longer
    if kept:
        return kept
    words = text[: limit - 1].rsplit(None, 1)[0] if " " in text[: limit - 1] else text[: limit - 1]
    return words.rstrip(",;: ") + "…"


def _keywords(text: str) -> list[str]:
    bare = re.sub(r"https?://\S+|[@#]\S+", " ", text)
    words = [word.lower() for word in _WORD.findall(bare)]
    counted = Counter(word for word in words if word not in _COMMON)
    best = sorted(counted, key=lambda word: (-counted[word], -len(word), word))
    return [re.sub(r"\W", "", word) for word in best[:4]] or ["news"]


def _fits(wanted: str, texts: list[str]) -> list[dict[str, object]]:
    """By the words that a find has in common with what is wanted."""
    words = {word.lower() for word in _WORD.findall(wanted)} - _COMMON
    fits: list[dict[str, object]] = []
    for number, text in enumerate(texts, 1):
        shared = sorted(words & {word.lower() for word in _WORD.findall(text)})
        why = f"has {', '.join(shared[:3])}" if shared else "shares no word"
        fits.append({"number": number, "fit": min(100, 30 + 35 * len(shared)) if shared else 20, "why": why})
    return fits


def _described(picture: Picture) -> str:
    with Image.open(io.BytesIO(picture.content)) as image:
        width, height = image.size
        small = image.convert("RGB").resize((1, 1))
        pixel = small.getpixel((0, 0))
    assert isinstance(pixel, tuple)
    name = min(
        _COLOURS, key=lambda colour: sum((a - b) ** 2 for a, b in zip(_COLOURS[colour], pixel, strict=True))
    )
    shape = "A square" if width == height else "A wide" if width > height else "A tall"
    return f"{shape} picture, mostly {name}. (Describe what it shows: the stand-in cannot see.)"


def _parts(text: str, limit: int) -> list[str]:
    parts: list[str] = []
    for sentence in (piece.strip() for piece in _SENTENCE.split(text) if piece.strip()):
        fitting = shortened(sentence, limit)
        if parts and len(parts[-1]) + 1 + len(fitting) <= limit:
            parts[-1] += f" {fitting}"
        else:
            parts.append(fitting)
    return parts[:8] or [text[:limit]]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
