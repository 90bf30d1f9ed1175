"""Synthetic requests: independent references under a Zipf law, with what departs from it."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from insula_simulator.engine.compiled import compiled
from insula_simulator.network.chance import KIND, RANK, REGION, TIME, exponential, mixed, uniform

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

FLASH_KEYS, WONDER_KEYS = 1 << 60, 1 << 61
"""Keys of flash crowds and of one-hit wonders start here; the catalogue's are below."""


class Plan(NamedTuple):
    """What traffic is drawn from. ``cumulative`` is the share of all requests before each edge of
    a time bin; ``regions`` the cumulative share of regions in each bin; ``threshold`` and
    ``alias`` are Walker's alias table of popularity (Vose 1991)."""

    seed: int
    requests: int
    bin_edges: Floats
    cumulative: Floats
    regions: Floats
    threshold: Floats
    alias: Ints
    sizes: Ints
    drift: float
    wonders: float
    flash_start: Floats
    flash_end: Floats
    flash_share: Floats
    flash_objects: Ints


def alias_table(weights: Floats) -> tuple[Floats, Ints]:
    """Vose's method; exact, and O(1) to draw from."""
    scaled = weights * (len(weights) / weights.sum())
    threshold, alias = np.ones(len(weights)), np.arange(len(weights))
    _fill(scaled.copy(), threshold, alias)
    return threshold, alias


@compiled
def _fill(scaled: Floats, threshold: Floats, alias: Ints) -> None:
    count = scaled.size
    small, large = np.empty(count, np.int64), np.empty(count, np.int64)
    smalls = larges = 0
    for i in range(count):
        if scaled[i] < 1.0:
            small[smalls] = i
            smalls += 1
        else:
            large[larges] = i
            larges += 1
    while smalls > 0 and larges > 0:
        smalls -= 1
        less, more = small[smalls], large[larges - 1]
        threshold[less] = scaled[less]
        alias[less] = more
        scaled[more] -= 1.0 - scaled[less]
        if scaled[more] < 1.0:
            larges -= 1
            small[smalls] = more
            smalls += 1


@compiled
def synthesize(
    plan: Plan, start: int, keys: Ints, sizes: Ints, times: Floats, regions: Ints
) -> None:
    """Fill in the requests from number ``start``: keys, bytes, seconds, regions."""
    _draw_times(plan, start, times)
    objects = plan.sizes.size
    time_bin = 0
    for i in range(keys.size):
        while time_bin < plan.regions.shape[0] - 1 and times[i] >= plan.bin_edges[time_bin + 1]:
            time_bin += 1
        at = start + i
        where = uniform(plan.seed, REGION, at)
        region = 0
        while region < plan.regions.shape[1] - 1 and where >= plan.regions[time_bin, region]:
            region += 1
        regions[i] = region
        keys[i] = _draw_key(plan, at, times[i])
        sizes[i] = plan.sizes[int(mixed(keys[i], 0, 0) % np.uint64(objects))]


@compiled
def _draw_times(plan: Plan, start: int, times: Floats) -> None:
    """Arrivals of a Poisson process of varying rate, given how many fall into this chunk."""
    total = 0.0
    for i in range(times.size):
        total += exponential(plan.seed, TIME, start + i)
        times[i] = total
    total += 1.0
    time_bin, last = 0, plan.cumulative.size - 2
    for i in range(times.size):
        share = (start + times.size * (times[i] / total)) / plan.requests
        while time_bin < last and share >= plan.cumulative[time_bin + 1]:
            time_bin += 1
        low, high = plan.cumulative[time_bin], plan.cumulative[time_bin + 1]
        width = plan.bin_edges[time_bin + 1] - plan.bin_edges[time_bin]
        part = (share - low) / (high - low) if high > low else 0.0
        times[i] = plan.bin_edges[time_bin] + width * part


@compiled
def _draw_key(plan: Plan, at: int, time: float) -> int:
    kind = uniform(plan.seed, KIND, at)
    for flash in range(plan.flash_share.size):
        inside = plan.flash_start[flash] <= time < plan.flash_end[flash]
        if inside:
            if kind < plan.flash_share[flash]:
                which = int(kind / plan.flash_share[flash] * plan.flash_objects[flash])
                return FLASH_KEYS + flash * (1 << 32) + which
            kind = (kind - plan.flash_share[flash]) / (1.0 - plan.flash_share[flash])
    if kind < plan.wonders:
        return WONDER_KEYS + at
    objects = plan.threshold.size
    drawn = uniform(plan.seed, RANK, at) * objects
    rank = min(int(drawn), objects - 1)
    if drawn - rank >= plan.threshold[rank]:
        rank = plan.alias[rank]
    generation = 0
    if plan.drift > 0:
        generation = int(time / 3600.0 * plan.drift + uniform(rank, 0, 1))
    return rank + objects * generation
