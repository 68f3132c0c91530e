"""A session as people recognise it: "Firefox on Windows", with a picture."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from contentcaster.services.users import SessionView


@dataclass(frozen=True)
class SessionRow:
    id: str
    device: str
    icon: str
    ip: str
    last_seen_at: datetime
    created_at: datetime
    is_current: bool


def session_row(session: SessionView) -> SessionRow:
    device, icon = _device(session)
    return SessionRow(
        id=session.id,
        device=device,
        icon=icon,
        ip=session.ip,
        last_seen_at=session.last_seen_at,
        created_at=session.created_at,
        is_current=session.is_current,
    )


_BROWSERS = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


def _device(session: SessionView) -> tuple[str, str]:
    """What the browser calls itself, in a word or two, and a picture for it."""
    agent = session.user_agent
    if session.kind == "api":
        return f"API client · {agent[:60]}" if agent else "API client", "terminal"
    browser = next((name for mark, name in _BROWSERS if mark in agent), "Browser")
    system = next((name for mark, name in _SYSTEMS if mark in agent), "")
    picture = "smartphone" if system in ("iPhone", "iPad", "Android") else "monitor"
    return f"{browser} on {system}" if system else browser, picture
