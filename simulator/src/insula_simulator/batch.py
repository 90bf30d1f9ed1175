"""Requests on their way: in order of time, split by site and merged again."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(slots=True)
class Batch:
    """Requests at one site. ``numbers`` are their places in the whole run, ``origins`` where each
    came from: a region, or a site of the tier below."""

    numbers: Ints
    keys: Ints
    sizes: Ints
    times: Floats
    origins: Ints

    def __len__(self) -> int:
        return len(self.keys)

    def only(self, rows: Flags | Ints) -> "Batch":
        return Batch(*(getattr(self, each.name)[rows] for each in fields(self)))


def rows_by_site(chosen: Ints, sites: int) -> list[Ints]:
    """The rows of each site, still in order of time."""
    order = np.argsort(chosen.astype(np.uint8), kind="stable")
    return np.split(order, np.cumsum(np.bincount(chosen, minlength=sites))[:-1])


def merged_by_time(parts: Sequence[Batch]) -> tuple[Batch, Ints]:
    """What several sites ask, in order of time (of equal times the first site's first), with
    ``origins`` the site; and the order taken, to bring answers back."""
    for i, part in enumerate(parts):
        part.origins = np.full(len(part), i, np.int64)
    every = Batch(
        *(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(Batch))
    )
    order = np.argsort(every.times, kind="stable")
    return every.only(order), order


def brought_back(answers: Floats, order: Ints, lengths: Sequence[int]) -> list[Floats]:
    """Answers to a merged batch, for each of the sites that asked."""
    back = np.empty(len(order))
    back[order] = answers
    return np.split(back, np.cumsum(lengths)[:-1])
