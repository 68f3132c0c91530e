"""What is asked of the numbers, as it stands in an address: days, what to compare with, channel, network, label.

The page, its shared link, REST, the mailed report and the pictures all read the same words, so a view can be handed on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

from contentcaster.errors import InvalidInput
from contentcaster.services.analytics_period import Period, other_period, period_of
from contentcaster.services.analytics_scope import EVERYTHING, Scope
from contentcaster.services.drafts import clean_text

SPANS = {"7": "7 days", "30": "30 days", "month": "Last month", "90": "90 days", "365": "One year"}
USUAL = "30"
NAMES = ("days", "from", "to", "vs", "vs_from", "vs_to", "channel", "network", "label")
MAX_VALUE_CHARACTERS = 60


@dataclass(frozen=True)
class Asked:
    """One view of the numbers."""

    period: Period
    days: str = USUAL
    """Which of SPANS, so that tomorrow it means the days up to then; "" for days of its own."""
    against: Period | None = None
    """None: the same number of days right before."""
    versus: str = ""
    """"" | year | own"""
    scope: Scope = field(default=EVERYTHING)

    @property
    def other(self) -> Period:
        """The period that it is compared with."""
        return self.against or self.period.before

    def query(self) -> dict[str, str]:
        """The words of the address that ask for it; the usual ones are left out."""
        found: dict[str, str] = {}
        if not self.days:
            found = {"from": self.period.first.isoformat(), "to": self.period.last.isoformat()}
        elif self.days != USUAL:
            found = {"days": self.days}
        if self.versus == "year":
            found["vs"] = "year"
        elif self.versus == "own" and self.against is not None:
            found |= {"vs_from": self.against.first.isoformat(), "vs_to": self.against.last.isoformat()}
        own = {"channel": self.scope.account_id, "network": self.scope.network, "label": self.scope.label}
        return found | {name: value for name, value in own.items() if value}

    def at(self, first: date, last: date) -> Asked:
        """The same of other days, compared with the days right before them."""
        return replace(self, period=Period(first, last, self.period.zone), days="", against=None, versus="")


def asked_of(values: Mapping[str, Any], zone: str, *, today: date | None = None) -> Asked:
    """The view that these words of an address ask for.

    Raises:
        InvalidInput: fields "days", "from", "to", "vs_from", "vs_to", "timezone". Channel, network and label are
            looked at when their numbers are read.
    """
    given = {name: clean_text(str(values.get(name) or ""))[:MAX_VALUE_CHARACTERS] for name in NAMES}
    today = today or period_of("", "", zone).last
    if given["from"] or given["to"]:
        days, period = "", period_of(given["from"], given["to"], zone, today=today)
    else:
        days = given["days"] or USUAL
        period = _span(days, zone, today)
    if given["vs"] not in ("", "before", "year"):
        raise InvalidInput("Compare with the days before, or with the year before.", field="vs")
    versus = "own" if given["vs_from"] or given["vs_to"] else given["vs"].replace("before", "")
    against = other_period("year" if versus == "year" else given["vs_from"], given["vs_to"], period)
    scope = Scope(given["channel"], given["network"], given["label"])
    return Asked(period, days, against, versus, scope)


def _span(days: str, zone: str, today: date) -> Period:
    if days not in SPANS:
        raise InvalidInput("There is no such period.", field="days")
    if days == "month":
        last = today.replace(day=1) - timedelta(days=1)
        return Period(last.replace(day=1), last, zone)
    return Period(today - timedelta(days=int(days) - 1), today, zone)
