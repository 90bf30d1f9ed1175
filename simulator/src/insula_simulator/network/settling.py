"""What a site sends upstream, and what becomes of its requests once upstream has answered."""

import numpy as np
import numpy.typing as npt

from insula_simulator.engine.compiled import compiled
from insula_simulator.network.chance import CHANGED, uniform
from insula_simulator.network.freshness import (
    COLLAPSED,
    ERROR,
    HIT,
    NEGATIVE,
    REVALIDATED,
    STALE,
    STALE_ERROR,
    Rules,
    is_out,
)
from insula_simulator.network.sorting import Rows

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Fates = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]

TOOK, ANSWERED, BYTES, FAILED, LOST = range(5)
"""What ``settle`` sums up: seconds of fetches, fetches that were answered, their bytes; requests
that failed; and those that a queue or upstream did not take."""


@compiled
def send_upstream(
    asks: Flags, seed: int, unchanged: float, numbers: Ints, keys: Ints, sizes: Ints,
    times: Floats, served: Floats, fates: Fates, rows: Ints, sent_numbers: Ints, sent_keys: Ints,
    sent_sizes: Ints, sent_times: Floats, bodies: Ints,
) -> int:  # fmt: skip
    """Collect the rows whose fate ``asks`` upstream, their columns, and the bytes of each answer:
    none where a revalidation finds nothing new. Who found the queue too long fails. Answers how
    many."""
    count = 0
    for i in range(fates.size):
        if served[i] < 0:
            fates[i] = ERROR
        # Written in any case, and kept if it counts: nobody could guess whether.
        rows[count] = i
        count += asks[fates[i]]
    for k in range(count):
        i = rows[k]
        sent_numbers[k] = numbers[i]
        sent_keys[k] = keys[i]
        sent_sizes[k] = sizes[i]
        sent_times[k] = times[i]
        bodies[k] = sizes[i]
        again = (fates[i] == REVALIDATED) | (fates[i] == STALE)
        if again and uniform(seed, CHANGED, numbers[i]) < unchanged:
            bodies[k] = 0
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
    lost = failed = answered = sent = 0
    seconds = 0.0
    for i in range(fates.size):
        lost += inside[i] < 0
        inside[i] = max(inside[i], 0.0) + waits[i]
        fetched[i] = 0
    for k in range(asked.size):
        i = asked[k]
        lost += took[k] < 0
        if took[k] >= 0:
            seconds += took[k]
            answered += 1
            sent += bodies[k]
            fetched[i] = bodies[k]
            if fates[i] != STALE:
                inside[i] += took[k]
        elif fates[i] == REVALIDATED and if_error > 0:
            fates[i] = STALE_ERROR
        elif fates[i] != STALE:
            fates[i] = ERROR
    for i in range(fates.size):
        failed += fates[i] == ERROR
    sums[TOOK], sums[ANSWERED], sums[BYTES], sums[FAILED] = seconds, answered, sent, failed
    sums[LOST] = lost


@compiled
def add_way(took: Floats, seconds: float) -> None:
    """To each that did not fail."""
    for i in range(took.size):
        took[i] = took[i] + seconds if took[i] >= 0 else -1.0


@compiled
def deliver(
    rtts: Floats, origins: Ints, fates: Fates, inside: Floats, rows: Rows, seconds: Floats
) -> None:
    """Seconds that each request of a site took with the way there and back, -1 where it failed, in
    the rows that it came from."""
    for i in range(origins.size):
        answered = fates[i] != ERROR
        seconds[rows[i]] = inside[i] + rtts[origins[i]] if answered else -1.0


FOUND, STALE_STILL = 0.0, -1.0
"""What ``failing`` has of a slot: its object is there; it is there, but could not be renewed. Above
0: it is not there, and until when that is remembered."""


@compiled
def settle_failures(
    rules: Rules,
    slots: Ints,
    times: Floats,
    asked: Ints,
    took: Floats,
    fates: Fates,
    failing: Floats,
    expires: Floats,
    ready: Floats,
) -> None:
    """Requests of a batch some of whose fetches failed, in order of time: nobody is served what was
    not fetched, and the cache remembers what it lacks. Who waited for such a fetch fails with it;
    who comes while the failure is remembered is answered with it; who comes later would have
    fetched, and is taken to fail or not as the site's last fetch did, and to fail while the origin
    is out. ``failing`` has a place a slot, all FOUND before and after."""
    k = 0
    for i in range(slots.size):
        mine = k < asked.size and asked[k] == i
        k += mine
        if slots[i] == -1:
            continue
        slot = slots[i] if slots[i] >= 0 else -2 - slots[i]
        if slots[i] < 0:
            failing[slot] = FOUND
        if mine and took[k - 1] >= 0:
            failing[slot] = FOUND
        elif mine:
            kept = fates[i] in (STALE, STALE_ERROR)
            failing[slot] = STALE_STILL if kept else times[i] + rules.negative_ttl
        elif slots[i] < 0:
            # The site's own queue was too long, or it knew that the origin is out and noted that.
            known = is_out(rules.outages, times[i]) and not rules.behind
            failing[slot] = times[i] if fates[i] == ERROR and not known else FOUND
        elif failing[slot] > 0:
            down = (k > 0 and took[k - 1] < 0) or is_out(rules.outages, times[i])
            _meet_failure(rules, times[i], down, i, slot, fates, failing)
    _remember(slots, times, failing, expires, ready)


@compiled
def _meet_failure(
    rules: Rules, time: float, down: bool, i: int, slot: int, fates: Fates, failing: Floats
) -> None:
    if fates[i] == COLLAPSED:
        fates[i] = ERROR
    elif fates[i] == HIT and time < failing[slot]:
        fates[i] = NEGATIVE
    elif fates[i] == HIT and down:
        fates[i] = ERROR
        failing[slot] = time + rules.negative_ttl
    elif fates[i] == HIT:
        failing[slot] = FOUND


@compiled
def _remember(slots: Ints, times: Floats, failing: Floats, expires: Floats, ready: Floats) -> None:
    for i in range(slots.size):
        slot = slots[i] if slots[i] >= -1 else -2 - slots[i]
        if slot == -1 or failing[slot] == FOUND:
            continue
        if failing[slot] > 0:
            expires[slot] = -failing[slot]
        else:
            expires[slot] = min(expires[slot], times[i])
        ready[slot] = min(ready[slot], times[i])
        failing[slot] = FOUND
