"""Requests for several classes of content, among them objects that are seen piece by piece.

A key has its class in bits 54 to 59 (0 where there is one class only), the object in the 34 bits
below, and the chunk in the last 20, so that whoever meets a key knows what it is of.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from insula_simulator.engine.compiled import compiled
from insula_simulator.network.chance import exponential, mixed, uniform
from insula_simulator.network.traffic import FLASH_KEYS

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

CLASS_SHIFT, CHUNK_BITS = 54, 20
OBJECT_BITS = CLASS_SHIFT - CHUNK_BITS
WONDERS = 1 << (OBJECT_BITS - 1)
"""Objects from here on are asked for once."""
CLASS, OBJECT, SEEK, WATCHED, VERSION = range(32, 37)
"""Streams of chance."""
WHOSE, AT, ASKED_TO, STAYS_TO, FROM = range(5)
"""What a viewer sees, the next byte, the ends of this range and of what is wanted, the region."""


class Mix(NamedTuple):
    """Classes of content, a place each. Popularity (Walker's alias tables) and sizes of all objects
    stand one after the other; those of a class start at ``first``. ``chunk`` is 0 where objects
    are asked for whole. ``viewers`` has a row a time bin."""

    seed: int
    bin_width: float
    shares: Floats
    first: Ints
    objects: Ints
    threshold: Floats
    alias: Ints
    sizes: Ints
    drift: Floats
    wonders: Floats
    chunk: Ints
    range: Ints
    finish: Floats
    watched: Floats
    viewers: Ints


class Viewers(NamedTuple):
    """Who is watching: rows of viewers, those of a class from ``first`` on, and whose turn it
    is."""

    rows: Ints
    first: Ints
    turn: Ints


@compiled
def draw_mix(
    mix: Mix,
    viewers: Viewers,
    start: int,
    keys: Ints,
    sizes: Ints,
    times: Floats,
    regions: Ints,
    wanted: Ints,
) -> None:
    """What requests from number ``start`` are for, but for those of flash crowds, which stay.
    ``sizes`` is of what a cache keeps, ``wanted`` the bytes of it that the client asks for.

    Viewers of a class take turns, and there are as many as its load and their pace ask for."""
    last, bins = mix.shares.size - 1, mix.viewers.shape[0]
    for i in range(keys.size):
        wanted[i] = sizes[i]
        if FLASH_KEYS <= keys[i] < 2 * FLASH_KEYS:
            continue
        chance, kind = uniform(mix.seed, CLASS, start + i), 0
        while kind < last and chance >= mix.shares[kind]:
            kind += 1
        if mix.chunk[kind] == 0:
            thing = _draw_object(mix, kind, start + i, times[i])
            keys[i] = ((kind + 1) << CLASS_SHIFT) | (thing << CHUNK_BITS)
            sizes[i] = wanted[i] = object_size(mix, kind, thing)
            continue
        time_bin = min(int(times[i] / mix.bin_width), bins - 1)
        turn = viewers.turn[kind]
        if turn >= mix.viewers[time_bin, kind]:
            turn = 0
        row = viewers.rows[viewers.first[kind] + turn]
        if row[AT] >= row[STAYS_TO]:
            _begin(mix, kind, start + i, times[i], row)
            row[FROM] = regions[i]
        if row[AT] >= row[ASKED_TO]:
            row[ASKED_TO] = min(row[AT] + mix.range[kind], row[STAYS_TO])
        size, chunk = object_size(mix, kind, row[WHOSE]), row[AT] // mix.chunk[kind]
        until = min(row[ASKED_TO], (chunk + 1) * mix.chunk[kind])
        keys[i] = ((kind + 1) << CLASS_SHIFT) | (row[WHOSE] << CHUNK_BITS) | chunk
        sizes[i] = min(mix.chunk[kind], size - chunk * mix.chunk[kind])
        wanted[i] = until - row[AT]
        regions[i] = row[FROM]
        row[AT] = until
        viewers.turn[kind] = turn + 1 if until >= row[ASKED_TO] else turn


@compiled
def _begin(mix: Mix, kind: int, number: int, time: float, row: Ints) -> None:
    """Somebody chooses an object, and how much of it they will see."""
    row[WHOSE] = _draw_object(mix, kind, number, time)
    size = object_size(mix, kind, row[WHOSE])
    row[AT], row[ASKED_TO], row[STAYS_TO] = 0, 0, size
    if uniform(mix.seed, SEEK, number) >= mix.finish[kind]:
        part = mix.watched[kind] * exponential(mix.seed, WATCHED, number)
        row[STAYS_TO] = max(1, min(size, int(part * size)))


@compiled
def _draw_object(mix: Mix, kind: int, number: int, time: float) -> int:
    objects, first = mix.objects[kind], mix.first[kind]
    drawn = uniform(mix.seed, OBJECT, number)
    if drawn < mix.wonders[kind]:
        return WONDERS | (number & (WONDERS - 1))
    drawn = (drawn - mix.wonders[kind]) / (1.0 - mix.wonders[kind]) * objects
    rank = min(int(drawn), objects - 1)
    if drawn - rank >= mix.threshold[first + rank]:
        rank = mix.alias[first + rank]
    if mix.drift[kind] > 0:
        versions = int(time / 3600.0 * mix.drift[kind] + uniform(rank, VERSION, kind))
        rank += objects * versions
    return int(rank & (WONDERS - 1))


@compiled
def object_size(mix: Mix, kind: int, thing: int) -> int:
    """Of the whole object: the catalogue's in order, others by chance."""
    objects = mix.objects[kind]
    place = thing if thing < objects else np.int64(mixed(thing, 0, kind) % np.uint64(objects))
    return int(mix.sizes[mix.first[kind] + place])
