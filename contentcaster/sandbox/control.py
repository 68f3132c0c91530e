"""The sandbox's own calls under /sandbox/: accounts, the recorder, the ledger, faults, settings."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

from aiohttp import web

from .errors import ControlError, answer
from .faults import rule_json
from .gateway import FAULTS, LIMITS, NETWORK
from .network import Network
from .population import PopulationPlan
from .population_life import Population
from .settings import FAULT_KINDS
from .things import Account, Effect, Json

POPULATION = web.AppKey("population", Population)


async def _body(request: web.Request) -> Json:
    # Control calls have no password, so a web page from elsewhere must not be able to make them.
    if request.headers.get("Origin", request.app[NETWORK].base_url) != request.app[NETWORK].base_url:
        raise ControlError("Control calls are not for other web pages.", 403)
    try:
        body = json.loads(await request.read() or b"{}")
    except ValueError as error:
        raise ControlError(f"This is not JSON: {error}", 400) from error
    if not isinstance(body, dict):
        raise ControlError("Send a JSON object.")
    return body


def credentials_json(network: Network, account: Account) -> Json:
    return {
        "id": account.id, "handle": account.handle, "display_name": account.display_name,
        "protocol": account.protocol, "bot": account.bot, "access_token": account.access_token,
        "app_password": account.app_password, "did": account.did, "at_handle": account.at_handle,
        "instance_url": network.base_url, "service_url": network.base_url,
        "url": f"{network.base_url}/@{account.handle}",
    }  # fmt: skip


async def create_account(request: web.Request) -> web.Response:
    """`{handle, display_name?, protocol?, bot?}`; a handle that exists answers the same credentials."""
    network, body = request.app[NETWORK], await _body(request)
    handle = body.get("handle")
    if not isinstance(handle, str) or not handle.strip():
        raise ControlError("A sandbox account needs a handle.")
    name = body.get("display_name")
    try:
        account = network.add_account(
            handle, str(name) if name else None, str(body.get("protocol") or "both"), body.get("bot") is True
        )
    except ValueError as error:
        raise ControlError(str(error)) from error
    if network.store.durable:
        await network.store.flush()
    return answer(credentials_json(network, account))


async def list_accounts(request: web.Request) -> web.Response:
    network = request.app[NETWORK]
    return answer([credentials_json(network, account) for account in network.accounts.values()])


def _number(request: web.Request, name: str, default: float) -> float:
    try:
        return float(request.query.get(name, default))
    except ValueError as error:
        raise ControlError(f"{name} is a number.") from error


async def list_requests(request: web.Request) -> web.Response:
    """Recorded requests after number `since`, of one account, whose path ends in or starts with `path`."""
    network, query = request.app[NETWORK], request.query
    since, limit = _number(request, "since", 0), int(_number(request, "limit", 100_000))
    account, path, method = query.get("account"), query.get("path"), query.get("method")
    found = []
    for exchange in network.requests:
        if exchange.number <= since or (account and exchange.account != account):
            continue
        if (path and path not in exchange.path) or (method and method.upper() != exchange.method):
            continue
        found.append(exchange.as_json())
    return answer({"requests": found[-limit:] if limit else [], "last": network.request_count})


async def ledger(request: web.Request) -> web.Response:
    """Every visible effect, and the duplicates among the posts that are visible now.

    What the generated people did is left out unless `origin` is "population" or "all".
    """
    network, query = request.app[NETWORK], request.query
    since, account, kind = _number(request, "since", 0), query.get("account"), query.get("kind")
    origin = query.get("origin", "api")
    origins = ("api", "population") if origin == "all" else (origin,)
    effects = [
        effect
        for effect in network.effects
        if effect.origin in origins
        and effect.number > since
        and (not account or effect.account == account)
        and (not kind or effect.kind == kind)
    ]
    counts: dict[str, int] = defaultdict(int)
    for effect in effects:
        counts[effect.kind] += 1
    summary = {"counts": counts, "duplicates": duplicates(effects)}
    if query.get("summary") in ("1", "true"):
        return answer(summary)
    return answer({"effects": [effect.as_json() for effect in effects], **summary})


def duplicates(effects: list[Effect]) -> list[Json]:
    """More than one visible effect of one account with the same key, the same text, or on the same subject."""
    groups: dict[tuple[str, str, str, str], list[Effect]] = defaultdict(list)
    for effect in effects:
        if not effect.visible:
            continue
        if effect.kind in ("post", "reply"):
            if effect.key:
                groups[(effect.protocol, effect.account, "key", effect.key)].append(effect)
            if effect.text:
                groups[(effect.protocol, effect.account, "text", effect.text)].append(effect)
        elif effect.kind in ("like", "repost", "follow") and effect.subject:
            groups[(effect.protocol, effect.account, effect.kind, effect.subject)].append(effect)
    return [
        {"protocol": protocol, "account": account, "by": by, "value": value, "ids": [e.id for e in group]}
        for (protocol, account, by, value), group in groups.items()
        if len(group) > 1
    ]


async def add_fault(request: web.Request) -> web.Response:
    return answer(rule_json(request.app[FAULTS].add(await _body(request))))


async def list_faults(request: web.Request) -> web.Response:
    rules = [rule_json(rule) for rule in request.app[FAULTS].rules.values()]
    return answer({"faults": rules, "kinds": FAULT_KINDS})


async def delete_faults(request: web.Request) -> web.Response:
    faults, number = request.app[FAULTS], request.match_info.get("id")
    if number is None:
        faults.rules.clear()
    elif not number.isdigit() or faults.rules.pop(int(number), None) is None:
        raise ControlError(f"There is no fault {number}.", 404)
    return answer({"ok": True})


async def read_config(request: web.Request) -> web.Response:
    return answer(request.app[NETWORK].config.as_json())


async def write_config(request: web.Request) -> web.Response:
    network = request.app[NETWORK]
    try:
        network.config.update(await _body(request))
    except ValueError as error:
        raise ControlError(str(error)) from error
    return answer(network.config.as_json())


async def stats(request: web.Request) -> web.Response:
    network = request.app[NETWORK]
    by_status: dict[str, int] = defaultdict(int)
    for exchange in network.requests:
        by_status["in flight" if exchange.status is None else str(exchange.status)] += 1
    return answer({
        "requests": network.request_count, "by_status": by_status, "faults": network.fault_counts,
        "accounts": len(network.accounts), "effects": len(network.effects),
        "statuses": len(network.statuses), "records": len(network.records),
    })  # fmt: skip


async def reset(request: web.Request) -> web.Response:
    """Forget everything; `{"keep_accounts": true}` keeps accounts, tokens and settings."""
    network, body = request.app[NETWORK], await _body(request)
    people = {person.account.id for person in request.app[POPULATION].people}
    kept = (
        [a for a in network.accounts.values() if a.id not in people]
        if body.get("keep_accounts") is True
        else []
    )
    config = network.config
    await request.app[POPULATION].clear()
    await network.reset()
    request.app[FAULTS].clear()
    request.app[LIMITS].clear()
    for account in kept:
        network.add_account(account.handle, account.display_name, account.protocol, account.bot)
    if kept:
        network.config = config
    network.announce("reset", None)
    return answer({"ok": True})


async def start_population(request: web.Request) -> web.Response:
    """Generated people with a past; they react to what is published unless `react` is false."""
    population, body = request.app[POPULATION], await _body(request)
    try:
        plan = PopulationPlan.checked(body)
    except ValueError as error:
        raise ControlError(str(error)) from error
    await population.stop()
    population.start(plan)
    return answer(population.as_json())


async def read_population(request: web.Request) -> web.Response:
    return answer(request.app[POPULATION].as_json())


async def stop_population(request: web.Request) -> web.Response:
    """No more reactions; the people stay."""
    await request.app[POPULATION].stop()
    return answer(request.app[POPULATION].as_json())


def routes() -> list[Any]:
    return [
        web.post("/sandbox/accounts", create_account),
        web.get("/sandbox/accounts", list_accounts),
        web.get("/sandbox/requests", list_requests),
        web.get("/sandbox/ledger", ledger),
        web.post("/sandbox/faults", add_fault),
        web.get("/sandbox/faults", list_faults),
        web.delete("/sandbox/faults", delete_faults),
        web.delete("/sandbox/faults/{id}", delete_faults),
        web.get("/sandbox/config", read_config),
        web.post("/sandbox/config", write_config),
        web.post("/sandbox/population", start_population),
        web.get("/sandbox/population", read_population),
        web.delete("/sandbox/population", stop_population),
        web.get("/sandbox/stats", stats),
        web.post("/sandbox/reset", reset),
    ]
