"""A recorded trace as the traffic of a network, a chunk at a time."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from insula_simulator.batch import Batch
from insula_simulator.network.chance import REGION, fill_uniform
from insula_simulator.scenario import Scenario, ScenarioError
from insula_simulator.traces import Chunk, TraceError, evenly, read_trace

Floats = npt.NDArray[np.float64]

LONGEST = 1e9
"""Seconds that a trace may cover at the speed it is played: a broken time would make it ages."""
MOST_BYTES = 1 << 62
"""What its requests may weigh together, so that no sum overflows."""


class Survey(NamedTuple):
    """What one pass over a trace finds: how many requests, and when the first and the last is."""

    requests: int
    first: float
    last: float


class Recording:
    """The trace of a scenario. Read twice: once for its length, which also finds what is broken
    before anything is simulated, and once to be played.

    Raises:
        ScenarioError: the trace cannot be read or used; names the file, its line and the key.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.traffic, self.seed = scenario.traffic, scenario.seed
        self.names = tuple(region.name for region in scenario.regions)
        weights = np.cumsum([region.weight for region in scenario.regions])
        self.shares = weights[:-1] / weights[-1]
        survey = self._survey(scenario.requests)
        self.requests, self.first = survey.requests, survey.first
        span = (survey.last - survey.first) / self.traffic.speed
        if span > LONGEST:
            raise self._error(f"covers {span:,.0f} seconds: raise traffic.speed")
        self.has_times = span > 0
        # The last request has its share of the time too: n requests have n - 1 gaps.
        gaps = self.requests / (self.requests - 1) if self.has_times else 1.0
        self.duration = span * gaps if self.has_times else scenario.duration

    def _survey(self, most: int) -> Survey:
        path = Path(self.traffic.trace)
        try:
            about = path.stat()
            source = self.traffic.trace, self.traffic.format, self.names
            return _survey(*source, most, about.st_mtime_ns, about.st_size)
        except TraceError as error:
            raise self._error(str(error)) from error
        except OSError as error:
            raise self._error(error.strerror or str(error)) from error
        except ValueError as error:  # a path with a NUL in it
            raise self._error(str(error)) from error

    def _error(self, message: str) -> ScenarioError:
        return ScenarioError(f"{self.traffic.trace}: {message} - at `$.traffic.trace`")

    def batches(self, length: int) -> Iterator[Batch]:
        """All requests, ``length`` at a time whatever the format. Who comes before the one ahead
        of him (access logs are written at the end of a request) comes with him.

        Raises:
            ScenarioError: the file changed since the survey.
        """
        number, latest = 0, 0.0
        try:
            chunks = _read(self.traffic.trace, self.traffic.format, self.names)
            for chunk in evenly(chunks, length, self.requests):
                numbers = np.arange(number, number + len(chunk.keys))
                times = np.maximum.accumulate(np.maximum(self._times(chunk, numbers), latest))
                latest = min(float(times[-1]), self.duration)
                np.minimum(times, self.duration, out=times)
                number += len(times)
                regions = self._regions(chunk, numbers)
                yield Batch(numbers, chunk.keys, chunk.sizes, times, regions)
        except (TraceError, OSError) as error:
            raise self._error(str(error)) from error
        if number != self.requests:
            raise self._error("changed while it was read")

    def _times(self, chunk: Chunk, numbers: npt.NDArray[np.int64]) -> Floats:
        if not self.has_times:
            return np.asarray(numbers, np.float64) * (self.duration / self.requests)
        return np.asarray(chunk.times - self.first, np.float64) / self.traffic.speed

    def _regions(self, chunk: Chunk, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """As the trace says; where it does not, by weight."""
        chances = np.empty(len(numbers))
        fill_uniform(self.seed, REGION, numbers, chances)
        drawn = np.searchsorted(self.shares, chances, side="right").astype(np.int64)
        return drawn if chunk.regions is None else np.where(chunk.regions < 0, drawn, chunk.regions)


def settled(scenario: Scenario, recording: Recording | None) -> Scenario:
    """The scenario with the number of requests and the duration of its trace."""
    if recording is None:
        return scenario
    return replace(scenario, requests=recording.requests, duration=recording.duration)


def _read(trace: str, format_: str, names: tuple[str, ...]) -> Iterator[Chunk]:
    with open(trace, "rb") as file:
        yield from read_trace(file, format_, names)


@lru_cache(maxsize=32)
def _survey(
    trace: str, format_: str, names: tuple[str, ...], most: int, changed: int, length: int
) -> Survey:
    """Remembered while the file has the same time of change and length: a sweep reads it once."""
    requests = total = 0
    first = last = 0.0
    for chunk in evenly(_read(trace, format_, names), 1 << 16, most):
        first = first if requests else float(chunk.times[0])
        requests += len(chunk.keys)
        last = max(last, float(chunk.times.max()))
        total += int(chunk.sizes.sum())
    if not requests:
        raise TraceError("the trace holds no request")
    if total > MOST_BYTES:
        raise TraceError("its requests weigh more than 4 exbibytes together")
    return Survey(requests, first, max(first, last))
