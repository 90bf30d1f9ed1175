"""Two results side by side."""

from dataclasses import dataclass
from pathlib import Path

import msgspec

from insula_simulator.outcome import RESULT
from insula_simulator.results import Result, summarise
from insula_simulator.scenario import ScenarioError, read_scenario
from insula_simulator.simulation import Simulation


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of both, in the unit its name says."""

    name: str
    first: float
    second: float

    @property
    def difference(self) -> float:
        return self.second - self.first


def load(path: Path) -> Result:
    """The result in a folder or a JSON file; a scenario (``.toml``) is run.

    Raises:
        ScenarioError: there is no readable result or scenario.
    """
    if path.suffix == ".toml":
        simulation = Simulation(read_scenario(path))
        simulation.run()
        return summarise(simulation)
    file = path / RESULT if path.is_dir() else path
    try:
        return msgspec.json.decode(file.read_bytes(), type=Result)
    except (OSError, msgspec.DecodeError) as error:
        raise ScenarioError(f"no result: {error}") from error


def compare(first: Result, second: Result) -> list[Figure]:
    """What one compares first: ratios, milliseconds, load of the origin, cost."""
    rows = [
        ("hit ratio", first.hit_ratio, second.hit_ratio),
        ("requests spared the origin", first.request_offload, second.request_offload),
        ("bytes spared the origin", first.byte_offload, second.byte_offload),
        ("errors", first.error_ratio, second.error_ratio),
    ]
    for name in ("mean", "p50", "p90", "p99"):
        rows.append((f"{name} ms", first.latency[name] * 1000, second.latency[name] * 1000))
    rows.append(("requests at the origin", first.origin.requests, second.origin.requests))
    rows += [
        (f"cost of {name.replace('_', ' ')}", cost, second.cost[name])
        for name, cost in first.cost.items()
    ]
    return [Figure(*row) for row in rows]
