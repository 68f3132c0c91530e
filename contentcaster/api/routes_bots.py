"""Bots: rules, approval inbox, kill switches and the bot log (Admin acts, Monitor reads)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Depends, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from contentcaster.api.deps import CurrentPrincipal, DatabaseDep, run_read, run_write
from contentcaster.bots.rails import Rails
from contentcaster.services import bots, bots_channels, bots_flag, bots_log, bots_overview, bots_prospects
from contentcaster.services.bots_log import LogFilter, LogView
from contentcaster.services.bots_views import (
    ActView,
    BotChannelView,
    BotState,
    BulkDecision,
    ProspectView,
    RuleView,
    SimulatedAct,
    SwitchView,
)

router = APIRouter(tags=["bots"])


class RuleBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    bot: Literal["finder", "engagement", "growth"]
    name: str = Field(min_length=1, max_length=120)
    account_id: str = Field(max_length=26)
    spec: dict[str, Any] = Field(description="docs/bots.md lists the fields of each bot.")


class ModeBody(BaseModel):
    mode: Literal["dry_run", "approve", "automatic"]


class EnabledBody(BaseModel):
    is_enabled: bool


class ActsBody(BaseModel):
    act_ids: list[str] = Field(min_length=1, max_length=200)
    text: str | None = Field(default=None, max_length=10_000, description="A new text for a single reply.")


class TextBody(BaseModel):
    text: str | None = Field(default=None, max_length=10_000, description="A new text for a reply.")


class ReasonBody(BaseModel):
    reason: str = Field(default="", max_length=500)


class RuleList(BaseModel):
    items: list[RuleView]


class ActPage(BaseModel):
    items: list[ActView]
    next_cursor: str


class ProspectPage(BaseModel):
    items: list[ProspectView]
    next_cursor: str


class LogPage(BaseModel):
    items: list[LogView]
    next_cursor: str


class Overview(BaseModel):
    switch: SwitchView
    bots: list[BotState]
    channels: list[BotChannelView]


class Simulation(BaseModel):
    items: list[SimulatedAct]


class CalledOff(BaseModel):
    acts: int = Field(description="Waiting acts that were called off.")


def _filter(
    bot: Annotated[str, Query(max_length=12)] = "",
    rule_id: Annotated[str, Query(max_length=26)] = "",
    account_id: Annotated[str, Query(max_length=26)] = "",
    action: Annotated[str, Query(max_length=12)] = "",
    outcome: Annotated[str, Query(max_length=12)] = "",
    text: Annotated[str, Query(max_length=200)] = "",
    hours: Annotated[int, Query(ge=0, le=8784)] = 0,
) -> LogFilter:
    return LogFilter(
        bot=bot,
        rule_id=rule_id,
        account_id=account_id,
        action=action,
        outcome=outcome,
        text=text,
        hours=hours,
    )


LogFilterDep = Annotated[LogFilter, Depends(_filter)]


@router.get("/bots")
def overview(principal: CurrentPrincipal, database: DatabaseDep) -> Overview:
    """The bots, their channels, what is left of each cap, and the kill switch."""
    with database.reading() as session:
        return Overview(
            switch=bots_overview.get_switch(session, principal),
            bots=bots_overview.list_bots(session, principal),
            channels=bots_overview.list_channels(session, principal),
        )


@router.post("/bots/stop")
def stop_all(
    principal: CurrentPrincipal, database: DatabaseDep, body: Annotated[ReasonBody | None, Body()] = None
) -> CalledOff:
    """Stop every bot now."""
    reason = body.reason if body else ""
    return CalledOff(acts=run_write(database, lambda s: bots_channels.stop_all(s, principal, reason)))


@router.post("/bots/resume", status_code=204)
def resume_all(principal: CurrentPrincipal, database: DatabaseDep) -> None:
    """Let the bots act again."""
    run_write(database, lambda s: bots_channels.resume_all(s, principal))


@router.post("/bots/channels/{account_id}/stop")
def stop_channel(
    account_id: str,
    principal: CurrentPrincipal,
    database: DatabaseDep,
    body: Annotated[ReasonBody | None, Body()] = None,
) -> CalledOff:
    """Stop the bots of one channel now."""
    reason = body.reason if body else ""
    return CalledOff(
        acts=run_write(database, lambda s: bots_channels.stop_channel(s, principal, account_id, reason))
    )


@router.post("/bots/channels/{account_id}/resume", status_code=204)
def resume_channel(account_id: str, principal: CurrentPrincipal, database: DatabaseDep) -> None:
    """Let the bots of one channel act again."""
    run_write(database, lambda s: bots_channels.resume_channel(s, principal, account_id))


@router.post("/bots/channels/{account_id}/flag", status_code=204)
async def flag_as_bot(account_id: str, principal: CurrentPrincipal, database: DatabaseDep) -> None:
    """Have the network show this account as automated, where it has a flag for that."""
    await bots_flag.flag_as_bot(database, principal, account_id)


@router.put("/bots/channels/{account_id}/rails")
def save_rails(
    account_id: str, rails: dict[str, Any], principal: CurrentPrincipal, database: DatabaseDep
) -> Rails:
    """Set caps, quiet hours, lists and alarms of a channel."""
    return run_write(database, lambda s: bots_channels.save_rails(s, principal, account_id, rails))


@router.get("/bots/rules")
def list_rules(principal: CurrentPrincipal, database: DatabaseDep) -> RuleList:
    """All rules."""
    return RuleList(items=run_read(database, lambda s: bots.list_rules(s, principal)))


@router.get("/bots/rules/{rule_id}")
def get_rule(rule_id: str, principal: CurrentPrincipal, database: DatabaseDep) -> RuleView:
    """One rule."""
    return run_read(database, lambda s: bots.get_rule(s, principal, rule_id))


@router.post("/bots/rules", status_code=201)
def create_rule(body: RuleBody, principal: CurrentPrincipal, database: DatabaseDep) -> RuleView:
    """Make a rule; it starts disabled and in dry run."""
    return run_write(database, lambda s: bots.save_rule(s, principal, **body.model_dump()))


@router.put("/bots/rules/{rule_id}")
def change_rule(rule_id: str, body: RuleBody, principal: CurrentPrincipal, database: DatabaseDep) -> RuleView:
    """Change a rule; it is disabled until somebody enables it again."""
    return run_write(database, lambda s: bots.save_rule(s, principal, rule_id=rule_id, **body.model_dump()))


@router.post("/bots/rules/{rule_id}/enabled")
def set_enabled(
    rule_id: str, body: EnabledBody, principal: CurrentPrincipal, database: DatabaseDep
) -> RuleView:
    """Switch a rule on or off."""
    return run_write(database, lambda s: bots.set_enabled(s, principal, rule_id, body.is_enabled))


@router.post("/bots/rules/{rule_id}/mode")
def set_mode(rule_id: str, body: ModeBody, principal: CurrentPrincipal, database: DatabaseDep) -> RuleView:
    """Dry run, approve each, or automatic within the caps."""
    return run_write(database, lambda s: bots.set_mode(s, principal, rule_id, body.mode))


@router.delete("/bots/rules/{rule_id}", status_code=204)
def delete_rule(rule_id: str, principal: CurrentPrincipal, database: DatabaseDep) -> None:
    """Remove a rule and call off what it planned."""
    run_write(database, lambda s: bots.delete_rule(s, principal, rule_id))


@router.get("/bots/rules/{rule_id}/simulate", deprecated=True)
@router.post("/bots/rules/{rule_id}/simulate")
async def simulate(rule_id: str, principal: CurrentPrincipal, database: DatabaseDep) -> Simulation:
    """What the rule would do now, and why; nothing is done."""
    return Simulation(items=await bots_overview.simulate(database, principal, rule_id))


@router.get("/bots/actions")
def list_actions(
    principal: CurrentPrincipal,
    database: DatabaseDep,
    state: Literal[
        "proposed", "dry_run", "planned", "done", "refused", "rejected", "stopped", "failed", "in_doubt"
    ] = "proposed",
    cursor: Annotated[str, Query(max_length=26)] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> ActPage:
    """Acts in one state; `proposed` are those that a person has to decide."""
    inner = "waiting" if state == "proposed" else state
    page = run_read(database, lambda s: bots.list_acts(s, principal, state=inner, cursor=cursor, limit=limit))
    return ActPage(items=page.items, next_cursor=page.next_cursor)


@router.post("/bots/actions/{act_id}/approve")
def approve_action(
    act_id: str,
    principal: CurrentPrincipal,
    database: DatabaseDep,
    body: Annotated[TextBody | None, Body()] = None,
) -> ActView:
    """Let it go out, within the caps; a new text replaces that of a reply."""
    text = body.text if body else None
    return run_write(database, lambda s: bots.decide_one(s, principal, act_id, is_approved=True, text=text))


@router.post("/bots/actions/{act_id}/reject")
def reject_action(act_id: str, principal: CurrentPrincipal, database: DatabaseDep) -> ActView:
    """It is not done, now or later."""
    return run_write(database, lambda s: bots.decide_one(s, principal, act_id, is_approved=False))


@router.get("/bots/prospects")
def list_prospects(
    principal: CurrentPrincipal,
    database: DatabaseDep,
    state: Literal["new", "used", "dismissed"] = "new",
    kind: Literal["", "person", "post"] = "",
    account_id: Annotated[str, Query(max_length=26)] = "",
    cursor: Annotated[str, Query(max_length=40)] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> ProspectPage:
    """What finders found, the best first."""
    page = run_read(
        database,
        lambda s: bots_prospects.list_prospects(
            s, principal, state=state, kind=kind, account_id=account_id, cursor=cursor, limit=limit
        ),
    )
    return ProspectPage(items=page.items, next_cursor=page.next_cursor)


@router.post("/bots/prospects/{prospect_id}/dismiss", status_code=204)
def dismiss_prospect(prospect_id: str, principal: CurrentPrincipal, database: DatabaseDep) -> None:
    """No rule uses it."""
    run_write(database, lambda s: bots_prospects.dismiss(s, principal, prospect_id))


@router.get("/bots/approvals")
def list_waiting(
    principal: CurrentPrincipal,
    database: DatabaseDep,
    cursor: Annotated[str, Query(max_length=26)] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> ActPage:
    """Acts that a person has to decide."""
    page = run_read(database, lambda s: bots.list_waiting(s, principal, cursor=cursor, limit=limit))
    return ActPage(items=page.items, next_cursor=page.next_cursor)


@router.post("/bots/approvals/approve")
def approve(body: ActsBody, principal: CurrentPrincipal, database: DatabaseDep) -> BulkDecision:
    """Let these go out, within the caps."""
    return run_write(database, lambda s: bots.approve(s, principal, body.act_ids, text=body.text))


@router.post("/bots/approvals/reject")
def reject(body: ActsBody, principal: CurrentPrincipal, database: DatabaseDep) -> BulkDecision:
    """These are not done."""
    return run_write(database, lambda s: bots.reject(s, principal, body.act_ids))


@router.get("/bots/log")
def list_log(
    wanted: LogFilterDep,
    principal: CurrentPrincipal,
    database: DatabaseDep,
    cursor: Annotated[str, Query(max_length=20)] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> LogPage:
    """The newest lines first."""
    page = run_read(database, lambda s: bots_log.list_lines(s, principal, wanted, cursor=cursor, limit=limit))
    return LogPage(items=page.items, next_cursor=page.next_cursor)


@router.get("/bots/log.csv", response_class=StreamingResponse)
def export_log(wanted: LogFilterDep, principal: CurrentPrincipal, database: DatabaseDep) -> StreamingResponse:
    """The lines that match as CSV, at most 100,000; no cell is a formula."""
    pieces = bots_log.export_csv(database, principal, wanted)
    first = next(pieces)  # so that a refusal is an error, not a broken file

    def stream() -> Any:
        yield first
        yield from pieces

    headers = {"Content-Disposition": 'attachment; filename="bot-log.csv"'}
    return StreamingResponse(stream(), media_type="text/csv; charset=utf-8", headers=headers)
