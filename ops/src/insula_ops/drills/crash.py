"""The crash drill: under load, ``kill -9`` of every part in turn; nothing acknowledged may be lost.

What is claimed, and held against what was seen: every write that was acknowledged is there; every
event of it arrived at the webhook receiver at least once; the events of one note arrived in order.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import requests

from insula_ops.drills.house import House
from insula_ops.drills.receiver import Receiver
from insula_ops.drills.writing import Writer, found_tenant

Say = Callable[[str], None]

_SETTLE_SECONDS = 300.0
"""How long events may take to arrive once all is well; more is a loss."""


@dataclass
class Outcome:
    """What the drill has found. ``faults`` is empty if the claims hold."""

    writes: int = 0
    """Acknowledged creations and changes."""
    repeated: int = 0
    """Requests that had to be sent more than once."""
    events: int = 0
    duplicates: int = 0
    """Webhooks that arrived again: allowed, and told by their id."""
    recovery_seconds: list[tuple[str, float]] = field(default_factory=list)
    """For each kill the part, and how long readiness took to come back."""
    faults: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def run(seconds: float, writers: int, parts: list[str], say: Say) -> Outcome:
    """Run the drill for about so many seconds of load, killing the parts in turn."""
    outcome = Outcome()
    with Receiver() as receiver:
        say("starting an installation")
        with House() as house:
            headers = found_tenant(house.url, receiver.url)
            stop = threading.Event()
            people = [Writer(house.url, headers, stop) for _ in range(writers)]
            for person in people:
                person.start()
            _kill_in_turn(house, seconds, parts, outcome, say)
            stop.set()
            for person in people:
                person.join(120)
            say("waiting for events to arrive")
            _judge(house, headers, people, receiver, outcome)
    return outcome


def _kill_in_turn(
    house: House, seconds: float, parts: list[str], outcome: Outcome, say: Say
) -> None:
    pause = seconds / (len(parts) + 1)
    for part in parts:
        time.sleep(pause)
        say(f"kill -9 {part}")
        house.kill(part)
        killed = time.monotonic()
        house.wait_ready()
        outcome.recovery_seconds.append((part, round(time.monotonic() - killed, 2)))
    time.sleep(pause)


def _judge(
    house: House,
    headers: dict[str, str],
    people: list[Writer],
    receiver: Receiver,
    outcome: Outcome,
) -> None:
    house.wait_ready()
    acknowledged = {note: revision for p in people for note, revision in p.acknowledged.items()}
    outcome.writes = sum(acknowledged.values())
    outcome.repeated = sum(person.repeated for person in people)
    outcome.faults += [line for person in people for line in person.refused]
    if not acknowledged:
        outcome.faults.append("nothing was written")
    _wait_for_events(receiver, acknowledged)
    for note, revision in acknowledged.items():
        outcome.faults += _faults(house, headers, note, revision, receiver)
    outcome.events, outcome.duplicates = receiver.arrivals, receiver.duplicates


def _wait_for_events(receiver: Receiver, acknowledged: dict[str, int]) -> None:
    deadline = time.monotonic() + _SETTLE_SECONDS
    while time.monotonic() < deadline:
        if all(
            len(receiver.revisions[f"notes/{note}"]) >= revision
            for note, revision in acknowledged.items()
        ):
            return
        time.sleep(0.1)


def _faults(
    house: House, headers: dict[str, str], note: str, revision: int, receiver: Receiver
) -> list[str]:
    """What is wrong with one note."""
    answer = requests.get(f"{house.url}/api/v1/notes/{note}", headers=headers, timeout=30)
    if not answer.ok:
        return [f"note {note} was acknowledged and is gone: {answer.status_code}"]
    found = []
    stored = answer.json()["revision"]
    if stored < revision:
        found.append(f"note {note}: revision {revision} was acknowledged, {stored} is stored")
    arrived = receiver.revisions[f"notes/{note}"]
    if missing := set(range(1, revision + 1)) - set(arrived):
        found.append(f"note {note}: no event of revisions {sorted(missing)}")
    if arrived != sorted(arrived):
        found.append(f"note {note}: events in the order {arrived}")
    return found
