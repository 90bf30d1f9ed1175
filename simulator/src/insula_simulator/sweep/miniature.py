"""A scenario made small: a share of the objects, of the requests, of every cache and of the
servers, which nearly keeps hit ratios and how busy servers are (Waldspurger et al., "Cache Modeling
and Optimization using Miniature Simulations", USENIX ATC 2017). Objects are drawn from the same
law over fewer ranks instead of being sampled, which costs the hit ratio a few points."""

import math
from typing import Any

import msgspec

from insula_simulator.policies import POLICIES, CacheTooSmall
from insula_simulator.scenario import Scenario

LEAST_REQUESTS = 20_000
"""Below this a miniature says too little."""


def miniature(scenario: Scenario, share: float) -> Scenario:
    """For ranking candidates, not for answers: caches too small to be divided stay as they are."""
    if share >= 1:
        return scenario
    content = msgspec.to_builtins(scenario)
    content["requests"] = max(1, round(scenario.requests * share))
    traffic = content["traffic"]
    traffic["objects"] = max(1, round(scenario.traffic.objects * share))
    for part in (*traffic["flash"], *traffic["classes"]):
        part["objects"] = max(1, round(part["objects"] * share))
    for site in (*content["edges"], *content["shields"]):
        _shrink_cache(site["cache"], share)
    for site in (*content["edges"], *content["shields"], content["origin"]):
        servers = site["servers"]
        if servers["balancing"] != "shared_queue":
            continue  # weights, speeds and failures are of one server each
        servers["count"] = math.ceil(servers["count"] * share)
        servers["most"] = math.ceil(servers["most"] * share)
        _shrink_scaling(servers["scaling"] or {}, share)
    return msgspec.convert(content, Scenario)


def _shrink_cache(cache: dict[str, Any], share: float) -> None:
    size = max(1, round(cache["size"] * share))
    try:
        POLICIES[cache["policy"]].empty(size)
    except CacheTooSmall:
        return
    cache["size"] = size
    if cache["ram"]:
        cache["ram"]["size"] = max(1, round(cache["ram"]["size"] * share))
    admission = cache["admission"] or {}
    for name, least in (("seen", 1), ("window", 1000)):
        if admission.get(name):
            admission[name] = max(least, round(admission[name] * share))


def _shrink_scaling(scaling: dict[str, Any], share: float) -> None:
    """Numbers of servers; a step of one stays one."""
    for step in scaling.get("steps", ()):
        step["add"] = int(math.copysign(math.ceil(abs(step["add"]) * share), step["add"]))
    for row in (*scaling.get("schedule", ()), scaling):
        for name in ("least", "most", "leave"):
            if row.get(name):
                row[name] = math.ceil(row[name] * share)


def enlarged(figures: dict[str, float], share: float) -> dict[str, float]:
    """What a miniature's figures say of the whole: money, bytes and hours grow with the load."""
    grow = ("cost", "origin_requests", "origin_bytes", "server_hours")
    return figures | {name: figures[name] / share for name in grow}
