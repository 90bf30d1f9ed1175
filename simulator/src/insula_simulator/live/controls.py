"""What a browser may ask for. Anything else is refused with a sentence."""

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

from insula_simulator.policies import POLICIES

Target = Annotated[str, Meta(pattern=r"^(origin|(edge|shield):.+)$", max_length=80)]


class _Asked(Struct, frozen=True, forbid_unknown_fields=True, tag_field="set"):
    """A message."""


class Play(_Asked, frozen=True, tag="play"):
    on: bool


class Speed(_Asked, frozen=True, tag="speed"):
    """Simulated seconds in a second."""

    value: Annotated[float, Meta(ge=0.1, le=3600)]


class Load(_Asked, frozen=True, tag="load"):
    """Times what the scenario says."""

    value: Annotated[float, Meta(ge=0, le=100)]


class Flash(_Asked, frozen=True, tag="flash"):
    """From now on, for a while, so many times the load, and what is added for one object."""

    multiplier: Annotated[float, Meta(gt=1, le=100)] = 10.0
    seconds: Annotated[float, Meta(gt=0, le=86_400)] = 120.0


class Fail(_Asked, frozen=True, tag="fail"):
    target: Target
    kind: Literal["up", "down", "brownout"]


class Recache(_Asked, frozen=True, tag="cache"):
    """New caches, empty ones, for all sites of a part."""

    part: Literal["edges", "shields"]
    policy: Literal[tuple(name for name in POLICIES if name != "belady")]  # type: ignore[valid-type]
    size: Annotated[int, Meta(ge=1, le=1 << 50)]


class Restart(_Asked, frozen=True, tag="restart"):
    """Everything as the scenario says, from its first second."""


Control: TypeAlias = Play | Speed | Load | Flash | Fail | Recache | Restart

_decoder: msgspec.json.Decoder[Control] = msgspec.json.Decoder(Control)


def decode(message: str | bytes) -> Control:
    """Raises msgspec.DecodeError (or its ValidationError), whose text says what is wrong."""
    return _decoder.decode(message)
