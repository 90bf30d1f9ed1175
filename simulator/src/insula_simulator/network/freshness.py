"""What HTTP caching makes of a request once the eviction policy has said where the object is
(RFC 9111; stale-while-revalidate and stale-if-error: RFC 5861)."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from insula_simulator.engine.compiled import compiled

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Fates = npt.NDArray[np.uint8]

HIT, STALE, STALE_ERROR, COLLAPSED, REVALIDATED, MISS, NEGATIVE, ERROR = range(8)
FATES = (
    "hit", "stale", "stale_if_error", "collapsed", "revalidated", "miss", "negative", "error",
)  # fmt: skip
"""Every request has exactly one of these fates at a cache."""


class Rules(NamedTuple):
    """Seconds; ``outages`` are when nothing answers upstream, as rows of from and to."""

    ttl: float
    while_revalidate: float
    if_error: float
    negative_ttl: float
    collapse: bool
    outages: Floats


@compiled
def _out(outages: Floats, time: float) -> bool:
    found = False
    for i in range(outages.shape[0]):
        found |= outages[i, 0] <= time < outages[i, 1]
    return found


@compiled
def judge(
    rules: Rules,
    slots: Ints,
    times: Floats,
    fetch: float,
    expires: Floats,
    ready: Floats,
    fates: Fates,
    waits: Floats,
) -> None:
    """Requests in order of time. ``fetch`` is how long upstream takes at present. For each slot
    ``expires`` is the end of freshness (negative: of a remembered failure) and ``ready`` when the
    body has arrived. Fills in the fate, and for COLLAPSED how long the request waits."""
    for i in range(slots.size):
        time, slot = times[i], slots[i]
        out = _out(rules.outages, time)
        waits[i] = 0.0
        if slot == -1:
            fates[i] = ERROR if out else MISS
            continue
        is_new = slot < 0
        if is_new:
            slot = -2 - slot
        elif expires[slot] < 0:
            if time < -expires[slot]:
                fates[i] = NEGATIVE
                continue
            is_new = True
        if is_new and out:
            fates[i] = ERROR
            ready[slot] = time
            expires[slot] = -(time + rules.negative_ttl)
        elif is_new:
            fates[i] = MISS
            ready[slot] = time + fetch
            expires[slot] = time + fetch + rules.ttl
        elif time < ready[slot]:
            fates[i] = COLLAPSED if rules.collapse else MISS
            waits[i] = ready[slot] - time if rules.collapse else 0.0
        elif time < expires[slot]:
            fates[i] = HIT
        elif out:
            fates[i] = STALE_ERROR if time - expires[slot] < rules.if_error else ERROR
        elif time - expires[slot] < rules.while_revalidate:
            fates[i] = STALE
            expires[slot] = time + fetch + rules.ttl
        else:
            fates[i] = REVALIDATED
            ready[slot] = time + fetch
            expires[slot] = time + fetch + rules.ttl
