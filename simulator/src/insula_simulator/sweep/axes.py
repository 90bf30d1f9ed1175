"""Keys of a scenario that vary, and the scenarios that follow.

A key is written as errors write it: ``http.ttl``, ``edges[0].cache.size``, ``edges[Tokyo].weight``,
``edges[*].cache.policy``. ``edges`` and ``shields`` alone choose sites: ``all``, ``none``,
``Tokyo+London``.
"""

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import msgspec

from insula_simulator.scenario import Scenario, ScenarioError, check
from insula_simulator.sweep.values import SweepError, Value, Values, parse_values

Point: TypeAlias = tuple[Value, ...]
"""A value for each axis, in their order."""

_STEP = re.compile(r"([a-z_0-9]+)(?:\[([^\]]+)\])?(?:\.(?=.)|$)")
_PLACEMENTS = ("edges", "shields")
MOST_CANDIDATES = 20_000


@dataclass(frozen=True, slots=True)
class Axis:
    key: str
    values: tuple[Value, ...]
    spacing: str = ""


def parse_axis(text: str) -> Axis:
    """``KEY=VALUES``. Raises SweepError."""
    key, equals, values = text.partition("=")
    if not equals:
        raise SweepError(f"{text!r} is not KEY=VALUES")
    found = parse_values(values.strip())
    return Axis(key.strip(), found.values, found.spacing)


def axis_of(key: str, values: Any) -> Axis:
    """An axis from a file: a range as text, or a list of values. Raises SweepError."""
    if isinstance(values, str):
        return parse_axis(f"{key}={values}")
    if not isinstance(values, list) or not all(
        isinstance(each, bool | int | float | str) for each in values
    ):
        raise SweepError(f"{key}: its values are a list, or a text as after --vary")
    found = Values(tuple(values))
    return Axis(key, found.values, found.spacing)


def candidates(axes: Sequence[Axis]) -> Iterator[Point]:
    """Every combination. Raises SweepError: they are too many, or a key varies twice."""
    keys = [axis.key for axis in axes]
    if len(set(keys)) < len(keys):
        raise SweepError("a key varies twice")
    count = 1
    for axis in axes:
        count *= len(axis.values)
    if count > MOST_CANDIDATES:
        raise SweepError(f"{count:,} combinations are more than {MOST_CANDIDATES:,}")
    return itertools.product(*(axis.values for axis in axes))


def changed(scenario: Scenario, axes: Sequence[Axis], point: Point) -> Scenario:
    """The scenario at a point of the grid.

    Raises:
        SweepError: a key is not there, or a value is not possible; the message has both.
    """
    content = msgspec.to_builtins(scenario)
    for axis, value in zip(axes, point, strict=True):
        if axis.key in _PLACEMENTS:
            _place(content, axis.key, str(value))
        else:
            _set(content, axis.key, axis.key, value)
    try:
        made = msgspec.convert(content, Scenario)
        check(made)
    except (msgspec.ValidationError, ScenarioError) as error:
        where = ", ".join(f"{a.key}={v}" for a, v in zip(axes, point, strict=True))
        raise SweepError(f"with {where}: {error}") from error
    return made


def _set(content: Any, key: str, rest: str, value: Value) -> None:
    step = _STEP.match(rest)
    # What is left out begins as {}: which keys it may have is checked with its values.
    if not step or not isinstance(content, dict) or (content and step[1] not in content):
        known = f"; there are {', '.join(content)}" if isinstance(content, dict) else ""
        raise SweepError(f"the key {key!r} is not in the scenario, at {rest!r}{known}")
    rest = rest[step.end() :]
    below = content.get(step[1])
    if below is None and rest and step[2] is None:
        below = content[step[1]] = {}
    if step[2] is None and not rest:
        content[step[1]] = _replaced(key, below, value)
        return
    for each in _chosen(below, step[2], key):
        _set(each, key, rest, value)


def _replaced(key: str, before: Any, value: Value) -> Any:
    """``x2`` doubles a number."""
    if not isinstance(value, str) or not re.fullmatch(r"x[\d.]+", value):
        return value
    if isinstance(before, bool | str) or not isinstance(before, int | float):
        raise SweepError(f"{key!r} is no number that {value!r} could multiply")
    product = before * float(value[1:])
    return max(1, round(product)) if isinstance(before, int) else product


def _chosen(below: Any, which: str | None, key: str) -> list[Any]:
    if which is None:
        return [below]
    if not isinstance(below, list):
        raise SweepError(f"{key!r}: [{which}] is for lists")
    if which == "*":
        return below
    found = [
        each
        for i, each in enumerate(below)
        if which == str(i) or (isinstance(each, dict) and each.get("name") == which)
    ]
    if not found:
        raise SweepError(f"{key!r}: there is no [{which}]")
    return found


def _place(content: dict[str, Any], part: str, chosen: str) -> None:
    """Keep these sites only, and what is said of the others' failures no more."""
    if chosen == "all":
        return
    names = [] if chosen == "none" else chosen.split("+")
    known = [site["name"] for site in content[part]]
    missing = [name for name in names if name not in known]
    if missing:
        raise SweepError(f"{part}: {missing[0]!r} is not among {', '.join(known)}")
    gone = {f"{part[:-1]}:{name}" for name in known if name not in names}
    content[part] = [site for site in content[part] if site["name"] in names]
    for key in ("failures", "random_failures"):
        content[key] = [each for each in content[key] if not _ends(each) & gone]
    ways = content["network"]["ways"]
    content["network"]["ways"] = [way for way in ways if not set(way["between"]) & gone]


def _ends(failure: dict[str, Any]) -> set[str]:
    """The site that fails, or one of whose servers does, and the other end of a partition."""
    return {failure["target"].partition("/")[0], failure.get("other", "")}
