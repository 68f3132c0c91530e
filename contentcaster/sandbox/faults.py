"""Faults on demand: which request gets one, and what the client then sees.

A fault is drawn per request. Draws depend only on the seed and on what the request is (account, method, path, its
key or body, and how often it came), not on the order of arrival, so a run with the same seed meets the same faults.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field
from typing import Any

from .errors import ControlError
from .network import Network
from .settings import FAULT_KINDS
from .things import Exchange, Json

LATENCY = ("latency", "latency_after")
_TOKEN_KINDS = ("expired_token", "revoked_token")
BEFORE = ("rate_limit", "error_before", "drop_before", "malformed_before", *_TOKEN_KINDS)
DIALECTS = (
    "retry-after", "http-date", "x-ratelimit-iso", "x-ratelimit-epoch", "x-ratelimit-ms", "ratelimit",
    "retry-after-ms", "none",
)  # fmt: skip
_NOT_IN_MIX = ("/oauth/", "/xrpc/com.atproto.server.", "/api/v1/apps")


@dataclass(slots=True)
class FaultRule:
    """A fault that was asked for; `times` None applies it until it is deleted."""

    id: int
    kind: str
    match: dict[str, str]
    times: int | None = 1
    probability: float = 1.0
    seed: str = ""
    params: Json = field(default_factory=dict)
    applied: int = 0

    def wants(self, exchange: Exchange) -> bool:
        match = self.match
        return (
            (self.times is None or self.applied < self.times)
            and ("path" not in match or _path_matches(match["path"], exchange.path))
            and ("method" not in match or match["method"].upper() == exchange.method)
            and ("account" not in match or match["account"].lstrip("@").lower() == exchange.account)
            and ("text_contains" not in match or match["text_contains"] in (exchange.text or ""))
            and ("key" not in match or match["key"] == exchange.key)
            and (self.kind not in _TOKEN_KINDS or _uses_access_token(exchange))
        )


@dataclass(slots=True)
class Fault:
    """A fault that a request got."""

    kind: str
    params: Json


class Faults:
    """The rules in force and the draws that were made."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.rules: dict[int, FaultRule] = {}
        self._seen: dict[str, int] = {}
        self._next_id = 1

    def clear(self) -> None:
        self.rules.clear()
        self._seen.clear()

    def add(self, body: Any) -> FaultRule:
        """Make a rule from a control call; raises ControlError with a sentence."""
        rule = _checked_rule(self._next_id, body, self.network.config.seed)
        self._next_id += 1
        self.rules[rule.id] = rule
        return rule

    def draw(self, exchange: Exchange) -> list[Fault]:
        """The faults for this request: any latencies, and at most one other."""
        config = self.network.config
        if not self.rules and not config.fault_mix:
            return []
        identity = (
            f"{exchange.account}|{exchange.method}|{exchange.path}|{exchange.key or exchange.body_hash}"
        )
        times = self._seen[identity] = self._seen.get(identity, 0) + 1
        drawn: list[Fault] = []
        taken = False
        for rule in self.rules.values():
            terminal = rule.kind not in LATENCY
            if (terminal and taken) or not rule.wants(exchange):
                continue
            if rule.probability < 1 and _unit(rule.seed, rule.id, identity, times) >= rule.probability:
                continue
            rule.applied += 1
            taken = taken or terminal
            drawn.append(Fault(rule.kind, rule.params))
        if not taken and (mixed := self._from_mix(exchange, identity, times)):
            drawn.append(mixed)
        for fault in drawn:
            counts = self.network.fault_counts
            counts[fault.kind] = counts.get(fault.kind, 0) + 1
        if drawn:
            exchange.fault = "+".join(fault.kind for fault in drawn)
        return drawn

    def _from_mix(self, exchange: Exchange, identity: str, times: int) -> Fault | None:
        config = self.network.config
        if not config.fault_mix or exchange.path.startswith(_NOT_IN_MIX):
            return None
        if config.fault_mix_on == "writes" and exchange.method in ("GET", "HEAD"):
            return None
        point = _unit(config.seed, "mix", identity, times)
        for kind, probability in config.fault_mix.items():
            if point < probability:
                usable = kind not in _TOKEN_KINDS or _uses_access_token(exchange)
                # Servers disagree on how they say when to come back, so the mix goes through the dialects.
                dialect = DIALECTS[int(point * 1e6) % len(DIALECTS)]
                params = {"seconds": config.fault_seconds, "dialect": dialect}
                return Fault(kind, params) if usable else None
            point -= probability
        return None


def _uses_access_token(exchange: Exchange) -> bool:
    # Signing in and refreshing must go on working, or a client could never recover from the fault.
    grant = exchange.grant
    return grant is not None and grant.kind != "at_refresh" and not exchange.path.endswith(".createSession")


def rule_json(rule: FaultRule) -> Json:
    return asdict(rule)


def _unit(*parts: Any) -> float:
    digest = hashlib.blake2b("|".join(map(str, parts)).encode(), digest_size=8).digest()
    return float(int.from_bytes(digest, "big")) / 2.0**64


def _path_matches(pattern: str, path: str) -> bool:
    return (
        path.startswith(pattern[:-1])
        if pattern.endswith("*")
        else pattern == path or path.endswith("/" + pattern)
    )


def _checked_rule(number: int, body: Any, default_seed: str) -> FaultRule:
    if not isinstance(body, dict):
        raise ControlError("A fault is a JSON object with at least a kind.")
    unknown = set(body) - {"kind", "match", "times", "probability", "seed", "params"}
    if unknown:
        raise ControlError(f"A fault has no field {', '.join(sorted(unknown))}.")
    kind, match, params = body.get("kind"), body.get("match", {}), body.get("params", {})
    times, probability = body.get("times", 1), body.get("probability", 1.0)
    if kind not in FAULT_KINDS:
        raise ControlError(f"There is no fault kind {kind!r}. Known: {', '.join(FAULT_KINDS)}.")
    fields = {"path", "method", "account", "text_contains", "key"}
    if (
        not isinstance(match, dict)
        or not set(match) <= fields
        or not all(isinstance(v, str) for v in match.values())
    ):
        raise ControlError("match holds texts under path, method, account, text_contains or key.")
    if times is not None and (isinstance(times, bool) or not isinstance(times, int) or times < 1):
        raise ControlError("times is a whole number from 1, or null for always.")
    if (
        isinstance(probability, bool)
        or not isinstance(probability, (int, float))
        or not 0 <= probability <= 1
    ):
        raise ControlError("probability is a number from 0 to 1.")
    if not isinstance(params, dict):
        raise ControlError("params is an object.")
    if kind == "rate_limit" and params.get("dialect", "retry-after") not in DIALECTS:
        raise ControlError(f"dialect is one of {', '.join(DIALECTS)}.")
    seconds = params.get("seconds", 1)
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or seconds < 0:
        raise ControlError("params.seconds is a number that is not negative.")
    return FaultRule(
        number, kind, match, times, float(probability), str(body.get("seed", default_seed)), params
    )
