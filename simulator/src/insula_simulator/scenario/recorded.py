"""The part of ``[traffic]`` that names a recorded trace."""

from pathlib import Path
from typing import Annotated, TypeVar

from msgspec import Meta
from msgspec.structs import replace

from insula_simulator.scenario.parts import Part, ScenarioError
from insula_simulator.traces import READERS

MOST_REQUESTS = 10_000_000_000


class Recorded(Part, frozen=True):
    """A file of recorded requests instead of synthetic ones, relative to the scenario's."""

    trace: Annotated[str, Meta(max_length=4096)] = ""
    format: str = "csv"
    speed: Annotated[float, Meta(ge=1e-6, le=1e6)] = 1.0
    """How many times as fast as recorded the trace is played."""


T = TypeVar("T", bound=Recorded)


def beside(traffic: T, scenario: Path) -> T:
    """With the whole path of its trace."""
    return (
        replace(traffic, trace=str(scenario.parent / traffic.trace)) if traffic.trace else traffic
    )


def check_trace(traffic: Recorded) -> None:
    """Raises ScenarioError: an unknown format, or keys of synthetic traffic beside a trace."""
    if not traffic.trace:
        return
    if traffic.format not in READERS:
        known = ", ".join(READERS)
        raise ScenarioError(f"{traffic.format!r} is none of {known} - at `$.traffic.format`")
    default = type(traffic)()
    for name in traffic.__struct_fields__:
        changed = getattr(traffic, name) != getattr(default, name)
        if changed and name not in Recorded.__struct_fields__:
            raise ScenarioError(f"a trace says that itself - at `$.traffic.{name}`")
