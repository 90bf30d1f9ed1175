"""What may stand behind ``--vary KEY=``: numbers with units, words, ranges.

``lru,sieve`` · ``512MiB,2GB`` · ``30s,5min`` · ``x0.5,x1,x2`` (times what the scenario says) ·
``1GB..16GB:5log`` (five values, each larger by the same factor) · ``0..1:5`` (evenly).
"""

import math
import re
from dataclasses import dataclass
from typing import TypeAlias

Value: TypeAlias = bool | int | float | str

_UNITS = {
    "": 1, "k": 10**3, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KiB": 1 << 10,
    "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40, "ms": 1e-3, "s": 1, "min": 60, "h": 3600,
    "d": 86_400,
}  # fmt: skip
_NUMBER = re.compile(r"([+-]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)([a-zA-Z]*)")
_RANGE = re.compile(r"(?P<least>[^.].*?)\.\.(?P<most>.+?):(?P<points>\d+)(?P<log>log)?")
MOST_POINTS = 200


class SweepError(Exception):
    """The grid, the goal or the folder is not what a sweep can work with; the message says why."""


@dataclass(frozen=True, slots=True)
class Values:
    """``spacing`` is ``lin`` or ``log`` for a range, whose gaps a search may halve."""

    values: tuple[Value, ...]
    spacing: str = ""


def parse_values(text: str) -> Values:
    """Raises SweepError."""
    found = _RANGE.fullmatch(text)
    if found:
        least, most = _bound(found["least"]), _bound(found["most"])
        return _between(least, most, int(found["points"]), "log" if found["log"] else "lin", text)
    values = tuple(parse_value(each.strip()) for each in text.split(","))
    return checked(values, text)


def checked(values: tuple[Value, ...], text: str) -> Values:
    """Raises SweepError: too many, none, or one of them twice."""
    if not values or "" in values:
        raise SweepError(f"{text!r}: a value is missing")
    if len(set(map(repr, values))) < len(values):
        raise SweepError(f"{text!r}: a value stands there twice")
    if len(values) > MOST_POINTS:
        raise SweepError(f"{text!r}: more than {MOST_POINTS} values")
    return Values(values)


def parse_value(text: str) -> Value:
    """A number (in bytes, seconds or as it stands), true, false, or the word itself."""
    if text in ("true", "false"):
        return text == "true"
    found = _NUMBER.fullmatch(text)
    if not found or found[2] not in _UNITS:
        return text
    return whole(float(found[1].replace("_", "")) * _UNITS[found[2]])


def whole(number: float) -> int | float:
    """An integer where that is exact, since keys of scenarios tell them apart."""
    return int(number) if math.isfinite(number) and number == int(number) else number


def _bound(text: str) -> float:
    value = parse_value(text)
    if isinstance(value, str | bool):
        raise SweepError(f"{text!r} is no number that a range could start or end with")
    return value


def _between(least: float, most: float, points: int, spacing: str, text: str) -> Values:
    if not 2 <= points <= MOST_POINTS:
        raise SweepError(f"{text!r}: between 2 and {MOST_POINTS} points")
    if not least < most or (spacing == "log" and least <= 0):
        raise SweepError(f"{text!r}: a range goes upwards{', from above 0' if least <= 0 else ''}")
    shares = [i / (points - 1) for i in range(points)]
    if spacing == "log":
        numbers = [least * (most / least) ** share for share in shares]
    else:
        numbers = [least + (most - least) * share for share in shares]
    numbers[-1] = most
    integral = isinstance(least, int) and isinstance(most, int) and most - least >= points
    return Values(tuple(round(each) if integral else whole(each) for each in numbers), spacing)


def middle(one: Value, other: Value, spacing: str) -> Value:
    """Half-way between two values of a range."""
    low, high = float(one), float(other)
    number = math.sqrt(low * high) if spacing == "log" else (low + high) / 2
    both = isinstance(one, int) and isinstance(other, int)
    return round(number) if both else whole(number)


def shown(value: Value) -> str:
    """As people read it: 1.5G, 0.25, sieve."""
    if isinstance(value, str | bool):
        return str(value)
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.4g}{letter}"
    return f"{value:.4g}"
