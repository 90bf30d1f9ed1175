"""What the protections cost: Insula's request path against the bare handlers, in turns."""

from typing import NamedTuple

from insula_bench import load
from insula_bench.contest import Contest, Operation
from insula_bench.installation import Installation
from insula_bench.server import Server

CONNECTIONS = 16
_WARM_UP = 1.0
"""Seconds of each operation on each server before anything counts: connections, caches, plans."""


class Turn(NamedTuple):
    """One server's turn in one round."""

    rate: float
    """Requests a second."""
    cpu: float
    """Seconds of the worker's CPU, user and system, a request."""
    p50: float
    p99: float


Turns = dict[str, dict[str, list[Turn]]]
"""Operation, competitor, and one turn for each round."""


def measure(installation: Installation, *, seconds: float, rounds: int) -> Turns:
    """Let the competitors take turns of ``seconds``; who begins changes from round to round."""
    with Contest(installation) as contest:
        return {
            operation.name: _rounds(contest.servers, operation, seconds, rounds)
            for operation in contest.operations
        }


def _rounds(
    servers: dict[str, Server], operation: Operation, seconds: float, rounds: int
) -> dict[str, list[Turn]]:
    turns: dict[str, list[Turn]] = {name: [] for name in servers}
    names = list(servers)
    for name in names:
        _turn(servers[name], operation, min(_WARM_UP, seconds))
    for first in range(rounds):
        for place in range(len(names)):
            name = names[(first + place) % len(names)]
            turns[name].append(_turn(servers[name], operation, seconds))
    return turns


def _turn(server: Server, operation: Operation, seconds: float) -> Turn:
    before = server.cpu_seconds()
    run = load.run(
        server.port,
        operation.messages,
        seconds=seconds,
        connections=CONNECTIONS,
        status=operation.status,
    )
    used = server.cpu_seconds() - before
    return Turn(run.rate, used / run.requests, run.percentile(0.5), run.percentile(0.99))
