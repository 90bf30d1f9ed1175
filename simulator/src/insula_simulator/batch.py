"""Requests on their way: in order of time, split by site and merged again."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from insula_simulator.network.sorting import gather, sort_by_site, sort_rows, spread

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

    def only(self, rows: Flags | Ints) -> "Batch":
        chosen = np.flatnonzero(rows) if rows.dtype == bool else np.asarray(rows, np.int64)
        return Batch(*(_gathered(getattr(self, each.name), chosen) for each in fields(self)))

    def part(self, start: int, end: int) -> "Batch":
        """A view: nothing is copied."""
        return Batch(*(getattr(self, each.name)[start:end] for each in fields(self)))


def _gathered(values: npt.NDArray[Any], rows: Ints) -> npt.NDArray[Any]:
    """Every column has eight bytes a row: one kernel copies them all."""
    chosen = np.empty(len(rows), values.dtype)
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

    def asks(self, asked: list[Ints]) -> tuple[Batch, Ints]:
        """What the sites ask, given the rows of each that do, in order of time, with ``origins``
        the site; and where each is in the sites' lists one after the other."""
        places = np.concatenate(
            [rows + start for rows, start in zip(asked, self.starts, strict=False)]
        )
        order = np.empty(len(places), np.int64)
        sort_rows(_gathered(self.rows, places), np.zeros(len(self.rows), np.int64), order)
        batch = self.batch.only(_gathered(places, order))
        sites = np.repeat(np.arange(len(asked)), [len(rows) for rows in asked])
        batch.origins = _gathered(sites, order)
        return batch, order


def sorted_by_site(batch: Batch, chosen: Ints, sites: int) -> Sorted:
    """Split a batch by the site chosen for each request."""
    starts, rows = np.empty(sites + 1, np.int64), np.empty(len(batch), np.int64)
    sort_by_site(chosen, starts, rows)
    ordered, bounds = batch.only(rows), starts.tolist()
    parts = [ordered.part(bounds[i], bounds[i + 1]) for i in range(sites)]
    return Sorted(ordered, rows, bounds, parts)


def brought_back(answers: Floats, order: Ints, lengths: list[int]) -> list[Floats]:
    """Answers to a merged batch, for each of the sites that asked."""
    back = np.empty(len(order))
    spread(answers.view(np.int64), order, back.view(np.int64))
    return np.split(back, np.cumsum(lengths)[:-1])
