"""The same requests through a real edge and through the simulator's cache."""

import asyncio
import hashlib
import math
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from insula_simulator.cache import Cache
from insula_simulator.calibration.client import STATUSES, Answers, manager_awake, path_of, play
from insula_simulator.calibration.edge import CalibrationError, Edge, running
from insula_simulator.calibration.fitting import Fit, fitted

Ints = npt.NDArray[np.int64]
Hits = npt.NDArray[np.bool_]

PROBE_SIZE = 1000
PROBES = 400
SETTLING = 0.2
"""Seconds in which the cache manager takes what the last requests added."""


class Ratios(msgspec.Struct, frozen=True):
    hit_ratio: float
    byte_hit_ratio: float


class Calibration(msgspec.Struct, frozen=True):
    """Sizes are bytes, differences percentage points (simulated less real), times seconds.

    ``per_object`` is what a stored object costs beside its body: NGINX's header, its key and the
    answer's head; all of it is rounded up to ``block``. ``simulated`` counts sizes so; ``by_body``
    as the trace has them, which is what a scenario's ``cache.size`` does: ``body_size`` is the size
    to give there. ``agreement`` is the share of requests with the same fate in both."""

    nginx: str
    requests: int
    objects: int
    size: int
    block: int
    per_object: int
    on_disk: int
    body_size: int
    seconds: float
    statuses: dict[str, int]
    real: Ratios
    simulated: Ratios
    by_body: Ratios
    difference: Ratios
    agreement: float
    hit: Fit
    miss: Fit


def measure(
    keys: Ints,
    sizes: Ints,
    size: int,
    connections: int,
    folder: Path | None = None,
    on_done: Callable[[int], None] = lambda done: None,
) -> Calibration:
    """Play requests through an NGINX that is started for it, and through the simulator.

    Raises:
        CalibrationError: NGINX is missing or failed, or the cache is too small to measure.
    """
    objects = len(np.unique(keys))
    with running(size, objects + 2 * PROBES, folder) as edge:
        if size < 16 * edge.block:
            raise CalibrationError(
                f"a cache of {size} bytes holds nothing in blocks of {edge.block}"
            )
        answers, hit, miss, per_object, on_disk, seconds = asyncio.run(
            _played(edge, keys, sizes, size, connections, on_done)
        )
        if complaints := edge.complaints():
            raise CalibrationError(f"nginx complained: {complaints[0]}")
        stored = stored_sizes(sizes, per_object, edge.block)
        version, block = edge.version, edge.block
    # It evicts as long as it holds max_size or more, both in whole blocks.
    capacity = (size // block - 1) * block
    hits = Cache("lru", capacity).replay(keys, stored) >= 0
    first = np.unique(keys, return_index=True)[1]
    body_size = int(capacity * sizes[first].sum() / stored[first].sum())
    real, simulated = _ratios(answers.hits, sizes), _ratios(hits, sizes)
    return Calibration(
        nginx=version,
        requests=len(keys),
        objects=objects,
        size=size,
        block=block,
        per_object=per_object,
        on_disk=on_disk,
        body_size=body_size,
        seconds=seconds,
        statuses={
            name or "NONE": int(count)
            for name, count in zip(
                STATUSES, np.bincount(answers.statuses, minlength=len(STATUSES)), strict=True
            )
            if count
        },
        real=real,
        simulated=simulated,
        by_body=_ratios(Cache("lru", body_size).replay(keys, sizes) >= 0, sizes),
        difference=Ratios(
            100 * (simulated.hit_ratio - real.hit_ratio),
            100 * (simulated.byte_hit_ratio - real.byte_hit_ratio),
        ),
        agreement=float((hits == answers.hits).mean()),
        hit=hit,
        miss=miss,
    )


async def _played(
    edge: Edge,
    keys: Ints,
    sizes: Ints,
    size: int,
    connections: int,
    on_done: Callable[[int], None],
) -> tuple[Answers, Fit, Fit, int, int, float]:
    async with manager_awake(edge):
        unused = _unused_keys(keys, PROBES + 1)
        await play(edge, unused[:1], np.array([PROBE_SIZE]), 1)
        per_object = _stored_beside(edge, int(unused[0]), PROBE_SIZE)
        started = time.perf_counter()
        answers = await play(edge, keys, sizes, connections, on_done)
        seconds = time.perf_counter() - started
        await asyncio.sleep(SETTLING)
        on_disk = _on_disk(edge)
        probed = _probe_sizes(sizes, size // 4)
        probes = unused[1 : len(probed) + 1]
        misses = await play(edge, probes, probed, 1)
        hits = await play(edge, probes, probed, 1)
    hit = fitted(probed[hits.hits], hits.seconds[hits.hits])
    miss = fitted(probed[~misses.hits], misses.seconds[~misses.hits])
    return answers, hit, miss, per_object, on_disk, seconds


def stored_sizes(sizes: Ints, per_object: int, block: int) -> Ints:
    """What NGINX counts for objects: bodies with what is stored beside them, in whole blocks.
    ``per_object`` is that of a body whose length has as many digits as the probe's."""
    digits = np.floor(np.log10(sizes)).astype(np.int64) - int(math.log10(PROBE_SIZE))
    blocks: Ints = -(-(sizes + per_object + digits) // block)
    return blocks * block


def _stored_beside(edge: Edge, key: int, size: int) -> int:
    name = hashlib.md5(path_of(key, size)[1:17], usedforsecurity=False).hexdigest()
    file = edge.cache / name[-1] / name[-3:-1] / name
    deadline = time.monotonic() + 5
    while not file.exists():
        if time.monotonic() > deadline:
            raise CalibrationError("nginx stored nothing; its cache folder is not writable?")
        time.sleep(0.01)
    return file.stat().st_size - size


def _on_disk(edge: Edge) -> int:
    """Bytes that the cache holds, in whole blocks."""
    files = [file.stat().st_size for file in edge.cache.rglob("*") if file.is_file()]
    return sum(-(-size // edge.block) * edge.block for size in files)


def _unused_keys(keys: Ints, count: int) -> Ints:
    """Keys that the trace does not have."""
    candidates = np.arange(1, 2 * count + 1, dtype=np.int64) * -7919
    return np.setdiff1d(candidates, keys)[:count] if count else candidates[:0]


def _probe_sizes(sizes: Ints, most: int) -> Ints:
    """Sizes as the trace has them, evenly by rank, as many as ``most`` bytes hold."""
    places = np.linspace(0, len(sizes) - 1, min(PROBES, len(sizes))).astype(np.int64)
    chosen: Ints = np.sort(sizes)[places]
    chosen = chosen[chosen <= most // 4]
    kept = chosen[np.cumsum(chosen + 8192) <= most]
    return np.random.default_rng(1).permutation(kept if len(kept) > 8 else chosen[:8])


def _ratios(hits: Hits, sizes: Ints) -> Ratios:
    weights = sizes.astype(np.float64)
    return Ratios(float(hits.mean()), float(weights[hits].sum() / weights.sum()))
