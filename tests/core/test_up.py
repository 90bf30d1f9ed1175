"""``insula up`` as a person meets it: the real process, its real children, and signals."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
import redis

from insula.embedded import EmbeddedServers
from insula.embedded.child import ticks
from insula.embedded.local import local_settings
from insula.embedded.postgres import programs
from insula.settings import Settings

pytestmark = pytest.mark.xdist_group("up")  # one state folder for the whole file


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def wait_until(happened: Callable[[], bool], what: str, seconds: float = 30) -> None:
    for _ in ticks(seconds, pause=0.05):
        if happened():
            return
    raise AssertionError(f"not within {seconds} s: {what}")


def processes_of(home: Path) -> dict[int, str]:
    """Whatever shows the folder in its arguments, its environment or as its place."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        arguments, environ, place = b"", b"", b""
        with suppress(OSError):  # gone meanwhile, or another user's
            arguments = (entry / "cmdline").read_bytes()
            environ = (entry / "environ").read_bytes()
            place = os.fsencode(os.readlink(entry / "cwd"))
        if arguments and os.fsencode(home) in arguments + environ + place:
            found[int(entry.name)] = arguments.decode(errors="replace").replace("\0", " ")
    return found


class Installation:
    """One state folder with ports of its own, and the ``insula up`` that runs on it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = free_port()
        self.metrics_port = free_port()
        self.output = home.with_name(f"{home.name}.out")
        self.process: subprocess.Popen[bytes] | None = None

    def environment(self, **more: object) -> dict[str, str]:
        clean = {key: text for key, text in os.environ.items() if not key.startswith("INSULA_")}
        own = {"HOME": self.home, "PORT": self.port, "METRICS_PORT": self.metrics_port}
        return clean | {f"INSULA_{key}": str(value) for key, value in (own | more).items()}

    def start(self, **more: object) -> None:
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "insula.cli", "up"],
                env=self.environment(**more),
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        wait_until(self._started, "the start", 90)
        assert self.process.poll() is None, self.output.read_text()

    def _started(self) -> bool:
        assert self.process is not None
        return "Log in:" in self.output.read_text() or self.process.poll() is not None

    def end(self, number: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        code = self.process.wait(40)
        self.process = None
        return code

    def ready(self) -> int:
        """Status of ``/health/ready``; 0 where nobody answers."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)) as connection:
            try:
                connection.request("GET", "/health/ready")
                return connection.getresponse().status
            except (OSError, http.client.HTTPException):
                return 0

    def settings(self) -> Settings:
        """Addresses of its servers, for looking behind its back."""
        return local_settings(Settings.load({"INSULA_HOME": str(self.home)}))

    def pid(self, program: str) -> int:
        """Main process of a part, which ``insula up`` started itself; 0 while there is none."""
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        found = processes_of(self.home)
        return next((pid for pid in map(int, children.split()) if program in found.get(pid, "")), 0)

    def log_in(self) -> dict[str, object]:
        """Run the line that the start printed, in a shell as a person would."""
        line = self.output.read_text().partition("Log in:")[2].partition("\n\n")[2]
        command = line.partition("\n\n")[0]
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
        answer = json.loads(done.stdout)
        assert isinstance(answer, dict)
        return answer


def other_copy(environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "insula.cli", "up"]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def query(settings: Settings, statement: str) -> str:
    """What ``psql`` prints for a statement; empty where it fails."""
    command = [str(programs() / "psql"), settings.database_url, "-XAtqc", statement]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def kept(settings: Settings) -> tuple[object, object]:
    """The row and the key that the fixture below made, as far as their servers answer."""
    if not (settings.database_url and settings.redis_url):
        return None, None
    key: object = None
    with closing(redis.Redis.from_url(settings.redis_url)) as client, suppress(redis.RedisError):
        key = client.get("kept")
    return query(settings, "SELECT word FROM public.kept"), key


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Installed once, with a row and a key in it that have to survive everything."""
    installation = Installation(tmp_path_factory.mktemp("up") / "home")
    installation.start()
    settings = installation.settings()
    query(settings, "CREATE TABLE public.kept AS SELECT 'here' AS word")
    assert query(settings, "SELECT count(*) FROM public.kept") == "1"
    with closing(redis.Redis.from_url(settings.redis_url)) as client:
        client.set("kept", "here")
    yield installation
    if installation.process is not None:
        installation.end(signal.SIGTERM)


@pytest.fixture
def running(installation: Installation) -> Installation:
    if installation.process is None:
        installation.start()
    return installation


def assert_works(installation: Installation) -> None:
    """It serves, the owner can sign in, and nothing was lost."""
    wait_until(lambda: installation.ready() == 200, "readiness")
    assert installation.log_in()["access_token"]
    wait_until(lambda: kept(installation.settings()) == ("here", b"here"), "the row and the key")


def test_up_says_where_to_go_and_the_line_it_prints_logs_in(running: Installation) -> None:
    printed = running.output.read_text()
    assert f"http://127.0.0.1:{running.port}/docs" in printed
    assert str(running.home) in printed
    assert_works(running)


def test_metrics_are_served_on_their_own_port(running: Installation) -> None:
    assert running.ready() == 200
    connection = http.client.HTTPConnection("127.0.0.1", running.metrics_port, timeout=5)
    with closing(connection):
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    assert re.search(r"^insula_http_request_seconds_count\{.*\} [1-9]", text, re.MULTILINE), text


def test_state_is_private(running: Installation) -> None:
    for name in ("secret", "web.log", "postgres.log", "redis.log", "postgres", "redis", "sockets"):
        assert (running.home / name).stat().st_mode & 0o077 == 0, name
    assert running.home.stat().st_mode & 0o066 == 0


def test_second_copy_on_the_same_state_is_refused(running: Installation) -> None:
    assert running.process is not None
    refused = other_copy(running.environment(PORT=free_port(), METRICS_PORT=free_port()))
    assert refused.returncode == 1
    assert len(refused.stderr.splitlines()) == 1
    assert str(running.process.pid) in refused.stderr
    assert str(running.home) in refused.stderr
    assert running.ready() == 200


@pytest.mark.parametrize("taken", ["PORT", "METRICS_PORT"])
def test_taken_port_is_named_before_anything_starts(
    running: Installation, tmp_path: Path, taken: str
) -> None:
    ports = {"PORT": free_port(), "METRICS_PORT": free_port(), taken: running.port}
    refused = other_copy(running.environment(HOME=tmp_path / "other", **ports))
    assert refused.returncode == 1
    assert f"INSULA_{taken}: 127.0.0.1:{running.port}" in refused.stderr
    assert not (tmp_path / "other" / "postgres").exists()


@pytest.mark.parametrize("part", ["bin/postgres", "bin/redis-server", "insula.cli serve"])
def test_killed_part_is_started_again(running: Installation, part: str) -> None:
    before = running.pid(part)
    assert before, processes_of(running.home)
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: "starting it again" in running.output.read_text(), "a word about it")
    wait_until(lambda: running.pid(part) not in (0, before), "its return")
    assert_works(running)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_stops_everything(running: Installation, number: signal.Signals) -> None:
    assert len(processes_of(running.home)) > 3
    assert running.end(number) == 0
    assert processes_of(running.home) == {}
    assert running.ready() == 0


def test_signal_while_starting_stops_everything(tmp_path: Path) -> None:
    starting = Installation(tmp_path / "home")
    with starting.output.open("wb") as output:
        command = [sys.executable, "-m", "insula.cli", "up"]
        starting.process = subprocess.Popen(
            command, env=starting.environment(), stdout=output, stderr=subprocess.STDOUT
        )
    wait_until((tmp_path / "home" / "postgres").exists, "the cluster")
    assert starting.end(signal.SIGTERM) == 0, starting.output.read_text()
    assert processes_of(starting.home) == {}


def test_start_after_the_supervisor_was_killed(running: Installation) -> None:
    running.end(signal.SIGKILL)
    running.start()
    assert_works(running)


def test_start_after_everything_was_killed(running: Installation) -> None:
    assert running.process is not None
    for pid in processes_of(running.home):
        os.kill(pid, signal.SIGKILL)
    running.end(signal.SIGKILL)
    running.start()
    assert_works(running)


def test_second_start_takes_less_than_five_seconds(running: Installation) -> None:
    running.end(signal.SIGTERM)
    running.start()
    printed = re.findall(r"\((\d+\.\d) s\)", running.output.read_text())
    assert len(printed) == 4
    assert sum(map(float, printed)) < 5


def test_named_servers_are_used_and_left_alone(tmp_path: Path) -> None:
    with EmbeddedServers(tmp_path / "servers", durable=False) as servers:
        guest = Installation(tmp_path / "home")
        guest.start(DATABASE_URL=servers.database_url, REDIS_URL=servers.redis_url)
        assert guest.ready() == 200
        assert not (guest.home / "postgres").exists()
        assert not (guest.home / "redis").exists()
        assert guest.end(signal.SIGTERM) == 0
        named = Settings.load({"INSULA_DATABASE_URL": servers.database_url})
        assert query(named, "SELECT 1") == "1"


@contextmanager
def serving(installation: Installation, log: Path) -> Iterator[Installation]:
    """``insula serve`` on ports of its own, against the servers of an installation."""
    settings = installation.settings()
    served = Installation(installation.home)
    environment = served.environment(
        DATABASE_URL=settings.database_url,
        REDIS_URL=settings.redis_url,
        SECRET_KEY=settings.secret_key,
        DRAIN_SECONDS=2,
    ) | {"PROMETHEUS_MULTIPROC_DIR": str(log.with_name("metrics"))}
    with log.open("wb") as output:
        command = [sys.executable, "-m", "insula.cli", "serve"]
        served.process = subprocess.Popen(command, env=environment, stdout=output, process_group=0)
    try:
        wait_until(lambda: served.ready() == 200, "readiness")
        yield served
    finally:
        if served.process is not None:
            served.end(signal.SIGKILL)


def test_serve_drains_on_sigterm(running: Installation, tmp_path: Path) -> None:
    body = json.dumps({"email": "nobody@demo.example", "password": "x" * 20}).encode()
    with serving(running, tmp_path / "serve.log") as served:
        with closing(socket.create_connection(("127.0.0.1", served.port))) as slow:
            head = (
                f"POST /api/v1/sessions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}"
            )
            slow.sendall(f"{head}\r\nContent-Type: application/json\r\n\r\n".encode() + body[:10])
            assert served.process is not None
            os.killpg(served.process.pid, signal.SIGTERM)  # as service managers do
            wait_until(lambda: served.ready() == 503, "readiness to go")
            wait_until(lambda: served.ready() == 0, "new connections to be refused")
            slow.sendall(body[10:])
            slow.settimeout(10)
            assert slow.recv(12).startswith(b"HTTP/1.1 4")
        assert served.process.wait(20) == 0
        served.process = None


def test_worker_ends_with_its_main_process(running: Installation, tmp_path: Path) -> None:
    with serving(running, tmp_path / "serve.log") as served:
        served.end(signal.SIGKILL)
        wait_until(lambda: served.ready() == 0, "the worker's end", 15)
