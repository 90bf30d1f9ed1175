"""Classes of content as arrays, and who is watching."""

from itertools import accumulate

import numpy as np
import numpy.typing as npt

from insula_simulator.batch import Batch
from insula_simulator.content.variants import variants_of
from insula_simulator.layout import BINS, sizes_of
from insula_simulator.network.mixes import FROM, Mix, Viewers, draw_mix
from insula_simulator.network.traffic import Plan, alias_table
from insula_simulator.scenario import Content, Scenario

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

MOST_VIEWERS = 1_000_000
"""At a time and in a class; who would be more asks for ranges more often."""


class Demand:
    """Requests of a scenario with classes, drawn in order. ``plan`` is of all its traffic."""

    def __init__(self, scenario: Scenario, plan: Plan) -> None:
        self.mix = _mix(scenario, plan)
        self.variants = variants_of(scenario.traffic.classes)
        most = self.mix.viewers.max(axis=0)
        self.viewers = Viewers(
            np.zeros((int(most.sum()), FROM + 1), np.int64),
            np.concatenate([[0], np.cumsum(most)[:-1]]),
            np.zeros(len(most), np.int64),
        )
        self.drawn: list[tuple[int, Ints]] = []

    def turn_to_classes(self, batch: Batch) -> None:
        """Change what the requests are for."""
        start, wanted = int(batch.numbers[0]), np.empty(len(batch), np.int64)
        draw_mix(
            self.mix, self.viewers, start, batch.keys, batch.sizes, batch.times, batch.origins,
            wanted,
        )  # fmt: skip
        for each in self.variants:
            each.choose(self.mix.seed, batch, wanted)
        # The chunk before is not over yet: requests are drawn one chunk ahead.
        self.drawn = [*self.drawn[-1:], (start, wanted)]

    def wanted_of(self, batch: Batch) -> Ints:
        """Bytes that the clients of some requests of one chunk asked for."""
        if not len(batch):
            return batch.sizes
        first = int(batch.numbers[0])
        start, wanted = [each for each in self.drawn if each[0] <= first][-1]
        return wanted[batch.numbers - start]


def _mix(scenario: Scenario, plan: Plan) -> Mix:
    classes = scenario.traffic.classes
    shares = np.array([each.share for each in classes])
    shares /= shares.sum()
    tables = [alias_table(np.arange(1.0, each.objects + 1) ** -each.zipf) for each in classes]
    counts = [each.objects for each in classes]
    return Mix(
        scenario.seed,
        scenario.duration / BINS,
        np.cumsum(shares),
        np.array([0, *accumulate(counts[:-1])], np.int64),
        np.array(counts, np.int64),
        np.concatenate([threshold for threshold, _ in tables]),
        np.concatenate([alias for _, alias in tables]),
        np.concatenate(
            [
                sizes_of(each.sizes, each.objects, scenario.seed + i)
                for i, each in enumerate(classes)
            ]
        ),
        np.array([each.drift for each in classes]),
        np.array([each.one_hit_wonders for each in classes]),
        np.array([each.chunk or 0 for each in classes], np.int64),
        np.array([each.range or each.chunk or 0 for each in classes], np.int64),
        np.array([each.finish for each in classes]),
        np.array([each.watched for each in classes]),
        _viewers(scenario, plan, shares),
    )


def _viewers(scenario: Scenario, plan: Plan, shares: Floats) -> Ints:
    """For each time bin how many viewers of each class it takes to make its load."""
    rate = np.diff(plan.cumulative) * scenario.requests / np.diff(plan.bin_edges)
    asks = np.array([_seconds_a_request(each) for each in scenario.traffic.classes])
    watching = np.ceil(rate[:, None] * shares * asks)
    viewers: Ints = np.clip(watching, 1, MOST_VIEWERS).astype(np.int64)
    return viewers


def _seconds_a_request(each: Content) -> float:
    """A range over several chunks is a request for each."""
    if not each.chunk or not each.range:
        return each.pace
    return each.pace / max(1.0, each.range / each.chunk)
