"""Kernels are compiled once for all test workers, before any test of this folder."""

import fcntl
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from insula_simulator.engine.compiled import kernel_folder
from insula_simulator.policies import POLICIES
from insula_simulator.replay import warm_up
from insula_simulator.simulation import Simulation
from simulator.networks import scenario


@pytest.fixture(scope="session", autouse=True)
def compiled_kernels() -> None:
    """A worker compiles what no other is at; then it waits for the others' and loads those."""
    Path(kernel_folder()).mkdir(parents=True, exist_ok=True)
    for or_wait in (False, True):
        for name, step in _steps():
            _alone(name, step, or_wait=or_wait)


def _steps() -> list[tuple[str, Callable[[], object]]]:
    """What compiles everything, by what may not be compiled twice: the longest first."""
    policies = [(each.kernel.__name__, partial(warm_up, name)) for name, each in POLICIES.items()]
    return [("network", _run_networks), *policies]


def _run_networks() -> None:
    Simulation(scenario(requests=1000)).run()
    one_by_one = {"latitude": 0.0, "longitude": 0.0, "servers": {"balancing": "p2c"}}
    Simulation(scenario(requests=1000, origin=one_by_one)).run()


def _alone(name: str, step: Callable[[], object], *, or_wait: bool) -> None:
    with (Path(kernel_folder()) / f"{name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if or_wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return
        step()
