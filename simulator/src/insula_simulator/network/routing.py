"""Which edge, which shield: by distance, or by the object's id."""

import hashlib

import numpy as np
import numpy.typing as npt

from insula_simulator.engine.compiled import allocating, compiled
from insula_simulator.network.chance import ROUTE, mixed, uniform
from insula_simulator.network.steering import SLICES

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

MAGLEV_PLACES = 65_537
RING_POINTS = 160
"""Points of a site on the ring (libketama's number)."""
BY_REGION, BY_KEY, BY_WEIGHT, BY_SLICE = range(4)


def hashed(text: str) -> int:
    """64 bits."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def maglev_table(names: list[str], places: int = MAGLEV_PLACES) -> Ints:
    """Maglev's lookup table (Eisenbud et al., NSDI 2016, section 3.4); ``places`` is prime."""
    steps = [
        (hashed(f"{name}/o") % places, hashed(f"{name}/s") % (places - 1) + 1) for name in names
    ]
    table = np.full(places, -1, np.int64)
    offsets = np.array([offset for offset, _ in steps], np.int64)
    skips = np.array([skip for _, skip in steps], np.int64)
    _populate(table, offsets, skips)
    return table


@allocating
def _populate(table: Ints, offsets: Ints, skips: Ints) -> None:
    filled, places = 0, table.size
    at = offsets.copy()
    while True:
        for i in range(offsets.size):
            while table[at[i]] >= 0:
                at[i] = (at[i] + skips[i]) % places
            table[at[i]] = i
            filled += 1
            if filled == places:
                return


def ring_points(names: list[str]) -> tuple[npt.NDArray[np.uint64], Ints]:
    """Hashes in order, and whose each is."""
    points = sorted(
        (hashed(f"{name}/{i}"), n) for n, name in enumerate(names) for i in range(RING_POINTS)
    )
    hashes = np.array([point for point, _ in points], np.uint64)
    return hashes, np.array([owner for _, owner in points], np.int64)


def ring_table(names: list[str], places: int = MAGLEV_PLACES) -> Ints:
    """Consistent hashing (Karger et al. 1997), drawn at ``places`` equidistant places."""
    hashes, owners = ring_points(names)
    wanted = np.linspace(0, 2.0**64, places, endpoint=False).astype(np.uint64)
    owned: Ints = owners[np.searchsorted(hashes, wanted) % len(owners)]
    return owned


def seed_of(name: str) -> int:
    """What a site's weights follow from."""
    return hashed(name) & (2**62 - 1)


def rendezvous_table(names: list[str], places: int = MAGLEV_PLACES) -> Ints:
    """Highest random weight (Thaler and Ravishankar 1998), for each place."""
    seeds = np.array([seed_of(name) for name in names], np.int64)
    table = np.empty(places, np.int64)
    _highest(seeds, table)
    return table


@compiled
def _highest(seeds: Ints, table: Ints) -> None:
    for place in range(table.size):
        best, owner = np.uint64(0), 0
        for i in range(seeds.size):
            weight = mixed(seeds[i], ROUTE, place)
            if weight >= best:
                best, owner = weight, i
        table[place] = owner


@compiled
def route(
    mode: int,
    seed: int,
    first: int,
    keys: Ints,
    regions: Ints,
    times: Floats,
    changes: Floats,
    which: Ints,
    tables: Ints,
    chosen: Ints,
) -> None:
    """Fill in where each request goes. Of ``tables`` each time between ``changes`` has one, which
    ``which`` says: of regions, of places of the hashed key, of equal chances, or of the slices of
    regions."""
    epoch, width = 0, np.uint64(tables.shape[1])
    for i in range(keys.size):
        while epoch < changes.size and times[i] >= changes[epoch]:
            epoch += 1
        if mode == BY_REGION:
            place = regions[i]
        elif mode == BY_KEY:
            place = np.int64(mixed(keys[i], ROUTE, 0) % width)
        elif mode == BY_SLICE:
            place = regions[i] * SLICES + np.int64(uniform(seed, ROUTE, first + i) * SLICES)
        else:
            place = np.int64(uniform(seed, ROUTE, first + i) * tables.shape[1])
        chosen[i] = tables[which[epoch], place]
