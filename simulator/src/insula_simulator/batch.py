"""Requests on their way: in order of time, split by site and merged again."""

from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from insula_simulator.network.sorting import (
    Rows,
    gather,
    gather_two,
    mark,
    rank,
    sort_by_site,
    spread_two,
)
from insula_simulator.shelf import Shelf

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(slots=True)
class Batch:
    """Requests. ``numbers`` are their places in the whole run, ``origins`` where each came from: a
    region, or a site of the tier below."""

    numbers: Ints
    keys: Ints
    sizes: Ints
    times: Floats
    origins: Ints

    def __len__(self) -> int:
        return len(self.keys)

    def only(self, rows: Flags | Ints, shelf: Shelf | None = None) -> "Batch":
        chosen = (np.flatnonzero(rows) if rows.dtype == bool else rows).astype(np.int32)
        place = shelf or Shelf()
        return Batch(
            *(_gathered(getattr(self, each.name), chosen, place, each.name) for each in COLUMNS)
        )

    def part(self, start: int, end: int) -> "Batch":
        """A view: nothing is copied."""
        return Batch(*(getattr(self, each.name)[start:end] for each in COLUMNS))


COLUMNS = fields(Batch)


def _gathered(values: npt.NDArray[Any], rows: Rows, shelf: Shelf, name: str) -> npt.NDArray[Any]:
    """Every column has eight bytes a row: one kernel copies them all."""
    chosen = shelf.take(name, len(rows), values.dtype)
    gather(values.view(np.int64), rows, chosen.view(np.int64))
    return chosen


@dataclass(slots=True)
class Sent:
    """What a site asks upstream: the rows of its batch that do, their columns, and the bytes of
    each answer. At first the memory for so much."""

    rows: Ints
    numbers: Ints
    keys: Ints
    sizes: Ints
    times: Floats
    bodies: Ints

    def __len__(self) -> int:
        return len(self.rows)

    def part(self, start: int, end: int) -> "Sent":
        return Sent(*(getattr(self, each.name)[start:end] for each in fields(Sent)))


@dataclass(slots=True)
class Sorted:
    """A batch in order of site, each site's part in order of time. ``rows`` is where each request
    was before; ``rooms`` are the parts of ``room`` for what each site sends upstream."""

    rows: Rows
    starts: list[int]
    parts: list[Batch]
    room: Sent
    rooms: list[Sent]

    def merged(self, sent: list[Sent], shelf: Shelf) -> "Merged":
        """What the sites ask, in order of time, with ``origins`` the site."""
        lengths = [len(each) for each in sent]
        total, count, room = sum(lengths), len(self.rows), self.room
        merged, bodies = _taken(total, shelf), shelf.take("bodies", total)
        order, marks = shelf.take("order", total + 1, "i4"), shelf.take_zeros("marks", count, "i4")
        places, sites = shelf.take("places", count + 1, "i4"), shelf.take("sites", count + 1)
        for site, (start, each) in enumerate(zip(self.starts, sent, strict=False)):
            first = start + 1  # 0 is no mark
            mark(self.rows[start:], each.rows, first, marks)
            sites[first : first + len(each)] = site
        rank(marks, order, places)
        order, places = order[:-1], places[1:]
        order -= 1
        gather_two(room.numbers, room.keys, order, merged.numbers, merged.keys)
        gather_two(room.sizes, room.bodies, order, merged.sizes, bodies)
        times = merged.times.view(np.int64)
        gather_two(room.times.view(np.int64), sites[1:], order, times, merged.origins)
        mine = [places[start : start + n] for start, n in zip(self.starts, lengths, strict=False)]
        return Merged(merged, bodies, mine)


@dataclass(slots=True)
class Merged:
    """``bodies`` are the bytes of each answer, ``places`` where each site's requests are."""

    batch: Batch
    bodies: Ints
    places: list[Rows]

    def brought_back(self, answers: Floats) -> list[Floats]:
        """Answers to all, for each of the sites that asked."""
        back = [np.empty(len(places)) for places in self.places]
        for places, own in zip(self.places, back, strict=True):
            gather(answers.view(np.int64), places, own.view(np.int64))
        return back


def _taken(count: int, shelf: Shelf) -> Batch:
    kinds = ("f8" if each.name == "times" else "i8" for each in COLUMNS)
    return Batch(*map(shelf.take, (each.name for each in COLUMNS), [count] * len(COLUMNS), kinds))


def sorted_by_site(batch: Batch, chosen: Ints, sites: int, shelf: Shelf) -> Sorted:
    """Split a batch by the site chosen for each request."""
    count, starts = len(batch), np.empty(sites + 1, np.int64)
    rows, places = shelf.take("rows", count, "i4"), shelf.take("places", count, "i4")
    ordered = _taken(count, shelf)
    sort_by_site(chosen, starts, places, rows, batch.numbers, ordered.numbers)
    spread_two(batch.keys, batch.sizes, places, ordered.keys, ordered.sizes)
    times = ordered.times.view(np.int64)
    spread_two(batch.times.view(np.int64), batch.origins, places, times, ordered.origins)
    bounds = starts.tolist()
    room = Sent(
        *(
            shelf.take(f"sent {each.name}", count, "f8" if each.name == "times" else "i8")
            for each in fields(Sent)
        )
    )
    return Sorted(
        rows, bounds, [ordered.part(*ends) for ends in pairwise(bounds)],
        room, [room.part(*ends) for ends in pairwise(bounds)],
    )  # fmt: skip
