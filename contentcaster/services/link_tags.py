"""The tags that links get on each channel, and what becomes of them in one post."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import select
from sqlmodel import Session

from contentcaster import live
from contentcaster.clock import utc_now
from contentcaster.errors import InvalidInput
from contentcaster.models import LinkTags
from contentcaster.platforms.link_tags import VALUE, LinkTagRule
from contentcaster.security.permissions import Principal
from contentcaster.services import audit
from contentcaster.services.accounts import get_for_change
from contentcaster.services.drafts import clean_text

OFF = "off"


def rules_of(session: Session, account_ids: Sequence[str]) -> dict[str, LinkTagRule]:
    """Channel id -> its tags; channels without are left out."""
    if not account_ids:
        return {}
    rows = session.execute(select(LinkTags).where(LinkTags.account_id.in_(account_ids))).scalars()
    return {row.account_id: LinkTagRule(row.source, row.medium, row.campaign) for row in rows}


def rule_in_post(rule: LinkTagRule | None, options: dict[str, Any]) -> LinkTagRule | None:
    """The tags as one post wants them: its own campaign, or none at all."""
    if rule is None or options.get("link_tags") == OFF:
        return None
    campaign = str(options.get("campaign", ""))
    return replace(rule, campaign=campaign) if campaign else rule


def set_link_tags(
    session: Session, principal: Principal, account_id: str, *, source: str, medium: str, campaign: str
) -> LinkTagRule:
    """Choose the tags of a channel; all empty: its links stay as they are. Posts that wait keep theirs until edited.

    Raises:
        InvalidInput: field "source", "medium" or "campaign".
    """
    account = get_for_change(session, principal, account_id)
    given = {"source": source, "medium": medium, "campaign": campaign}
    values = {name: clean_text(value) for name, value in given.items()}
    wrong = {name: _WRONG for name, value in values.items() if value and not VALUE.fullmatch(value)}
    if wrong:
        raise InvalidInput(_WRONG, fields=wrong)
    row = session.get(LinkTags, account.id)
    if not any(values.values()):
        if row is not None:
            session.delete(row)
    else:
        row = row or LinkTags(account_id=account.id)
        row.source, row.medium, row.campaign = values["source"], values["medium"], values["campaign"]
        row.updated_at = utc_now()
        session.add(row)
    session.flush()
    audit.record(session, principal, "account.changed", "account", account.id, {"link_tags": values})
    live.note(session, "accounts")
    return LinkTagRule(**values)


_WRONG = "Use letters, digits, dots, dashes and underscores only, at most 80: it becomes part of the link."
