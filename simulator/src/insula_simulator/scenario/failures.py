"""What a scenario says of failures."""

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Meta

from insula_simulator.scenario.parts import AtLeastZero, Part, Positive, ScenarioError, Share
from insula_simulator.scenario.servers import Servers

OF_A_SERVER = ("errors", "drain")


class Failure(Part, frozen=True):
    """``target`` is ``edge:NAME``, ``shield:NAME`` or ``origin``, or one of its servers where they
    have a queue each: ``edge:NAME/2`` is the second. A brown-out makes service slower by
    ``factor``; of what reaches a server with ``errors`` the ``share`` fails at once; to one that
    drains nothing is sent and it finishes what it has; otherwise nothing answers."""

    target: Annotated[
        str, Meta(pattern=r"^(origin|(edge|shield):[^/]+)(/\d{1,4})?$", max_length=80)
    ]
    start: AtLeastZero
    duration: Positive
    kind: Literal["down", "brownout", "errors", "drain"] = "down"
    factor: Annotated[float, Meta(gt=1, le=1000)] = 5.0
    share: Share = 1.0


def check_failure(failure: Failure, servers: Mapping[str, Servers], key: str) -> None:
    """``servers`` by target. Raises ScenarioError."""
    site, _, server = failure.target.partition("/")
    if site not in servers:
        raise ScenarioError(f"{failure.target!r} is not there - at `{key}.target`")
    there = servers[site]
    if server and there.balancing == "shared_queue":
        raise ScenarioError(f"servers of a shared queue are all one - at `{key}.target`")
    if server and not 1 <= int(server) <= max(there.count, there.most):
        raise ScenarioError(f"{failure.target!r} is not there - at `{key}.target`")
    if failure.kind in OF_A_SERVER and not server:
        raise ScenarioError(f"{failure.kind} is of one server (`origin/1`) - at `{key}.kind`")
