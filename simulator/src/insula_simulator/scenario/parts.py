"""What the tables of a scenario are made of: bounded numbers and names."""

from typing import Annotated

from msgspec import Meta, Struct

Share = Annotated[float, Meta(ge=0, le=1)]
Positive = Annotated[float, Meta(gt=0, le=1e15)]
AtLeastZero = Annotated[float, Meta(ge=0, le=1e15)]
Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[\w .-]+$")]
Latitude = Annotated[float, Meta(ge=-90, le=90)]
Longitude = Annotated[float, Meta(ge=-180, le=180)]
Count = Annotated[int, Meta(ge=1, le=1_000_000)]
Bytes = Annotated[int, Meta(ge=1, le=1 << 50)]


class ScenarioError(Exception):
    """The scenario cannot be run; the message names the key, or the line of broken TOML."""


class Part(Struct, frozen=True, forbid_unknown_fields=True):
    """A table of the file."""
