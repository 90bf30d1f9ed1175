"""Small networks for tests, as TOML and as scenarios."""

from typing import Any

import msgspec
from insula_simulator.scenario import Scenario, check

PLACES = {
    "Frankfurt": (50.1, 8.7),
    "New York": (40.7, -74.0),
    "Singapore": (1.3, 103.8),
    "Sydney": (-33.9, 151.2),
}


def described(**changes: Any) -> dict[str, Any]:
    """Four regions and edges, one shield, an origin; 60,000 requests in an hour."""
    where = [
        {"name": name, "latitude": north, "longitude": east}
        for name, (north, east) in PLACES.items()
    ]
    return {
        "name": "small",
        "requests": 60_000,
        "duration": 3600.0,
        "traffic": {"objects": 5000},
        "regions": where,
        "edges": [site | {"cache": {"size": 30_000_000}} for site in where],
        "shields": [where[0] | {"cache": {"size": 100_000_000, "policy": "sieve"}}],
        "origin": {"latitude": 50.1, "longitude": 8.7},
    } | changes


def scenario(**changes: Any) -> Scenario:
    made = msgspec.convert(described(**changes), Scenario)
    check(made)
    return made
