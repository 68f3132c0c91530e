# ruff: noqa: E501 - a line of HTML is easier to read in one piece
"""How the mailed report looks: text and HTML that say the same, and the chart as a picture inside."""

from __future__ import annotations

from collections.abc import Sequence
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from html import escape
from urllib.parse import urlencode

from contentcaster.clock import utc_now
from contentcaster.security.permissions import Principal
from contentcaster.services import analytics_drawing as drawing
from contentcaster.services.analytics_answers import Answer, answers
from contentcaster.services.analytics_drawing import Kpi
from contentcaster.services.analytics_png import draw_series
from contentcaster.services.analytics_read import Everything
from contentcaster.services.analytics_views import PostFigures
from contentcaster.settings import Settings

_TONES = {"ok": "#18733f", "warn": "#8f5600"}
_SHOWN_CHARACTERS = 120
_FONT = "font-family:Inter,system-ui,-apple-system,'Segoe UI',sans-serif"


def make_report(
    found: Everything, principal: Principal, settings: Settings, *, cadence: str, message_id: str
) -> bytes:
    """The mail, ready for the mail server."""
    summary, base = found.summary, settings.effective_public_url
    period = drawing.span(summary.first, summary.last)
    unit = "month" if cadence == "monthly" else "week"
    link = f"{base}/analytics?{urlencode(found.asked.query())}"
    cards = drawing.kpis(summary, found.view_words)
    said = answers(found, utc_now())
    message = EmailMessage(policy=SMTP.clone(cte_type="7bit"))
    message["From"] = f"ContentCaster <{settings.mail_sender}>"
    message["To"] = principal.email
    message["Subject"] = (
        f"Your {unit} in numbers, {period}: {drawing.number(summary.now.posts)} "
        f"{'post' if summary.now.posts == 1 else 'posts'}, "
        f"{drawing.number(summary.now.engagements)} engagements"
    )
    message["Date"] = format_datetime(utc_now())
    message["Message-ID"] = f"<{message_id}>"
    message["Auto-Submitted"] = "auto-generated"
    foot = f"You chose to get this {cadence}. Change or stop it: {base}/analytics"
    message.set_content(_text(cards, said, found.best, period, link, foot))
    picture = f"chart-{message_id}"
    message.add_alternative(
        _html(cards, said, found.best, f"Your {unit} in numbers", period, link, foot, picture), subtype="html"
    )
    before = drawing.span(summary.before_first, summary.before_last)
    chart = draw_series(
        found.points,
        title="Engagements per day",
        note="",
        zone=found.asked.period.zone,
        before=before,
    )
    html = message.get_body(("html",))
    assert isinstance(html, EmailMessage)  # added above
    html.add_related(chart, "image", "png", cid=f"<{picture}>", filename="engagements.png")
    return message.as_bytes()


def _text(
    cards: Sequence[Kpi],
    said: Sequence[Answer],
    best: Sequence[PostFigures],
    period: str,
    link: str,
    foot: str,
) -> str:
    lines = [period, ""]
    lines += [f"{card.label}: {card.value}{f' ({card.delta})' if card.delta else ''}" for card in cards]
    for answer in said:
        lines += ["", answer.question, f"  {answer.words}", f"  {answer.note}"]
    if best:
        lines += ["", "What worked"]
        lines += [
            f"  {drawing.number(post.engagements)}  {_short(post.text)} ({post.channel.handle})"
            for post in best
        ]
    return "\n".join([*lines, "", f"All of it: {link}", "", "-- ", foot, ""])


def _html(
    cards: Sequence[Kpi],
    said: Sequence[Answer],
    best: Sequence[PostFigures],
    title: str,
    period: str,
    link: str,
    foot: str,
    picture: str,
) -> str:
    figures = "".join(
        '<td style="padding:12px 14px;border:1px solid #e6e7ee;border-radius:8px;vertical-align:top">'
        f'<div style="font-size:12px;color:#5f6373">{escape(card.label)}</div>'
        f'<div style="font-size:22px;font-weight:650">{escape(card.value)}</div>'
        f'<div style="font-size:12px;color:{_TONES.get(card.tone, "#5f6373")}">{escape(card.delta)}</div></td>'
        for card in cards
    )
    said_ = "".join(
        f'<p style="margin:0 0 14px"><span style="font-size:12px;color:#5f6373">{escape(each.question)}</span><br>'
        f'<b>{escape(each.words)}</b><br><span style="font-size:13px;color:#5f6373">{escape(each.note)}</span></p>'
        for each in said
    )
    posts = "".join(
        '<tr><td style="padding:8px 0;border-top:1px solid #e6e7ee">'
        f'{escape(_short(post.text))}<div style="font-size:12px;color:#5f6373">{escape(post.channel.platform_name)} · '
        f"{escape(post.channel.handle)} · {escape(drawing.parts(post))}</div></td>"
        '<td style="padding:8px 0 8px 16px;border-top:1px solid #e6e7ee;text-align:right;font-weight:600;'
        f'vertical-align:top">{drawing.number(post.engagements)}</td></tr>'
        for post in best
    )
    worked = (
        f'<h2 style="font-size:15px;margin:20px 0 8px">What worked</h2><table role="presentation" width="100%" '
        f'cellspacing="0" style="border-collapse:collapse">{posts}</table>'
        if posts
        else ""
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="color-scheme" content="light">'
        f'</head><body style="margin:0;background:#f4f5f8;color:#1b1c24;{_FONT};font-size:14px;line-height:1.45">'
        '<table role="presentation" width="100%" cellspacing="0"><tr><td align="center" style="padding:24px 12px">'
        '<table role="presentation" width="640" cellspacing="0" style="max-width:640px;background:#fff;'
        'border:1px solid #e6e7ee;border-radius:12px"><tr><td style="padding:24px">'
        f'<h1 style="font-size:20px;margin:0">{escape(title)}</h1><p style="margin:2px 0 16px;color:#5f6373">{escape(period)}</p>'
        f'<table role="presentation" width="100%" cellspacing="6" style="margin:0 -6px 16px"><tr>{figures}</tr></table>'
        f'<img src="cid:{escape(picture)}" width="592" alt="Engagements over time; the numbers are in the console" '
        'style="width:100%;height:auto;border:1px solid #e6e7ee;border-radius:8px;margin-bottom:18px">'
        f"{said_}{worked}"
        f'<p style="margin:22px 0 0"><a href="{escape(link)}" style="display:inline-block;background:#5b5bd6;color:#fff;'
        'padding:9px 16px;border-radius:8px;text-decoration:none;font-weight:600">Look at all of it</a></p>'
        f'</td></tr></table><p style="font-size:12px;color:#5f6373;max-width:640px">{escape(foot)}</p>'
        "</td></tr></table></body></html>"
    )


def _short(text: str) -> str:
    text = " ".join(text.split()) or "(no text)"
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"
