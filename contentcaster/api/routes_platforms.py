"""The networks that can be connected, with their capabilities and limits."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from contentcaster.api.deps import CurrentPrincipal
from contentcaster.services import platforms
from contentcaster.services.views import PlatformView

router = APIRouter(prefix="/platforms", tags=["platforms"])


class PlatformList(BaseModel):
    items: list[PlatformView]


@router.get("")
def list_platforms(_principal: CurrentPrincipal) -> PlatformList:
    """Every network; `credential_fields` says what connecting to it asks for."""
    return PlatformList(items=platforms.list_platforms())
