"""Serving at scale: a note by its id, at few and at many tenants; and memory in the long run."""

import time
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from insula_bench import cores, crowd, load
from insula_bench.place import CONNECTIONS, Place
from insula_bench.server import Server

_PICKS = 20_000
_SOAK_STEP = 10.0


class Turn(NamedTuple):
    p50: float
    p99: float
    rate: float


class Pair(NamedTuple):
    """One round: the same at the installation that stays small, and at the one that grows."""

    small: Turn
    grown: Turn


class Size(NamedTuple):
    """What was found with so many tenants in the one that grows."""

    tenants: int
    fill_seconds: float
    rounds: dict[str, list[Pair]]
    """By distribution."""


class Serving(NamedTuple):
    small: int
    small_layout: str
    layout: str
    tables: int
    indexes: int
    sizes: list[Size]


class Memory(NamedTuple):
    """At one moment, in bytes that the processes share with nobody."""

    minute: float
    backends: int
    processes: int
    worker: int


class Soak(NamedTuple):
    tenants: int
    requests: int
    found: list[Memory]


def measure(small: Place, grown: Place, *, seconds: float, rounds: int) -> Size:
    """Their turns alternate, so that what else the machine does meets both."""
    with small.serving() as first, grown.serving() as second:
        ours, theirs = _messages(small), _messages(grown)
        found: dict[str, list[Pair]] = {name: [] for name in ours}
        for number in range(rounds):
            for name, pairs in found.items():
                one = _turn(first, _from(ours[name], number), seconds)
                pairs.append(Pair(one, _turn(second, _from(theirs[name], number), seconds)))
    return Size(grown.crowd.tenants, grown.crowd.seconds, found)


def _messages(place: Place) -> dict[str, list[bytes]]:
    requests = place.crowd.reads()
    return {"uniform": crowd.uniform(requests, _PICKS), "Zipf": crowd.zipf(requests, _PICKS)}


def _from(messages: list[bytes], number: int) -> list[bytes]:
    return messages[number * 997 % len(messages) :] + messages


def _turn(server: Server, messages: list[bytes], seconds: float) -> Turn:
    with cores.running_on(cores.OTHERS):
        run = load.run(server.port, messages, seconds=seconds, connections=CONNECTIONS)
    return Turn(run.percentile(0.5), run.percentile(0.99), run.rate)


def soak(place: Place, minutes: float) -> Soak:
    """Every tenant again and again, both ways in turns; what it takes in memory."""
    with place.serving() as server:
        found, requests, started = [_memory(place, server, 0.0)], 0, time.monotonic()
        while time.monotonic() - started < minutes * 60:
            for messages in _messages(place).values():
                shifted = _from(messages, requests)
                step = min(_SOAK_STEP, minutes * 30)
                run = load.run(server.port, shifted, seconds=step, connections=CONNECTIONS)
                requests += run.requests
            found.append(_memory(place, server, (time.monotonic() - started) / 60))
    return Soak(place.crowd.tenants, requests, found)


def _memory(place: Place, server: Server, minute: float) -> Memory:
    pids = crowd.backends(place.folder)
    own = sum(map(crowd.own_memory, pids))
    return Memory(minute, own, len(pids), crowd.own_memory(server.worker))


def of_rounds(turns: Sequence[Turn]) -> Turn:
    """The medians."""
    return Turn(*(median(values) for values in zip(*turns, strict=True)))
