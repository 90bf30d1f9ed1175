"""A closed-loop HTTP/1.1 client of bounded size, cheap enough to share a core with PostgreSQL.

Each connection sends its next request when the last answer is complete, so the offered load is
what the server can take. Nothing is pipelined. Every answer's status is checked.
"""

import select
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from itertools import cycle
from typing import NamedTuple

_END = b"\r\n\r\n"
_LENGTH = b"content-length: "
_CHUNK = 1 << 18
_PATIENCE = 10.0


class WrongAnswer(Exception):
    """The server said something that the measurement does not allow for."""


class Load(NamedTuple):
    """What a run amounted to; ``latencies`` in seconds, sorted."""

    seconds: float
    latencies: list[float]

    @property
    def requests(self) -> int:
        return len(self.latencies)

    @property
    def rate(self) -> float:
        return self.requests / self.seconds

    def percentile(self, share: float) -> float:
        """Seconds that ``share`` (0 to 1) of the requests stayed under."""
        return self.latencies[min(len(self.latencies) - 1, int(share * len(self.latencies)))]


def request(method: str, path: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    """The bytes of one request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + _END + body


class _Connection:
    __slots__ = ("received", "sent_at", "socket", "wanted")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""
        self.wanted = 0
        self.sent_at = 0.0

    def send(self, message: bytes) -> None:
        self.received, self.wanted = b"", 0
        self.sent_at = time.perf_counter()
        self.socket.sendall(message)

    def complete(self, status: bytes) -> bool:
        """Take what has come; whether the answer is whole.

        Raises:
            WrongAnswer: it has another status, no length, or the connection was closed.
        """
        chunk = self.socket.recv(_CHUNK)
        if not chunk:
            raise WrongAnswer(f"closed in the middle of an answer: {self.received[:2000]!r}")
        received = self.received = self.received + chunk if self.received else chunk
        if not self.wanted:
            end = received.find(_END)
            if end < 0:
                return False
            self.wanted = _whole_size(received, end, status)
        return len(received) >= self.wanted


def _whole_size(received: bytes, end: int, status: bytes) -> int:
    if received[9:12] != status:
        raise WrongAnswer(f"wanted {status.decode()}, got: {received[:2000]!r}")
    at = received.find(_LENGTH, 0, end)
    if at < 0:
        raise WrongAnswer(f"no Content-Length: {received[:end]!r}")
    at += len(_LENGTH)
    return end + len(_END) + int(received[at : received.index(b"\r", at)])


def run(
    port: int, messages: Sequence[bytes], *, seconds: float, connections: int, status: int = 200
) -> Load:
    """Send ``messages`` round robin for so many seconds.

    Raises:
        WrongAnswer: an answer's status is not ``status``.
        TimeoutError: nothing came for ten seconds.
    """
    with ExitStack() as opened:
        epoll = opened.enter_context(select.epoll())
        clients = {}
        for _ in range(connections):
            client = _Connection(port)
            opened.callback(client.socket.close)
            clients[client.socket.fileno()] = client
            epoll.register(client.socket.fileno(), select.EPOLLIN)
        started = time.perf_counter()
        latencies = _converse(epoll, clients, messages, started + seconds, str(status).encode())
        return Load(time.perf_counter() - started, sorted(latencies))


def _converse(
    epoll: select.epoll,
    clients: Mapping[int, _Connection],
    messages: Sequence[bytes],
    deadline: float,
    status: bytes,
) -> list[float]:
    """Keep every connection busy until ``deadline``, then wait for what is under way."""
    source, clock, latencies = cycle(messages), time.perf_counter, []
    for client in clients.values():
        client.send(next(source))
    pending = len(clients)
    while pending:
        if not (ready := epoll.poll(_PATIENCE)):
            raise TimeoutError("the server answers nothing any more")
        for descriptor, _ in ready:
            client = clients[descriptor]
            if not client.complete(status):
                continue
            now = clock()
            latencies.append(now - client.sent_at)
            if now < deadline:
                client.send(next(source))
            else:
                pending -= 1
    return latencies
