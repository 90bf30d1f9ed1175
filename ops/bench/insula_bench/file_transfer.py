"""Files up and down: Insula against a bare file server, in turns."""

import os
import socket
import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import NamedTuple

from insula_bench import bare_files
from insula_bench.api import Api
from insula_bench.installation import Installation
from insula_bench.server import Server

SIZES = {"small": 100 << 10, "large": 64 << 20}
_SMALL_TIMES = 50
"""Small files that one turn sends, one after the other."""
_END = b"\r\n\r\n"
_PIECE = 1 << 20


class TransferFailed(Exception):
    """A server's answer was not the one that was wanted."""


class Transfer(NamedTuple):
    """One turn of one server."""

    files: int
    size: int
    seconds: float

    @property
    def rate(self) -> float:
        """Bytes a second."""
        return self.files * self.size / self.seconds


Transfers = dict[str, dict[str, list[Transfer]]]
"""What was done (``upload small`` …), by whom, and one transfer for each round."""


class _Connection:
    """Keep-alive, so that what is compared is not the handshake."""

    def __init__(self, port: int, headers: Mapping[str, str]) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=120)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._headers = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._buffer = bytearray(_PIECE)

    def exchange(self, method: str, path: str, body: bytes = b"") -> int:
        """Send a request and take its answer; the answer's bytes.

        Raises:
            TransferFailed: it is no good answer.
        """
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{self._headers}"
        head += f"Content-Length: {len(body)}\r\n\r\n"
        self._socket.sendall(head.encode())
        self._socket.sendall(body)
        received = b""
        while _END not in received:
            if not (chunk := self._socket.recv(_PIECE)):
                raise TransferFailed(f"closed: {received[:500]!r}")
            received += chunk
        start, _, rest = received.partition(_END)
        if start[9:10] != b"2":
            raise TransferFailed(received[:500].decode(errors="replace"))
        length = int(start.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
        left = length - len(rest)
        while left > 0:
            taken = self._socket.recv_into(self._buffer, min(left, _PIECE))
            if not taken:
                raise TransferFailed(f"{left} bytes are missing")
            left -= taken
        return length

    def close(self) -> None:
        self._socket.close()


def measure(installation: Installation, *, rounds: int) -> Transfers:
    """Let the two take turns; who begins changes from round to round."""
    folder = installation.folder / "bare"
    folder.mkdir()
    environment = installation.environment | {bare_files.FOLDER: str(folder)}
    with ExitStack() as running:
        insula = running.enter_context(
            Server("insula.app:create_app", environment, installation.folder / "insula.log")
        )
        bare = running.enter_context(
            Server("insula_bench.bare_files:file_server", environment, folder.with_suffix(".log"))
        )
        api = Api(insula.port)
        running.callback(api.close)
        api.sign_up("bench")
        clients = {
            "insula": _Connection(insula.port, api.headers),
            "bare": _Connection(bare.port, {}),
        }
        for client in clients.values():
            running.callback(client.close)
        return {
            f"{verb} {name}": _rounds(clients, api, verb, size, rounds)
            for name, size in SIZES.items()
            for verb in ("upload", "download")
        }


def _rounds(
    clients: Mapping[str, _Connection], api: Api, verb: str, size: int, rounds: int
) -> dict[str, list[Transfer]]:
    body = os.urandom(size)
    clients["insula"].exchange("POST", "/api/v1/files?name=kept", body)
    clients["bare"].exchange("POST", "/kept", body)
    api.close()  # idle for so long that the server may have closed it; it opens by itself
    file_id = api.call("GET", "/api/v1/files")["items"][0]["id"]
    paths = {
        "upload": {"insula": "/api/v1/files?name=new", "bare": "/new"},
        "download": {"insula": f"/api/v1/files/{file_id}/content", "bare": "/kept"},
    }[verb]
    times = _SMALL_TIMES if size < _PIECE else 1
    names, done = list(clients), dict[str, list[Transfer]]()
    for turn in range(rounds):
        for place in range(len(names)):
            name = names[(turn + place) % len(names)]
            sent = body if verb == "upload" else b""
            done.setdefault(name, []).append(_turn(clients[name], paths[name], sent, size, times))
    return done


def _turn(client: _Connection, path: str, body: bytes, size: int, times: int) -> Transfer:
    started = time.perf_counter()
    for _ in range(times):
        length = client.exchange("POST" if body else "GET", path, body)
        if not body and length != size:
            raise TransferFailed(f"{path}: {length} bytes instead of {size}")
    return Transfer(times, size, time.perf_counter() - started)
