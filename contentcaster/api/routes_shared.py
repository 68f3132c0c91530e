"""What people without an account may look at, by a link that somebody made for them. Reading only."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from contentcaster.api.deps import ClientDep, DatabaseDep, LimitsDep, limit_address
from contentcaster.api.shared_page import POLICY, ended_page, shared_page
from contentcaster.errors import ContentCasterError, TooMany
from contentcaster.services import analytics_share

router = APIRouter(include_in_schema=False)

_HEADERS = {"Content-Security-Policy": POLICY, "X-Robots-Tag": "noindex, nofollow"}


@router.get(analytics_share.PATH, response_class=HTMLResponse)
def shared_analytics(
    database: DatabaseDep,
    client: ClientDep,
    limits: LimitsDep,
    token: Annotated[str, Query()] = "",
) -> HTMLResponse:
    """The numbers that the link shows, as a page."""
    try:
        limit_address(client, limits)
        shared = analytics_share.open_share(database, token, ip=client.ip)
    except ContentCasterError as error:
        headers = dict(_HEADERS)
        if isinstance(error, TooMany):
            headers["Retry-After"] = str(int(error.retry_after_seconds) + 1)
        return HTMLResponse(ended_page(error.message), status_code=error.http_status, headers=headers)
    return HTMLResponse(shared_page(shared), headers=_HEADERS)
