"""What a scenario says of failures."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from msgspec import Meta

from insula_simulator.scenario.parts import AtLeastZero, Part, Positive, ScenarioError, Share
from insula_simulator.scenario.servers import Servers

OF_A_SERVER = ("errors", "drain")
GROUPS = ("edges", "shields")
MOST_EXPECTED = 500
"""Failures that an entry of random ones may bring about, on average."""
End = Annotated[str, Meta(pattern=r"^(|origin|(edge|shield|region):[^/]+)$", max_length=80)]


class Failure(Part, frozen=True):
    """``target`` is ``edge:NAME``, ``shield:NAME``, ``origin``, ``region:NAME`` (the edges and the
    shields there), or one of the servers where they have a queue each: ``edge:NAME/2`` is the
    second. A brown-out makes service slower by ``factor``; of what reaches a server with ``errors``
    the ``share`` fails at once; to one that drains nothing is sent and it finishes what it has; a
    partition cuts ``target`` (of a region: its users too) off from ``other``; otherwise nothing
    answers."""

    target: Annotated[
        str, Meta(pattern=r"^(origin|(edge|shield|region):[^/]+)(/\d{1,4})?$", max_length=80)
    ]
    start: AtLeastZero
    duration: Positive
    kind: Literal["down", "brownout", "errors", "drain", "partition"] = "down"
    factor: Annotated[float, Meta(gt=1, le=1000)] = 5.0
    share: Share = 1.0
    other: End = ""


class RandomFailures(Part, frozen=True):
    """Each ``target`` (``edges`` and ``shields`` are all of them, ``origin/*`` all servers of a
    site) fails after ``between`` seconds on average and is well again after ``repair``, both
    exponential: mean time between failures and to repair."""

    target: Annotated[
        str,
        Meta(pattern=r"^(edges|shields|origin|(edge|shield|region):[^/]+)(/\*)?$", max_length=80),
    ]
    between: Positive
    repair: Positive
    kind: Literal["down", "brownout", "errors"] = "down"
    factor: Annotated[float, Meta(gt=1, le=1000)] = 5.0
    share: Share = 1.0


def check_failures(
    failures: Sequence[Failure], servers: Mapping[str, Servers], regions: Sequence[str]
) -> None:
    """``servers`` by target. Raises ScenarioError."""
    for i, failure in enumerate(failures):
        key = f"$.failures[{i}]"
        for name in ("target", "other"):
            _check_target(getattr(failure, name), servers, regions, f"{key}.{name}")
        if failure.kind in OF_A_SERVER and "/" not in failure.target:
            raise ScenarioError(f"{failure.kind} is of one server (`origin/1`) - at `{key}.kind`")
        if (failure.kind == "partition") != bool(failure.other):
            raise ScenarioError(f"a partition, and nothing else, has two ends - at `{key}.other`")
        if failure.kind == "partition" and "/" in failure.target:
            raise ScenarioError(f"one server is never cut off alone - at `{key}.target`")


def _check_target(
    target: str, servers: Mapping[str, Servers], regions: Sequence[str], key: str
) -> None:
    site, _, server = target.partition("/")
    region = site.removeprefix("region:")
    if region != site and region in regions and not server:
        return
    if site and site not in servers:
        raise ScenarioError(f"{target!r} is not there - at `{key}`")
    if not server:
        return
    there = servers[site]
    if there.balancing == "shared_queue":
        raise ScenarioError(f"servers of a shared queue are all one - at `{key}`")
    if server != "*" and not 1 <= int(server) <= max(there.count, there.most):
        raise ScenarioError(f"{target!r} is not there - at `{key}`")


def check_random(
    entries: Sequence[RandomFailures],
    servers: Mapping[str, Servers],
    regions: Sequence[str],
    duration: float,
) -> None:
    """Raises ScenarioError."""
    for i, each in enumerate(entries):
        key = f"$.random_failures[{i}]"
        if each.target not in GROUPS:
            _check_target(each.target, servers, regions, f"{key}.target")
        if each.kind in OF_A_SERVER and "/" not in each.target:
            raise ScenarioError(f"{each.kind} is of servers (`origin/*`) - at `{key}.kind`")
        many = len(targets_of(each.target, servers))
        if many * duration / (each.between + each.repair) > MOST_EXPECTED:
            raise ScenarioError(f"more than {MOST_EXPECTED} failures - at `{key}.between`")


def targets_of(target: str, servers: Mapping[str, Servers]) -> list[str]:
    """What fails on its own."""
    if target in GROUPS:
        return [each for each in servers if each.startswith(target[:-1])]
    site, _, server = target.partition("/")
    if not server:
        return [target]
    return [f"{site}/{i + 1}" for i in range(max(servers[site].count, servers[site].most))]
