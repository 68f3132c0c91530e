"""What a rule would do with what was gathered, and why: the same for a run, a dry run and "Simulate"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from contentcaster.bots import matching, templates
from contentcaster.bots.candidates import Candidate
from contentcaster.bots.rails import Rails
from contentcaster.bots.rules import EngagementSpec, Filters, FinderSpec, GrowthSpec, Spec, Then
from contentcaster.models import ActAction
from contentcaster.services.bots_gather import Found, Gathered


@dataclass(frozen=True, kw_only=True)
class Decision:
    """One candidate: kept or not, and for each act what it would be."""

    candidate: Candidate
    is_kept: bool
    why: str
    action: ActAction | None = None
    """None: a finder only stores."""
    text: str = ""
    draft_for: Then | None = None
    """The assistant writes the text."""
    is_ai: bool = False
    score: int = 0
    score_why: str = ""
    fits_filters: bool = False
    """A find that only its score may still keep out."""
    source: str = ""


def decide(
    spec: Spec, rails: Rails, gathered: Gathered, *, own_handle: str, earlier: Sequence[str], now: datetime
) -> list[Decision]:
    """Decisions in the order of what was found; of equal candidates the first."""
    match spec:
        case FinderSpec():
            return _find(spec, rails, gathered, own_handle, now)
        case EngagementSpec():
            return _engage(spec, rails, gathered, own_handle, earlier, now)
        case GrowthSpec():
            return _grow(spec, rails, gathered, own_handle, now)


def _unique(found: Sequence[Found]) -> list[Found]:
    return list({(item.candidate.kind, item.candidate.ref): item for item in reversed(found)}.values())[::-1]


def _judge(item: Found, filters: Filters, rails: Rails, own_handle: str, now: datetime) -> matching.Verdict:
    return matching.judge(item.candidate, filters, deny_list=rails.deny_list, now=now, own_handle=own_handle)


def _find(
    spec: FinderSpec, rails: Rails, gathered: Gathered, own_handle: str, now: datetime
) -> list[Decision]:
    decisions = []
    for item in _unique(gathered.found):
        verdict = _judge(item, spec.filters, rails, own_handle, now)
        points, reasons = matching.score(item.candidate, spec.scoring, spec.filters, now)
        found = Decision(
            candidate=item.candidate, is_kept=False, why=verdict.why, score=points, score_why=reasons,
            fits_filters=verdict.is_kept, source=item.source,
        )  # fmt: skip
        decisions.append(scored(found, spec))
    return decisions


def scored(found: Decision, spec: FinderSpec, delta: int = 0, opinion: str = "") -> Decision:
    """A find kept or not by its points, which an opinion moved by `delta`."""
    if not found.fits_filters:
        return found
    points = max(0, min(100, found.score + delta))
    why = f"{found.score_why}; {opinion}" if opinion else found.score_why
    is_kept = points >= spec.scoring.min_score
    if not is_kept:
        why = f"score {points}, less than {spec.scoring.min_score}: {why}"
    return replace(
        found, is_kept=is_kept, score=points, why=why, score_why=why if is_kept else found.score_why
    )


def _engage(
    spec: EngagementSpec,
    rails: Rails,
    gathered: Gathered,
    own_handle: str,
    earlier: Sequence[str],
    now: datetime,
) -> list[Decision]:
    decisions = []
    for item in _unique(gathered.found):
        verdict = _judge(item, spec.filters, rails, own_handle, now)
        if not verdict.is_kept:
            decisions.append(
                Decision(candidate=item.candidate, is_kept=False, why=verdict.why, source=item.source,
                         action=ActAction(spec.then[0].action))
            )  # fmt: skip
            continue
        why = f"{verdict.why}; score {item.score}" if item.score else verdict.why
        for then in spec.then:
            decision = Decision(
                candidate=item.candidate,
                is_kept=True,
                why=why,
                action=ActAction(then.action),
                source=item.source,
            )
            if then.use_assistant:
                decision = replace(decision, draft_for=then, is_ai=True)
            elif then.templates:
                text = templates.choose(then.templates, earlier, item.candidate, topic=spec.value)
                decision = replace(decision, text=addressed(text, item.candidate))
            decisions.append(decision)
    return decisions


def addressed(text: str, candidate: Candidate) -> str:
    """A reply names whom it answers, where the network tells people by mentions (handles with a server)."""
    if candidate.ref.startswith("at://") or candidate.handle.lower() in text.lower():
        return text
    return f"{candidate.handle} {text}"


def _grow(
    spec: GrowthSpec, rails: Rails, gathered: Gathered, own_handle: str, now: datetime
) -> list[Decision]:
    decisions = []
    for item in _unique(gathered.found):
        verdict = _judge(item, spec.filters, rails, own_handle, now)
        why = verdict.why
        if verdict.is_kept and item.score:
            why = f"score {item.score}: {item.score_why}"
        decisions.append(
            Decision(candidate=item.candidate, is_kept=verdict.is_kept, why=why, action=ActAction.FOLLOW,
                     score=item.score, source=item.source)
        )  # fmt: skip
    keep = {handle.lower().lstrip("@") for handle in rails.keep_list}
    for candidate in gathered.unfollow:
        is_kept = candidate.handle.lower().lstrip("@") not in keep
        why = f"no follow-back in {spec.unfollow_after_days} days"
        decisions.append(
            Decision(candidate=candidate, is_kept=is_kept, action=ActAction.UNFOLLOW,
                     why=f"{why}, not on the keep list" if is_kept else "on the keep list")
        )  # fmt: skip
    return decisions
