"""A whole installation of the drill's own: ``insula up`` in a folder, and its parts to kill."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final, Self

import requests

PARTS: Final = {
    "web": "insula.cli serve",
    "worker": "insula.cli worker",
    "redis": "redis-server",
    "postgres": "bin/postgres",
}
"""What tells each part's process by its arguments. The relay lives in the worker."""

_PATIENCE = 120.0


class HouseFailed(Exception):
    """The installation did not start, or did not come back."""


class House:
    """``with House() as house:`` runs ``insula up``, which starts again whatever is killed."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="insula-drill-"))
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = self.home.with_suffix(".log")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        environment = {key: value for key, value in os.environ.items() if "INSULA" not in key}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "insula.cli", "up"],
                env={
                    **environment,
                    "INSULA_HOME": str(self.home / "home"),
                    "INSULA_PORT": str(self.port),
                    "INSULA_METRICS_PORT": "0",
                    "INSULA_RATE_LIMIT": "10000000",
                    "INSULA_RATE_BURST": "1000000",
                    "INSULA_EGRESS_ALLOW": "127.0.0.0/8",  # the drill's receiver
                },
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self.wait_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
        shutil.rmtree(self.home, ignore_errors=True)
        self._log.unlink(missing_ok=True)

    def wait_ready(self) -> None:
        """Return once the web answers and everything behind it.

        Raises:
            HouseFailed: with the end of the log.
        """
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            assert self._process is not None
            if self._process.poll() is not None:
                break
            try:
                answer = requests.get(self.url + "/health/ready", timeout=5)
                if answer.status_code == 200 and answer.json()["status"] == "ok":
                    return
            except (requests.RequestException, ValueError):
                pass
            time.sleep(0.05)
        raise HouseFailed(self._log.read_text(errors="replace")[-3000:])

    def kill(self, part: str) -> None:
        """``kill -9`` of a part's main process, as the kernel's memory killer would."""
        deadline = time.monotonic() + _PATIENCE
        while (pid := self._pid(part)) == 0:  # it may be about to be started again
            if time.monotonic() > deadline:
                raise HouseFailed(f"there is no {part}")
            time.sleep(0.05)
        os.kill(pid, signal.SIGKILL)

    def _pid(self, part: str) -> int:
        assert self._process is not None
        parent = self._process.pid
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        for pid in children:
            try:
                arguments = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
            except OSError:
                continue
            if PARTS[part].encode() in arguments:
                return int(pid)
        return 0


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
