"""What follows from an object's key: its class, its freshness, its tags."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from insula_simulator.network.chance import fill_uniform
from insula_simulator.network.mixes import CHUNK_BITS, CLASS_SHIFT, OBJECT_BITS
from insula_simulator.network.traffic import FLASH_KEYS
from insula_simulator.scenario import Http, Scenario
from insula_simulator.scenario.checks import ALL

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

TAG_STREAM = 64
"""Streams of chance of tags start here."""


def key_of(kind: int, numbers: Ints) -> Ints:
    """The keys of the first chunks of a class's objects."""
    return (kind << CLASS_SHIFT) | (numbers << CHUNK_BITS) if kind else numbers


@dataclass
class Catalogue:
    """Rows are classes: first what has none. ``terms`` as ``freshness.judge`` wants them."""

    names: dict[str, int]
    terms: Floats
    cacheable: Flags
    tags: dict[str, Floats] = field(default_factory=dict)
    """For each tag the share of each class that carries it."""

    def kinds(self, keys: Ints) -> Ints:
        """The class of each key, from 1; 0 where there are none, and what flash crowds ask for."""
        if len(self.cacheable) == 1:
            return np.zeros(len(keys), np.int64)
        return np.where(keys < FLASH_KEYS, keys >> CLASS_SHIFT, 0)

    def objects(self, keys: Ints) -> Ints:
        """The object, whatever chunk of it; what is in no class is its own number."""
        in_class = (keys >> CHUNK_BITS) & ((1 << OBJECT_BITS) - 1)
        return np.where(self.kinds(keys) > 0, in_class, keys)

    def whole(self, keys: Ints) -> Ints:
        """The key of an object's first chunk."""
        return np.where(self.kinds(keys) > 0, keys & ~np.int64((1 << CHUNK_BITS) - 1), keys)

    def carries(self, tag: str, keys: Ints) -> Flags:
        """Whether each key is of an object with this tag."""
        of, chances = self.kinds(keys), np.empty(len(keys))
        if tag == "*":
            return np.ones(len(keys), bool)
        stream = TAG_STREAM + list(self.tags).index(tag)
        fill_uniform(stream, stream, self.objects(keys), chances)
        carried: Flags = chances < self.tags[tag][of]
        return carried


def catalogue(scenario: Scenario) -> Catalogue:
    classes = scenario.traffic.classes
    found = Catalogue(
        {each.name: i + 1 for i, each in enumerate(classes)} or {ALL: 0},
        np.tile(plain_terms(scenario.http), (len(classes) + 1, 1)),
        np.array([True] + [each.cacheable for each in classes]),
    )
    for i, each in enumerate(classes, 1):
        own = (each.ttl, each.stale_while_revalidate, each.stale_if_error)
        for column, value in enumerate(own):
            if value is not None:
                found.terms[i, column] = value
        for tag, share in each.tags.items():
            found.tags.setdefault(tag, np.zeros(len(classes) + 1))[i] = share
    return found


def plain_terms(http: Http) -> Floats:
    """Terms of whatever has no others: one row."""
    return np.array([[http.ttl, http.stale_while_revalidate, http.stale_if_error]])
