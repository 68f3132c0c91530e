"""What keeps a post from going out on a channel as it is, and what a person should look at first.

The same rules serve the preflight list in the Studio and the refusal at scheduling: every "stop" refuses.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlmodel import Session

from contentcaster.errors import InvalidInput
from contentcaster.models import Account, AccountStatus, Media
from contentcaster.platforms.base import Feature, TextRule
from contentcaster.platforms.link_tags import LinkTagRule, tag_links
from contentcaster.platforms.quotes import can_quote
from contentcaster.platforms.text import measure
from contentcaster.security.permissions import Principal
from contentcaster.services.accounts import usable_accounts
from contentcaster.services.drafts import MediaDraft, PostDraft, TargetDraft
from contentcaster.services.link_tags import rule_in_post, rules_of
from contentcaster.services.media import visible_media
from contentcaster.services.platforms import (
    capabilities_of,
    channel_name,
    is_known_network,
    media_rule_of,
    text_rule_of,
)
from contentcaster.services.post_media import Attached, media_problems
from contentcaster.services.schedule import format_when
from contentcaster.services.views import PreflightItem
from contentcaster.settings import Settings, get_settings


@dataclass(frozen=True)
class Materials:
    """A cleaned draft with the rows that it names."""

    draft: PostDraft
    accounts: dict[str, Account]
    media: dict[str, Media]
    link_rules: dict[str, LinkTagRule] = field(default_factory=dict)
    """Channel id -> the tags of its links."""

    def text_of(self, target: TargetDraft) -> str:
        return target.text or self.draft.text

    def takes_comment(self, target: TargetDraft) -> bool:
        """Whether the first comment goes out on this channel."""
        account = self.accounts[target.account_id]
        is_known = bool(self.draft.first_comment) and is_known_network(account.platform)
        return is_known and Feature.FIRST_COMMENT in capabilities_of(account).features

    def parts_of(self, target: TargetDraft) -> list[str]:
        """What goes out on this channel, links tagged: the post, its thread, its first comment."""
        options = self.draft.options | target.options
        rule = rule_in_post(self.link_rules.get(target.account_id), options)
        texts = [self.text_of(target), *self.draft.thread]
        if self.takes_comment(target):
            texts.append(self.draft.first_comment)
        return [tag_links(text, rule) for text in texts]

    def media_of(self, part: int) -> list[tuple[MediaDraft, Media]]:
        return [(item, self.media[item.id]) for item in self.draft.media if item.part == part]

    def alt_of(self, item: MediaDraft) -> str:
        return self.media[item.id].alt if item.alt is None else item.alt


def load_materials(
    session: Session,
    principal: Principal,
    draft: PostDraft,
    *,
    attached: tuple[dict[str, Account], dict[str, Media]] = ({}, {}),
) -> Materials:
    """Look up what the draft names. `attached` is on the post already, and may stay whoever put it there.

    Raises:
        InvalidInput: a channel ("targets") or picture ("media") that does not exist or is not theirs.
    """
    wanted_accounts = [target.account_id for target in draft.targets]
    wanted_media = [item.id for item in draft.media]
    accounts = attached[0] | usable_accounts(session, principal, wanted_accounts)
    media = attached[1] | visible_media(session, principal, wanted_media)
    problems: dict[str, str] = {}
    for account_id in wanted_accounts:
        if account_id not in accounts:
            sentence = "A chosen channel does not exist any more, or it is not yours to use. Take it out."
            problems |= {"targets": sentence, f"targets.{account_id[:26]}": sentence}
    if any(media_id not in media for media_id in wanted_media):
        problems["media"] = (
            "An attached picture or video does not exist any more, or it is not yours. Take it out."
        )
    if problems:
        raise InvalidInput(next(iter(problems.values())), fields=problems)
    return Materials(draft, accounts, media, rules_of(session, wanted_accounts))


def find_problems(materials: Materials, *, due_at: datetime | None, timezone: str) -> list[PreflightItem]:
    """All stops and checks that the draft itself gives rise to, channel by channel."""
    draft = materials.draft
    if not draft.targets:
        return [_stop("Choose at least one channel.", "targets")]
    found: list[PreflightItem] = []
    if _is_empty(draft):
        found.append(_stop("Write something or attach a picture.", "text"))
    if any(not materials.alt_of(item) for item in draft.media):
        what = "video" if _lacks_alt_only_at_videos(materials) else "picture"
        sentence = f"A {what} has no alt text: people who cannot see it learn nothing of it."
        found.append(PreflightItem("check", sentence, "media"))
    settings = get_settings()
    for target in draft.targets:
        account = materials.accounts[target.account_id]
        if not is_known_network(account.platform):
            found.append(
                _stop(f"{channel_name(account)}: this version knows no such network.", "targets", account)
            )
            continue
        found += _channel_problems(account, due_at, timezone)
        found += _text_problems(materials, target, account)
        found += _media_problems(materials, account, settings)
        found += _option_problems(materials, target, account)
    return found


def _lacks_alt_only_at_videos(materials: Materials) -> bool:
    without = [materials.media[item.id] for item in materials.draft.media if not materials.alt_of(item)]
    return all(media.duration_seconds for media in without)


def _is_empty(draft: PostDraft) -> bool:
    return not (draft.text or draft.media or any(target.text for target in draft.targets))


def refuse_stops(items: list[PreflightItem]) -> None:
    """Raise InvalidInput with one sentence per field if anything stops the post."""
    fields: dict[str, str] = {}
    for item in items:
        if item.level == "stop":
            fields.setdefault(item.field, item.sentence)
            # The common text is too long for a channel: the message belongs at both fields.
            if item.field.endswith(".text"):
                fields.setdefault("text", item.sentence)
    if fields:
        raise InvalidInput(next(iter(fields.values())), fields=fields)


def _channel_problems(account: Account, due_at: datetime | None, timezone: str) -> list[PreflightItem]:
    name, field = channel_name(account), f"targets.{account.id}"
    if account.deleted_at is not None:
        return [_stop(f"{name} was removed. Take it out.", field, account)]
    if account.status is AccountStatus.DISABLED:
        return [
            _stop(f"{name} is switched off. Switch it on under Channels, or take it out.", field, account)
        ]
    if account.status is AccountStatus.REAUTHORISE:
        return [_stop(f"{name} needs a new login. Connect it again under Channels.", field, account)]
    found = []
    if due_at and account.token_expires_at and account.token_expires_at <= due_at:
        when = format_when(account.token_expires_at, timezone)
        found.append(_check(f"The login of {name} ends on {when}, before this post is due.", field, account))
    if due_at and account.rate_limited_until and account.rate_limited_until > due_at:
        when = format_when(account.rate_limited_until, timezone)
        found.append(
            _check(f"{name} takes no posts before {when}; this one waits until then.", field, account)
        )
    return found


def _text_problems(materials: Materials, target: TargetDraft, account: Account) -> list[PreflightItem]:
    name, rule = channel_name(account), text_rule_of(account)
    warning = str((materials.draft.options | target.options).get("content_warning", ""))
    found = []
    parts = materials.parts_of(target)
    if materials.draft.thread and Feature.THREAD not in capabilities_of(account).features:
        found.append(_stop(f"{name} has no threads. Take it out, or post one part only.", "thread", account))
    for part, text in enumerate(parts):
        field = f"targets.{account.id}.text" if part == 0 else f"thread.{part - 1}"
        where = name if part == 0 else f"Part {part + 1} on {name}"
        if part > len(materials.draft.thread):
            field, where = "first_comment", f"The first comment on {name}"
        measured = measure(text, _with_media(rule) if materials.media_of(part) else rule, warning)
        if measured.is_too_long:
            found.append(_stop(f"{where}: {measured.sentence}", field, account))
        if not text and not _is_empty(materials.draft) and (rule.is_required or not materials.media_of(part)):
            found.append(_stop(f"{where}: there is nothing to post. Write a text.", field, account))
    if materials.draft.first_comment and not materials.takes_comment(target):
        found.append(_check(f"{name} takes no first comment; it is left out there.", "options", account))
    return found


def _with_media(rule: TextRule) -> TextRule:
    """The rule for a text that stands under pictures."""
    shorter = rule.max_length_with_media
    return rule if shorter is None else replace(rule, max_length=shorter)


def _media_problems(materials: Materials, account: Account, settings: Settings) -> list[PreflightItem]:
    parts = [
        [Attached(media, materials.alt_of(item)) for item, media in materials.media_of(part)]
        for part in range(len(materials.draft.thread) + 1)
    ]
    found = media_problems(channel_name(account), media_rule_of(account), parts, settings)
    return [PreflightItem(level, sentence, "media", account.id) for level, sentence in found]


def _option_problems(materials: Materials, target: TargetDraft, account: Account) -> list[PreflightItem]:
    options = materials.draft.options | target.options
    name, features = channel_name(account), capabilities_of(account).features
    found = []
    if options.get("visibility", "public") != "public" and Feature.VISIBILITY not in features:
        # Posting in public what was meant for few cannot be taken back.
        found.append(
            _stop(
                f"{name} knows only public posts, and this one is {options['visibility']}. Take the channel out, "
                "or make the post public.",
                "options.visibility",
                account,
            )
        )
    quote = str(options.get("quote") or "")
    if quote and not can_quote(account.platform, quote):
        why = "can quote only its own posts" if Feature.QUOTE in features else "quotes no posts from here"
        found.append(_check(f"{name} {why}; the quote is left out there.", "options.quote", account))
    if options.get("content_warning") and Feature.CONTENT_WARNING not in features:
        found.append(_check(f"{name} shows no content warnings; it is left out there.", "options", account))
    return found


def _stop(sentence: str, field: str, account: Account | None = None) -> PreflightItem:
    return PreflightItem("stop", sentence, field, account.id if account else "")


def _check(sentence: str, field: str, account: Account | None = None) -> PreflightItem:
    return PreflightItem("check", sentence, field, account.id if account else "")
