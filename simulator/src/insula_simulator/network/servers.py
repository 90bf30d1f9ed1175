"""A pool of servers with one queue in order of arrival, timeouts, retries and autoscaling.

The next request goes to the server that is free first, which is exact for first come, first served
(Kiefer and Wolfowitz 1955). Free times are a binary heap, and of servers that are free already none
is kept: a step costs the logarithm of how many are busy, which is mostly few.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from insula_simulator.engine.compiled import allocating, compiled
from insula_simulator.network.chance import SERVICE, exponential, fill_exponential
from insula_simulator.network.scaling import (
    LOOK_AT,
    Scaler,
    Scaling,
    booting,
    decide,
    new_scaler,
    next_decision,
    note,
)

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

ACTIVE, HELD, PEAK = 0, 1, 2
BUSY, TOKENS, NEXT_LOOK, SERVER_SECONDS, LAST = 0, 1, 2, 3, 4
MOST_TOKENS = 1000.0
"""Retries that may be saved up."""
TOGETHER = 256
"""Requests of which it is asked at a time whether any has to wait."""


class Pool(NamedTuple):
    """``free_at`` is a heap of ``counts[HELD]`` free times: of all the busy ones of
    ``counts[ACTIVE]`` servers."""

    free_at: Floats
    counts: Ints
    gauges: Floats
    scaler: Scaler


class PoolRules(NamedTuple):
    """Seconds. ``spread`` 0 is a constant service time, 1 an exponential one. ``retries`` may be
    ``retry_budget`` of all requests. ``most`` above ``least`` switches autoscaling on: every
    ``interval`` the pool moves to what would have been ``target`` busy, or as ``scaling`` says;
    servers boot for ``boot``.
    ``slow`` has rows of from, to, factor."""

    seed: int
    service: float
    spread: float
    timeout: float
    retry_budget: float
    least: int
    most: int
    target: float
    interval: float
    boot: float
    slow: Floats
    scaling: Scaling = Scaling()


def new_pool(rules: PoolRules) -> Pool:
    scaler = new_scaler(rules.scaling, rules.least, rules.most, rules.interval)
    gauges = np.zeros(5)
    gauges[NEXT_LOOK] = next_decision(scaler)
    counts = np.array([rules.least, 0, rules.least])
    return Pool(np.zeros(max(rules.least, rules.most)), counts, gauges, scaler)


@compiled
def _sink(heap: Floats, count: int) -> None:
    """Restore the order after the root changed."""
    value, place = heap[0], 0
    while 2 * place + 1 < count:
        child = 2 * place + 1
        if child + 1 < count and heap[child + 1] < heap[child]:
            child += 1
        if heap[child] >= value:
            break
        heap[place] = heap[child]
        place = child
    heap[place] = value


@compiled
def _join(heap: Floats, count: int, free_at: float) -> None:
    place = count
    while place > 0 and heap[(place - 1) >> 1] > free_at:
        heap[place] = heap[(place - 1) >> 1]
        place = (place - 1) >> 1
    heap[place] = free_at


@compiled
def _freed(heap: Floats, held: int, now: float) -> int:
    """Forget the free times of servers that are free; answers how many are busy."""
    while held > 0 and heap[0] <= now:
        held -= 1
        heap[0] = heap[held]
        _sink(heap, held)
    return held


@compiled
def _look(pool: Pool, rules: PoolRules, now: float) -> None:
    """One decision of the autoscaler."""
    counts, gauges, scaler = pool.counts, pool.gauges, pool.scaler
    _pass(pool, now)
    there, looks = counts[ACTIVE], now >= scaler.gauges[LOOK_AT]
    ready = there - booting(scaler, now)
    wanted = decide(
        scaler, rules.scaling, rules.target, rules.interval, gauges[BUSY], there, ready, now
    )
    while counts[ACTIVE] < wanted:
        _join(pool.free_at, counts[HELD], now + rules.boot)
        counts[HELD] += 1
        counts[ACTIVE] += 1
    while counts[ACTIVE] > wanted:
        counts[HELD] = _freed(pool.free_at, counts[HELD], now)
        if counts[HELD] >= counts[ACTIVE]:
            break
        counts[ACTIVE] -= 1
    counts[PEAK] = max(counts[PEAK], counts[ACTIVE])
    note(scaler, rules.boot, now, there, counts[ACTIVE])
    if looks:
        gauges[BUSY] = 0.0
    gauges[NEXT_LOOK] = next_decision(scaler)


@compiled
def _pass(pool: Pool, now: float) -> None:
    """Count the seconds of servers until now."""
    gauges = pool.gauges
    gauges[SERVER_SECONDS] += pool.counts[ACTIVE] * max(0.0, now - gauges[LAST])
    gauges[LAST] = max(now, gauges[LAST])


@compiled
def _attempt(pool: Pool, rules: PoolRules, time: float, chance: float) -> float:
    """Seconds until answered, or -1 when the queue outlasts the timeout (the request leaves it).
    ``chance`` is exponential, of mean 1."""
    gauges = pool.gauges
    if rules.most > rules.least:
        while time >= gauges[NEXT_LOOK]:
            _look(pool, rules, gauges[NEXT_LOOK])
    _pass(pool, time)
    counts, heap = pool.counts, pool.free_at
    counts[HELD] = _freed(heap, counts[HELD], time)
    waits = counts[HELD] >= counts[ACTIVE]
    begin = heap[0] if waits else time
    if begin - time > rules.timeout:
        return -1.0
    service = rules.service * (1.0 - rules.spread + rules.spread * chance)
    for i in range(rules.slow.shape[0]):
        if rules.slow[i, 0] <= time < rules.slow[i, 1]:
            service *= rules.slow[i, 2]
    if waits:
        heap[0] = begin + service
        _sink(heap, counts[HELD])
    else:
        _join(heap, counts[HELD], begin + service)
        counts[HELD] += 1
    gauges[BUSY] += service
    answered: float = begin + service - time
    return answered


@allocating
def serve(pool: Pool, rules: PoolRules, times: Floats, first: int, answered: Floats) -> int:
    """Requests in order of time; ``answered`` receives the seconds each took, -1 for a failure.
    A request that timed out is tried once more while the budget lasts. Answers the retries."""
    waiting = np.empty(times.size, np.int64)
    head = tail = 0
    tokens = pool.gauges[TOKENS]
    fill_exponential(rules.seed, SERVICE, first, answered)
    begin = 0
    if rules.most <= rules.least and _as_quick_as_ever(rules.slow, times):
        begin = _serve_steadily(
            pool.free_at, pool.counts, rules.service, rules.spread, rules.timeout, times, answered
        )
        tokens = min(tokens + begin * rules.retry_budget, MOST_TOKENS)
        if begin > 0:
            _pass(pool, times[begin - 1])
        if begin < times.size:
            fill_exponential(rules.seed, SERVICE, first + begin, answered[begin:])
    for i in range(begin, times.size):
        while head < tail and times[waiting[head]] + rules.timeout <= times[i]:
            _retry(pool, rules, times, first, answered, waiting[head])
            head += 1
        answered[i] = _attempt(pool, rules, times[i], answered[i])
        tokens = min(tokens + rules.retry_budget, MOST_TOKENS)
        if answered[i] < 0 and tokens >= 1.0:
            tokens -= 1.0
            waiting[tail] = i
            tail += 1
    pool.gauges[TOKENS] = tokens
    while head < tail:
        _retry(pool, rules, times, first, answered, waiting[head])
        head += 1
    return tail


@compiled
def _as_quick_as_ever(slow: Floats, times: Floats) -> bool:
    for i in range(slow.shape[0]):
        if times.size > 0 and slow[i, 0] <= times[times.size - 1] and times[0] < slow[i, 1]:
            return False
    return True


@compiled
def _serve_steadily(
    heap: Floats,
    counts: Ints,
    service: float,
    spread: float,
    timeout: float,
    times: Floats,
    answered: Floats,
) -> int:
    """What ``serve`` comes to for servers that are always as many and as quick as ever, up to the
    first request whose queue outlasts the timeout. ``answered`` has the chances at first, and of
    those not served the seconds that a server would have taken. Answers how many were served."""
    for i in range(times.size):
        answered[i] = service * (1.0 - spread + spread * answered[i])
    for start in range(0, times.size, TOGETHER):
        end = min(start + TOGETHER, times.size)
        if not _serve_at_once(heap, counts, times, answered, start, end):
            served = _queue(heap, counts, timeout, times, answered, start, end)
            if served < end:
                return served
    return times.size


@compiled
def _serve_at_once(
    heap: Floats, counts: Ints, times: Floats, takes: Floats, start: int, end: int
) -> bool:
    """Requests none of which waits, if that is plain to see: never do as many come within the
    longest service of them as there are servers free at first."""
    held, last, longest = _freed(heap, counts[HELD], times[start]), times[end - 1], 0.0
    for i in range(start, end):
        longest = max(longest, takes[i])
    longest += 1e-12 * last  # more than what rounding makes of times
    free, crowded = counts[ACTIVE] - held, 0
    for i in range(start + free, end):
        crowded += times[i] - times[i - free] <= longest
    counts[HELD] = held
    if free <= 0 or crowded > 0:
        return False
    held, i = _freed(heap, held, last), end - 1
    while i >= start and times[i] + longest > last:
        if times[i] + takes[i] > last:
            _join(heap, held, times[i] + takes[i])
            held += 1
        i -= 1
    counts[HELD] = held
    return True


@compiled
def _queue(
    heap: Floats, counts: Ints, timeout: float, times: Floats, answered: Floats, start: int,
    end: int,
) -> int:  # fmt: skip
    """One after the other. Answers which is the first whose queue outlasts the timeout, or the
    end."""
    held, active = counts[HELD], counts[ACTIVE]
    served = end
    for i in range(start, end):
        time, takes = times[i], answered[i]
        held = _freed(heap, held, time)
        if held < active:
            _join(heap, held, time + takes)
            held += 1
        elif heap[0] - time > timeout:
            served = i
            break
        else:
            begin = heap[0]
            heap[0] = begin + takes
            _sink(heap, held)
            answered[i] = begin + takes - time
    counts[HELD] = held
    return served


@compiled
def _retry(
    pool: Pool, rules: PoolRules, times: Floats, first: int, answered: Floats, which: int
) -> None:
    chance = exponential(rules.seed, SERVICE, first + which)
    took = _attempt(pool, rules, times[which] + rules.timeout, chance)
    if took >= 0:
        answered[which] = rules.timeout + took
