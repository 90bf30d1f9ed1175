"""The simulator of a whole network beside libCacheSim's C engine with one cache, on one trace."""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import libcachesim  # type: ignore[import-untyped]
import msgspec
import numpy as np
from insula_simulator.cache import Cache
from insula_simulator.layout import traffic_plan
from insula_simulator.network.traffic import synthesize
from insula_simulator.replay import replay, warm_up
from insula_simulator.results import summarise
from insula_simulator.scenario import Scenario
from insula_simulator.simulation import Simulation
from insula_simulator.traces import read_trace
from insula_simulator.traces.binary import ORACLE_RECORD

CITIES = {
    "Frankfurt": (50.1, 8.7), "London": (51.5, -0.1), "Paris": (48.9, 2.4),
    "Madrid": (40.4, -3.7), "Stockholm": (59.3, 18.1), "Warsaw": (52.2, 21.0),
    "New York": (40.7, -74.0), "Ashburn": (39.0, -77.5), "Miami": (25.8, -80.2),
    "Dallas": (32.8, -96.8), "San Jose": (37.3, -121.9), "Seattle": (47.6, -122.3),
    "Sao Paulo": (-23.5, -46.6), "Johannesburg": (-26.2, 28.0), "Dubai": (25.2, 55.3),
    "Mumbai": (19.1, 72.9), "Singapore": (1.3, 103.8), "Tokyo": (35.7, 139.7),
    "Seoul": (37.6, 127.0), "Sydney": (-33.9, 151.2),
}  # fmt: skip
SHIELDS = ("Frankfurt", "New York", "Singapore")
OBJECTS = 1_000_000
"""Of a catalogue of about 160 GB under Zipf 1.0; an edge keeps a third of it."""
EDGE_BYTES, SHIELD_BYTES = 50_000_000_000, 100_000_000_000
ENGINES = {
    "LRU": libcachesim.LRU, "SIEVE": libcachesim.Sieve, "S3-FIFO": libcachesim.S3FIFO,
}  # fmt: skip
POLICIES = {
    "lru": libcachesim.LRU, "fifo": libcachesim.FIFO, "clock": libcachesim.Clock,
    "slru": libcachesim.SLRU, "lfu": libcachesim.LFU, "gdsf": libcachesim.GDSF,
    "twoq": libcachesim.TwoQ, "arc": libcachesim.ARC, "lirs": libcachesim.LIRS,
    "s3fifo": libcachesim.S3FIFO, "sieve": libcachesim.Sieve,
}  # fmt: skip
"""All but W-TinyLFU, whose sketch takes libCacheSim eight gigabytes at this size."""
POLICY_BYTES = 5_000_000_000
HASH_POWER = 20
"""Twice as fast there as the default of 24."""
TEN_TIMES = 10
"""The memory of a run is looked at for the requests at hand and for so many times more."""


@dataclass
class Found:
    """Requests a second by turn, and megabytes of the whole process by length of the run."""

    requests: int
    network: dict[int, list[float]] = field(default_factory=dict)
    one_cache: dict[str, list[float]] = field(default_factory=dict)
    policies: dict[str, tuple[float, float]] = field(default_factory=dict)
    """One cache: ours and libCacheSim's, both reading the same file."""
    hit_ratio: float = 0.0
    megabytes: dict[int, float] = field(default_factory=dict)


def scenario(requests: int) -> Scenario:
    """20 edges, 3 shields, an origin; distances, queues, collapsing."""
    where = [{"name": n, "latitude": a, "longitude": o} for n, (a, o) in CITIES.items()]
    return msgspec.convert(
        {
            "name": "bench",
            "requests": requests,
            "traffic": {"objects": OBJECTS, "zipf": 1.0},
            "regions": where,
            "edges": [site | {"cache": {"size": EDGE_BYTES}} for site in where],
            "shields": [
                site | {"cache": {"size": SHIELD_BYTES}}
                for site in where
                if site["name"] in SHIELDS
            ],
            "origin": {
                "latitude": 50.1,
                "longitude": 8.7,
                "servers": {"count": 20_000, "service": 0.02},
            },
        },
        Scenario,
    )


def measure(folder: Path, *, requests: int, rounds: int) -> Found:
    """Turns: the network with one thread and with one a core, then each engine of libCacheSim. The
    network's time includes drawing its requests, libCacheSim's reading the very same ones."""
    trace = folder / "trace.oracleGeneral"
    _write(trace, requests)
    found = Found(requests)
    threads = sorted({1, os.cpu_count() or 1})
    # The first turn, which is not counted, compiles and brings in the memory.
    for turn in range(rounds + 1):
        for count in threads:
            simulation = Simulation(scenario(requests), count)
            rate = _rate(requests, simulation.run)
            if turn:
                found.network.setdefault(count, []).append(rate)
        for name, engine in ENGINES.items():
            rate = _theirs(engine, trace, requests, EDGE_BYTES)
            if turn:
                found.one_cache.setdefault(name, []).append(rate)
    found.hit_ratio = summarise(simulation).hit_ratio
    del simulation
    _measure_policies(folder, requests // 10, found)
    for length in (requests, TEN_TIMES * requests):
        found.megabytes[length] = _megabytes(folder, length)
    return found


def _theirs(engine: Callable[..., Any], trace: Path, requests: int, capacity: int) -> float:
    kind, about = libcachesim.TraceType.ORACLE_GENERAL_TRACE, libcachesim.ReaderInitParam()
    reader = libcachesim.TraceReader(str(trace), kind, about)
    cache = engine(cache_size=capacity, hashpower=HASH_POWER)
    return _rate(requests, partial(cache.process_trace, reader))


def _measure_policies(folder: Path, requests: int, found: Found) -> None:
    trace = folder / "short.oracleGeneral"
    _write(trace, requests)
    for name, engine in POLICIES.items():
        warm_up(name)
        with trace.open("rb") as file:
            done = replay(read_trace(file, "oracleGeneral"), Cache(name, POLICY_BYTES))
        theirs = _theirs(engine, trace, requests, POLICY_BYTES)
        found.policies[name] = done.requests_per_second, theirs


def _rate(requests: int, work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return requests / (time.perf_counter() - started)


def _write(trace: Path, requests: int) -> None:
    with trace.open("wb") as file:
        for keys, sizes, times in _requests(requests):
            records = np.zeros(len(keys), ORACLE_RECORD)
            records["time"], records["key"], records["size"] = times, keys, sizes
            records["following"] = -1
            records.tofile(file)


def _requests(requests: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """The very requests that the network gets."""
    plan = traffic_plan(scenario(requests))
    for start, end in pairwise([*range(0, requests, 1 << 18), requests]):
        keys, sizes, regions = (np.empty(end - start, np.int64) for _ in range(3))
        times = np.empty(end - start)
        synthesize(plan, start, keys, sizes, times, regions)
        yield keys, sizes, times


def _megabytes(folder: Path, requests: int) -> float:
    """The most that a process of its own had in memory."""
    program = (
        "import sys; sys.path.insert(0, sys.argv[2]); from insula_bench.cdn import peak; "
        "peak(int(sys.argv[1]))"
    )
    command = [sys.executable, "-c", program, str(requests), str(Path(__file__).parents[1])]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder)
    return float(done.stdout)


def peak(requests: int) -> None:
    """Run, and print the megabytes that this process had at most."""
    Simulation(scenario(requests)).run()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
