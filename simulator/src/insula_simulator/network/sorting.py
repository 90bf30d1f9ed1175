"""Requests brought from order of time to order of site and back, by counting."""

import numpy as np
import numpy.typing as npt

from insula_simulator.engine.compiled import compiled

Ints = npt.NDArray[np.int64]


@compiled
def sort_by_site(sites: Ints, starts: Ints, order: Ints) -> None:
    """``order`` receives the rows of the first site, then of the second, and so on, each in order;
    ``starts`` (one longer than there are sites) where each begins."""
    starts[:] = 0
    for i in range(sites.size):
        starts[sites[i] + 1] += 1
    for site in range(1, starts.size):
        starts[site] += starts[site - 1]
    for i in range(sites.size):
        order[starts[sites[i]]] = i
        starts[sites[i]] += 1
    for site in range(starts.size - 1, 0, -1):
        starts[site] = starts[site - 1]
    starts[0] = 0


@compiled
def gather(values: Ints, rows: Ints, chosen: Ints) -> None:
    for i in range(rows.size):
        chosen[i] = values[rows[i]]


@compiled
def spread(values: Ints, rows: Ints, places: Ints) -> None:
    """The reverse of ``gather``."""
    for i in range(rows.size):
        places[rows[i]] = values[i]


@compiled
def sort_rows(rows: Ints, marks: Ints, order: Ints) -> None:
    """``order`` receives where the least of ``rows`` is, then the next, and so on. ``marks`` is as
    long as rows can be large, and zero; it is left so."""
    for i in range(rows.size):
        marks[rows[i]] = i + 1
    at = 0
    for row in range(marks.size):
        if marks[row] > 0:
            order[at] = marks[row] - 1
            at += 1
            marks[row] = 0
