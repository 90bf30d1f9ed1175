"""What becomes of requests when replicas are killed, stopped or gone."""

import socket
import threading
import time
from collections import Counter
from pathlib import Path

import httpx
import pytest
from fixtures.gateway import Gateway, Start, assert_problem, listens, replica, wait_until


class Load:
    """Requests from four threads until it is left; knows every answer."""

    def __init__(self, gateway: Gateway, *methods: str) -> None:
        self.answers: list[int | str] = []
        self._stop = threading.Event()
        self._url = gateway.url
        self._threads = [threading.Thread(target=self._send, args=(each,)) for each in methods]

    def _send(self, method: str) -> None:
        with httpx.Client() as client:
            while not self._stop.is_set():
                try:
                    self.answers.append(client.request(method, self._url).status_code)
                except httpx.HTTPError as error:
                    self.answers.append(repr(error))

    def more(self, count: int) -> None:
        """Wait for so many further answers."""
        goal = len(self.answers) + count
        wait_until(lambda: len(self.answers) >= goal, f"{count} more answers", seconds=60)

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


def test_a_killed_replica_loses_no_idempotent_request(start_gateway: Start) -> None:
    gateway = start_gateway()
    with Load(gateway, "GET", "PUT", "DELETE", "OPTIONS") as load:
        load.more(300)
        gateway.replicas[0].kill()
        load.more(600)
    assert Counter(load.answers).keys() == {200}
    assert {httpx.get(gateway.url).json()["replica"] for _ in range(10)} == {"two"}


def test_a_replica_that_drains_before_it_stops_loses_no_request(start_gateway: Start) -> None:
    gateway = start_gateway()
    with Load(gateway, "GET", "POST", "POST", "PATCH") as load:
        load.more(300)
        gateway.replicas[0].stop()
        load.more(600)
    assert Counter(load.answers).keys() == {200}


def test_a_replica_that_stops_answers_whoever_is_connected(tmp_path: Path) -> None:
    """… and is slow to ask; whoever comes later is refused, and may ask another one."""
    answers: list[str] = []

    def ask(port: int) -> None:
        while True:
            try:
                connection = socket.create_connection(("127.0.0.1", port), timeout=30)
            except ConnectionRefusedError:
                answers.append("refused")
                return
            with connection:
                time.sleep(0.05)
                connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi")
                answers.append(connection.recv(1 << 16)[:15].decode())

    with replica("one", tmp_path, drain_seconds=0.3) as stopping:
        clients = [threading.Thread(target=ask, args=(stopping.port,)) for _ in range(6)]
        for client in clients:
            client.start()
        wait_until(lambda: len(answers) >= 20, "answers")
        stopping.stop()
        for client in clients:
            client.join()
    assert set(answers) == {"HTTP/1.1 200 OK", "refused"}


def test_a_get_that_a_replica_dies_with_is_answered_by_the_other(start_gateway: Start) -> None:
    gateway = start_gateway()
    assert httpx.get(f"{gateway.url}/crash-once").status_code == 200
    assert gateway.ledger == ["GET /crash-once"] * 2


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_a_write_that_a_replica_dies_with_is_not_sent_again(
    start_gateway: Start, method: str
) -> None:
    gateway = start_gateway()
    assert_problem(httpx.request(method, f"{gateway.url}/crash"), 502, "unavailable")
    assert gateway.ledger == [f"{method} /crash"]
    # While it is dying it still accepts connections, and what it is sent there is not sent again.
    wait_until(
        lambda: not all(listens(replica.port) for replica in gateway.replicas), "one is gone"
    )
    after = [httpx.request(method, f"{gateway.url}/counted").status_code for _ in range(20)]
    assert set(after) == {200}
    assert gateway.ledger[1:] == [f"{method} /counted"] * 20


def test_without_any_replica_the_answer_is_a_502_problem(start_gateway: Start) -> None:
    gateway = start_gateway()
    for each in gateway.replicas:
        each.kill()
    for method in ("GET", "POST", "GET"):
        assert_problem(httpx.request(method, gateway.url), 502, "unavailable")
