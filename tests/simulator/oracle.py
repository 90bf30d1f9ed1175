"""libCacheSim, asked request by request."""

from typing import Any

import libcachesim  # type: ignore[import-untyped]
import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

ORACLES: dict[str, Any] = {
    "lru": libcachesim.LRU,
    "fifo": libcachesim.FIFO,
    "clock": libcachesim.Clock,
    "slru": libcachesim.SLRU,
    "lfu": libcachesim.LFU,
    "gdsf": libcachesim.GDSF,
    "twoq": libcachesim.TwoQ,
    "arc": libcachesim.ARC,
    "lirs": libcachesim.LIRS,
    "s3fifo": libcachesim.S3FIFO,
    "sieve": libcachesim.Sieve,
    "wtinylfu": libcachesim.WTinyLFU,
    "belady": libcachesim.Belady,
}
SMALL_TABLE = 10  # its hash table starts with 2^10 places instead of 2^24


def oracle_hits(
    policy: str, keys: Ints, sizes: Ints, following: Ints, capacity: int
) -> npt.NDArray[np.bool_]:
    """Which requests hit libCacheSim's cache."""
    cache = ORACLES[policy](cache_size=capacity, hashpower=SMALL_TABLE)
    get = libcachesim.ReqOp.OP_GET
    rows = zip(keys.tolist(), sizes.tolist(), following.tolist(), strict=True)
    return np.array(
        [
            cache.get(libcachesim.Request(obj_id=key, obj_size=size, op=get, next_access_vtime=at))
            for key, size, at in rows
        ],
        bool,
    )
