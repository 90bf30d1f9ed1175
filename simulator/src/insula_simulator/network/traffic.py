"""Synthetic requests: independent references under a Zipf law, with what departs from it."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from insula_simulator.engine.compiled import allocating, compiled
from insula_simulator.network.chance import (
    KIND,
    RANK,
    REGION,
    TIME,
    fill_exponential,
    mixed,
    uniform,
)

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_CERTAIN, _FRACTION, _ALIAS = float(1 << 30), (1 << 30) - 1, (1 << 32) - 1
FLASH_KEYS, WONDER_KEYS = 1 << 60, 1 << 61
"""Keys of flash crowds and of one-hit wonders start here; the catalogue's are below."""


class Plan(NamedTuple):
    """What traffic is drawn from. ``cumulative`` is the share of all requests before each edge of
    a time bin; ``regions`` the cumulative share of regions in each bin; ``alias`` is
    Walker's alias table of popularity (Vose 1991), packed."""

    seed: int
    requests: int
    bin_edges: Floats
    cumulative: Floats
    regions: Floats
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


def packed(threshold: Floats, alias: Ints) -> Ints:
    """Both in one word, the threshold in units of 2**-30 above 32 bits of alias, so that drawing
    waits for one place in memory instead of two."""
    return (threshold * _CERTAIN).round().astype(np.int64) << 32 | alias


@allocating
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
    # A loop for each: short loops let the processor wait for several cache misses at a time.
    _draw_times(plan, start, times)
    _draw_regions(plan, start, times, regions)
    _draw_keys(plan, start, times, sizes, keys)
    _look_up_sizes(plan.sizes, keys, sizes)


@compiled
def _look_up_sizes(known: Ints, keys: Ints, sizes: Ints) -> None:
    """A size follows from the key: the catalogue's in order, others by chance."""
    objects = known.size
    for i in range(keys.size):
        key = keys[i]
        place = key if key < objects else np.int64(mixed(key, 0, 0) % np.uint64(objects))
        sizes[i] = known[place]


@compiled
def _draw_regions(plan: Plan, start: int, times: Floats, regions: Ints) -> None:
    seed, cumulative, edges = plan.seed, plan.regions, plan.bin_edges
    time_bin, last = 0, cumulative.shape[1] - 1
    for i in range(times.size):
        while time_bin < cumulative.shape[0] - 1 and times[i] >= edges[time_bin + 1]:
            time_bin += 1
        where = uniform(seed, REGION, start + i)
        # Counting all is quicker than stopping where nobody could guess.
        region = 0
        for beyond in range(last):
            region += where >= cumulative[time_bin, beyond]
        regions[i] = region


@compiled
def _draw_times(plan: Plan, start: int, times: Floats) -> None:
    """Arrivals of a Poisson process of varying rate, given how many fall into this chunk."""
    fill_exponential(plan.seed, TIME, start, times)
    total = 0.0
    for i in range(times.size):
        total += times[i]
        times[i] = total
    total += 1.0
    cumulative, edges = plan.cumulative, plan.bin_edges
    time_bin, last = -1, cumulative.size - 2
    first, share_a_unit = start / plan.requests, times.size / total / plan.requests
    until, low, slope = -1.0, 0.0, 0.0
    for i in range(times.size):
        share = first + times[i] * share_a_unit
        while share >= until and time_bin < last:
            time_bin += 1
            low, until = cumulative[time_bin], cumulative[time_bin + 1]
            width = edges[time_bin + 1] - edges[time_bin]
            slope = width / (until - low) if until > low else 0.0
        times[i] = edges[time_bin] + slope * (share - low)


@compiled
def _draw_keys(plan: Plan, start: int, times: Floats, spots: Ints, keys: Ints) -> None:
    """``spots`` is memory to work in."""
    _draw_spots(plan.seed, plan.alias.size, start, spots)
    _decide(plan.alias, spots, keys)
    if plan.drift > 0:
        for i in range(keys.size):
            fresh = uniform(keys[i], 0, 1)
            keys[i] += plan.alias.size * int(times[i] / 3600.0 * plan.drift + fresh)
    if plan.wonders > 0 or plan.flash_share.size > 0:
        _draw_others(plan, start, times, keys)


@compiled
def _draw_spots(seed: int, objects: int, start: int, spots: Ints) -> None:
    """Places in the alias table, with 30 bits of fraction."""
    for i in range(spots.size):
        spots[i] = int(uniform(seed, RANK, start + i) * objects * _CERTAIN)


@compiled
def _decide(alias: Ints, spots: Ints, keys: Ints) -> None:
    last = alias.size - 1
    for i in range(spots.size):
        key = min(spots[i] >> 30, last)
        both = alias[key]
        # Without a branch, which would be guessed wrong half of the time, and late.
        keys[i] = key ^ ((key ^ (both & _ALIAS)) & -int((spots[i] & _FRACTION) >= (both >> 32)))


@compiled
def _draw_others(plan: Plan, start: int, times: Floats, keys: Ints) -> None:
    """Put flash crowds and one-hit wonders in place of what was drawn from the catalogue."""
    seed, wonders = plan.seed, plan.wonders
    flash_start, flash_end = plan.flash_start, plan.flash_end
    flash_share, flash_objects = plan.flash_share, plan.flash_objects
    for i in range(keys.size):
        kind, key = uniform(seed, KIND, start + i), -1
        for flash in range(flash_share.size):
            share = flash_share[flash]
            if key < 0 and flash_start[flash] <= times[i] < flash_end[flash]:
                if kind < share:
                    key = FLASH_KEYS + flash * (1 << 32) + int(kind / share * flash_objects[flash])
                else:
                    kind = (kind - share) / (1.0 - share)
        if key < 0 and kind < wonders:
            key = WONDER_KEYS + start + i
        if key >= 0:
            keys[i] = key
