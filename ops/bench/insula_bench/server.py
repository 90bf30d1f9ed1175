"""A server under test: the same Granian for every application, in processes of its own."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from insula_bench import cores

_HERE = Path(__file__).parent.parent
_START_SECONDS = 60.0


class ServerFailed(Exception):
    """It did not get ready; the message carries its log."""


class Server:
    """``with Server("insula.app:create_app", environment, log) as server:``

    One worker under uvloop, as ``insula serve`` runs it, on a free port, alone on its core. What
    it prints, the access log included, goes to the file ``log``.
    """

    def __init__(self, target: str, environment: Mapping[str, str], log: Path) -> None:
        self.port = free_port()
        self._target = target
        self._log = log
        self._environment = {
            **os.environ,
            **environment,
            "INSULA_PORT": str(self.port),
            "INSULA_METRICS_PORT": str(free_port()),
            "INSULA_WORKERS": "1",
            "PYTHONPATH": os.pathsep.join(
                [str(_HERE), *filter(None, [os.environ.get("PYTHONPATH")])]
            ),
        }
        self._process: subprocess.Popen[bytes] | None = None
        self.worker = 0

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "insula_bench.serve", self._target]
        with self._log.open("wb") as log, cores.running_on(cores.SERVER):
            self._process = subprocess.Popen(
                command, env=self._environment, stdout=log, stderr=log, start_new_session=True
            )
        try:
            self._wait_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        process = self._process
        if process is None:
            return
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def cpu_seconds(self) -> float:
        """What the worker has used up to now."""
        return cores.cpu_seconds(self.worker)

    def _wait_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            if is_answering(self.port):
                self.worker = self._find_worker(self._process.pid)
                return
            time.sleep(0.05)
        raise ServerFailed(f"{self._target}:\n{self._log.read_text()[-4000:]}")

    def _find_worker(self, main: int) -> int:
        for pid in cores.children(main):
            if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
        raise ServerFailed(f"{self._target}: no worker process")


def is_answering(port: int, path: str = "/health/ready", *statuses: int) -> bool:
    """Whether an HTTP request gets an answer (one of ``statuses``, if any are given)."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return not statuses or status in statuses


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
