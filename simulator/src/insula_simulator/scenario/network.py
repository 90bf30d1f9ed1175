"""What a scenario says of users, of the ways to sites, and of who goes where."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, field
from msgspec.structs import replace

from insula_simulator.scenario.parts import (
    AtLeastZero,
    Latitude,
    Longitude,
    Name,
    Part,
    Positive,
    ScenarioError,
    Share,
)

Loss = Annotated[float, Meta(ge=0, lt=1)]
MOST_WAYS = 100_000
LONGEST_WAY = 1e6
"""Milliseconds."""


class Region(Part, frozen=True):
    """Where users are. ``weight`` is their share of the load, relative to other regions; what is
    said of the network here goes before what is said of all."""

    name: Name
    latitude: Latitude
    longitude: Longitude
    weight: Positive = 1.0
    utc_offset: Annotated[float, Meta(ge=-12, le=14)] = 0.0
    last_mile: AtLeastZero | None = None
    loss: Loss | None = None
    bandwidth: Positive | None = None


class Way(Part, frozen=True):
    """A measured round trip in ``milliseconds``, the same both ways, instead of what follows from
    distance and last mile."""

    between: Annotated[list[Annotated[str, Meta(max_length=80)]], Meta(min_length=2, max_length=2)]
    milliseconds: Annotated[float, Meta(gt=0, le=LONGEST_WAY)]


class Network(Part, frozen=True):
    path_inflation: Annotated[float, Meta(ge=1, le=10)] = 1.7
    last_mile: AtLeastZero = 0.008
    jitter: AtLeastZero = 0.002
    loss: Loss = 0.0005
    recovery: Literal["round_trip", "tcp", "quic"] = "round_trip"
    """What a loss costs: a round trip, or what a model of the protocol says."""
    handshake: Literal["tls13", "tls12", "quic", "0rtt"] = "tls13"
    reused: Share = 0.7
    """Share of requests on connections that are open already."""
    bandwidth: Positive = 6_250_000.0
    """Of a client, bytes a second."""
    ways: Annotated[list[Way], Meta(max_length=MOST_WAYS)] = field(default_factory=list)
    ways_file: Annotated[str, Meta(max_length=1000)] = ""
    """More of them: a CSV file beside the scenario with columns from, to and milliseconds."""


class Measured(Part, frozen=True):
    """Latency steering that knows only what it measured, as DNS and GSLB do: a probe from each
    region to each edge at each look, its round trip and the waiting it met."""

    noise: Annotated[float, Meta(ge=0, le=5)] = 0.2
    """A probe's round trip is off by a lognormal factor of this sigma."""
    weight: Annotated[float, Meta(gt=0, le=1)] = 0.125
    """Of the newest probe in the moving average (RFC 6298 takes an eighth)."""
    age: AtLeastZero = 0.0
    """Seconds until a probe is known where it is decided."""
    ttl: AtLeastZero = 60.0
    """Seconds for which each part of the users keeps the answer that it got."""


class Routing(Part, frozen=True):
    """Which edge answers: the nearest (geo), the one that routes lead to (anycast), the one that
    answers soonest (latency), or by the object's id over all (the others)."""

    policy: Literal[
        "geo", "anycast", "latency", "maglev", "rendezvous", "consistent_hash", "bounded_load",
        "weighted",
    ] = "geo"  # fmt: skip
    failover: AtLeastZero = 30.0
    """How long users still go to a dead edge."""
    noise: Annotated[float, Meta(ge=0, le=5)] = 0.3
    """Anycast: how little routes know of latency. A route of twice the latency looks as good as
    another with the chance that a normal variable exceeds log(2) / (1.4 noise)."""
    flaps: Annotated[float, Meta(ge=0, le=1000)] = 0.0
    """Anycast: how often an hour routes change, for each part of the users."""
    interval: Annotated[float, Meta(ge=0.1, le=1e9)] = 10.0
    """Latency: how often it looks. Bounded load: the seconds over which load is counted."""
    hysteresis: Share = 0.1
    """Latency: what users must be spared, as a share, to be sent elsewhere."""
    measured: Measured | None = None
    """Latency: where nothing is said, round trips and load are known."""
    bound: Annotated[float, Meta(gt=1, le=100)] = 1.25
    """Bounded load: an edge has at most this many times its share."""


def check_routing(routing: Routing) -> None:
    """Raises ScenarioError."""
    if routing.measured and routing.policy != "latency":
        raise ScenarioError(f"{routing.policy} measures nothing - at `$.routing.measured`")


def check_ways(ways: Sequence[Way], known: set[str]) -> None:
    """Raises ScenarioError."""
    for i, way in enumerate(ways):
        for end in way.between:
            if end not in known:
                raise ScenarioError(f"{end!r} is not there - at `$.network.ways[{i}].between`")


def ways_beside(network: Network, scenario: Path) -> Network:
    """With the ways in its file. Raises ScenarioError, naming the line."""
    if not network.ways_file:
        return network
    file = scenario.parent / network.ways_file
    try:
        with file.open(newline="", encoding="utf-8") as lines:
            rows = csv.reader(lines)
            if next(rows, None) != ["from", "to", "milliseconds"]:
                raise ScenarioError(f"{file}: line 1 is not `from,to,milliseconds`")
            more = [_way(row, f"{file}: line {rows.line_num}") for row in rows if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ScenarioError(f"{file}: {error} - at `$.network.ways_file`") from error
    if len(more) > MOST_WAYS:
        raise ScenarioError(f"{file}: more than {MOST_WAYS} ways")
    return replace(network, ways=network.ways + more, ways_file="")


def _way(row: list[str], place: str) -> Way:
    try:
        one, other, text = row
        milliseconds = float(text)
    except ValueError as error:
        raise ScenarioError(f"{place}: {error}") from error
    if not 0 < milliseconds <= LONGEST_WAY:
        raise ScenarioError(f"{place}: {text} milliseconds")
    return Way([one, other], milliseconds)
