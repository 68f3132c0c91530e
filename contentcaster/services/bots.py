"""Rules and the approval inbox, as the Bots page and REST use them. Reading needs VIEW_BOTS, changing MANAGE_BOTS."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select
from sqlmodel import Session

from contentcaster import live
from contentcaster.bots import rules
from contentcaster.bots.candidates import label, unpack
from contentcaster.bots.hopeless import hopeless_rule
from contentcaster.clock import utc_now
from contentcaster.engine import ledger
from contentcaster.errors import Conflict, InvalidInput, NotFound
from contentcaster.models import Account, ActAction, ActState, BotAct, BotKind, BotMode, BotRule, BotSeen
from contentcaster.platforms.acts import Policy, policy_of
from contentcaster.security.permissions import Permission, Principal
from contentcaster.services import audit, bots_acts, bots_channels, bots_log, bots_plan
from contentcaster.services.bots_networks import acts_of
from contentcaster.services.bots_views import ActView, BulkDecision, RuleView
from contentcaster.services.platforms import channel_name, channel_view
from contentcaster.services.views import Page

_MAX_BULK = 200
_dice = random.Random()


def list_rules(session: Session, principal: Principal) -> list[RuleView]:
    """All rules, by bot and name."""
    principal.require(Permission.VIEW_BOTS)
    rows = session.execute(
        select(BotRule, Account)
        .join(Account, Account.id == BotRule.account_id)
        .where(BotRule.deleted_at.is_(None))
        .order_by(BotRule.bot, BotRule.name, BotRule.id)
    ).all()
    return [_rule_view(rule, account) for rule, account in rows]


def get_rule(session: Session, principal: Principal, rule_id: str) -> RuleView:
    principal.require(Permission.VIEW_BOTS)
    rule = _rule(session, rule_id)
    return _rule_view(rule, session.get_one(Account, rule.account_id))


def save_rule(
    session: Session,
    principal: Principal,
    *,
    bot: str,
    name: str,
    account_id: str,
    spec: dict[str, Any],
    rule_id: str = "",
) -> RuleView:
    """Make a rule, disabled and in dry run, or change one; a changed rule is disabled until it is enabled again.

    Raises:
        InvalidInput: field -> why it cannot be saved.
    """
    principal.require(Permission.MANAGE_BOTS)
    kind = _kind(bot)
    if not name.strip():
        raise InvalidInput("Give the rule a name.", field="name")
    account = session.get(Account, account_id)
    if account is None or account.deleted_at is not None:
        raise InvalidInput("Choose a channel.", field="account_id")
    checked = rules.parse_spec(kind, spec)
    if problems := hopeless_rule(checked):
        raise InvalidInput(f"This rule cannot be saved. {next(iter(problems.values()))}", fields=problems)
    _refuse_forbidden(account, kind, checked)
    if rule_id:
        rule = _rule(session, rule_id)
        if rule.bot is not kind:
            raise InvalidInput("A rule stays with its bot. Make a new one.", field="bot")
        session.execute(delete(BotSeen).where(BotSeen.rule_id == rule.id))
    else:
        rule = BotRule(bot=kind, name="", account_id=account.id, created_by=principal.name)
        session.add(rule)
    rule.name, rule.account_id, rule.spec = name.strip()[:120], account.id, checked.model_dump(mode="json")
    rule.is_enabled, rule.version = False, rule.version + 1
    session.flush()
    bots_channels.locked_channel(session, account.id)
    _changed(session, principal, rule, account, "rule saved, disabled until somebody enables it")
    audit.record(session, principal, "bots.rule_saved", "bot_rule", rule.id, {"name": rule.name})
    return _rule_view(rule, account)


def set_enabled(session: Session, principal: Principal, rule_id: str, is_enabled: bool) -> RuleView:
    principal.require(Permission.MANAGE_BOTS)
    rule = _rule(session, rule_id)
    account = session.get_one(Account, rule.account_id)
    rule.is_enabled, rule.next_run_at = is_enabled, None
    rule.version += 1
    words = f"enabled in {_MODE_WORDS[rule.mode]}" if is_enabled else "disabled"
    _changed(session, principal, rule, account, f"rule {words}")
    audit.record(session, principal, "bots.rule_switched", "bot_rule", rule.id, {"enabled": is_enabled})
    return _rule_view(rule, account)


def set_mode(session: Session, principal: Principal, rule_id: str, mode: str) -> RuleView:
    """Dry run, approve each, or automatic within the caps. What a dry run looked at may be looked at again."""
    principal.require(Permission.MANAGE_BOTS)
    if mode not in list(BotMode):
        raise InvalidInput("There is no such mode.", field="mode")
    rule = _rule(session, rule_id)
    account = session.get_one(Account, rule.account_id)
    if rule.mode is BotMode.DRY_RUN and mode != BotMode.DRY_RUN:
        session.execute(delete(BotSeen).where(BotSeen.rule_id == rule.id))
        if rule.bot is not BotKind.FINDER:
            rule.cursor = {}
    rule.mode, rule.version = BotMode(mode), rule.version + 1
    _changed(session, principal, rule, account, f"mode is now {_MODE_WORDS[rule.mode]}")
    audit.record(session, principal, "bots.mode_changed", "bot_rule", rule.id, {"mode": mode})
    return _rule_view(rule, account)


def delete_rule(session: Session, principal: Principal, rule_id: str) -> None:
    """Remove a rule; what it planned is called off, what it did stays in the log."""
    principal.require(Permission.MANAGE_BOTS)
    rule = _rule(session, rule_id)
    account = session.get_one(Account, rule.account_id)
    planned = session.execute(
        select(BotAct).where(BotAct.rule_id == rule.id, BotAct.state == ActState.PLANNED)
    ).scalars()
    acts = {act.job_id: act for act in planned if act.job_id is not None}
    for job_id in ledger.cancel_jobs(session, list(acts), actor=principal.name) if acts else []:
        acts[job_id].state, acts[job_id].slot_at = ActState.STOPPED, None
    rule.is_enabled, rule.deleted_at = False, utc_now()
    _changed(session, principal, rule, account, "rule deleted")
    audit.record(session, principal, "bots.rule_deleted", "bot_rule", rule.id, {"name": rule.name})


def run_now(session: Session, principal: Principal, rule_id: str) -> None:
    """Have the rule run at once instead of at its next turn."""
    principal.require(Permission.MANAGE_BOTS)
    rule = _rule(session, rule_id)
    if not rule.is_enabled:
        raise Conflict("Enable the rule first; in dry run it only says what it would do.")
    if reason := bots_channels.stop_reason(session, rule.account_id):
        raise Conflict(f"Nothing runs now: {reason}.")
    now = utc_now()
    ledger.add_jobs(session, [bots_plan.new_run(rule, now, now)], actor=principal.name)


# The approval inbox


def list_waiting(
    session: Session, principal: Principal, *, cursor: str = "", limit: int = 50
) -> Page[ActView]:
    """Acts that a person has to decide, the oldest first."""
    return list_acts(session, principal, state=ActState.WAITING.value, cursor=cursor, limit=limit)


def list_acts(
    session: Session, principal: Principal, *, state: str, cursor: str = "", limit: int = 50
) -> Page[ActView]:
    """Acts in one state: those that wait for a person the oldest first, others the newest first."""
    principal.require(Permission.VIEW_BOTS)
    if state not in list(ActState):
        raise InvalidInput("There is no such state.", field="state")
    limit = max(1, min(limit, 200))
    is_inbox = state == ActState.WAITING
    query = (
        select(BotAct, Account, BotRule.name)
        .join(Account, Account.id == BotAct.account_id)
        .outerjoin(BotRule, BotRule.id == BotAct.rule_id)
        .where(BotAct.state == ActState(state))
        .order_by(BotAct.id if is_inbox else BotAct.id.desc())
        .limit(limit + 1)
    )
    if cursor:
        query = query.where(BotAct.id > cursor[:26] if is_inbox else BotAct.id < cursor[:26])
    rows = session.execute(query).all()
    views = [act_view(act, account, name or "") for act, account, name in rows[:limit]]
    return Page(views, views[-1].id if len(rows) > limit else "")


def get_act(session: Session, principal: Principal, act_id: str) -> ActView:
    principal.require(Permission.VIEW_BOTS)
    act = session.get(BotAct, act_id)
    if act is None:
        raise NotFound("This act does not exist.")
    return act_view(act, session.get_one(Account, act.account_id), _rule_name(session, act))


def decide_one(
    session: Session, principal: Principal, act_id: str, *, is_approved: bool, text: str | None = None
) -> ActView:
    """Approve or reject one act of the inbox.

    Raises:
        NotFound: no such act.
        Conflict: it was decided already, or it may not go out now; says why.
        InvalidInput: the new text may not go out.
    """
    principal.require(Permission.MANAGE_BOTS)
    get_act(session, principal, act_id)
    result = (
        approve(session, principal, [act_id], text=text)
        if is_approved
        else reject(session, principal, [act_id])
    )
    if result.skipped:
        raise Conflict(result.problems[0])
    session.flush()
    return get_act(session, principal, act_id)


def count_waiting(session: Session, principal: Principal) -> int:
    principal.require(Permission.VIEW_BOTS)
    query = select(func.count()).select_from(BotAct).where(BotAct.state == ActState.WAITING)
    return int(session.execute(query).scalar_one())


def approve(
    session: Session,
    principal: Principal,
    act_ids: Sequence[str],
    *,
    text: str | None = None,
    now: datetime | None = None,
    dice: random.Random | None = None,
) -> BulkDecision:
    """Let these acts go out within the caps; `text` replaces that of a single reply. Policy and text count again."""
    principal.require(Permission.MANAGE_BOTS)
    if text is not None and len(act_ids) != 1:
        raise InvalidInput("A new text belongs to one reply.", field="text")
    now, problems, done = now or utc_now(), [], 0
    for act_id in list(dict.fromkeys(act_ids))[:_MAX_BULK]:
        act = session.get(BotAct, act_id)
        if act is None:
            problems.append("One of them does not exist.")
            continue
        problem = _approve(session, principal, act, text, now, dice or _dice)
        done += not problem
        if problem:
            problems.append(problem)
    live.note(session, bots_channels.TOPIC)
    audit.record(session, principal, "bots.acts_approved", details={"count": done})
    return BulkDecision(done, len(problems), problems[:5])


def _approve(
    session: Session, principal: Principal, act: BotAct, text: str | None, now: datetime, dice: random.Random
) -> str:
    channel = bots_channels.locked_channel(session, act.account_id)
    session.refresh(act)
    if act.state is not ActState.WAITING:
        return f"{label(unpack(act.target))}: decided already."
    if reason := bots_channels.stop_reason(session, act.account_id):
        return f"Nothing goes out now: {reason}."
    account = session.get_one(Account, act.account_id)
    if text is not None and act.action is ActAction.REPLY:
        act.text, act.is_ai = text.strip(), False
    proposal = bots_acts.Proposal(
        action=act.action, candidate=unpack(act.target), why=act.why, text=act.text, is_ai=act.is_ai
    )
    problem, _ = bots_acts.check(session, account, channel, proposal, now)
    if problem:
        if text is not None:
            raise InvalidInput(f"This cannot go out: {problem}.", field="text")
        return f"{label(unpack(act.target))}: {problem}."
    act.decided_by = principal.name
    slot = bots_acts.plan(session, account, channel, act, now=now, dice=dice, actor=principal.name)
    if slot is None:
        return f"{label(unpack(act.target))}: the budget of the next day is spent; it stays here."
    budget = bots_acts.budget_left(session, channel, act.action, now)
    name = _rule_name(session, act)
    line = bots_acts.line_of(
        act, name, account, "planned", f"approved; {act.why}", now, budget, actor=principal.name
    )
    bots_log.write(session, [line])
    return ""


def reject(
    session: Session, principal: Principal, act_ids: Sequence[str], *, now: datetime | None = None
) -> BulkDecision:
    """These are not done, now or later."""
    principal.require(Permission.MANAGE_BOTS)
    now, problems, lines = now or utc_now(), [], []
    for act_id in list(dict.fromkeys(act_ids))[:_MAX_BULK]:
        act = session.get(BotAct, act_id, with_for_update=True)
        if act is None or act.state is not ActState.WAITING:
            problems.append("One of them was decided already.")
            continue
        act.state, act.decided_by = ActState.REJECTED, principal.name
        account = session.get_one(Account, act.account_id)
        lines.append(
            bots_acts.line_of(
                act, _rule_name(session, act), account, "rejected", act.why, now, actor=principal.name
            )
        )
    bots_log.write(session, lines)
    live.note(session, bots_channels.TOPIC)
    audit.record(session, principal, "bots.acts_rejected", details={"count": len(lines)})
    return BulkDecision(len(lines), len(problems), problems[:5])


# Helpers

_MODE_WORDS = {
    BotMode.DRY_RUN: "dry run",
    BotMode.APPROVE: "approve each",
    BotMode.AUTOMATIC: "automatic within caps",
}


def _refuse_forbidden(account: Account, kind: BotKind, spec: rules.Spec) -> None:
    """A rule whose only acts are forbidden on its network can never do anything."""
    if acts_of(account.platform) is None and kind is not BotKind.FINDER:
        raise InvalidInput("Bots have nothing to do on this network.", field="account_id")
    actions: list[str] = []
    if isinstance(spec, rules.EngagementSpec):
        actions = [then.action for then in spec.then]
        is_open = spec.when not in rules.ADDRESSED
        for action in actions:
            policy = policy_of(account.platform, action)
            if policy.policy is Policy.OPT_IN_ONLY and is_open:
                raise InvalidInput(
                    f"This can never match: on this network a {action} may go only to people who wrote to the "
                    f"channel, and this rule waits for “{spec.when}”. ({policy.source})",
                    field="when",
                )
    elif isinstance(spec, rules.GrowthSpec):
        actions = ["follow"] if spec.follow or spec.follow_back else ["unfollow"]
    for action in actions:
        policy = policy_of(account.platform, action)
        if policy.policy is Policy.FORBIDDEN:
            raise InvalidInput(f"{policy.why} ({policy.source})", field="then")


def _kind(bot: str) -> BotKind:
    try:
        return BotKind(bot)
    except ValueError:
        raise InvalidInput("There is no such bot.", field="bot") from None


def _rule(session: Session, rule_id: str) -> BotRule:
    rule = session.get(BotRule, rule_id)
    if rule is None or rule.deleted_at is not None:
        raise NotFound("This rule does not exist.")
    return rule


def _rule_name(session: Session, act: BotAct) -> str:
    rule = session.get(BotRule, act.rule_id) if act.rule_id else None
    return rule.name if rule else ""


def _changed(session: Session, principal: Principal, rule: BotRule, account: Account, why: str) -> None:
    line = bots_log.Line(
        bot=rule.bot.value, action="rule", outcome="changed", why=why, target=rule.name, rule_id=rule.id,
        rule_name=rule.name, account_id=account.id, channel=channel_name(account), actor=principal.name,
    )  # fmt: skip
    bots_log.write(session, [line])
    live.note(session, bots_channels.TOPIC)


def _rule_view(rule: BotRule, account: Account) -> RuleView:
    return RuleView(
        id=rule.id,
        bot=rule.bot.value,
        name=rule.name,
        channel=channel_view(account),
        is_enabled=rule.is_enabled,
        mode=rule.mode.value,
        sentence=describe(rule.bot, rule.spec),
        spec=rule.spec,
        next_run_at=rule.next_run_at,
        last_run_at=rule.last_run_at,
        last_outcome=rule.last_outcome,
        created_by=rule.created_by,
        version=rule.version,
    )


def describe(bot: BotKind, spec: dict[str, Any]) -> str:
    """The rule as a sentence: when, whom, what."""
    checked = rules.parse_spec(bot, spec)
    match checked:
        case rules.FinderSpec():
            return f"Reads {', '.join(s.words for s in checked.sources)} every {checked.every_minutes} min"
        case rules.EngagementSpec():
            when = {
                "mention": "somebody mentions us", "reply": "somebody answers us", "finder": "a finder finds a post",
            }.get(checked.when, f"a post has {checked.when} “{checked.value}”")  # fmt: skip
            return f"When {when}: {', '.join(then.action for then in checked.then)}"
        case rules.GrowthSpec():
            parts = [f"follow from score {checked.min_score}"] if checked.follow else []
            parts += ["follow back"] if checked.follow_back else []
            if checked.unfollow_after_days:
                parts.append(f"unfollow after {checked.unfollow_after_days} days without follow-back")
            return (", ".join(parts)).capitalize()


def act_view(act: BotAct, account: Account, rule_name: str) -> ActView:
    candidate = unpack(act.target)
    return ActView(
        id=act.id,
        bot=act.bot.value,
        action=act.action.value,
        channel=channel_view(account),
        rule_name=rule_name,
        target=label(candidate),
        handle=candidate.handle,
        target_text=bots_log.one_line(candidate.text or candidate.bio, 400),
        target_url=candidate.url if candidate.url.startswith(("https://", "http://")) else "",
        text=act.text,
        is_ai=act.is_ai,
        why=act.why,
        policy=policy_of(account.platform, act.action.value).policy.value,
        state=act.state.value,
        slot_at=act.slot_at,
        created_at=act.created_at,
        job_id=act.job_id or 0,
    )
