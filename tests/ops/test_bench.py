"""The benchmark measures what it says: scaled down, without a look at how fast anything was."""

import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from insula_bench import backup_report, backups, cores, load, report, watchers
from insula_bench.request_path import Turn
from insula_bench.timing import Times

RUN = Path(__file__).parents[2] / "ops/bench/run.py"


class Counting:
    """A server that counts requests and answers each with ``answer`` after ``delay`` seconds; it
    closes a connection after ``talks`` answers."""

    def __init__(self, answer: bytes, delay: float, talks: int) -> None:
        self.seen: list[bytes] = []
        self._answer, self._delay, self._talks = answer, delay, talks
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])

    def serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(client,), daemon=True).start()

    def _talk(self, client: socket.socket) -> None:
        with client:
            for _ in range(self._talks):
                if not (message := client.recv(65536)):
                    return
                self.seen.append(message)
                time.sleep(self._delay)
                half = len(self._answer) // 2  # an answer may come in pieces
                client.sendall(self._answer[:half])
                client.sendall(self._answer[half:])

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@contextmanager
def counting(answer: bytes, delay: float = 0.0, talks: int = 10**6) -> Iterator[Counting]:
    server = Counting(answer, delay, talks)
    threading.Thread(target=server.serve, daemon=True).start()
    try:
        yield server
    finally:
        server.close()


GOOD = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nx: y\r\n\r\nhello"


def test_every_request_is_counted_once_and_messages_take_turns() -> None:
    messages = [load.request("GET", f"/{name}", {"A": "b"}) for name in "ab"]
    with counting(GOOD) as server:
        run = load.run(server.port, messages, seconds=0.2, connections=3)
    assert run.requests == len(server.seen) > 3
    assert abs(server.seen.count(messages[0]) - server.seen.count(messages[1])) <= 1
    assert run.rate == pytest.approx(run.requests / run.seconds)


def test_latency_holds_what_the_server_takes() -> None:
    with counting(GOOD, delay=0.05) as server:
        run = load.run(server.port, [load.request("GET", "/", {})], seconds=0.3, connections=2)
    assert run.percentile(0) >= 0.05
    assert run.latencies == sorted(run.latencies)
    assert run.seconds >= 0.3


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 500 No\r\ncontent-length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhello",
        b"",
    ],
)
def test_anything_but_the_wanted_answer_ends_the_measurement(answer: bytes) -> None:
    with counting(answer, talks=1) as server, pytest.raises(load.WrongAnswer):
        load.run(server.port, [load.request("GET", "/", {})], seconds=0.1, connections=1)


def test_cpu_time_is_that_of_the_process_alone() -> None:
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        ours = cores.cpu_seconds(os.getpid())
        while cores.cpu_seconds(busy.pid) < 0.2:
            time.sleep(0.05)
        assert cores.cpu_seconds(os.getpid()) - ours < cores.cpu_seconds(busy.pid)
    finally:
        busy.kill()
        busy.wait()


def test_children_are_those_of_the_process() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert child.pid in cores.children(os.getpid())
    finally:
        child.communicate()
    assert child.pid not in cores.children(os.getpid())


def test_ratio_is_that_of_the_medians_and_its_range_that_of_the_rounds() -> None:
    turns = {
        "get": {
            "insula": [
                Turn(50, 2e-4, 0.01, 0.02),
                Turn(60, 2e-4, 0.01, 0.02),
                Turn(90, 2e-4, 1, 2),
            ],
            "own": [Turn(100, 1e-4, 0.01, 0.02)] * 3,
            "ordinary": [Turn(120, 1e-4, 0.01, 0.02)] * 3,
        }
    }
    text = report.requests(turns)
    assert "| bare, our pool | 100 (100–100) | **0.60** (0.50–0.90) | 100 | 0.50 |" in text
    assert "0.60, wanted 0.6 (reached), aimed at 0.75" in text
    assert "0.50, wanted 0.85 (missed), aimed at 1.00" in text


def test_95th_percentile_is_the_nearest_rank() -> None:
    assert Times("", [float(n) for n in range(100, 0, -1)]).p95 == 95
    assert Times("", [3.0, 1.0]).p95 == 3.0
    assert Times("", [3.0, 1.0, 2.0]).median == 2.0


def test_a_short_run_measures_live_channels(tmp_path: Path) -> None:
    output = tmp_path / "RESULTS.md"
    scale = ["--live-rounds", "1", "--watchers", "20"]
    command = [sys.executable, str(RUN), "--only", "live", *scale, "--output", str(output)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert run.returncode == 0, run.stderr
    text = output.read_text()
    assert "One message to 20 WebSockets" in text
    rates = re.findall(r"^\| (Insula|bare `websockets`) \| ([\d,]+) ", text, re.MULTILINE)
    assert len(rates) == 2
    assert all(int(rate.replace(",", "")) > 0 for _, rate in rates)
    assert re.search(r"^p50 [\d.]+ ms, p99 [\d.]+ ms", text, re.MULTILINE)


def test_watchers_count_frames_that_come_in_pieces() -> None:
    stream = b"\x81\x05hello" + b"\x81\x7e\x00\x80" + b"x" * 128 + b"\x81\x02"
    buffer, frames = bytearray(), []
    for byte in stream:
        buffer.append(byte)
        while (frame := watchers.take_frame(buffer)) is not None:
            frames.append(frame)
    assert frames == [b"hello", b"x" * 128]
    assert bytes(buffer) == b"\x81\x02"


def test_a_short_run_measures_requests(tmp_path: Path) -> None:
    output = tmp_path / "RESULTS.md"
    scale = ["--only", "requests", "--seconds", "0.2", "--rounds", "2"]
    command = [sys.executable, str(RUN), *scale, "--output", str(output)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert run.returncode == 0, run.stderr
    text = output.read_text()
    assert "`POST /api/v1/notes`" in text
    rates = re.findall(r"^\| (Insula|bare, [a-z ]+) \| ([\d,]+) ", text, re.MULTILINE)
    assert len(rates) == 9
    assert all(int(rate.replace(",", "")) > 0 for _, rate in rates)
    assert str(RUN.parents[2]) not in text
    assert str(tmp_path) not in text


def test_backups_are_compared_with_the_faster_of_the_usual_two() -> None:
    def turns(*seconds: float) -> list[backups.Turn]:
        return [backups.Turn(each, 5_000_000) for each in seconds]

    dumping = {
        "insula": turns(3, 1, 2), "pg_dump -Fc": turns(9, 8, 7), "pg_dump -Fd -j2": turns(5, 4, 6),
        "pg_dump -Fd -j2, not compressed": turns(1, 1, 1),
    }  # fmt: skip
    found = backups.Backups(
        1_000_000_000, dumping, {"insula restore": turns(3)}, 7, {"all": 1.5}, 1000
    )
    assert found.ratio() == pytest.approx(2 / 5)
    text = backup_report.section(found)
    assert "| insula | 2.00 (1.00–3.00) | **0.40** | 5 |" in text
    assert "0.40, wanted 1.0 at most (reached)" in text
    assert "| pg_dump -Fd -j2, not compressed | 1.00 (1.00–1.00) | **0.20** | 5 |" in text
    slow = backups.Backups(1, dumping | {"insula": turns(6)}, {}, 7, {}, 1)
    assert "1.20, wanted 1.0 at most (missed)" in backup_report.section(slow)
