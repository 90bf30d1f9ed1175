"""A crowd that votes in one poll, and those who watch the result come in.

Run it by itself, and the crowd as large as you like (``ops/README.md``)::

    locust -f ops/src/insula_ops/scenarios/polls.py --headless -u 5100 -r 250 -t 60s

Before it stops it closes the poll and holds four counts against each other: the votes that were
answered with 201, the rows of the export, the tally, and the sum of the deltas that each watcher
has heard. Locust exits with 1 if they differ.
"""

import csv
import json
import random
import threading
import time
from collections import Counter
from datetime import datetime
from typing import Any

from locust import FastHttpUser, constant, events, task
from locust.contrib.fasthttp import FastHttpSession
from locust.env import Environment
from websocket import WebSocket, WebSocketException, create_connection

from insula_ops.people import Company, post

POLLS = "/api/v1/polls"
_ONE = f"{POLLS}/{{id}}"
_OPTIONS = ("Ash", "Birch", "Cedar", "Oak")
_PATIENCE = 120
"""Seconds for the last votes to be counted and heard of."""


class Tally:
    """What somebody has added up."""

    def __init__(self, results: dict[str, Any]) -> None:
        self.number: int = results["number"]
        self.voters: int = results["voters"]
        self.counts = Counter(results["counts"])

    def add(self, delta: dict[str, Any]) -> None:
        if delta["number"] <= self.number:
            return  # the snapshot has it already
        if delta["number"] != self.number + 1:
            raise ValueError(f"after {self.number} came {delta['number']}")
        self.number += 1
        self.voters += delta["voters"]
        self.counts.update(delta["counts"])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tally) and (self.number, self.voters, +self.counts) == (
            other.number,
            other.voters,
            +other.counts,
        )

    __hash__ = None  # type: ignore[assignment]


class Election:
    """The poll of one run, and what is known of it."""

    company = Company(modules=("polls",))

    def __init__(self) -> None:
        self.acknowledged: Counter[str] = Counter()
        self.retries = 0
        self.resumptions = 0
        self.watchers: list[PollWatcher] = []
        self._lock = threading.Lock()  # gevent's: Locust has patched threading
        self._path = ""

    def path(self, client: FastHttpSession) -> str:
        with self._lock:
            if not self._path:
                poll = {"kind": "single", "question": "Which tree?", "options": _OPTIONS}
                owner = self.company.owner(client)
                made = post(client, POLLS, poll | {"voters": "cookie"}, owner)
                self._path = f"{POLLS}/{made['id']}"
        return self._path

    def close(self, client: FastHttpSession) -> None:
        owner = self.company.owner(client)
        client.post(f"{self._path}/close", headers=owner, name=f"{_ONE}/close")

    def results(self, client: FastHttpSession) -> dict[str, Any]:
        path, owner = f"{self._path}/results", self.company.owner(client)
        with client.get(path, headers=owner, name=f"{_ONE}/results") as answer:
            results: dict[str, Any] = answer.json()
            return results

    def rows(self, client: FastHttpSession) -> Counter[str]:
        path, owner = f"{self._path}/export", self.company.owner(client)
        with client.get(path, headers=owner, name=f"{_ONE}/export") as answer:
            lines = csv.DictReader((answer.text or "").lstrip("\ufeff").splitlines())
            return Counter(line["choices"] for line in lines)


ELECTION = Election()


class PollVoter(FastHttpUser):
    """Opens the page, votes once, tries again where the server is busy, looks at the results."""

    weight = 50
    wait_time = constant(3600)

    def on_start(self) -> None:
        self._path = ELECTION.path(self.client)
        self._tenant = {"Insula-Tenant": ELECTION.company.slug}
        self._get("page")  # gives the cookie by which a vote is known again
        choice = random.choices((1, 2, 3, 4), weights=(4, 3, 2, 1))[0]
        while not self._vote(choice):
            time.sleep(random.uniform(1, 5))
        self._get("results")

    def _get(self, what: str) -> None:
        path, name = f"{self._path}/{what}", f"{_ONE}/{what}"
        with self.client.get(path, headers=self._tenant, name=name, catch_response=True) as answer:
            if answer.status_code == 503:
                answer.success()

    def _vote(self, choice: int) -> bool:
        """Whether the vote was answered for good. If an answer gets lost, the next try is told
        that the vote is in."""
        path, vote = f"{self._path}/votes", {"choices": [choice]}
        with self.client.post(
            path, json=vote, headers=self._tenant, name=f"{_ONE}/votes", catch_response=True
        ) as answer:
            if answer.status_code == 201 or "already-voted" in (answer.text or ""):
                ELECTION.acknowledged[str(choice)] += 1
            elif answer.status_code in (0, 503):
                ELECTION.retries += 1
                answer.success()
                return False
            elif answer.status_code != 409:  # 409: closed meanwhile
                return True
            answer.success()
            return True

    @task
    def idle(self) -> None:
        """They have done what they came for."""


class PollWatcher(FastHttpUser):
    """Adds the deltas of the live channel up; where the line breaks, it resumes."""

    weight = 1
    wait_time = constant(0)
    heard: Tally | None = None

    def on_start(self) -> None:
        self._channel = ELECTION.path(self.client).removeprefix("/api/v1/")
        self._last: str | None = None
        self._socket: WebSocket | None = None
        ELECTION.watchers.append(self)

    def on_stop(self) -> None:
        if self._socket is not None:
            self._socket.close()

    def _connect(self) -> WebSocket:
        address = self.host.replace("http", "ws", 1) if self.host else ""
        socket = create_connection(
            f"{address}/api/v1/realtime/ws",
            header={"Insula-Tenant": ELECTION.company.slug},
            timeout=_PATIENCE,
        )
        socket.send(json.dumps({"subscribe": self._channel, "after": self._last}))
        return socket

    @task
    def listen(self) -> None:
        try:
            if self._socket is None:
                self._socket = self._connect()
            message = json.loads(self._socket.recv())
        except (WebSocketException, OSError, ValueError):  # recv gives "" once it is closed
            self._socket = None
            ELECTION.resumptions += 1
            time.sleep(random.uniform(0.5, 2))
            return
        self._last = message.get("id", self._last)
        self._hear(message)

    def _hear(self, message: dict[str, Any]) -> None:
        if message["type"] in ("snapshot", "reset"):
            self.heard = Tally(message["data"]["results"])
        elif message["type"] == "polls.tally.changed" and self.heard is not None:
            self.heard.add(message["data"])
            events.request.fire(  # type: ignore[no-untyped-call]
                request_type="WS",
                name="polls.tally.changed",
                response_time=1000 * (time.time() - _seconds(message["time"])),
                response_length=len(message["data"]),
                exception=None,
                context={},
            )


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@events.test_stopping.add_listener  # type: ignore[untyped-decorator]
def compare(environment: Environment, **_: Any) -> None:
    """Close the poll, and hold the counts against each other."""
    if environment.host is None or not ELECTION.watchers:
        return
    client = ELECTION.watchers[0].client
    ELECTION.close(client)
    final = _eventually(lambda: _final(client))
    if not final:
        print(f"the poll was not counted for good within {_PATIENCE} s")
        environment.process_exit_code = 1
        return
    tally, rows = Tally(final), ELECTION.rows(client)
    _eventually(lambda: all(each.heard == tally for each in ELECTION.watchers))
    agreeing = sum(each.heard == tally for each in ELECTION.watchers)
    votes = sum(ELECTION.acknowledged.values())
    print(
        f"{votes} votes acknowledged, {sum(rows.values())} rows, {tally.voters} in the tally after "
        f"{tally.number} deltas; {agreeing} of {len(ELECTION.watchers)} watchers have the same sum "
        f"({ELECTION.retries} votes tried again, {ELECTION.resumptions} lines resumed)"
    )
    same = ELECTION.acknowledged == rows == tally.counts and tally.voters == votes
    if not same or agreeing < len(ELECTION.watchers):
        environment.process_exit_code = 1


def _final(client: FastHttpSession) -> dict[str, Any]:
    results = ELECTION.results(client)
    return results if results["final"] else {}


def _eventually(check: Any) -> Any:
    deadline = time.monotonic() + _PATIENCE
    while not (found := check()) and time.monotonic() < deadline:
        time.sleep(0.1)  # gevent's
    return found
