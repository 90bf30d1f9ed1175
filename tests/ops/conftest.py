"""A real nginx with the project's configuration in front of two real replicas, on loopback."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GRANIAN = Path(sys.executable).with_name("granian")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def wait_until(happened: Callable[[], bool], what: str, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.02)


def listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


@contextmanager
def running(
    command: list[str | Path],
    *,
    log: Path,
    cwd: Path | None = None,
    environment: dict[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a group of its own, which is gone afterwards."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env={**os.environ, **(environment or {})},
            stdout=output,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@dataclass
class Replica:
    name: str
    port: int
    process: subprocess.Popen[bytes]

    def kill(self) -> None:
        """As a machine that goes dark: SIGKILL to granian's main process would spare its worker."""
        os.killpg(self.process.pid, signal.SIGKILL)

    def drain(self) -> None:
        self.process.terminate()


@dataclass
class Gateway:
    port: int
    health_port: int
    folder: Path
    replicas: list[Replica]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ledger(self) -> list[str]:
        """What the replicas noted down, in order."""
        path = self.folder / "ledger"
        return path.read_text().splitlines() if path.exists() else []

    def log(self, lines: int) -> list[bytes]:
        """The access log, once it has so many lines: nginx writes one after it has answered."""
        path = self.folder / "nginx.log"
        wait_until(lambda: path.read_bytes().count(b"\n") >= lines, f"{lines} lines of log")
        return path.read_bytes().splitlines()


Start = Callable[..., Gateway]


def nginx_program() -> str:
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.fail("nginx is missing; on Debian: apt-get install nginx-light")
    return program


def render(folder: Path, settings: dict[str, str]) -> None:
    """Lay the configuration out as nginx's image does: static files here, rendered ones there."""
    shutil.copytree(ROOT / "nginx", folder / "insula")
    (folder / "conf.d").mkdir()
    for template in (folder / "insula" / "templates").glob("*.template"):
        text = template.read_text()
        for name, value in settings.items():
            text = text.replace("${" + name + "}", value)
        (folder / "conf.d" / template.stem).write_text(text)


@contextmanager
def replica(name: str, folder: Path) -> Iterator[Replica]:
    port = free_port()
    options = f"--interface asgi --host 127.0.0.1 --port {port} --log-level error".split()
    environment = {"REPLICA": name, "LEDGER": str(folder / "ledger")}
    log, here = folder / f"{name}.log", Path(__file__).parent
    with running(
        [GRANIAN, *options, "replica:app"], log=log, cwd=here, environment=environment
    ) as process:
        wait_until(lambda: listens(port), f"replica {name} listens")
        yield Replica(name, port, process)


@contextmanager
def nginx(folder: Path, settings: dict[str, str]) -> Iterator[None]:
    render(folder, settings)
    configuration: list[str | Path] = [
        "-e",
        "stderr",
        "-p",
        folder,
        "-c",
        folder / "insula" / "nginx.conf",
    ]
    # Workers must enter the test's folder; where root runs the tests, it is root's alone.
    options = "daemon off; user root;" if os.geteuid() == 0 else "daemon off;"
    with running([nginx_program(), *configuration, "-g", options], log=folder / "nginx.log"):
        wait_until(lambda: listens(int(settings["GATEWAY_LISTEN"].rpartition(":")[2])), "nginx")
        yield


@contextmanager
def gateway_in(folder: Path, changes: dict[str, str]) -> Iterator[Gateway]:
    with ExitStack() as stack:
        pair = [stack.enter_context(replica(name, folder)) for name in ("one", "two")]
        port, health_port = free_port(), free_port()
        settings = {
            "GATEWAY_LISTEN": f"127.0.0.1:{port}",
            "GATEWAY_HEALTH_PORT": str(health_port),
            "GATEWAY_SERVERS": "".join(
                f"server 127.0.0.1:{each.port} max_fails=3 fail_timeout=5s;" for each in pair
            ),
            "GATEWAY_BODY_LIMIT": "100k",
            "GATEWAY_READ_TIMEOUT": "3s",
            "GATEWAY_RATE": "10000r/s",
            "GATEWAY_BURST": "10000",
            "GATEWAY_CONNECTIONS": "100",
            "GATEWAY_TRACE_SHARE": "50%",
        }
        stack.enter_context(nginx(folder, settings | changes))
        yield Gateway(port, health_port, folder, pair)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A pair that stays healthy: tests that break it start their own."""
    with gateway_in(tmp_path_factory.mktemp("gateway"), {}) as started:
        yield started


@pytest.fixture
def start_gateway(tmp_path: Path) -> Iterator[Start]:
    """Start a pair of one's own, with settings changed: ``start_gateway(GATEWAY_BURST="1")``."""
    with ExitStack() as stack:
        yield lambda **changes: stack.enter_context(gateway_in(tmp_path, changes))
