"""Rules as data: what a finder reads, when an engagement bot reacts, whom a growth bot follows.

Everything is checked when a rule is saved, with the reason at its field: a rule that can never match, a pattern that
could explode, a template with a variable that nobody fills. `parse_spec` turns pydantic's errors into sentences.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from contentcaster.bots.patterns import check_pattern
from contentcaster.bots.templates import check_template
from contentcaster.errors import InvalidInput
from contentcaster.models.bot import BotKind

Short = Annotated[str, Field(min_length=1, max_length=200)]
Pattern = Annotated[str, Field(max_length=300)]
SourceKind = Literal["hashtag", "keyword", "followers_of", "posts_of", "list", "feed"]
When = Literal["mention", "reply", "follow", "keyword", "hashtag", "finder"]

ADDRESSED = ("mention", "reply", "follow")
"""Events of people who turned to this channel themselves."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Filters(_Model):
    """Whom and what a rule keeps; an empty field keeps everything."""

    languages: list[Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})?$")]] = Field(
        default_factory=list, max_length=30
    )
    min_followers: int = Field(default=0, ge=0)
    max_followers: int | None = Field(default=None, ge=0)
    min_account_age_days: int = Field(default=0, ge=0, le=10_000)
    max_post_age_hours: int | None = Field(default=48, ge=1, le=10_000)
    sentiment: Literal["any", "not_negative", "positive"] = "any"
    must_match: Pattern = ""
    must_not_match: Pattern = ""
    allow_list: list[Short] = Field(default_factory=list, max_length=1000)
    deny_list: list[Short] = Field(default_factory=list, max_length=1000)
    skip_bots: bool = True

    @field_validator("must_match", "must_not_match")
    @classmethod
    def _safe_pattern(cls, value: str) -> str:
        check_pattern(value)
        return value

    @model_validator(mode="after")
    def _can_match(self) -> Filters:
        if self.max_followers is not None and self.max_followers < self.min_followers:
            raise ValueError(
                f"This can never match: nobody has at least {self.min_followers:,} and at most "
                f"{self.max_followers:,} followers."
            )
        if self.must_match and self.must_match == self.must_not_match:
            raise ValueError("This can never match: the same pattern must and must not be there.")
        denied = {handle.lower().lstrip("@") for handle in self.deny_list}
        if self.allow_list and {h.lower().lstrip("@") for h in self.allow_list} <= denied:
            raise ValueError("This can never match: everybody on the allow list is on the deny list too.")
        return self


class Source(_Model):
    kind: SourceKind
    value: Annotated[str, Field(min_length=1, max_length=300)]

    @model_validator(mode="after")
    def _means_something(self) -> Source:
        text = self.value.strip().lstrip("#@")
        if not text:
            raise ValueError(f"A {self.kind.replace('_', ' ')} needs a name.")
        if self.kind == "hashtag" and any(ch.isspace() for ch in text):
            raise ValueError("A hashtag has no spaces: this would never match.")
        if self.kind == "feed" and not text.lower().startswith(("https://", "http://")):
            raise ValueError("A feed is an address that starts with https://.")
        return self

    @property
    def words(self) -> str:
        named = {"hashtag": f"#{self.value.lstrip('#')}", "keyword": f"“{self.value}”"}
        if self.kind in named:
            return named[self.kind]
        return f"{self.kind.replace('_', ' ')} {self.value}"


class Scoring(_Model):
    """Points from 0 to 100: a base of 30, and what speaks for somebody; the assistant may add or take away a few."""

    keywords: dict[Short, Annotated[int, Field(ge=-100, le=100)]] = Field(
        default_factory=dict, max_length=100
    )
    language_points: int = Field(default=15, ge=0, le=50)
    active_points: int = Field(default=15, ge=0, le=50)
    reach_points: int = Field(default=20, ge=0, le=50)
    min_score: int = Field(default=50, ge=0, le=100)
    use_assistant: bool = False
    wanted: str = Field(default="", max_length=500)
    """What the assistant looks for, in the admin's words."""
    assistant_points: int = Field(default=20, ge=1, le=40)
    """The most that its opinion adds or takes away."""

    @model_validator(mode="after")
    def _says_what_is_wanted(self) -> Scoring:
        if self.use_assistant and not self.wanted.strip():
            raise ValueError("Say in a sentence whom or what the assistant should look for.")
        return self


class FinderSpec(_Model):
    sources: list[Source] = Field(min_length=1, max_length=10)
    every_minutes: int = Field(default=30, ge=5, le=1440)
    per_run: int = Field(default=40, ge=1, le=200)
    filters: Filters = Field(default_factory=Filters)
    scoring: Scoring = Field(default_factory=Scoring)


class Then(_Model):
    action: Literal["like", "repost", "reply"]
    templates: list[Annotated[str, Field(min_length=1, max_length=1000)]] = Field(
        default_factory=list, max_length=20
    )
    use_assistant: bool = False
    instructions: str = Field(default="", max_length=1000)

    @model_validator(mode="after")
    def _reply_has_words(self) -> Then:
        if self.action == "reply" and not self.templates and not self.use_assistant:
            raise ValueError("A reply needs a template, or the assistant.")
        if self.action != "reply" and (self.templates or self.use_assistant):
            raise ValueError(f"A {self.action} has no text: remove the template.")
        for template in self.templates:
            check_template(template)
        return self


class EngagementSpec(_Model):
    when: When
    value: str = Field(default="", max_length=200)
    """The keyword or hashtag; of finder: the least score."""
    every_minutes: int = Field(default=5, ge=1, le=1440)
    per_run: int = Field(default=20, ge=1, le=100)
    filters: Filters = Field(default_factory=Filters)
    then: list[Then] = Field(min_length=1, max_length=3)

    @model_validator(mode="after")
    def _can_match(self) -> EngagementSpec:
        needs_value = self.when in ("keyword", "hashtag")
        if needs_value and not self.value.strip().lstrip("#"):
            raise ValueError(f"This can never match: it waits for a {self.when} and names none.")
        if self.when == "finder" and self.value and not self.value.isdigit():
            raise ValueError("For what finders found, the value is the least score, such as 60.")
        if self.when == "finder" and self.value.isdigit() and int(self.value) > 100:
            raise ValueError("This can never match: scores end at 100.")
        actions = [item.action for item in self.then]
        if len(set(actions)) != len(actions):
            raise ValueError("Each action can stand here once.")
        if self.when == "follow" and actions:
            raise ValueError(
                "This can never match: a new follower is a person, and there is no post to react to. "
                "Use a growth rule to follow back."
            )
        return self


class GrowthSpec(_Model):
    follow: bool = True
    min_score: int = Field(default=60, ge=0, le=100)
    follow_back: bool = False
    unfollow_after_days: int | None = Field(default=None, ge=1, le=365)
    every_minutes: int = Field(default=60, ge=5, le=1440)
    per_run: int = Field(default=20, ge=1, le=100)
    filters: Filters = Field(default_factory=Filters)

    @model_validator(mode="after")
    def _does_something(self) -> GrowthSpec:
        if not self.follow and not self.follow_back and self.unfollow_after_days is None:
            raise ValueError("This rule would do nothing: let it follow, follow back or unfollow.")
        return self


Spec = FinderSpec | EngagementSpec | GrowthSpec
SPECS: dict[BotKind, type[Spec]] = {
    BotKind.FINDER: FinderSpec,
    BotKind.ENGAGEMENT: EngagementSpec,
    BotKind.GROWTH: GrowthSpec,
}

EXAMPLES: dict[BotKind, dict[str, dict[str, Any]]] = {
    BotKind.FINDER: {
        "People who write about coffee": {
            "sources": [{"kind": "hashtag", "value": "coffee"}],
            "filters": {"languages": ["en"], "max_followers": 5000},
            "scoring": {"keywords": {"roast": 15, "coffee": 10}, "min_score": 50},
        },
        "Followers of a peer": {"sources": [{"kind": "followers_of", "value": "@peer@example.social"}]},
        "Posts of a blog": {"sources": [{"kind": "feed", "value": "https://example.org/feed.xml"}]},
    },
    BotKind.ENGAGEMENT: {
        "Thank those who mention us": {
            "when": "mention",
            "filters": {"sentiment": "not_negative"},
            "then": [{"action": "like"}, {"action": "reply", "templates": ["Thank you, {name}!"]}],
        },
        "Like posts with a hashtag": {"when": "hashtag", "value": "coffee", "then": [{"action": "like"}]},
        "Like what the finder found": {"when": "finder", "value": "60", "then": [{"action": "like"}]},
    },
    BotKind.GROWTH: {
        "Follow by score": {"follow": True, "min_score": 60, "unfollow_after_days": 14},
        "Only follow back": {"follow": False, "follow_back": True},
    },
}


def parse_spec(bot: BotKind, values: dict[str, Any]) -> Spec:
    """The checked spec of a rule.

    Raises:
        InvalidInput: field -> what is wrong with it, in words.
    """
    spec: Spec = _parse(SPECS[bot], values, "This rule cannot be saved.")
    return spec


def parse_model(model: type[BaseModel], values: dict[str, Any]) -> Any:
    """Any model of this package, with the same errors as `parse_spec`."""
    return _parse(model, values, "This cannot be saved.")


def _parse(model: type[Any], values: dict[str, Any], summary: str) -> Any:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        fields: dict[str, str] = {}
        for item in error.errors():
            place = ".".join(str(part) for part in item["loc"]) or "rule"
            fields.setdefault(place, item["msg"].removeprefix("Value error, "))
        first = next(iter(fields.values()))
        raise InvalidInput(f"{summary} {first}", fields=fields) from None
