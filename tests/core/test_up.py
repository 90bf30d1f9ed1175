"""``insula up`` as a person meets it: the real process, its real children, and signals."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
import redis
from fixtures.installation import free_port
from fixtures.supervised import SupervisedHome, kept, processes_of, query, wait_until
from insula.embedded import EmbeddedServers
from insula.settings import Settings

pytestmark = pytest.mark.xdist_group("up")  # one state folder for the whole file


def other_copy(environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "insula.cli", "up"]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SupervisedHome]:
    """Installed once, with a row and a key in it that have to survive everything."""
    installation = SupervisedHome(tmp_path_factory.mktemp("up") / "home")
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
def running(installation: SupervisedHome) -> SupervisedHome:
    if installation.process is None:
        installation.start()
    return installation


def assert_works(installation: SupervisedHome) -> None:
    """It serves, the owner can sign in, and nothing was lost."""
    wait_until(lambda: installation.ready() == 200, "readiness")
    assert installation.log_in()["access_token"]
    wait_until(lambda: kept(installation.settings()) == ("here", b"here"), "the row and the key")


def test_up_says_where_to_go_and_the_line_it_prints_logs_in(running: SupervisedHome) -> None:
    printed = running.output.read_text()
    assert f"http://127.0.0.1:{running.port}/docs" in printed
    assert str(running.home) in printed
    assert_works(running)


def test_metrics_are_served_on_their_own_port(running: SupervisedHome) -> None:
    assert running.ready() == 200
    connection = http.client.HTTPConnection("127.0.0.1", running.metrics_port, timeout=5)
    with closing(connection):
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    assert re.search(r"^insula_http_request_seconds_count\{.*\} [1-9]", text, re.MULTILINE), text


def test_state_is_private(running: SupervisedHome) -> None:
    for name in ("secret", "web.log", "postgres.log", "redis.log", "postgres", "redis", "sockets"):
        assert (running.home / name).stat().st_mode & 0o077 == 0, name
    assert running.home.stat().st_mode & 0o066 == 0


def test_second_copy_on_the_same_state_is_refused(running: SupervisedHome) -> None:
    assert running.process is not None
    refused = other_copy(running.environment(PORT=free_port(), METRICS_PORT=free_port()))
    assert refused.returncode == 1
    assert len(refused.stderr.splitlines()) == 1
    assert str(running.process.pid) in refused.stderr
    assert str(running.home) in refused.stderr
    assert running.ready() == 200


@pytest.mark.parametrize("taken", ["PORT", "METRICS_PORT"])
def test_taken_port_is_named_before_anything_starts(
    running: SupervisedHome, tmp_path: Path, taken: str
) -> None:
    ports = {"PORT": free_port(), "METRICS_PORT": free_port(), taken: running.port}
    refused = other_copy(running.environment(HOME=tmp_path / "other", **ports))
    assert refused.returncode == 1
    assert f"INSULA_{taken}: 127.0.0.1:{running.port}" in refused.stderr
    assert not (tmp_path / "other" / "postgres").exists()


@pytest.mark.parametrize("part", ["bin/postgres", "bin/redis-server", "insula.cli serve"])
def test_killed_part_is_started_again(running: SupervisedHome, part: str) -> None:
    before = running.pid(part)
    assert before, processes_of(running.home)
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: "starting it again" in running.output.read_text(), "a word about it")
    wait_until(lambda: running.pid(part) not in (0, before), "its return")
    assert_works(running)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_stops_everything(running: SupervisedHome, number: signal.Signals) -> None:
    assert len(processes_of(running.home)) > 3
    assert running.end(number) == 0
    assert processes_of(running.home) == {}
    assert running.ready() == 0


def test_signal_while_starting_stops_everything(tmp_path: Path) -> None:
    starting = SupervisedHome(tmp_path / "home")
    with starting.output.open("wb") as output:
        command = [sys.executable, "-m", "insula.cli", "up"]
        starting.process = subprocess.Popen(
            command, env=starting.environment(), stdout=output, stderr=subprocess.STDOUT
        )
    wait_until((tmp_path / "home" / "postgres").exists, "the cluster")
    assert starting.end(signal.SIGTERM) == 0, starting.output.read_text()
    # A server that was just being started ends by its parent's death, which takes a moment.
    wait_until(lambda: processes_of(starting.home) == {}, "the end of every process")


def test_start_after_the_supervisor_was_killed(running: SupervisedHome) -> None:
    running.end(signal.SIGKILL)
    running.start()
    assert_works(running)


def test_start_waits_for_a_port_that_is_being_given_up(installation: SupervisedHome) -> None:
    """Which what was killed does after it has ceased to be recognisable."""
    if installation.process is not None:
        installation.end(signal.SIGTERM)
    with socket.create_server(("127.0.0.1", installation.metrics_port)) as holder:
        threading.Timer(2.5, holder.close).start()
        installation.start()
    assert_works(installation)


def test_start_after_everything_was_killed(running: SupervisedHome) -> None:
    assert running.process is not None
    for pid in processes_of(running.home):
        with suppress(ProcessLookupError):  # it went with its parent
            os.kill(pid, signal.SIGKILL)
    running.end(signal.SIGKILL)
    running.start()
    assert_works(running)


def test_a_second_start_goes_through_the_same_steps(running: SupervisedHome) -> None:
    running.end(signal.SIGTERM)
    running.start()
    printed = re.findall(r"✓ .+ \((\d+\.\d) s\)", running.output.read_text())
    assert len(printed) == 4  # how long they take is measured by `make bench`
    assert running.ready() == 200


def test_named_servers_are_used_and_left_alone(tmp_path: Path) -> None:
    with EmbeddedServers(tmp_path / "servers", durable=False) as servers:
        guest = SupervisedHome(tmp_path / "home")
        guest.start(DATABASE_URL=servers.database_url, REDIS_URL=servers.redis_url)
        assert guest.ready() == 200
        assert not (guest.home / "postgres").exists()
        assert not (guest.home / "redis").exists()
        assert guest.end(signal.SIGTERM) == 0
        named = Settings.load({"INSULA_DATABASE_URL": servers.database_url})
        assert query(named, "SELECT 1") == "1"


@contextmanager
def serving(installation: SupervisedHome, log: Path) -> Iterator[SupervisedHome]:
    """``insula serve`` on ports of its own, against the servers of an installation."""
    settings = installation.settings()
    served = SupervisedHome(installation.home)
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
        wait_until(lambda: served.ready() == 200, "readiness", 90)
        yield served
    finally:
        if served.process is not None:
            served.end(signal.SIGKILL)


def test_serve_drains_on_sigterm(running: SupervisedHome, tmp_path: Path) -> None:
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


def test_worker_ends_with_its_main_process(running: SupervisedHome, tmp_path: Path) -> None:
    with serving(running, tmp_path / "serve.log") as served:
        served.end(signal.SIGKILL)
        wait_until(lambda: served.ready() == 0, "the worker's end", 15)
