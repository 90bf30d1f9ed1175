"""Requests brought from order of time to order of site and back, by counting."""

import numpy as np
import numpy.typing as npt

from insula_simulator.engine.compiled import compiled

Ints = npt.NDArray[np.int64]


@compiled
def sort_by_site(sites: Ints, starts: Ints, places: Ints, rows: Ints) -> None:
    """``places`` receives where each row goes when those of the first site come first, then those
    of the second, and so on, each in order; ``rows`` which row is at each place; ``starts`` (one
    longer than there are sites) where each site begins."""
    starts[:] = 0
    for i in range(sites.size):
        starts[sites[i] + 1] += 1
    for site in range(1, starts.size):
        starts[site] += starts[site - 1]
    for i in range(sites.size):
        place = starts[sites[i]]
        starts[sites[i]] += 1
        places[i] = place
        rows[place] = i
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
    """``order``, which is longer by one, receives where the least of ``rows`` is, then the next,
    and so on. ``marks`` is as long as rows can be large, and zero; it is left so."""
    for i in range(rows.size):
        marks[rows[i]] = i + 1
    at = 0
    for row in range(marks.size):
        # Written in any case, and kept if it counts: nobody could guess whether.
        order[at] = marks[row] - 1
        at += marks[row] > 0
        marks[row] = 0
