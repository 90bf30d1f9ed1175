"""Requests brought from order of time to order of site and back, by counting."""

import numpy as np
import numpy.typing as npt

from insula_simulator.engine.compiled import compiled

Ints = npt.NDArray[np.int64]
Rows = npt.NDArray[np.int32]
"""Of one chunk: half as much memory to go through."""


@compiled
def sort_by_site(
    sites: Ints, starts: Ints, places: Rows, rows: Rows, numbers: Ints, sent: Ints
) -> None:
    """``places`` receives where each row goes when those of the first site come first, then those
    of the second, and so on, each in order; ``rows`` which row is at each place, ``sent`` its
    number; ``starts`` (one longer than there are sites) where each site begins."""
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
        sent[place] = numbers[i]
    for site in range(starts.size - 1, 0, -1):
        starts[site] = starts[site - 1]
    starts[0] = 0


@compiled
def gather(values: Ints, rows: Rows, chosen: Ints) -> None:
    for i in range(rows.size):
        chosen[i] = values[rows[i]]


@compiled
def gather_two(values: Ints, others: Ints, rows: Rows, chosen: Ints, other_chosen: Ints) -> None:
    """Two at a time, which reads ``rows`` once."""
    for i in range(rows.size):
        row = rows[i]
        chosen[i] = values[row]
        other_chosen[i] = others[row]


@compiled
def spread_two(values: Ints, others: Ints, rows: Rows, places: Ints, other_places: Ints) -> None:
    """More than two at a time write to more places than a processor can keep apart."""
    for i in range(rows.size):
        place = rows[i]
        places[place] = values[i]
        other_places[place] = others[i]


@compiled
def mark(rows: Rows, chosen: Ints, first: int, marks: Rows) -> None:
    """Number those of ``rows`` that are chosen, from ``first`` on."""
    for i in range(chosen.size):
        marks[rows[chosen[i]]] = first + i


@compiled
def rank(marks: Rows, numbers: Rows, places: Rows) -> None:
    """``numbers``, which is longer by one, receives those among ``marks`` in their order, and
    ``places`` for each the place that it has there. 0 is no number, and ``marks`` are left zero."""
    at = 0
    for row in range(marks.size):
        # Written in any case, and kept if it counts: nobody could guess whether.
        numbers[at] = marks[row]
        places[marks[row]] = at
        at += marks[row] > 0
        marks[row] = 0
