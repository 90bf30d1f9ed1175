"""Requests of a site, balanced among its servers: attempts, retries, ejection, autoscaling."""

import math

import numpy as np

from insula_simulator.engine.compiled import allocating, compiled
from insula_simulator.network.farm import (
    BACK_AT,
    CHOSEN,
    EJECTED,
    EJECTIONS,
    ERRORS,
    FREE_AT,
    LAST,
    LATELY_BUSY,
    MULTIPLIER,
    NEXT_LOOK,
    NEXT_REVIEW,
    ON,
    PEAK,
    READY_AT,
    REFUSED,
    REQUESTS,
    RUNNING,
    SECONDS,
    STARTED,
    STREAK,
    TIMED_OUT,
    TOKENS,
    WARM_FROM,
    WINDOW_ALL,
    WINDOW_OK,
    Farm,
    FarmRules,
    Floats,
    Ints,
    fails,
    join,
    settle,
)
from insula_simulator.network.picking import pick
from insula_simulator.network.scaling import LOOK_AT, decide, next_decision, note


@compiled
def _eject(farm: Farm, rules: FarmRules, s: int, now: float) -> None:
    """For longer each time, and no more servers at a time than the rules let go (but one)."""
    counts, out = farm.counts, 0
    for each in range(counts.shape[0]):
        out += counts[each, EJECTED] * counts[each, ON]
    if out >= max(1.0, rules.ejection.most * farm.tallies[RUNNING]):
        return
    counts[s, EJECTED] = 1
    counts[s, EJECTIONS] += 1
    counts[s, MULTIPLIER] += 1
    counts[s, STREAK] = 0
    away = min(rules.ejection.time * counts[s, MULTIPLIER], rules.ejection.longest)
    farm.servers[s, BACK_AT] = now + away


@compiled
def _failed(farm: Farm, rules: FarmRules, s: int, now: float) -> None:
    counts = farm.counts
    counts[s, ERRORS] += 1
    counts[s, STREAK] += 1
    counts[s, WINDOW_ALL] += 1
    limit = rules.ejection.consecutive
    if 0 < limit <= counts[s, STREAK] and counts[s, EJECTED] == 0:
        _eject(farm, rules, s, now)


@compiled
def _review(farm: Farm, rules: FarmRules, now: float) -> None:
    """What Envoy does once an interval: let servers return, and compare success rates."""
    counts, ejection = farm.counts, rules.ejection
    known, total, squares = 0, 0.0, 0.0
    for s in range(counts.shape[0]):
        settle(farm, s, now)
        if counts[s, EJECTED] != 0:
            if farm.servers[s, BACK_AT] <= now:
                counts[s, EJECTED] = 0
                farm.servers[s, WARM_FROM] = now
        else:
            counts[s, MULTIPLIER] = max(0, counts[s, MULTIPLIER] - 1)
            if counts[s, WINDOW_ALL] >= ejection.requests:
                rate = counts[s, WINDOW_OK] / counts[s, WINDOW_ALL]
                known, total, squares = known + 1, total + rate, squares + rate * rate
    if ejection.deviations > 0 and known >= ejection.servers:
        mean = total / known
        deviation = math.sqrt(max(0.0, squares / known - mean * mean))
        for s in range(counts.shape[0]):
            seen = counts[s, WINDOW_ALL]
            judged = counts[s, EJECTED] == 0 and seen >= ejection.requests
            if judged and counts[s, WINDOW_OK] / seen < mean - ejection.deviations * deviation:
                _eject(farm, rules, s, now)
    for s in range(counts.shape[0]):
        counts[s, WINDOW_OK] = counts[s, WINDOW_ALL] = 0


@compiled
def _scale(farm: Farm, rules: FarmRules, now: float) -> None:
    """One decision of the autoscaler. A server that goes first empties its queue."""
    pool, servers, counts, ready = rules.pool, farm.servers, farm.counts, 0
    for s in range(counts.shape[0]):
        ready += counts[s, ON] == 1 and servers[s, READY_AT] <= now
    there, looks = farm.tallies[RUNNING], now >= farm.scaler.gauges[LOOK_AT]
    wanted = decide(
        farm.scaler, pool.scaling, pool.target, pool.interval, farm.gauges[LATELY_BUSY], there,
        ready, now,
    )  # fmt: skip
    for s in range(counts.shape[0]):
        if counts[s, ON] == 0 and farm.tallies[RUNNING] < wanted:
            counts[s, ON], counts[s, EJECTED], counts[s, STREAK] = 1, 0, 0
            servers[s, STARTED] = max(now, servers[s, FREE_AT])
            servers[s, READY_AT] = servers[s, STARTED] + pool.boot
            servers[s, WARM_FROM] = servers[s, READY_AT]
            farm.tallies[RUNNING] += 1
    for i in range(counts.shape[0]):
        s = counts.shape[0] - 1 - i
        if counts[s, ON] == 1 and farm.tallies[RUNNING] > wanted:
            counts[s, ON] = 0
            servers[s, SECONDS] += max(now, servers[s, FREE_AT]) - servers[s, STARTED]
            farm.tallies[RUNNING] -= 1
    farm.tallies[PEAK] = max(farm.tallies[PEAK], farm.tallies[RUNNING])
    note(farm.scaler, pool.boot, now, there, farm.tallies[RUNNING])
    if looks:
        farm.gauges[LATELY_BUSY] = 0.0
    farm.gauges[NEXT_LOOK] = next_decision(farm.scaler)


@compiled
def _catch_up(farm: Farm, rules: FarmRules, now: float) -> None:
    """Decisions that were due before ``now``."""
    gauges = farm.gauges
    while now >= gauges[NEXT_REVIEW]:
        _review(farm, rules, gauges[NEXT_REVIEW])
        gauges[NEXT_REVIEW] += rules.ejection.interval
    while rules.pool.most > rules.pool.least and now >= gauges[NEXT_LOOK]:
        _scale(farm, rules, gauges[NEXT_LOOK])
    gauges[LAST] = max(gauges[LAST], now)


@compiled
def _send(farm: Farm, rules: FarmRules, now: float, key: int, index: int, avoid: int) -> float:
    """An attempt: seconds until answered, ``REFUSED`` or ``TIMED_OUT``."""
    s = pick(farm, rules, now, key, avoid)
    farm.tallies[CHOSEN] = s
    if s < 0:
        return REFUSED
    settle(farm, s, now)
    farm.counts[s, REQUESTS] += 1
    if fails(farm, rules, s, now):
        _failed(farm, rules, s, now)
        return REFUSED
    took: float = join(farm, rules, s, now, index)
    return took


@compiled
def _may_retry(farm: Farm) -> bool:
    if farm.gauges[TOKENS] < 1.0:
        return False
    farm.gauges[TOKENS] -= 1.0
    return True


@allocating
def balance(
    farm: Farm, rules: FarmRules, keys: Ints, times: Floats, first: int, answered: Floats
) -> int:
    """Requests in order of time; ``answered`` receives the seconds each took, -1 for a failure. A
    failure is tried once more at another server while the budget lasts: what is refused at once,
    what times out in a queue after the timeout. Those that wait for that at the end of the chunk
    join their second queue then, up to a timeout early, rather than keep it for later while others
    could be served. Answers the retries."""
    # Who waits for a timeout, in order of time: the request, its server (-1 - server: a retry).
    late = np.empty(2 * times.size, np.int64)
    where = np.empty(2 * times.size, np.int64)
    due = np.empty(2 * times.size)
    head = tail = retries = 0
    i, clock = 0, 0.0
    while i < times.size or head < tail:
        again = head == tail or (i < times.size and times[i] < due[head])
        if again:
            which, now, s = i, times[i], -1
            i, clock = i + 1, now
            answered[which] = -1.0
            _catch_up(farm, rules, now)
            farm.gauges[TOKENS] = min(farm.gauges[TOKENS] + rules.pool.retry_budget, 1000.0)
        else:
            which, now, s = late[head], due[head], where[head]
            head += 1
            clock = now if i < times.size else clock
            _failed(farm, rules, max(s, -1 - s), now)
            if s < 0 or not _may_retry(farm):
                continue
            retries += 1
        took = REFUSED
        for _ in range(2):
            took = _send(farm, rules, clock, keys[which], first + which, s)
            if took != REFUSED or not again or not _may_retry(farm):
                break
            s, again, retries = farm.tallies[CHOSEN], False, retries + 1
        if took >= 0:
            answered[which] = now - times[which] + took
        elif took == TIMED_OUT:
            s = farm.tallies[CHOSEN]
            late[tail], where[tail] = which, s if again else -1 - s
            due[tail] = now + rules.pool.timeout
            tail += 1
    return retries
