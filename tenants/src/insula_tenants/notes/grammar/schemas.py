"""What the grammar check takes, and the words of dictionaries."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

Text = Annotated[str, Meta(max_length=100_000, examples=["This is an test of the the roof."])]
RuleName = Annotated[str, Meta(min_length=1, max_length=100, examples=["SpellCheck"])]
RuleNames = Annotated[list[RuleName], Meta(max_length=200, examples=[[]])]


class CheckRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    text: Text
    language: Annotated[str, Meta(max_length=20)] = "en-US"
    """`en-US`, `en-GB`, `en-AU`, `en-CA`, `en-IN`, or `auto`."""
    markdown: bool = True
    """Code, URLs and front matter are passed over; otherwise all of it is prose."""
    disabled_rules: RuleNames = msgspec.field(default_factory=list)
    """The `rule.id` of matches that are not wanted."""


class WordAdd(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    word: Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^\S+$", examples=["Insula"])]
    shared: bool = False
    """For everybody in the tenant, not just for the caller."""


class Word(msgspec.Struct):
    id: UUID
    owner_id: UUID | None
    """Whose it is; null for the whole tenant's."""
    word: str
    created_at: datetime
