"""The fields that several schemas share."""

from datetime import date, time
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

TITLE_LIMIT = 500
LABEL_LIMIT = 60
FARTHEST = 1 << 52
"""The bound of positions: JSON numbers are exact up to twice this."""

Title = Annotated[
    str, Meta(min_length=1, max_length=TITLE_LIMIT, pattern=r"\S", examples=["Pay the rent"])
]
Notes = Annotated[str, Meta(max_length=20_000, examples=["To the *new* account."])]
Label = Annotated[
    str, Meta(min_length=1, max_length=LABEL_LIMIT, pattern=r"^[^\s#@+!,]+$", examples=["home"])
]
Labels = Annotated[list[Label], Meta(max_length=50)]
Priority = Annotated[int, Meta(ge=1, le=4, examples=[2])]
Colour = Annotated[str, Meta(pattern=r"^(#[0-9a-fA-F]{6})?$", max_length=7, examples=["#2e7d32"])]
Zone = Annotated[str, Meta(min_length=1, max_length=60, examples=["Europe/Berlin"])]
Repeat = Annotated[str, Meta(max_length=500, examples=["FREQ=MONTHLY;BYMONTHDAY=1"])]
RepeatFrom = Literal["due", "completion"]
Missed = Literal["skip", "keep"]
Visibility = Literal["private", "tenant"]
MemberRole = Literal["owner", "editor", "viewer"]
Day = Annotated[date, Meta(examples=["2026-05-01"])]
Clock = Annotated[time, Meta(tz=False, examples=["09:00:00"])]


class Strict(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Input: a field that nobody knows is a mistake worth telling."""
