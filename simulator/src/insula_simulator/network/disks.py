"""The disks of a site: each reads and writes one object after the other."""

import numpy as np
import numpy.typing as npt

from insula_simulator.engine.compiled import compiled
from insula_simulator.network.chance import mixed

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

DISK = 39


@compiled
def use_disks(
    seek: float,
    throughput: float,
    free_at: Floats,
    keys: Ints,
    sizes: Ints,
    times: Floats,
    reads: Flags,
    writes: Flags,
    seconds: Floats,
) -> None:
    """Requests in order of time; an object is on the disk that its key says. ``seconds`` is how
    long each read takes with its waiting. Nobody waits for a write but the reads behind it."""
    for i in range(keys.size):
        seconds[i] = 0.0
        if not reads[i] and not writes[i]:
            continue
        disk = np.int64(mixed(keys[i], DISK, 0) % np.uint64(free_at.size))
        free_at[disk] = max(free_at[disk], times[i]) + seek + sizes[i] / throughput
        if reads[i]:
            seconds[i] = free_at[disk] - times[i]
