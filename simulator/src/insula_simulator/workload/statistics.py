"""A trace described, in one pass."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import msgspec
import numpy as np
import numpy.typing as npt

from insula_simulator.cache import Cache
from insula_simulator.traces import Chunk, TraceError, evenly
from insula_simulator.workload.objects import NEVER, Objects
from insula_simulator.workload.popularity import Zipf, fit_zipf
from insula_simulator.workload.sizes import SizeLaw, fit_sizes

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

WINDOW = 1 << 16
BINS = 64
DISTANCES = [4**power for power in range(13)]
"""Different objects between two requests for one: up to 16.8 million."""
INTERVALS = [10.0**power for power in range(-3, 8)]
DAY = 86_400.0
MOST = 10**18


class Reuse(msgspec.Struct, frozen=True):
    """Shares of all requests. ``within_objects``: at most so many different objects were asked for
    since the last time (the reuse or stack distance; Mattson et al. 1970), which is the hit ratio
    of an LRU cache of so many objects. ``within_seconds``: the last time is at most so long ago."""

    within_objects: dict[str, float]
    within_seconds: dict[str, float]


class Statistics(msgspec.Struct, frozen=True):
    """``working_set`` is how many objects, and bytes of them, 65,536 requests in a row are for, on
    average; ``rate`` is requests a second in bins of ``bin_seconds``."""

    requests: int
    bytes: int
    objects: int
    object_bytes: int
    one_hit_wonders: float
    seconds: float
    working_set: dict[str, float]
    popularity: Zipf
    sizes: SizeLaw
    reuse: Reuse
    bin_seconds: float
    rate: list[float]
    diurnal: float


class Survey:
    """What is added up while a trace passes by."""

    def __init__(self, *, distances: bool = True) -> None:
        self.objects = Objects()
        self.caches = [Cache("lru", size) for size in DISTANCES] if distances else []
        self.bytes = self.window_objects = self.window_bytes = self.windows = 0
        self.hits = np.zeros(len(self.caches), np.int64)
        self.soon = np.zeros(len(INTERVALS), np.int64)
        self.clock = Clock()

    def add(self, pool: ThreadPoolExecutor, chunk: Chunk) -> None:
        before, then = self.objects.ask(chunk.keys, chunk.sizes, chunk.times)
        ones = np.ones_like(chunk.keys)
        played = pool.map(
            lambda cache: int((cache.replay(chunk.keys, ones) >= 0).sum()), self.caches
        )
        self.hits += np.fromiter(played, np.int64, len(self.caches))
        self.bytes += int(chunk.sizes.sum())
        waited = np.maximum(chunk.times - then, 0)[before != NEVER]
        self.soon += (waited[:, None] <= INTERVALS).sum(axis=0)
        self.clock.add(chunk.times)
        fresh = before < self.objects.requests - len(before)
        if len(before) == WINDOW or not self.windows:
            self.windows += 1
            self.window_objects += int(fresh.sum())
            self.window_bytes += int(chunk.sizes[fresh].sum())

    def result(self) -> Statistics:
        counts, sizes = self.objects.known()
        total = self.objects.requests
        bin_seconds, rate = self.clock.rate()
        return Statistics(
            requests=total,
            bytes=self.bytes,
            objects=len(counts),
            object_bytes=int(sizes.sum(dtype=np.float64)),  # whole up to 9 petabytes
            one_hit_wonders=float((counts == 1).mean()),
            seconds=self.clock.span,
            working_set={
                "objects": self.window_objects / self.windows,
                "bytes": self.window_bytes / self.windows,
            },
            popularity=fit_zipf(counts),
            sizes=fit_sizes(sizes),
            reuse=Reuse(
                {
                    str(size): int(hits) / total
                    for size, hits in zip(DISTANCES, self.hits, strict=False)
                },
                {
                    f"{limit:g}": int(soon) / total
                    for limit, soon in zip(INTERVALS, self.soon, strict=True)
                },
            ),
            bin_seconds=bin_seconds,
            rate=rate,
            diurnal=_diurnal(np.array(rate), bin_seconds),
        )


class Clock:
    """Requests over time, in bins that double in width as the trace goes on."""

    def __init__(self) -> None:
        self.first = self.last = 0.0
        self.width = 1e-3
        self.counts: Ints | None = None

    def add(self, times: Floats) -> None:
        if self.counts is None:
            self.first = self.last = float(times[0])
            self.counts = np.zeros(2 * BINS, np.int64)
        self.last = max(self.last, float(times.max()))
        while self.span >= self.width * len(self.counts):
            merged = self.counts[::2] + self.counts[1::2]
            self.counts = np.concatenate([merged, np.zeros_like(merged)])
            self.width *= 2
        places = np.maximum(times - self.first, 0) / self.width
        self.counts += np.bincount(places.astype(np.int64), minlength=len(self.counts))

    @property
    def span(self) -> float:
        return self.last - self.first

    def rate(self) -> tuple[float, list[float]]:
        if self.counts is None or not self.span:
            return 0.0, []
        used = int(self.span / self.width) + 1
        return self.width, (self.counts[:used] / self.width).tolist()


def _diurnal(rate: Floats, width: float) -> float:
    """The amplitude of the daily wave as a share of the mean; 0 of less than a day."""
    if len(rate) * width < DAY or not rate.sum():
        return 0.0
    angle = 2 * np.pi * width / DAY * (np.arange(len(rate)) + 0.5)
    waves = np.stack([np.ones_like(angle), np.cos(angle), np.sin(angle)], axis=1)
    mean, *wave = np.linalg.lstsq(waves, rate, rcond=None)[0]
    return float(min(1.0, np.hypot(*wave) / mean)) if mean > 0 else 0.0


def survey(
    chunks: Iterable[Chunk],
    *,
    distances: bool = True,
    on_chunk: Callable[[int], None] = lambda done: None,
) -> Survey:
    """What a whole trace adds up to. Memory grows with the number of objects only.

    Raises:
        TraceError: the trace is broken, or holds no request.
    """
    found = Survey(distances=distances)
    with ThreadPoolExecutor() as pool:
        for chunk in evenly(chunks, WINDOW, MOST):
            found.add(pool, chunk)
            on_chunk(found.objects.requests)
    if not found.objects.requests:
        raise TraceError("the trace holds no request")
    return found
