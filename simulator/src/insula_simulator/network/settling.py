"""What a site sends upstream, and what becomes of its requests once upstream has answered."""

import numpy as np
import numpy.typing as npt

from insula_simulator.engine.compiled import compiled
from insula_simulator.network.chance import CHANGED, uniform
from insula_simulator.network.freshness import (
    ERROR,
    MISS,
    PASS,
    REVALIDATED,
    STALE,
    STALE_ERROR,
)

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Fates = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]

TOOK, ANSWERED, BYTES, FAILED = range(4)
"""What ``settle`` sums up: seconds of fetches, fetches that were answered, their bytes; requests
that failed."""


@compiled
def send_upstream(
    asks: Flags,
    seed: int,
    unchanged: float,
    numbers: Ints,
    sizes: Ints,
    served: Floats,
    fates: Fates,
    asked: Ints,
    bodies: Ints,
) -> int:
    """Collect the rows whose fate ``asks`` upstream and the bytes of each answer: none where a
    revalidation finds nothing new. Who found the queue too long fails. Answers how many."""
    count = 0
    for i in range(fates.size):
        if served[i] < 0:
            fates[i] = ERROR
        if not asks[fates[i]]:
            continue
        asked[count] = i
        bodies[count] = sizes[i]
        if fates[i] not in (MISS, PASS) and uniform(seed, CHANGED, numbers[i]) < unchanged:
            bodies[count] = 0
        count += 1
    return count


@compiled
def settle(
    if_error: float,
    asked: Ints,
    bodies: Ints,
    took: Floats,
    fates: Fates,
    waits: Floats,
    inside: Floats,
    fetched: Ints,
    sums: Floats,
) -> None:
    """``took`` is the seconds of each fetch, negative where it failed. Adds them to ``inside``, the
    seconds in the site's servers, but for revalidations in the background, for which nobody waits;
    fills in the bytes fetched, and settles the fates of fetches that failed."""
    sums[:] = 0.0
    for i in range(fates.size):
        inside[i] = max(inside[i], 0.0) + waits[i]
        fetched[i] = 0
    for k in range(asked.size):
        i = asked[k]
        if took[k] >= 0:
            sums[TOOK] += took[k]
            sums[ANSWERED] += 1
            sums[BYTES] += bodies[k]
            fetched[i] = bodies[k]
            if fates[i] != STALE:
                inside[i] += took[k]
        elif fates[i] == REVALIDATED and if_error > 0:
            fates[i] = STALE_ERROR
        elif fates[i] != STALE:
            fates[i] = ERROR
    for i in range(fates.size):
        sums[FAILED] += fates[i] == ERROR
