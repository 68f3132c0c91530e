"""The two big forms of the Bots page: a rule, and the rails of a channel."""

from __future__ import annotations

from typing import Any

import reflex as rx

from contentcaster.bots.rules import EXAMPLES
from contentcaster.bots.templates import VARIABLES
from contentcaster.components.basics import button, notice
from contentcaster.components.dialogs import dialog_close
from contentcaster.components.fields import checkbox, field, select, text_area, text_input
from contentcaster.models.bot import BotKind
from contentcaster.services.views import ChannelView
from contentcaster.state.bots import ACTIONS
from contentcaster.state.bots import BotsState as S

WHENS = (
    ("mention", "Somebody mentions us"),
    ("reply", "Somebody answers us"),
    ("hashtag", "A post has the hashtag"),
    ("keyword", "A post has the keyword"),
    ("finder", "A finder found a post (value: least score)"),
)
SENTIMENTS = (("any", "Any tone"), ("not_negative", "Not negative"), ("positive", "Positive only"))
CAP_TITLES = (
    ("per_minute", "a minute"),
    ("per_hour", "an hour"),
    ("per_day", "a day"),
    ("spacing_seconds", "s apart"),
    ("jitter_seconds", "s jitter"),
)


def rule_dialog() -> rx.Component:
    """The rule editor, for whichever bot is being edited."""
    return rx.dialog.root(
        rx.dialog.content(
            rx.dialog.title(
                rx.cond(S.editing_id != "", "Change the rule", "New rule"), " · ", S.editor, size="4"
            ),
            rx.match(S.editor, *[(bot.value, _examples(bot)) for bot in BotKind], rx.fragment()),
            rx.el.form(
                _general(),
                rx.match(
                    S.editor,
                    ("finder", _finder()),
                    ("engagement", _engagement()),
                    ("growth", _growth()),
                    rx.fragment(),
                ),
                _filters(),
                rx.cond(S.errors["rule"], notice(S.errors["rule"], tone="bad", role="alert")),
                rx.cond(S.errors["filters"], notice(S.errors["filters"], tone="bad", role="alert")),
                rx.el.div(
                    rx.el.span("Saved rules are off until you switch them on.", class_name="xs faint"),
                    dialog_close(button("Not now")),
                    button("Save the rule", kind="p", type="submit"),
                    class_name="row dialog-actions wrap",
                ),
                on_submit=S.save_rule,
                key=S.form_key,
                class_name="stack",
            ),
            class_name="dialog extra-wide",
        ),
        open=S.editor != "",
        on_open_change=S.set_editor_open,
    )


def _examples(bot: BotKind) -> rx.Component:
    return rx.el.div(
        rx.el.span("Start from:", class_name="xs faint"),
        *[
            button(name, kind="g s", on_click=S.use_example(number))
            for number, name in enumerate(EXAMPLES[bot])
        ],
        class_name="row wrap examples",
    )


def _input(name: str, label: str, *, help: Any = "", **props: Any) -> rx.Component:
    error = S.errors[name]
    control = text_input(id=name, default_value=S.form[name], error=error, auto_complete="off", **props)
    return field(label, control, for_=name, help=help, error=error)


def _area(name: str, label: str, *, help: Any = "", rows: str = "3") -> rx.Component:
    error = S.errors[name]
    control = text_area(id=name, default_value=S.form[name], error=error, rows=rows)
    return field(label, control, for_=name, help=help, error=error)


def _tick(name: str, label: str) -> rx.Component:
    return checkbox(label, id=name, default_checked=S.form[name] != "")


def _general() -> rx.Component:
    return rx.el.div(
        _input("name", "Name", max_length=120),
        field(
            "Channel",
            select(
                rx.foreach(S.choices, _channel_option),
                id="account_id",
                default_value=S.form["account_id"],
                error=S.errors["account_id"],
            ),
            for_="account_id",
            error=S.errors["account_id"],
        ),
        _input("every_minutes", "Every so many minutes", input_mode="numeric", placeholder="30"),
        class_name="form-grid",
    )


def _channel_option(channel: rx.Var[ChannelView]) -> rx.Component:
    return rx.el.option(channel.platform_name, " · ", channel.handle, value=channel.account_id)


def _finder() -> rx.Component:
    return rx.el.div(
        rx.el.div(
            _area(
                "sources",
                "Sources, one a line",
                help="#coffee · keyword: espresso · followers_of: @peer@example.social · posts_of: @ada · list: 123 · "
                "https://example.org/feed.xml",
            ),
            _area(
                "keywords",
                "Words that count, with points",
                help="roast: 15 (one a line; negative points count against)",
            ),
            _input("min_score", "Keep from score", input_mode="numeric", placeholder="50"),
            class_name="form-grid",
        ),
        rx.cond(
            S.has_assistant,
            rx.el.div(
                _tick("use_assistant", "Ask the assistant, too"),
                _input(
                    "wanted",
                    "Whom or what it should look for",
                    max_length=500,
                    placeholder="People who roast at home and ask for advice",
                    help=rx.fragment("Its opinion moves a score by 20 points at most. ", S.assistant_words),
                ),
                class_name="stack tight",
            ),
            rx.el.p("Scores by the assistant: ", S.assistant_words, class_name="xs faint"),
        ),
        class_name="stack",
    )


def _engagement() -> rx.Component:
    variables = " ".join("{" + name + "}" for name in VARIABLES)
    return rx.el.div(
        rx.el.div(
            field(
                "When",
                select(
                    *[rx.el.option(words, value=key) for key, words in WHENS],
                    id="when",
                    default_value=S.form["when"],
                    error=S.errors["when"],
                ),
                for_="when",
                error=S.errors["when"],
            ),
            _input("value", "Hashtag, keyword or score"),
            class_name="form-grid",
        ),
        rx.el.fieldset(
            rx.el.legend("Then", class_name="label"),
            rx.el.div(
                _tick("like", "Like"),
                _tick("repost", "Repost"),
                _tick("reply", "Reply"),
                class_name="row wrap",
            ),
            rx.cond(
                S.errors["then"], rx.el.p(S.errors["then"], class_name="error tone-bad sm", role="alert")
            ),
            class_name="fold plain-set",
        ),
        _area("templates", "Reply templates, one a line", help=f"Variables: {variables}. They take turns."),
        rx.cond(
            S.has_assistant,
            rx.el.div(
                _tick("use_assistant", "Let the assistant draft the reply"),
                _area(
                    "instructions",
                    "What it should write",
                    help="One or two sentences: tone, what to thank for, what never to say.",
                    rows="2",
                ),
                rx.el.p(
                    "Code checks every draft: length, links, mentions, blocked words, likeness to earlier replies. "
                    "On real networks it waits for a person.",
                    class_name="xs faint",
                ),
                rx.cond(S.assistant_words != "", rx.el.p(S.assistant_words, class_name="xs faint")),
                class_name="stack",
            ),
            rx.el.p("Drafts by the assistant: ", S.assistant_words, class_name="xs faint"),
        ),
        class_name="stack",
    )


def _growth() -> rx.Component:
    return rx.el.div(
        rx.el.div(
            _tick("follow", "Follow whom finders found"), _tick("follow_back", "Follow back"), class_name="row wrap"
        ),
        rx.el.div(
            _input("min_score", "Follow from score", input_mode="numeric", placeholder="60"),
            _input(
                "unfollow_after_days", "Unfollow after days without follow-back", input_mode="numeric",
                placeholder="never", help="Never anybody on the channel's keep list.",
            ),
            class_name="form-grid",
        ),
        class_name="stack",
    )  # fmt: skip


def _filters() -> rx.Component:
    return rx.el.details(
        rx.el.summary("Only those who…", class_name="label"),
        rx.el.div(
            _input("languages", "Languages", placeholder="en, de"),
            field(
                "Tone",
                select(
                    *[rx.el.option(words, value=key) for key, words in SENTIMENTS],
                    id="sentiment",
                    default_value=S.form["sentiment"],
                ),
                for_="sentiment",
            ),
            _input("min_followers", "Followers, at least", input_mode="numeric"),
            _input("max_followers", "Followers, at most", input_mode="numeric"),
            _input("min_account_age_days", "Account older than days", input_mode="numeric"),
            _input("max_post_age_hours", "Post younger than hours", input_mode="numeric", placeholder="48"),
            _input("must_match", "Must hold (regular expression)"),
            _input("must_not_match", "Must not hold (regular expression)"),
            _input("allow_list", "Only these handles"),
            _input("deny_list", "Never these handles or words"),
            _tick("bots_too", "Automated accounts too"),
            class_name="form-grid",
        ),
        class_name="fold-details",
    )


def rails_dialog() -> rx.Component:
    """Caps, quiet hours, lists and alarms of one channel."""
    return rx.dialog.root(
        rx.dialog.content(
            rx.dialog.title("Caps and quiet hours · ", S.rails_name, size="4"),
            rx.el.form(
                rx.el.div(
                    _rail("timezone", "Time zone", placeholder="Europe/Berlin"),
                    _rail("quiet_from", "Quiet from", type="time"),
                    _rail("quiet_to", "Quiet until", type="time"),
                    _rail(
                        "warm_up_days",
                        "Warm-up, days",
                        input_mode="numeric",
                        help="Starts with a tenth of the caps.",
                    ),
                    class_name="form-grid",
                ),
                rx.el.div(*[_cap_row(action) for action in ACTIONS], class_name="cap-rows"),
                rx.el.div(
                    _rail("keep_list", "Never unfollow"),
                    _rail("deny_list", "Never act towards"),
                    _rail("blocked_words", "Never in a reply"),
                    _rail("link_hosts", "Sites a reply may link to", placeholder="none"),
                    _rail("max_follow_ratio", "Stop at following / followers", input_mode="decimal"),
                    class_name="form-grid",
                ),
                rx.cond(S.errors["rule"], notice(S.errors["rule"], tone="bad", role="alert")),
                rx.el.div(
                    dialog_close(button("Not now")),
                    button("Save", kind="p", type="submit"),
                    class_name="row dialog-actions",
                ),
                on_submit=S.save_rails,
                key=S.rails_of,
                class_name="stack",
            ),
            class_name="dialog extra-wide",
        ),
        open=S.rails_of != "",
        on_open_change=S.set_rails_open,
    )


def _rail(name: str, label: str, *, help: Any = "", **props: Any) -> rx.Component:
    control = text_input(
        id=f"rail-{name}", name=name, default_value=S.rails[name], error=S.errors[name], **props
    )
    return field(label, control, for_=f"rail-{name}", help=help, error=S.errors[name])


def _cap_row(action: str) -> rx.Component:
    return rx.el.div(
        rx.el.span(action, class_name="b sm"),
        *[
            rx.el.label(
                rx.el.input(
                    name=f"{action}.{name}",
                    default_value=S.rails[f"{action}.{name}"],
                    class_name="input",
                    input_mode="numeric",
                    aria_label=f"{action}: {words}",
                ),
                rx.el.span(words, class_name="xs faint"),
            )
            for name, words in CAP_TITLES
        ],
        rx.cond(
            S.errors[action], rx.el.p(S.errors[action], class_name="tone-bad sm cap-error", role="alert")
        ),
        class_name="cap-row",
    )
