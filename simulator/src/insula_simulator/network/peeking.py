"""Whether a cache has an object, without asking for it."""

import numpy as np
import numpy.typing as npt

from insula_simulator.engine.compiled import compiled
from insula_simulator.engine.state import LISTS, NONE, A, State
from insula_simulator.engine.table import find
from insula_simulator.policies import BY_FLAG, BY_LIST
from insula_simulator.policies.recency import FLAGS, RESIDENT

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@compiled
def _is_ghost(state: State, ghosts: int, slot: int) -> bool:
    """Some policies remember what they have evicted."""
    if ghosts == BY_LIST:
        return bool(state.nodes[slot, A] >= LISTS + 8)
    return ghosts == BY_FLAG and state.nodes[slot, FLAGS] & RESIDENT == 0


@compiled
def peek(
    state: State,
    ghosts: int,
    expires: Floats,
    ready: Floats,
    began: Floats,
    purged: Floats,
    keys: Ints,
    times: Floats,
    found: Flags,
) -> None:
    """Whether each object is there and fresh at its time, given what the cache has now. ``purged``
    as ``freshness.judge`` has it."""
    for i in range(keys.size):
        slot = find(state, keys[i])
        found[i] = False
        if slot == NONE or _is_ghost(state, ghosts, slot):
            continue
        fresh = ready[slot] <= times[i] < expires[slot]
        if fresh and purged.shape[0] > 0:
            fresh = began[slot] > max(purged[i, 0], purged[i, 1])
        found[i] = fresh
