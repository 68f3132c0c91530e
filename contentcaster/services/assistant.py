"""The writing assistant: one question at a time, streamed, counted, capped, and its answer checked by code.

`ask` yields pieces of text as they come and ends with an Answer. It changes nothing: the person accepts a suggestion
or not. Bots get their replies from `draft_reply`.
"""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace

from PIL import Image
from sqlmodel import Session

from contentcaster.assistant import checks, tasks
from contentcaster.assistant.checks import Limit
from contentcaster.assistant.model import AssistantError, Picture, Prompt, TextModel, Usage
from contentcaster.assistant.offline import OfflineModel
from contentcaster.assistant.tasks import Task, Tone, Wish
from contentcaster.bots.candidates import Candidate
from contentcaster.bots.rules import Then
from contentcaster.db import Database
from contentcaster.errors import InvalidInput, TooMany
from contentcaster.models import Account
from contentcaster.security.permissions import Permission, Principal
from contentcaster.services import assistant_ledger as ledger
from contentcaster.services import media
from contentcaster.services.accounts import usable_accounts
from contentcaster.services.assistant_article import fetch_article
from contentcaster.services.drafts import clean_text
from contentcaster.services.link_tags import rule_in_post, rules_of
from contentcaster.services.platforms import find_connector, text_rule_of
from contentcaster.settings import Settings, get_settings

MAX_TEXT = 40_000
_REPLY_LIMIT = 280
_PICTURE_SIDE = 1024
"""Pixels; enough to describe a picture, and a fraction of its bytes."""
_NO_KEY = (
    "The AI assistant is not set up on this server: its operator sets GEMINI_API_KEY. "
    "Everything else works without it."
)


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a person asks for. `text` is what stands in the editor, the brief, or the article."""

    task: Task
    text: str = ""
    tone: Tone = ""
    account_ids: tuple[str, ...] = ()
    language: str = ""
    url: str = ""
    media_id: str = ""
    has_media: bool = False
    """The text stands under pictures, where some networks take less."""
    options: dict[str, str] = field(default_factory=dict)
    """Of the post: content_warning, link_tags and campaign count against the length."""


@dataclass(frozen=True)
class Piece:
    """Some more text; `starts_over`: forget what came before, this is a second try."""

    text: str
    starts_over: bool = False


@dataclass(frozen=True)
class Answer:
    """The suggestion, checked. `fits` is None where no limit was asked for."""

    task: str
    text: str
    parts: list[str] = field(default_factory=list)
    hashtags: list[str] = field(default_factory=list)
    fits: bool | None = None
    warnings: list[str] = field(default_factory=list)
    model: str = ""
    is_offline: bool = False
    tokens: int = 0


@dataclass(frozen=True)
class AssistantStatus:
    is_available: bool
    is_offline: bool
    model: str
    sentence: str
    """What to know before asking: why it cannot be used, or that the stand-in answers."""
    tokens_left: int


def get_status(session: Session, principal: Principal) -> AssistantStatus:
    """Whether and by whom a question would be answered."""
    principal.require(Permission.COMPOSE)
    settings = get_settings()
    try:
        model = choose_model(settings)
    except AssistantError as error:
        return AssistantStatus(False, False, "", error.message, 0)
    if model.is_offline:
        sentence = "Offline stand-in of the simulation: simple rules, no AI. Set GEMINI_API_KEY for real suggestions."
        return AssistantStatus(True, True, model.name, sentence, 0)
    return AssistantStatus(True, False, model.name, "", ledger.left_today(session, principal))


def choose_model(settings: Settings) -> TextModel:
    """Gemini with a key; without one the stand-in in the simulation, and nothing elsewhere.

    Raises:
        AssistantError: "no_key".
    """
    if settings.gemini_api_key.get_secret_value():
        from contentcaster.assistant.gemini import GeminiModel  # noqa: PLC0415 - only where it is used

        return GeminiModel(settings)
    if settings.environment == "simulation":
        return OfflineModel()
    raise AssistantError("no_key", _NO_KEY)


async def ask(
    database: Database, principal: Principal, question: Question, *, model: TextModel | None = None
) -> AsyncGenerator[Piece | Answer, None]:
    """Yield the suggestion as it is written, then the checked Answer.

    Raises:
        InvalidInput: `fields` names text, url, language, media_id, account_ids: something is missing.
        AssistantError: why there is no answer.
        TooMany: the person's tokens for today are used up.
    """
    principal.require(Permission.COMPOSE)
    model = model or choose_model(database.settings)
    question = _checked(question)
    wish, limits = await asyncio.to_thread(_wish, database, principal, question)
    if question.url:
        wish = replace(wish, text=await fetch_article(database.settings, question.url))
    usage = Usage()
    text = ""
    async for piece in counted(database, principal.user_id, model, tasks.prompt_for(wish), usage):
        text += piece
        if wish.task != "hashtags":  # JSON is for us, not for people
            yield Piece(piece)
    answer = _judged(wish, limits, text, model)
    if answer.fits is False:
        # Once more with the target lowered by what it was over, in the network's own count.
        over = _over(answer, limits)
        second = replace(wish, tighter_by=over + max(10, wish.limit // 10), text=wish.text)
        text, is_first = "", True
        with suppress(TooMany):  # no tokens left for a second try: the first one is shown with its warning
            async for piece in counted(database, principal.user_id, model, tasks.prompt_for(second), usage):
                text += piece
                yield Piece(piece, starts_over=is_first)
                is_first = False
            answer = _judged(wish, limits, text, model)
        if answer.fits is False:
            answer = replace(answer, warnings=[_still_too_long(answer, limits), *answer.warnings])
    yield replace(answer, tokens=usage.input_tokens + usage.output_tokens)


async def answer_to(
    database: Database, principal: Principal, question: Question, *, model: TextModel | None = None
) -> Answer:
    """The whole answer at once. Raises as `ask`."""
    async for piece in ask(database, principal, question, model=model):
        if isinstance(piece, Answer):
            return piece
    raise AssistantError("empty", "The assistant gave no answer. Nothing was changed; try again.")


class Drafter:
    """Writes replies for bots; their text is checked again by the bots' own rules (bots/reply_check.py)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def __call__(self, candidate: Candidate, then: Then) -> str:
        """A reply without links or people that the post itself does not name. Raises AssistantError, TooMany."""
        model = choose_model(self._database.settings)
        voice = await asyncio.to_thread(voice_of, self._database)
        prompt = tasks.reply_prompt(
            post=candidate.text,
            author=candidate.handle,
            instruction=then.instructions,
            brand_voice=voice,
            limit=_REPLY_LIMIT,
        )
        text = ""
        async for piece in counted(self._database, None, model, prompt, Usage()):
            text += piece
        # A stranger's post is no licence for a link: nothing in it counts as given.
        return checks.without_foreign(checks.cleaned(text), "")


async def counted(
    database: Database, user_id: str | None, model: TextModel, prompt: Prompt, usage: Usage
) -> AsyncGenerator[str, None]:
    """Ask once, with its line in the ledger however it ends."""
    own, outcome, began = Usage(), "stopped", time.monotonic()
    use_id = await asyncio.to_thread(
        lambda: database.write(
            lambda session: ledger.begin(
                session,
                user_id,
                task=prompt.task,
                model=model.name,
                is_offline=model.is_offline,
                estimate=prompt.estimated_tokens,
            )
        )
    )
    try:
        async with aclosing(model.stream(prompt, own)) as pieces:
            async for piece in pieces:
                yield piece
        outcome = "ok"
    except AssistantError as error:
        outcome = error.problem
        raise
    finally:
        took_ms = round((time.monotonic() - began) * 1000)
        usage.input_tokens += own.input_tokens
        usage.output_tokens += own.output_tokens
        # Shielded: a person who closes the panel must not leave the line open.
        await asyncio.shield(
            asyncio.to_thread(
                lambda: database.write(
                    lambda session: ledger.finish(
                        session, use_id, outcome=outcome, usage=own, took_ms=took_ms
                    )
                )
            )
        )


def _checked(question: Question) -> Question:
    problems = {}
    text = clean_text(question.text).strip()
    if len(text) > MAX_TEXT:
        problems["text"] = f"Give the assistant at most {MAX_TEXT:,} characters at once."
    if question.task == "alt_text":
        if not question.media_id:
            problems["media_id"] = "Choose a picture first."
    elif not text and not (question.task == "thread" and question.url):
        words = {
            "draft": "Say in a sentence what the post is about.",
            "thread": "Paste the article, or its address.",
        }
        problems["text"] = words.get(question.task, "There is no text yet. Write something first.")
    if question.task == "translate" and not question.language:
        problems["language"] = "Choose the language to translate into."
    if question.task == "shorten" and not question.account_ids:
        problems["account_ids"] = "Choose the channels that it has to fit."
    if problems:
        raise InvalidInput(next(iter(problems.values())), fields=problems)
    return replace(question, text=text, language=" ".join(question.language.split())[:40])


def _wish(database: Database, principal: Principal, question: Question) -> tuple[Wish, list[Limit]]:
    with database.reading() as session:
        accounts = usable_accounts(session, principal, list(question.account_ids))
        limits = _limits(session, accounts, question)
        picture = _picture(session, principal, question.media_id) if question.media_id else None
        voice = ledger.get_setup(session).brand_voice
    needs_limit = question.task in ("draft", "rewrite", "shorten", "thread")
    wish = Wish(
        task=question.task,
        text=question.text,
        tone=question.tone,
        networks=tasks.networks_of([_network(account) for account in accounts.values()]),
        limit=min((limit.rule.max_length for limit in limits), default=0) if needs_limit else 0,
        language=question.language,
        brand_voice=voice,
        picture=picture,
    )
    return wish, limits if needs_limit else []


def _judged(wish: Wish, limits: Sequence[Limit], text: str, model: TextModel) -> Answer:
    answer = Answer(wish.task, checks.cleaned(text), model=model.name, is_offline=model.is_offline)
    if wish.task == "hashtags":
        tags = checks.hashtags_of(checks.parsed(text, "hashtags"))
        if not tags:
            raise AssistantError("empty", "The assistant found no hashtags. Nothing was changed.")
        return replace(answer, text=" ".join(tags), hashtags=tags)
    if wish.task == "thread":
        parts = checks.thread_parts(text)
        answer = replace(answer, parts=parts, text="\n\n".join(parts))
    if not answer.text:
        raise AssistantError("empty", "The assistant gave an empty answer. Nothing was changed; try again.")
    answer = replace(answer, warnings=checks.warnings_of(answer.text, wish.text))
    if limits:
        answer = replace(answer, fits=_over(answer, limits) <= 0)
    return answer


def _over(answer: Answer, limits: Sequence[Limit]) -> int:
    """By how much the longest of it is too long; a thread fits if each part does."""
    return max(checks.too_long_by(text, limits) for text in answer.parts or [answer.text])


def _still_too_long(answer: Answer, limits: Sequence[Limit]) -> str:
    where = "A part of it is" if answer.parts else "It is"
    return (
        f"{where} still {_over(answer, limits):,} too long after two tries. Shorten it by hand, "
        "or split it into a thread."
    )


def _limits(session: Session, accounts: dict[str, Account], question: Question) -> list[Limit]:
    tags = rules_of(session, list(accounts))
    limits = []
    for account_id, account in accounts.items():
        rule = text_rule_of(account)
        if question.has_media and rule.max_length_with_media is not None:
            rule = replace(rule, max_length=rule.max_length_with_media)
        own = rule_in_post(tags.get(account_id), dict(question.options))
        limits.append(Limit(rule, own, question.options.get("content_warning", "")))
    return limits


def _picture(session: Session, principal: Principal, media_id: str) -> Picture:
    if media.get_media(session, principal, media_id).duration_seconds:
        sentence = "The assistant looks at pictures, not at videos. Write the alt text yourself."
        raise InvalidInput(sentence, field="media_id")
    file = media.open_file(session, principal, media_id)
    with Image.open(file.path) as image:
        small = image.convert("RGB")
        small.thumbnail((_PICTURE_SIDE, _PICTURE_SIDE))
        buffer = io.BytesIO()
        small.save(buffer, "JPEG", quality=80)
    return Picture("image/jpeg", buffer.getvalue())


def _network(account: Account) -> str:
    return find_connector(account.platform).capabilities.name


def voice_of(database: Database) -> str:
    """How the brand speaks, as its admin wrote it."""
    with database.reading() as session:
        return ledger.get_setup(session).brand_voice
