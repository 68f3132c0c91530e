"""Texts that are written once and used often, and the tags that links get per channel."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlmodel import Field, SQLModel

from contentcaster.clock import utc_now
from contentcaster.models.types import UTCDateTime, long_text, new_id, short_text, text_enum


class SnippetKind(StrEnum):
    HASHTAGS = "hashtags"
    SIGNATURE = "signature"
    TEMPLATE = "template"


class Snippet(SQLModel, table=True):
    """A saved text of one person; shared ones are there for everybody who writes."""

    __tablename__ = "snippet"

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    owner_id: str = Field(foreign_key="app_user.id", index=True, ondelete="CASCADE", max_length=26)
    kind: SnippetKind = Field(sa_type=text_enum(SnippetKind))
    name: str = Field(sa_type=short_text(80))
    text: str = Field(sa_type=long_text())
    is_shared: bool = False
    created_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
    updated_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
    version: int = 1


class LinkTags(SQLModel, table=True):
    """What is added to the links of every post on one channel (utm_source, ...), so that visits can be told apart."""

    __tablename__ = "link_tags"

    account_id: str = Field(foreign_key="account.id", primary_key=True, ondelete="CASCADE", max_length=26)
    source: str = Field(default="", sa_type=short_text(80))
    medium: str = Field(default="", sa_type=short_text(80))
    campaign: str = Field(default="", sa_type=short_text(80))
    updated_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
