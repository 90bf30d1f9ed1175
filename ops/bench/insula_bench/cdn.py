"""The simulator of a whole network beside libCacheSim's C engine with one cache, on one trace."""

import os
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
from insula_simulator.engine.memory import kept_pages
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
CATALOGUES = (1_000_000, 100_000)
"""Objects, of about 160 kB under Zipf 1.0. The smaller one fits better into a processor's caches,
which helps whoever has but one table of them more than whoever has 23."""
EDGE_BYTES, SHIELD_BYTES = 50_000, 100_000
"""For each object: an edge keeps a third of the catalogue."""
ENGINES = {
    "LRU": libcachesim.LRU, "SIEVE": libcachesim.Sieve, "S3-FIFO": libcachesim.S3FIFO,
}  # fmt: skip
SAME = {"LRU": "lru", "SIEVE": "sieve", "S3-FIFO": "s3fifo"}
"""Our caches' policies of that name."""
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
class Contest:
    """Requests a second by turn: the network by its caches' policy and by threads, and
    libCacheSim's engines."""

    network: dict[tuple[str, int], list[float]] = field(default_factory=dict)
    one_cache: dict[str, list[float]] = field(default_factory=dict)
    hit_ratio: float = 0.0


@dataclass
class Found:
    """Contests by catalogue, and megabytes of the whole process by length of the run."""

    requests: int
    contests: dict[int, Contest] = field(default_factory=dict)
    policies: dict[str, tuple[float, float]] = field(default_factory=dict)
    """One cache: ours and libCacheSim's, both reading the same file."""
    megabytes: dict[int, float] = field(default_factory=dict)


def scenario(requests: int, objects: int = CATALOGUES[0], policy: str = "lru") -> Scenario:
    """20 edges, 3 shields, an origin; distances, queues, collapsing."""
    where = [{"name": n, "latitude": a, "longitude": o} for n, (a, o) in CITIES.items()]
    return msgspec.convert(
        {
            "name": "bench",
            "requests": requests,
            "traffic": {"objects": objects, "zipf": 1.0},
            "regions": where,
            "edges": [site | _cache(policy, objects * EDGE_BYTES) for site in where],
            "shields": [
                site | _cache(policy, objects * SHIELD_BYTES)
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


def _cache(policy: str, size: int) -> dict[str, Any]:
    return {"cache": {"policy": policy, "size": size}}


def measure(folder: Path, *, requests: int, rounds: int) -> Found:
    """The network's time includes drawing its requests, libCacheSim's reading the very same ones
    from a file."""
    found = Found(requests)
    with kept_pages():
        for objects in CATALOGUES:
            found.contests[objects] = _contest(folder, requests, objects, rounds)
    _measure_policies(folder, requests // 10, found)
    for length in (requests, TEN_TIMES * requests):
        found.megabytes[length] = _megabytes(folder, length)
    return found


def _contest(folder: Path, requests: int, objects: int, rounds: int) -> Contest:
    """Turns: the network with one thread and with one a core, then each engine of libCacheSim with
    the network of such caches before it."""
    trace = folder / "trace.oracleGeneral"
    _write(trace, scenario(requests, objects))
    contest = Contest()
    threads = sorted({1, os.cpu_count() or 1})
    # The first turn, which is not counted, compiles and brings in the memory; from then on both
    # keep it (libCacheSim's malloc does so by itself).
    for turn in range(rounds + 1):
        # Whoever comes after another run finds memory that is there already: each does in turn.
        for count in threads if turn % 2 else reversed(threads):
            simulation = _play(scenario(requests, objects), "LRU", count, contest, turn)
        for name, engine in ENGINES.items():
            if name != "LRU":
                _play(scenario(requests, objects, SAME[name]), name, threads[-1], contest, turn)
            rate = _theirs(engine, trace, requests, objects * EDGE_BYTES)
            if turn:
                contest.one_cache.setdefault(name, []).append(rate)
    contest.hit_ratio = summarise(simulation).hit_ratio
    return contest


def _play(drawn: Scenario, name: str, threads: int, contest: Contest, turn: int) -> Simulation:
    simulation = Simulation(drawn, threads)
    rate = _rate(drawn.requests, simulation.run)
    if turn:
        contest.network.setdefault((name, threads), []).append(rate)
    return simulation


def _theirs(engine: Callable[..., Any], trace: Path, requests: int, capacity: int) -> float:
    kind, about = libcachesim.TraceType.ORACLE_GENERAL_TRACE, libcachesim.ReaderInitParam()
    reader = libcachesim.TraceReader(str(trace), kind, about)
    cache = engine(cache_size=capacity, hashpower=HASH_POWER)
    return _rate(requests, partial(cache.process_trace, reader))


def _measure_policies(folder: Path, requests: int, found: Found) -> None:
    trace = folder / "short.oracleGeneral"
    _write(trace, scenario(requests))
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


def _write(trace: Path, drawn: Scenario) -> None:
    with trace.open("wb") as file:
        for keys, sizes, times in _requests(drawn):
            records = np.zeros(len(keys), ORACLE_RECORD)
            records["time"], records["key"], records["size"] = times, keys, sizes
            records["following"] = -1
            records.tofile(file)


def _requests(drawn: Scenario) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """The very requests that the network gets."""
    plan = traffic_plan(drawn)
    for start, end in pairwise([*range(0, drawn.requests, 1 << 18), drawn.requests]):
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
    # Not ru_maxrss: a child begins with its parent's (getrusage(2) counts before execve, too).
    status = Path("/proc/self/status").read_text()
    print(int(status.partition("VmHWM:")[2].split()[0]) / 1024)
