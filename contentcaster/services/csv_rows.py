"""From the cells of one row to a draft and its time; each problem is a sentence of that row."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, time

from contentcaster.errors import InvalidInput
from contentcaster.models import Account
from contentcaster.services.drafts import PostDraft, TargetDraft
from contentcaster.services.platforms import channel_view
from contentcaster.services.schedule import Schedule

DATE_ORDERS = ("", "dmy", "mdy")
_DATE = re.compile(r"(\d{1,4})([./-])(\d{1,2})\2(\d{1,4})")
_TIME = re.compile(r"(\d{1,2})(?:[:.](\d{2}))?(?:[:.](\d{2}))?\s*([ap]\.?m\.?)?(?:\s*uhr)?", re.IGNORECASE)
_OFFSET = re.compile(r"(Z|[+-]\d{2}:?\d{2})$", re.IGNORECASE)
_GUARDED = re.compile(r"'(?=[=+\-@\t\r])")


@dataclass(frozen=True)
class Channels:
    """The channels that the person may use, by everything a cell can call them."""

    by_name: dict[str, list[str]]
    names: list[str]

    @classmethod
    def of(cls, accounts: Iterable[Account]) -> Channels:
        by_name: dict[str, list[str]] = {}
        names: list[str] = []
        for account in accounts:
            view = channel_view(account)
            names.append(account.handle)
            handle = account.handle.lower()
            for name in {
                account.id,
                handle,
                handle.lstrip("@"),
                view.display_name.lower(),
                view.platform_name.lower(),
            }:
                if name:
                    by_name.setdefault(name, []).append(account.id)
        return cls(by_name, names)

    def find(self, cell: str) -> tuple[list[str], list[str]]:
        """Ids and problems of a cell such as "@acme@social.example, Bluesky"."""
        ids: list[str] = []
        problems: list[str] = []
        for name in filter(None, (part.strip() for part in re.split(r"[,;|\n]", cell))):
            found = self.by_name.get(name.lower(), [])
            if len(found) == 1:
                ids.append(found[0])
            elif found:
                problems.append(f"“{name[:60]}” can be {len(found)} channels. Write its handle.")
            else:
                known = ", ".join(self.names[:4]) or "none yet"
                problems.append(f"There is no channel “{name[:60]}”. You can use: {known}.")
        return list(dict.fromkeys(ids)), problems


def draft_of_row(
    cells: dict[str, str], channels: Channels, default_ids: list[str]
) -> tuple[PostDraft, list[str]]:
    """What a row says, by field, as a draft; and what is wrong with it."""
    value = {
        name: _GUARDED.sub("", cell, count=1).strip() if cell.startswith("'") else cell.strip()
        for name, cell in cells.items()
    }
    ids, problems = channels.find(value.get("channels", ""))
    text, link = value.get("text", ""), value.get("link", "")
    if link and link not in text:
        text = f"{text}\n{link}".strip()
    options = {
        name: value[name].lower() if name == "visibility" else value[name]
        for name in ("visibility", "language", "content_warning")
        if value.get(name)
    }
    labels = tuple(filter(None, (label.strip() for label in re.split(r"[,;|]", value.get("labels", "")))))
    if not text:
        problems.append("The text is empty.")
    draft = PostDraft(
        text=text,
        targets=tuple(TargetDraft(account_id) for account_id in ids or ([] if problems else default_ids)),
        labels=labels,
        options=options,
    )
    return draft, problems


def schedule_of_row(cells: dict[str, str], timezone: str, order: str) -> Schedule | None:
    """The time that a row names; None if it names none.

    Raises:
        InvalidInput: it cannot be read.
    """
    zone = cells.get("timezone", "").strip() or timezone
    both = cells.get("scheduled_at", "").strip()
    day, hour = cells.get("date", "").strip(), cells.get("time", "").strip()
    if both:
        if both.lower() == "now":
            raise InvalidInput("“now” cannot be imported. Write a date and a time.")
        day, _, rest = (
            both.replace("T", " ", 1).partition(" ")
            if not re.match(r"\d{4}-\d\d?-\d\d?T", both)
            else both.partition("T")
        )
        hour = rest.strip() or hour
    if not day and not hour:
        return None
    if not day:
        raise InvalidInput("It has a time but no date.")
    if not hour:
        raise InvalidInput("It has a date but no time. Write both, or neither to keep it a draft.")
    offset = _OFFSET.search(hour)
    wall = f"{_day(day, order).isoformat()}T{_hour(_OFFSET.sub('', hour)).isoformat()}"
    return Schedule.parse(wall + (offset[1].upper() if offset else ""), zone)


def find_date_order(cells: Iterable[str]) -> str:
    """Whether dates such as 3/4/2026 put the day first (dmy) or the month (mdy): as a value "
    "above 12 tells; else ""."""
    for cell in cells:
        match = _DATE.match(cell.strip())
        if match and match[2] == "/" and len(match[1]) < 3:
            if int(match[1]) > 12:
                return "dmy"
            if int(match[3]) > 12:
                return "mdy"
    return ""


def _day(text: str, order: str) -> date:
    match = _DATE.fullmatch(text.strip().rstrip(","))
    if not match:
        raise InvalidInput(f"“{text[:40]}” is no date. Write it like 2026-11-26.")
    first, sign, second, third = match[1], match[2], match[3], match[4]
    if len(first) == 4:
        year, month, day = int(first), int(second), int(third)
    else:
        if sign == "/" and not order and int(first) <= 12 and int(second) <= 12 and first != second:
            raise InvalidInput(
                f"“{text[:40]}” can be two days. Choose above whether the day or the month comes first."
            )
        is_month_first = (sign == "/" and order == "mdy") or (int(second) > 12 and sign == "/")
        month, day = (int(first), int(second)) if is_month_first else (int(second), int(first))
        year = int(third) + (2000 if len(third) <= 2 else 0)
    try:
        return date(year, month, day)
    except ValueError:
        raise InvalidInput(f"“{text[:40]}” is no day of the calendar.") from None


def _hour(text: str) -> time:
    match = _TIME.fullmatch(text.strip())
    if not match:
        raise InvalidInput(f"“{text[:40]}” is no time. Write it like 09:00.")
    hour, minute, second = int(match[1]), int(match[2] or 0), int(match[3] or 0)
    half = (match[4] or "").lower().replace(".", "")
    if half and not 1 <= hour <= 12:
        raise InvalidInput(f"“{text[:40]}” is no time. Write it like 09:00 or 9:00 AM.")
    if half:
        hour = hour % 12 + (12 if half == "pm" else 0)
    try:
        return time(hour, minute, second)
    except ValueError:
        raise InvalidInput(f"“{text[:40]}” is no time. Write it like 09:00.") from None
