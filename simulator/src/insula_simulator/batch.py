"""Requests on their way: in order of time, split by site and merged again."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from insula_simulator.network.sorting import gather, sort_by_site, sort_rows, spread
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
        chosen = np.flatnonzero(rows) if rows.dtype == bool else np.asarray(rows, np.int64)
        place = shelf or Shelf()
        return Batch(
            *(_gathered(getattr(self, each.name), chosen, place, each.name) for each in COLUMNS)
        )

    def sent(self, places: Ints, shelf: Shelf) -> "Batch":
        """Each row at its new place. To read in order and write to a few places that advance is
        quicker than the reverse (``only``)."""
        columns = []
        for each in COLUMNS:
            values = getattr(self, each.name)
            columns.append(shelf.take(each.name, len(places), values.dtype))
            spread(values.view(np.int64), places, columns[-1].view(np.int64))
        return Batch(*columns)

    def part(self, start: int, end: int) -> "Batch":
        """A view: nothing is copied."""
        return Batch(*(getattr(self, each.name)[start:end] for each in COLUMNS))


COLUMNS = fields(Batch)


def _gathered(values: npt.NDArray[Any], rows: Ints, shelf: Shelf, name: str) -> npt.NDArray[Any]:
    """Every column has eight bytes a row: one kernel copies them all."""
    chosen = shelf.take(name, len(rows), values.dtype)
    gather(values.view(np.int64), rows, chosen.view(np.int64))
    return chosen


@dataclass(slots=True)
class Sorted:
    """A batch in order of site, each site's part in order of time. ``rows`` is where each request
    was before."""

    batch: Batch
    rows: Ints
    starts: list[int]
    parts: list[Batch]

    def asks(self, asked: list[Ints], shelf: Shelf) -> tuple[Batch, Ints]:
        """What the sites ask, given the rows of each that do, in order of time, with ``origins``
        the site; and where each is in the sites' lists one after the other."""
        lengths = [len(rows) for rows in asked]
        places, sites = (shelf.take(name, sum(lengths)) for name in ("places", "sites"))
        at = 0
        for site, rows in enumerate(asked):
            end = at + len(rows)
            np.add(rows, self.starts[site], out=places[at:end])
            sites[at:end] = site
            at = end
        order, marks = shelf.take("order", len(places) + 1), shelf.take("marks", len(self.rows))
        sort_rows(_gathered(self.rows, places, shelf, "rows"), marks, order)
        order = order[:-1]
        batch = self.batch.only(_gathered(places, order, shelf, "chosen"), shelf)
        batch.origins = _gathered(sites, order, shelf, "asking")
        return batch, order


def sorted_by_site(batch: Batch, chosen: Ints, sites: int, shelf: Shelf) -> Sorted:
    """Split a batch by the site chosen for each request."""
    count, starts = len(batch), np.empty(sites + 1, np.int64)
    places, rows = shelf.take("places", count), shelf.take("rows", count)
    sort_by_site(chosen, starts, places, rows)
    ordered, bounds = batch.sent(places, shelf), starts.tolist()
    parts = [ordered.part(bounds[i], bounds[i + 1]) for i in range(sites)]
    return Sorted(ordered, rows, bounds, parts)


def brought_back(answers: Floats, order: Ints, lengths: list[int]) -> list[Floats]:
    """Answers to a merged batch, for each of the sites that asked."""
    back = np.empty(len(order))
    spread(answers.view(np.int64), order, back.view(np.int64))
    return np.split(back, np.cumsum(lengths)[:-1])
