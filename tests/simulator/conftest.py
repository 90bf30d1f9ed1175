"""Kernels are compiled once for all test workers, before any test of this folder."""

import fcntl
from pathlib import Path

import pytest
from insula_simulator.engine.compiled import kernel_folder
from insula_simulator.policies import POLICIES
from insula_simulator.replay import warm_up
from insula_simulator.simulation import Simulation
from simulator.networks import scenario


@pytest.fixture(scope="session", autouse=True)
def compiled_kernels() -> None:
    """The second worker waits for the first, and then loads what that one compiled."""
    lock_file = Path(kernel_folder()) / "lock"
    lock_file.parent.mkdir(parents=True, exist_ok=True)
    with lock_file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for policy in POLICIES:
            warm_up(policy)
        Simulation(scenario(requests=1000)).run()
        one_by_one = {"latitude": 0.0, "longitude": 0.0, "servers": {"balancing": "p2c"}}
        Simulation(scenario(requests=1000, origin=one_by_one)).run()
