"""What HTTP caching makes of a request once the eviction policy has said where the object is
(RFC 9111; stale-while-revalidate and stale-if-error: RFC 5861)."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from insula_simulator.engine.compiled import compiled
from insula_simulator.engine.prefetch import prefetch

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Fates = npt.NDArray[np.uint8]

HIT, STALE, STALE_ERROR, COLLAPSED, REVALIDATED, MISS, NEGATIVE, ERROR, PASS = range(9)
FATES = (
    "hit", "stale", "stale_if_error", "collapsed", "revalidated", "miss", "negative", "error",
    "pass",
)  # fmt: skip
"""Every request has exactly one of these fates at a cache."""


TTL, WHILE_REVALIDATE, IF_ERROR = range(3)
"""Columns of terms: seconds."""
HARD, SOFT = range(2)
"""Columns of purges: when the last one before a request was heard of."""


class Rules(NamedTuple):
    """Seconds; ``outages`` are when the origin does not answer, as rows of from and to. A site
    ``behind`` a shield asks that then, which may have what it lacks. Fetches are noted where there
    are purges, for which that matters."""

    negative_ttl: float
    collapse: bool
    outages: Floats
    behind: bool
    purging: bool


AHEAD = 24
"""Requests between fetching memory for one and using it."""


@compiled
def is_out(outages: Floats, time: float) -> bool:
    found = False
    for i in range(outages.shape[0]):
        found |= outages[i, 0] <= time < outages[i, 1]
    return found


@compiled
def _is_gone(
    rules: Rules, purged: Floats, i: int, time: float, expires: Floats, began: Floats, slot: int
) -> bool:
    """Whether what the slot holds is purged, or a failure remembered for long enough. A soft purge
    ends its freshness."""
    if rules.purging and began[slot] <= purged[i, HARD]:
        return True
    if expires[slot] < 0:
        return bool(time >= -expires[slot])
    if rules.purging and began[slot] <= purged[i, SOFT]:
        expires[slot] = min(expires[slot], purged[i, SOFT])
    return False


@compiled
def _is_usual(
    fetch: float, ttl: float, time: float, slot: int, expires: Floats, ready: Floats, fates: Fates,
    i: int,
) -> bool:  # fmt: skip
    """Whether it is a new object, or a fresh one that has arrived; done then. Without a branch
    between them, which nobody could guess."""
    is_new, at = slot < -1, max(slot, -2 - slot)
    until, since = expires[at], ready[at]
    is_hit = (slot >= 0) & (since <= time) & (time < until)
    if not is_new | is_hit:
        return False
    fates[i] = MISS if is_new else HIT
    ready[at] = time + fetch if is_new else since
    expires[at] = time + fetch + ttl if is_new else until
    return True


@compiled
def judge(  # noqa: PLR0912, PLR0915 - one decision, in RFC 9111's order
    rules: Rules,
    terms: Floats,
    purged: Floats,
    slots: Ints,
    times: Floats,
    fetch: float,
    expires: Floats,
    ready: Floats,
    began: Floats,
    fates: Fates,
    waits: Floats,
) -> None:
    """Requests in order of time. ``fetch`` is how long upstream takes at present. For each slot
    ``expires`` is the end of freshness (negative: of a remembered failure), ``ready`` when the
    body has arrived, ``began`` when it was asked for. ``terms`` has a row a request, or one for
    all. Fills in the fate, and for COLLAPSED how long the request waits."""
    apart, last = terms.shape[0] == slots.size, slots.size - 1
    usual = rules.outages.shape[0] == 0 and not rules.purging
    for i in range(slots.size):
        coming = slots[min(i + AHEAD, last)]
        prefetch(expires, max(coming, -2 - coming))
        if usual and _is_usual(fetch, terms[i if apart else 0, TTL], times[i], slots[i], expires,
                               ready, fates, i):  # fmt: skip
            waits[i] = 0.0
            continue
        time, slot = times[i], slots[i]
        row = i if apart else 0
        out = is_out(rules.outages, time)
        waits[i] = 0.0
        if slot == -1:
            fates[i] = ERROR if out and not rules.behind else MISS
            continue
        if slot < 0:
            slot, is_new = -2 - slot, True
        else:
            is_new = _is_gone(rules, purged, i, time, expires, began, slot)
            if not is_new and expires[slot] < 0:
                fates[i] = NEGATIVE
                continue
        if is_new and out and not rules.behind:
            fates[i] = ERROR
            ready[slot] = time
            expires[slot] = -(time + rules.negative_ttl)
        elif is_new:
            fates[i] = MISS
            ready[slot] = time + fetch
            expires[slot] = time + fetch + terms[row, TTL]
        elif time < ready[slot]:
            fates[i] = COLLAPSED if rules.collapse else MISS
            waits[i] = ready[slot] - time if rules.collapse else 0.0
            continue
        elif time < expires[slot]:
            fates[i] = HIT
            continue
        elif out and time - expires[slot] < terms[row, IF_ERROR]:
            fates[i] = STALE_ERROR
            continue
        elif out and not rules.behind:
            fates[i] = ERROR
            continue
        elif time - expires[slot] < terms[row, WHILE_REVALIDATE]:
            fates[i] = STALE
            expires[slot] = time + fetch + terms[row, TTL]
        else:
            fates[i] = REVALIDATED
            ready[slot] = time + fetch
            expires[slot] = time + fetch + terms[row, TTL]
        if rules.purging:
            began[slot] = time
