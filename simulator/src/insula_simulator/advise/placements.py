"""Which edges to keep, judged by distance alone: the simulation judges what is left."""

from itertools import combinations

import numpy as np

from insula_simulator import layout
from insula_simulator.scenario import Scenario

ALL_UP_TO = 4
"""With so many edges every choice of them is a candidate."""


def placements(scenario: Scenario) -> list[tuple[str, ...]]:
    """Choices of edges, largest first. Of many edges a chain, which leaves out one after the other
    whose users are the least worse off (the reverse greedy algorithm for k-medians; Chrobak, Kenyon
    and Young, Information Processing Letters 2006)."""
    names = [edge.name for edge in scenario.edges]
    if len(names) <= ALL_UP_TO:
        return [each for count in range(len(names), 0, -1) for each in combinations(names, count)]
    distances = layout.rtts(scenario, scenario.regions, scenario.edges, users=True)
    weights = np.array([region.weight for region in scenario.regions])
    kept, chain = list(range(len(names))), []
    while kept:
        chain.append(tuple(names[i] for i in kept))
        kept = min(
            ([i for i in kept if i != gone] for gone in kept),
            key=lambda left: float(weights @ distances[:, left].min(axis=1)) if left else 0.0,
        )
    return chain
