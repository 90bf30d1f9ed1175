"""How many servers a site is to have: target tracking, steps, a schedule, cooldowns.

What EC2 Auto Scaling calls target tracking, step and scheduled scaling. A decision is made at each
look, and whenever the schedule says something.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from insula_simulator.engine.compiled import compiled

Floats = npt.NDArray[np.float64]

THRESHOLD, DIRECTION, SERVERS, SHARE = range(4)
"""Of a step. ``DIRECTION`` is 1 above the threshold and -1 below it."""
AT, EVERY, FEWEST, MOST_THEN = range(4)
"""Of a row of the schedule: from ``AT`` on, and again each ``EVERY`` seconds, these bounds hold."""
LEAST, MOST, LOOK_AT, OUT_AT, IN_AT, CHANGES = range(6)
LONG_AGO = -1e18
ORDERS, LOGGED = 64, 1000


class Scaling(NamedTuple):
    """Without ``steps`` the site tracks its target. ``rest_out`` and ``rest_in`` are cooldowns in
    seconds, ``leave`` the most servers taken away at a time."""

    steps: Floats = np.zeros((0, 4))
    schedule: Floats = np.zeros((0, 4))
    rest_out: float = 0.0
    rest_in: float = 0.0
    leave: float = 1e9


class Scaler(NamedTuple):
    """What a site remembers. ``due`` is when each row of the schedule comes next, ``orders`` when
    servers that boot are ready and how many, ``log`` when there were how many from then on."""

    gauges: Floats
    due: Floats
    orders: Floats
    log: Floats


def new_scaler(rules: Scaling, least: int, most: int, interval: float) -> Scaler:
    gauges = np.array([least, most, interval, LONG_AGO, LONG_AGO, 0.0])
    return Scaler(
        gauges, rules.schedule[:, AT].copy(), np.zeros((ORDERS, 2)), np.zeros((LOGGED, 2))
    )


@compiled
def next_decision(scaler: Scaler) -> float:
    soonest = scaler.gauges[LOOK_AT]
    for i in range(scaler.due.size):
        soonest = min(soonest, scaler.due[i])
    return float(soonest)


@compiled
def booting(scaler: Scaler, now: float) -> int:
    count = 0.0
    for i in range(ORDERS):
        if scaler.orders[i, 0] > now:
            count += scaler.orders[i, 1]
    return int(count)


@compiled
def _stepped(steps: Floats, busy: float, there: int, ready: int) -> int:
    """By the step that is furthest from the middle among those passed. Servers that boot already
    are part of what a step adds; while any boot, none is taken away."""
    chosen, share = -1, busy / max(ready, 1)
    for i in range(steps.shape[0]):
        passed = (share - steps[i, THRESHOLD]) * steps[i, DIRECTION]
        if passed >= 0 and (
            chosen < 0 or (steps[i, THRESHOLD] - steps[chosen, THRESHOLD]) * steps[i, DIRECTION] > 0
        ):
            chosen = i
    if chosen < 0:
        return there
    part = abs(steps[chosen, SHARE]) * ready
    change = abs(steps[chosen, SERVERS]) + (np.floor(part) if part > 1 else np.ceil(part))
    if steps[chosen, DIRECTION] > 0:
        return int(max(there, ready + change))
    return int(there - change) if ready == there else there


@compiled
def _asked(
    scaler: Scaler, rules: Scaling, target: float, busy: float, there: int, ready: int, now: float
) -> int:
    """What a look asks for; ``busy`` is the servers that the last interval kept busy."""
    gauges = scaler.gauges
    if rules.steps.shape[0] > 0:
        asked = _stepped(rules.steps, busy, there, ready)
    else:
        asked = int(np.ceil(busy / target))
    rest = rules.rest_out if asked > there else rules.rest_in
    since = gauges[OUT_AT] if asked > there else max(gauges[OUT_AT], gauges[IN_AT])
    if now - since < rest:
        return there
    if asked > there:
        gauges[OUT_AT] = now
    elif asked < there:
        gauges[IN_AT] = now
        asked = int(max(asked, there - rules.leave))
    return asked


@compiled
def decide(
    scaler: Scaler, rules: Scaling, target: float, interval: float, lately: float, there: int,
    ready: int, now: float,
) -> int:  # fmt: skip
    """How many servers there are to be. ``lately`` is the work in seconds since the last look, of
    which ``there`` servers ``ready`` ones are not booting any more."""
    gauges, count = scaler.gauges, there
    for i in range(rules.schedule.shape[0]):
        if scaler.due[i] <= now:
            scaler.due[i] += rules.schedule[i, EVERY]
            gauges[LEAST], gauges[MOST] = rules.schedule[i, FEWEST], rules.schedule[i, MOST_THEN]
    if now >= gauges[LOOK_AT]:
        gauges[LOOK_AT] += interval
        count = _asked(scaler, rules, target, lately / interval, there, ready, now)
    return int(min(max(count, gauges[LEAST]), gauges[MOST]))


@compiled
def note(scaler: Scaler, boot: float, now: float, before: int, after: int) -> None:
    """Remember that there are ``after`` servers from now on."""
    if after == before:
        return
    if after > before:
        slot = 0
        for i in range(ORDERS):
            if scaler.orders[i, 0] < scaler.orders[slot, 0]:
                slot = i
        if scaler.orders[slot, 0] > now:  # more orders than places: they are taken to come together
            scaler.orders[slot, 1] += after - before
        else:
            scaler.orders[slot, 0], scaler.orders[slot, 1] = now + boot, after - before
    row = int(scaler.gauges[CHANGES])
    if row < LOGGED:
        scaler.log[row, 0], scaler.log[row, 1] = now, after
        scaler.gauges[CHANGES] += 1
