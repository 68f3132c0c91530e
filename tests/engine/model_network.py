"""A network for the state machine: requests are under way for a while, land or get lost, and are remembered."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

KEY_LIFE = timedelta(hours=1)


class Mode(StrEnum):
    KEYED = "keyed"  # remembers our key for an hour, has no read-back
    READABLE = "readable"  # ignores keys, shows what is there
    BLIND = "blind"  # neither


@dataclass
class Flight:
    """A request that was written; it lands or is lost before `lands_before`."""

    target: str
    mode: Mode
    lands_before: datetime
    landed_id: str | None = None
    is_lost: bool = False

    @property
    def is_in_the_air(self) -> bool:
        return self.landed_id is None and not self.is_lost


@dataclass
class ModelNetwork:
    effects: dict[str, list[str]] = field(default_factory=dict)
    """What is there, by target: more than one is the one thing that must never be."""
    flights: list[Flight] = field(default_factory=list)
    _keys: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    _count: int = 0

    def write(self, target: str, mode: Mode, now: datetime, deadline_seconds: float) -> Flight:
        flight = Flight(target, mode, now + timedelta(seconds=deadline_seconds))
        self.flights.append(flight)
        return flight

    def land(self, flight: Flight, now: datetime) -> str:
        """The request takes effect; a key that is remembered answers what is there already."""
        if flight.mode is Mode.KEYED and flight.target in self._keys:
            known, since = self._keys[flight.target]
            if now - since < KEY_LIFE:
                flight.landed_id = known
                return known
        self._count += 1
        flight.landed_id = f"n{self._count}"
        self.effects.setdefault(flight.target, []).append(flight.landed_id)
        self._keys[flight.target] = (flight.landed_id, now)
        return flight.landed_id

    def pass_time(self, now: datetime) -> None:
        """Whatever is still in the air lands before its deadline: the worst that a slow network can do."""
        for flight in self.flights:
            if flight.is_in_the_air and flight.lands_before <= now:
                self.land(flight, flight.lands_before)

    def found(self, target: str) -> str | None:
        return next(iter(self.effects.get(target, ())), None)
