"""HTTP clients that keep to a timetable, whatever the server does.

A closed loop (:mod:`insula_bench.load`) sends less when the server is slow, and so hides how many
would have waited. Here every request has its time; latency counts from then on, not from when it
could be sent ("coordinated omission"). Run it in a process of its own: see :class:`Traffic`.
"""

import http.client
import multiprocessing
import random
import threading
import time
from collections.abc import Sequence
from multiprocessing.queues import Queue
from typing import NamedTuple, Self

_CLIENTS = 8


class Sample(NamedTuple):
    at: float
    """When it was due, on the clock that all processes share."""
    seconds: float
    status: int
    """0 if there was no answer."""


class Request(NamedTuple):
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Traffic:
    """``with Traffic(port, requests, rate=200) as traffic: …; samples = traffic.stop()``"""

    def __init__(self, port: int, requests: Sequence[Request], *, rate: float) -> None:
        context = multiprocessing.get_context("fork")
        self._stopping = context.Event()
        self._samples: Queue[list[Sample]] = context.Queue()
        self._process = context.Process(
            target=_run, args=(port, requests, rate, self._stopping, self._samples), daemon=True
        )

    def __enter__(self) -> Self:
        self._process.start()
        return self

    def stop(self) -> list[Sample]:
        """End it; what came of every request, in the order of their times."""
        self._stopping.set()
        samples = self._samples.get(timeout=60)
        self._process.join(30)
        return samples

    def __exit__(self, *_: object) -> None:
        if self._process.is_alive():
            self._process.terminate()
            self._process.join(10)


def _run(port: int, requests: Sequence[Request], rate: float, stopping, samples) -> None:  # type: ignore[no-untyped-def]
    found: list[Sample] = []
    start = time.monotonic() + 0.1
    clients = [
        threading.Thread(
            target=_client, args=(port, requests, start, rate, number, stopping, found), daemon=True
        )
        for number in range(_CLIENTS)
    ]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    samples.put(sorted(found))


def _client(  # type: ignore[no-untyped-def]
    port: int, requests: Sequence[Request], start: float, rate: float, number: int, stopping, found
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    choice = random.Random(number)
    due = start + number / rate
    while not stopping.is_set():
        if (wait := due - time.monotonic()) > 0:
            time.sleep(wait)
        request = choice.choice(requests)
        try:
            connection.request(request.method, request.path, request.body, request.headers)
            answer = connection.getresponse()
            answer.read()
            status = answer.status
        except (OSError, http.client.HTTPException):
            connection.close()
            status = 0
        found.append(Sample(due, time.monotonic() - due, status))
        due += _CLIENTS / rate


def percentile(samples: Sequence[Sample], share: float) -> float:
    """Seconds that ``share`` (0 to 1) of them stayed under."""
    ordered = sorted(sample.seconds for sample in samples)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
