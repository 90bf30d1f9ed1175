"""What is played: the start of a trace, or requests drawn for the purpose."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from insula_simulator.traces import TraceError, evenly, read_trace

Ints = npt.NDArray[np.int64]

TYPICAL_SIZE, SIGMA, ZIPF = 8_000, 1.2, 0.9


def synthetic(count: int) -> tuple[Ints, Ints]:
    """Requests under a Zipf law, for a quarter as many objects of lognormal sizes."""
    chance = np.random.default_rng(1)
    objects = max(10, count // 4)
    weights = np.arange(1, objects + 1) ** -ZIPF
    keys = chance.choice(objects, count, p=weights / weights.sum())
    sizes = np.exp(chance.normal(np.log(TYPICAL_SIZE), SIGMA, objects)).astype(np.int64) + 1
    return keys, sizes[keys]


def first_of(trace: Path, format_: str, count: int) -> tuple[Ints, Ints]:
    with trace.open("rb") as file:
        chunks = list(evenly(read_trace(file, format_), 1 << 16, count))
    if not chunks:
        raise TraceError("the trace holds no request")
    return np.concatenate([x.keys for x in chunks]), np.concatenate([x.sizes for x in chunks])


def tenth(keys: Ints, sizes: Ints) -> int:
    """A tenth of the bytes of all objects."""
    first = np.unique(keys, return_index=True)[1]
    return max(1 << 20, int(sizes[first].sum()) // 10)
