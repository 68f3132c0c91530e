"""Takes secrets out of text that operators will read."""

from __future__ import annotations

import re

DIAGNOSTICS_LENGTH = 2000
_GONE = "[redacted]"

_NAMES = (
    r"authorization|cookie|set-cookie|x-api-key|api[-_]?key|access[-_]?token|refresh[-_]?token|id[-_]?token|token"
    r"|accessJwt|refreshJwt|jwt|client[-_]?secret|secret|password|passwd|app[-_]?password|nsec|code_verifier|signature"
)
_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?i)\b(bearer|basic|dpop|bot)\s+[A-Za-z0-9+/=._~-]{6,}"), rf"\1 {_GONE}"),
    # name: value, name=value, "name": "value"
    (
        re.compile(rf"(?i)([\"']?\b(?:{_NAMES})[\"']?\s*[:=]\s*)(\"[^\"]*\"?|'[^']*'?|[^\s,;&}}\"']+)"),
        rf"\1{_GONE}",
    ),
    # Webhook addresses are passwords: Slack, Discord, Telegram, Mattermost and the like.
    (re.compile(r"(?i)(/(?:api/)?(?:webhooks?|services|hooks)/)[^\s\"'?<>]+"), rf"\1{_GONE}"),
    (re.compile(r"(?i)(/(?:file/)?bot)\d+:[^\s/\"']+"), rf"\1{_GONE}"),
    (re.compile(r"(https?://)[^\s/@\"']+@"), rf"\1{_GONE}@"),
    (re.compile(r"(https?://[^\s?\"'<>]+)\?[^\s\"'<>]+"), rf"\1?{_GONE}"),
    (re.compile(r"\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?"), _GONE),
    (re.compile(r"\b(?:nsec1|xox[a-z]-|sk-|ghp_)[A-Za-z0-9-]{8,}"), _GONE),
    # Anything long without a space that looks drawn by lot; content ids of atproto (baf...) are public.
    (
        re.compile(r"(?<![A-Za-z0-9_/.-])(?!baf[a-z0-9]{20})(?=[A-Za-z0-9+_-]*\d)[A-Za-z0-9+_-]{32,}={0,2}"),
        _GONE,
    ),
)
_CONTROLS = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")


def redact(text: str, *, limit: int = DIAGNOSTICS_LENGTH) -> str:
    """`text` without tokens, passwords, secret addresses and control characters, cut to `limit` characters.

    It errs on the side of taking out too much: what is left is for diagnosis, not for use.
    """
    text = _CONTROLS.sub(" ", text[: limit * 4])
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text if len(text) <= limit else text[: limit - 1] + "…"
