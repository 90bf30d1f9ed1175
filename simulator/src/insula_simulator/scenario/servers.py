"""What a scenario says of the servers of a site."""

from typing import Annotated, Literal

from msgspec import Meta, field

from insula_simulator.scenario.parts import (
    AtLeastZero,
    Count,
    Part,
    Positive,
    ScenarioError,
    Share,
)

BALANCED_AT_MOST = 1000
"""Servers of a site with a queue each: balancers look at each of them."""
ByServer = Annotated[list[Annotated[float, Meta(gt=0, le=1000)]], Meta(max_length=BALANCED_AT_MOST)]
Balancing = Literal[
    "shared_queue", "random", "round_robin", "weighted_round_robin", "least_connections", "p2c",
    "ewma", "consistent_hash", "bounded_load", "maglev", "rendezvous",
]  # fmt: skip
UNWEIGHTED = ("shared_queue", "random", "round_robin", "maglev", "consistent_hash")
GRADUAL = (
    "round_robin",
    "weighted_round_robin",
    "least_connections",
    "p2c",
    "ewma",
    "bounded_load",
)


class Ejection(Part, frozen=True):
    """Servers that fail are left out for a while, as Envoy does: after ``consecutive`` failures (0:
    never), or with a success rate ``deviations`` standard deviations below the mean (0: never)."""

    consecutive: Annotated[int, Meta(ge=0, le=1_000_000)] = 5
    deviations: Annotated[float, Meta(ge=0, le=100)] = 0.0
    interval: Annotated[float, Meta(ge=0.01, le=1e9)] = 10.0
    """How often servers may return and success rates are compared."""
    time: Positive = 30.0
    """How long, times how often it happened of late."""
    longest: Positive = 300.0
    most: Share = 0.1
    """The share of servers that may be left out at a time; one always may."""
    requests: Count = 100
    """How many a server must have had in an interval for its success rate to count."""
    servers: Count = 5
    """How many such servers there must be."""


class Step(Part, frozen=True):
    """``above`` or ``below`` a share of the booted servers at work (0.7 is 70 %), so many servers
    are added, and so many percent of those booted. Numbers of ``below`` are negative."""

    above: Annotated[float, Meta(ge=0, le=10)] | None = None
    below: Annotated[float, Meta(ge=0, le=10)] | None = None
    add: Annotated[int, Meta(ge=-1_000_000, le=1_000_000)] = 0
    percent: Annotated[float, Meta(ge=-100, le=10_000)] = 0.0


class Planned(Part, frozen=True):
    """From ``at`` on there are at least and at most so many servers; where nothing is said,
    ``count`` and ``most`` of the site. The row that came last holds."""

    at: AtLeastZero
    least: Count | None = None
    most: Count | None = None
    every: AtLeastZero = 0.0
    """Again and again, so many seconds apart, as each day; 0 is once."""


class Scaling(Part, frozen=True):
    """With ``steps`` the site does not track ``target``; the step furthest out counts."""

    steps: Annotated[list[Step], Meta(max_length=20)] = field(default_factory=list)
    schedule: Annotated[list[Planned], Meta(max_length=100)] = field(default_factory=list)
    cooldown_out: AtLeastZero = 0.0
    """Seconds after servers were added in which no look adds more."""
    cooldown_in: AtLeastZero = 0.0
    """Seconds after any change in which no look takes servers away."""
    leave: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None
    """Servers that a look takes away at most; 0: scale-in is off, but for the schedule."""


class Servers(Part, frozen=True):
    """``most`` above ``count`` switches autoscaling on; servers cost from when they boot."""

    count: Count = 64
    service: Positive = 0.002
    spread: Share = 1.0
    """0: each request takes the same time, 1: exponential."""
    timeout: Positive = 10.0
    retry_budget: Share = 0.1
    most: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    target: Annotated[float, Meta(gt=0, le=1)] = 0.6
    interval: Positive = 60.0
    boot: AtLeastZero = 120.0
    scaling: Scaling | None = None
    balancing: Balancing = "shared_queue"
    """One queue for all servers, or a queue each and how requests are spread over them."""
    weights: ByServer = field(default_factory=list)
    """Of the first servers; the others have 1. So with ``speeds``."""
    speeds: ByServer = field(default_factory=list)
    bound: Annotated[float, Meta(gt=1, le=100)] = 1.25
    """With ``bounded_load``: a server has at most this many times the mean load."""
    slow_start: AtLeastZero = 0.0
    """Seconds until a server that booted or returned has its full weight."""
    ejection: Ejection | None = None


def check_scaling(servers: Servers, key: str) -> None:
    """Raises ScenarioError."""
    scaling = servers.scaling
    if scaling is None:
        return
    if servers.most <= servers.count:
        raise ScenarioError(f"nothing to scale: `most` is not above `count` - at `{key}`")
    for i, step in enumerate(scaling.steps):
        place = f"{key}.steps[{i}]"
        if (step.above is None) == (step.below is None):
            raise ScenarioError(f"either above or below - at `{place}`")
        sign = 1 if step.below is None else -1
        if min(step.add * sign, step.percent * sign) < 0 or not (step.add or step.percent):
            wrong = "nothing is added" if sign > 0 else "nothing is taken away"
            raise ScenarioError(f"{wrong} - at `{place}`")
    lowest = min((step.above for step in scaling.steps if step.above is not None), default=None)
    highest = max((step.below for step in scaling.steps if step.below is not None), default=None)
    if lowest is not None and highest is not None and lowest <= highest:
        raise ScenarioError(f"above {lowest:g} and below {highest:g} overlap - at `{key}.steps`")
    for i, row in enumerate(scaling.schedule):
        least, most = row.least or servers.count, row.most or servers.most
        if not least <= most <= servers.most:
            raise ScenarioError(
                f"{least} to {most} servers, of {servers.most} - at `{key}.schedule[{i}]`"
            )


def check_servers(servers: Servers, key: str) -> None:
    """Raises ScenarioError."""
    check_scaling(servers, f"{key}.scaling")
    most = max(servers.count, servers.most)
    for name in ("weights", "speeds"):
        if len(getattr(servers, name)) > most:
            raise ScenarioError(f"more than the {most} servers - at `{key}.{name}`")
    if servers.weights and servers.balancing in UNWEIGHTED:
        raise ScenarioError(f"{servers.balancing} knows no weights - at `{key}.weights`")
    if servers.slow_start and servers.balancing not in GRADUAL:
        raise ScenarioError(f"{servers.balancing} starts no server slowly - at `{key}.slow_start`")
    if servers.balancing == "shared_queue":
        for name in ("speeds", "ejection"):
            if getattr(servers, name):
                raise ScenarioError(f"a shared queue has no choice of server - at `{key}.{name}`")
    elif most > BALANCED_AT_MOST:
        raise ScenarioError(f"more than {BALANCED_AT_MOST} servers - at `{key}.balancing`")
