"""Serving at scale: a note by its id, at few and at many tenants; and memory in the long run."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import NamedTuple

from insula_bench import cores, crowd, load
from insula_bench.crowd import Crowd
from insula_bench.installation import installed
from insula_bench.pacing import Request
from insula_bench.server import Server

CONNECTIONS = 4
_PICKS = 20_000
_SOAK_STEP = 10.0
_TENANTS_OF_BUCKET = 300


class Turn(NamedTuple):
    p50: float
    p99: float
    rate: float


class Memory(NamedTuple):
    """At one moment, in bytes that the processes share with nobody."""

    minute: float
    backends: int
    processes: int
    worker: int


class Size(NamedTuple):
    """What was found at one number of tenants."""

    tenants: int
    buckets: int
    tables: int
    indexes: int
    fill_seconds: float
    turns: dict[str, list[Turn]]
    """By distribution, one for each round."""


class Scale(NamedTuple):
    sizes: list[Size]
    soak: list[Memory]
    soak_requests: int


def buckets(tenants: int) -> int:
    """A login that may become thousands of tenants takes long to become one (FACTS.md)."""
    return min(100, max(4, -(-tenants // _TENANTS_OF_BUCKET)))


def pool_size(tenants: int) -> int:
    """So that all of them have their place on some connection, and no more connections."""
    return max(2, 8 * 4 // buckets(tenants))


class _Place(NamedTuple):
    crowd: Crowd
    server: Server
    messages: dict[str, list[bytes]]


def measure(
    folder: Path, *, sizes: Sequence[int], seconds: float, rounds: int, soak_minutes: float
) -> Scale:
    """An installation for each size; their turns alternate, so that what else the machine does
    meets all of them."""
    with ExitStack() as running:
        places = [_open(running, folder / str(size), size) for size in sizes]
        turns: list[dict[str, list[Turn]]] = [
            {name: [] for name in place.messages} for place in places
        ]
        for number in range(rounds):
            for place, found in zip(places, turns, strict=True):
                for name, messages in place.messages.items():
                    picks = messages[number * 997 % len(messages) :] + messages
                    found[name].append(_turn(place.server, picks, seconds))
        memory, requests = _soak(places[-1], soak_minutes)
    return Scale(
        [
            Size(
                place.crowd.tenants, buckets(place.crowd.tenants), place.crowd.shape.tables,
                place.crowd.shape.indexes, place.crowd.seconds, found,
            )
            for place, found in zip(places, turns, strict=True)
        ],
        memory,
        requests,
    )  # fmt: skip


def _open(running: ExitStack, folder: Path, size: int) -> _Place:
    folder.mkdir(mode=0o711)
    installation = running.enter_context(
        installed(folder, on=cores.ALL, buckets=buckets(size), pool_size=pool_size(size))
    )
    crowd_ = Crowd(installation, size)
    postmaster = folder / "state" / "postgres" / "postmaster.pid"
    cores.move(int(postmaster.read_text().split()[0]), cores.OTHERS)
    log = folder / "web.log"
    server = running.enter_context(
        Server("insula.app:create_app", installation.environment | {"INSULA_ACCESS_LOG": "0"}, log)
    )
    requests = crowd_.reads()
    for _ in range(2):  # everybody has been here: tokens, tenants, relations
        visit_all(server, requests)
    messages = {
        "uniform": crowd.uniform(requests, _PICKS),
        "Zipf": crowd.zipf(requests, _PICKS),
    }
    return _Place(crowd_, server, messages)


def visit_all(server: Server, requests: Sequence[Request]) -> None:
    """Send each of them at least once."""
    messages, sent = crowd.each_once(requests), 0
    while sent < len(messages):
        run = load.run(server.port, messages[sent:], seconds=2.0, connections=CONNECTIONS)
        sent += run.requests


def _turn(server: Server, messages: list[bytes], seconds: float) -> Turn:
    with cores.running_on(cores.OTHERS):
        run = load.run(server.port, messages, seconds=seconds, connections=CONNECTIONS)
    return Turn(run.percentile(0.5), run.percentile(0.99), run.rate)


def _soak(place: _Place, minutes: float) -> tuple[list[Memory], int]:
    """Every tenant again and again, both ways in turns; what it takes in memory."""
    found, requests, started = [_memory(place, 0.0)], 0, time.monotonic()
    while time.monotonic() - started < minutes * 60:
        for messages in place.messages.values():
            shifted = messages[requests % len(messages) :] + messages
            step = min(_SOAK_STEP, minutes * 30)
            requests += load.run(
                place.server.port, shifted, seconds=step, connections=CONNECTIONS
            ).requests
        found.append(_memory(place, (time.monotonic() - started) / 60))
    return found, requests


def _memory(place: _Place, minute: float) -> Memory:
    pids = crowd.backends(place.crowd.installation.folder)
    return Memory(
        minute, sum(map(crowd.own_memory, pids)), len(pids), crowd.own_memory(place.server.worker)
    )


def of_rounds(turns: Sequence[Turn]) -> Turn:
    """The medians."""
    return Turn(*(median(values) for values in zip(*turns, strict=True)))
