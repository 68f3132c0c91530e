"""What most connectors say alike: no id of ours, one text rule, and no repeat without a look-up."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from contentcaster.platforms.base import Capabilities, TextRule


class PlainConnector:
    """The base of connectors for networks where no id can be chosen and limits are the same everywhere."""

    capabilities: ClassVar[Capabilities]

    def new_client_ref(self, idempotency_key: str, scheduled_at: datetime) -> str:
        return ""

    def text_rule(self, limits: dict[str, Any]) -> TextRule:
        return self.capabilities.text

    def resend_is_safe(self, limits: dict[str, Any], first_sent_at: datetime, now: datetime) -> bool:
        return False
