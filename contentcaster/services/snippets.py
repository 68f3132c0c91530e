"""Saved texts: hashtag sets, signatures and templates, each person's own and those an admin shares with everybody.

A template may hold variables, filled in when it is put into a post: {{date}}, {{weekday}}, {{time}}, {{month}},
{{year}}, {{author}} from the post itself, and {{ask: Product}} for what the writer is asked.
"""

from __future__ import annotations

import re

from sqlalchemy import ColumnElement, func, or_, select
from sqlmodel import Session

from contentcaster import live
from contentcaster.clock import utc_now
from contentcaster.errors import Conflict, InvalidInput, NotAllowed, NotFound
from contentcaster.models import Snippet, SnippetKind, User
from contentcaster.security.permissions import Permission, Principal
from contentcaster.services.drafts import clean_text
from contentcaster.services.ids import is_id
from contentcaster.services.views import SnippetView

VARIABLES = ("date", "weekday", "time", "month", "year", "author")
MAX_NAME_LENGTH = 80
MAX_TEXT_LENGTH = 10_000
MAX_PER_PERSON = 200

_VARIABLE = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_ASKED = re.compile(r"\s*ask\s*:\s*([^{}\n]{1,60}?)\s*")
_HASHTAG = re.compile(r"#[^\s#]+")


def list_snippets(session: Session, principal: Principal) -> list[SnippetView]:
    """Own and shared ones, by kind and name."""
    principal.require(Permission.COMPOSE)
    rows = session.execute(
        select(Snippet, User.name)
        .join(User, User.id == Snippet.owner_id)
        .where(_visible(principal))
        .order_by(Snippet.kind, func.lower(Snippet.name), Snippet.id)
    )
    return [_view(principal, snippet, name) for snippet, name in rows]


def save_snippet(
    session: Session,
    principal: Principal,
    *,
    kind: str,
    name: str,
    text: str,
    is_shared: bool = False,
    snippet_id: str = "",
    version: int | None = None,
) -> SnippetView:
    """Keep a new one, or change the one with `snippet_id`.

    Raises:
        InvalidInput: fields "kind", "name", "text" (an unknown variable, a hashtag set with something else in it).
        NotAllowed: sharing is for admins. NotFound, Conflict: it is not theirs, or was changed since `version`.
    """
    principal.require(Permission.COMPOSE)
    if is_shared and not _may_share(principal):
        raise NotAllowed("Only an admin shares a text with everybody. Save it for yourself, or ask one.")
    checked_kind, name, text = _checked(kind, name, text)
    if snippet_id:
        row = _own(session, principal, snippet_id)
        if version is not None and row.version != version:
            raise Conflict(
                "This text was changed since you opened it. Nothing was overwritten; open it again."
            )
        row.version += 1
    else:
        _refuse_too_many(session, principal)
        row = Snippet(owner_id=principal.user_id, kind=checked_kind, name=name, text=text)
    row.kind, row.name, row.text, row.is_shared = checked_kind, name, text, is_shared
    row.updated_at = utc_now()
    session.add(row)
    session.flush()
    live.note(session, "snippets")
    owner = session.get_one(User, row.owner_id)
    return _view(principal, row, owner.name)


def delete_snippet(session: Session, principal: Principal, snippet_id: str) -> None:
    """Remove one; posts that were written with it keep their words. Raises NotFound."""
    principal.require(Permission.COMPOSE)
    session.delete(_own(session, principal, snippet_id))
    live.note(session, "snippets")


def find_variables(text: str) -> tuple[list[str], list[str]]:
    """The variables in a text: known ones (asked ones as their question), and the words of unknown ones."""
    known: list[str] = []
    unknown: list[str] = []
    for match in _VARIABLE.finditer(text):
        word = match.group(1).strip()
        asked = _ASKED.fullmatch(match.group(1))
        if word in VARIABLES:
            known.append(word)
        elif asked:
            known.append(asked.group(1))
        else:
            unknown.append(word[:40])
    return list(dict.fromkeys(known)), list(dict.fromkeys(unknown))


def _checked(kind: str, name: str, text: str) -> tuple[SnippetKind, str, str]:
    problems: dict[str, str] = {}
    name, text = " ".join(clean_text(name).split()), clean_text(text)
    if kind not in list(SnippetKind):
        problems["kind"] = f"It is one of {', '.join(SnippetKind)}."
    if not name or len(name) > MAX_NAME_LENGTH:
        problems["name"] = f"Give it a name of at most {MAX_NAME_LENGTH} characters."
    if not text:
        problems["text"] = "There is no text to keep."
    elif len(text) > MAX_TEXT_LENGTH:
        problems["text"] = f"A saved text holds at most {MAX_TEXT_LENGTH:,} characters."
    elif kind == SnippetKind.HASHTAGS and _HASHTAG.sub("", text).strip():
        problems["text"] = "A hashtag set holds hashtags only, such as #devrel #opensource."
    else:
        _, unknown = find_variables(text)
        rest = _VARIABLE.sub("", text)
        if unknown:
            there_are = ", ".join(f"{{{{{name}}}}}" for name in VARIABLES)
            problems["text"] = (
                f"There is no variable {{{{{unknown[0]}}}}}. There are {there_are} and {{{{ask: a question}}}}."
            )
        elif "{{" in rest or "}}" in rest:
            problems["text"] = "A variable is not closed: it is written {{date}}."
    if problems:
        raise InvalidInput(next(iter(problems.values())), fields=problems)
    return SnippetKind(kind), name, text


def _refuse_too_many(session: Session, principal: Principal) -> None:
    count = session.execute(
        select(func.count()).select_from(Snippet).where(Snippet.owner_id == principal.user_id)
    ).scalar_one()
    if count >= MAX_PER_PERSON:
        raise InvalidInput(f"You have {MAX_PER_PERSON} saved texts. Delete one first.", field="name")


def _may_share(principal: Principal) -> bool:
    return principal.can(Permission.EDIT_ALL_POSTS)


def _visible(principal: Principal) -> ColumnElement[bool]:
    return or_(Snippet.owner_id == principal.user_id, Snippet.is_shared.is_(True))


def _own(session: Session, principal: Principal, snippet_id: str) -> Snippet:
    """One that the person may change: their own, or a shared one for those who share."""
    row = session.get(Snippet, snippet_id) if is_id(snippet_id) else None
    is_theirs = row is not None and (
        row.owner_id == principal.user_id or (row.is_shared and _may_share(principal))
    )
    if row is None or not is_theirs:
        raise NotFound("This saved text does not exist, or it is not yours to change.")
    return row


def _view(principal: Principal, row: Snippet, owner_name: str) -> SnippetView:
    is_own = row.owner_id == principal.user_id
    return SnippetView(
        id=row.id,
        kind=row.kind.value,
        name=row.name,
        text=row.text,
        is_shared=row.is_shared,
        owner_name="" if is_own else owner_name,
        is_editable=is_own or (row.is_shared and _may_share(principal)),
        version=row.version,
    )
