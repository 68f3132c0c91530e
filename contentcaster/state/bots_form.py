"""The rule editor's form: texts as people type them, to a rule's spec and back."""

from __future__ import annotations

from typing import Any

from contentcaster.bots.rules import EXAMPLES
from contentcaster.models.bot import BotKind

BLANK: dict[str, str] = {
    "name": "", "account_id": "", "every_minutes": "", "sources": "", "keywords": "", "min_score": "",
    "wanted": "",
    "when": "mention", "value": "", "like": "", "repost": "", "reply": "", "templates": "", "use_assistant": "",
    "instructions": "", "follow": "", "follow_back": "", "unfollow_after_days": "", "languages": "",
    "min_followers": "", "max_followers": "", "min_account_age_days": "", "max_post_age_hours": "",
    "sentiment": "any", "must_match": "", "must_not_match": "", "allow_list": "", "deny_list": "", "bots_too": "",
}  # fmt: skip
_PLACES = {
    "sources": "sources", "scoring.keywords": "keywords", "scoring.min_score": "min_score", "then": "then",
    "scoring": "wanted",
}  # fmt: skip


def example(bot: str, number: int = 0) -> dict[str, str]:
    """The form of an example rule."""
    names = list(EXAMPLES[BotKind(bot)])
    name = names[number % len(names)]
    return to_form(bot, EXAMPLES[BotKind(bot)][name]) | {"name": name}


def to_form(bot: str, spec: dict[str, Any]) -> dict[str, str]:
    """A spec as the form shows it."""
    form = dict(BLANK)
    for name in ("every_minutes", "when", "value", "unfollow_after_days", "min_score"):
        if spec.get(name) is not None:
            form[name] = str(spec[name])
    form["sources"] = "\n".join(f"{s['kind']}: {s['value']}" for s in spec.get("sources", ()))
    scoring = spec.get("scoring", {})
    form["keywords"] = "\n".join(f"{word}: {points}" for word, points in scoring.get("keywords", {}).items())
    if bot == "finder":
        form["min_score"] = str(scoring.get("min_score", 50))
        form["use_assistant"] = "on" if scoring.get("use_assistant") else ""
        form["wanted"] = scoring.get("wanted", "")
    for then in spec.get("then", ()):
        form[then["action"]] = "on"
        form["templates"] = "\n".join(then.get("templates", ())) or form["templates"]
        form["use_assistant"] = "on" if then.get("use_assistant") else form["use_assistant"]
        form["instructions"] = then.get("instructions", "") or form["instructions"]
    form["follow"] = "on" if spec.get("follow", bot == "growth") else ""
    form["follow_back"] = "on" if spec.get("follow_back") else ""
    filters = spec.get("filters", {})
    form["languages"] = ", ".join(filters.get("languages", ()))
    for name in ("allow_list", "deny_list"):
        form[name] = ", ".join(filters.get(name, ()))
    for name in ("min_followers", "max_followers", "min_account_age_days", "max_post_age_hours", "sentiment",
                 "must_match", "must_not_match"):  # fmt: skip
        if filters.get(name) not in (None, 0):
            form[name] = str(filters[name])
    form["bots_too"] = "" if filters.get("skip_bots", True) else "on"
    return form


def to_spec(bot: str, form: dict[str, str]) -> dict[str, Any]:
    """What was typed as a spec; pydantic says what is wrong with it."""
    spec: dict[str, Any] = {"filters": _filters(form)}
    if form["every_minutes"]:
        spec["every_minutes"] = form["every_minutes"]
    if bot == "finder":
        spec["sources"] = [_pair(line) for line in _lines(form["sources"])]
        keywords = [line.rpartition(":") for line in _lines(form["keywords"])]
        spec["scoring"] = {
            "keywords": {w.strip() or p.strip(): p.strip() if w else 10 for w, _, p in keywords}
        }
        if form["min_score"]:
            spec["scoring"]["min_score"] = form["min_score"]
        spec["scoring"] |= {"use_assistant": bool(form["use_assistant"]), "wanted": form["wanted"]}
    elif bot == "engagement":
        spec |= {"when": form["when"], "value": form["value"], "then": _then(form)}
    else:
        spec |= {"follow": bool(form["follow"]), "follow_back": bool(form["follow_back"])}
        spec["unfollow_after_days"] = form["unfollow_after_days"] or None
        if form["min_score"]:
            spec["min_score"] = form["min_score"]
    return spec


def at_fields(errors: dict[str, str]) -> dict[str, str]:
    """pydantic's places -> the form's own, so that each reason stands at its input."""
    placed: dict[str, str] = {}
    for place, reason in errors.items():
        name = next(
            (form for start, form in _PLACES.items() if place.startswith(start)), place.split(".")[-1]
        )
        if place in ("rule", "filters"):
            name = place
        if place.startswith("filters.") and len(place.split(".")) > 1:
            name = place.split(".")[1]
        if "template" in place:
            name = "templates"
        placed.setdefault(name, reason)
    return placed


def _filters(form: dict[str, str]) -> dict[str, Any]:
    filters: dict[str, Any] = {"skip_bots": not form["bots_too"], "sentiment": form["sentiment"] or "any"}
    for name in ("languages", "allow_list", "deny_list"):
        filters[name] = _words(form[name])
    for name in ("min_followers", "max_followers", "min_account_age_days", "max_post_age_hours"):
        if form[name]:
            filters[name] = form[name]
    return filters | {"must_match": form["must_match"], "must_not_match": form["must_not_match"]}


def _then(form: dict[str, str]) -> list[dict[str, Any]]:
    acts: list[dict[str, Any]] = [{"action": name} for name in ("like", "repost") if form[name]]
    if form["reply"]:
        reply = {"action": "reply", "templates": _lines(form["templates"])}
        acts.append(
            reply | {"use_assistant": bool(form["use_assistant"]), "instructions": form["instructions"]}
        )
    return acts


def _pair(line: str) -> dict[str, str]:
    kind, _, value = line.partition(":")
    if line.startswith("#"):
        return {"kind": "hashtag", "value": line}
    if line.lower().startswith(("http://", "https://")):
        return {"kind": "feed", "value": line}
    return {"kind": kind.strip().lower().replace(" ", "_"), "value": value.strip()}


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.replace("\n", ",").split(",") if word.strip()]
