"""``insula-cdn cache`` as a script sees it: its output, its errors, its exit codes."""

import json
import os
import pty
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import libcachesim  # type: ignore[import-untyped]
import numpy as np
import pytest
from insula_simulator.replay import next_requests
from simulator.oracle import ORACLES

SCRIPT = Path(sys.executable).with_name("insula-cdn")


def insula_cdn(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SCRIPT, "cache", *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def requests(count: int) -> list[tuple[int, int]]:
    """A walk that comes back to small ids often; an object's size follows from its id, and the
    objects of one id in 97 are empty."""
    keys = [1 + (number * number * 7919) % (1 + number % 800) for number in range(count)]
    return [(key, 0 if key % 97 == 0 else 1 + key * 37 % 500) for key in keys]


def write_csv(path: Path) -> Path:
    rows = [f"{time_},{key},{size}\n" for time_, (key, size) in enumerate(requests(20_000))]
    path.write_text("time,id,size\n" + "".join(rows))
    return path


def write_oracle_general(path: Path) -> Path:
    rows = requests(20_000)
    following = next_requests(np.array([key for key, _ in rows]))
    path.write_bytes(
        b"".join(
            struct.pack("<IQIq", 1, key, size, at)
            for (key, size), at in zip(rows, following.tolist(), strict=True)
        )
    )
    return path


def libcachesim_counts(
    trace: Path, format_: str, policy: str, size: int, ignore_size: bool
) -> tuple[int, int, int, int]:
    """Requests, hits, bytes and missed bytes as libCacheSim's own reader and cache count them."""
    csv = format_ == "csv"
    about = libcachesim.ReaderInitParam(
        ignore_obj_size=ignore_size, has_header=csv, has_header_set=csv, obj_id_is_num_set=True
    )
    if csv:
        about.time_field, about.obj_id_field, about.obj_size_field = 1, 2, 3
    kinds = libcachesim.TraceType
    kind = kinds.CSV_TRACE if csv else kinds.ORACLE_GENERAL_TRACE
    cache = ORACLES[policy](cache_size=size, hashpower=10)
    seen = hits = total = missed = 0
    for request in libcachesim.TraceReader(str(trace), kind, about):
        hit = cache.get(request)
        seen, hits, total = seen + 1, hits + hit, total + request.obj_size
        missed += 0 if hit else request.obj_size
    return seen, hits, total, missed


@pytest.mark.parametrize(
    ("format_", "policy"),
    # libCacheSim's CSV has no place for when an object returns, so Belady is compared in binary.
    [("csv", "lru"), ("oracleGeneral", "belady"), ("oracleGeneral", "wtinylfu")],
)
@pytest.mark.parametrize(("size", "ignore_size"), [(60_000, False), (200, True)])
def test_counts_equal_libcachesim_on_the_same_file(
    tmp_path: Path, format_: str, policy: str, size: int, ignore_size: bool
) -> None:
    write = write_csv if format_ == "csv" else write_oracle_general
    trace = write(tmp_path / "trace")
    options = ["--ignore-size"] if ignore_size else []
    done = insula_cdn(
        "--trace", trace, "--format", format_, "--policy", policy, "--size", str(size), "--json",
        *options,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    result = json.loads(done.stdout)
    rate = result.pop("requests_per_second")
    seen, hits, total, missed = libcachesim_counts(trace, format_, policy, size, ignore_size)
    assert 0 < hits < seen < 20_000
    assert result == {
        "requests": seen,
        "hits": hits,
        "miss_ratio": (seen - hits) / seen,
        "byte_miss_ratio": missed / total,
    }
    assert rate > 0


def test_without_json_the_result_is_for_people(tmp_path: Path) -> None:
    trace = tmp_path / "trace.csv"
    trace.write_text("0,a,10\n1,a,10\n2,b,10\n3,c,10\n")
    done = insula_cdn("--trace", trace, "--format", "csv", "--policy", "lru", "--size", "100")
    assert done.returncode == 0
    assert "miss ratio       0.7500" in done.stdout


def test_a_broken_trace_exits_2_and_names_file_and_line(tmp_path: Path) -> None:
    trace = tmp_path / "trace.csv"
    trace.write_text("0,a,10\n1,b,many\n")
    done = insula_cdn("--trace", trace, "--format", "csv", "--policy", "lru", "--size", "100")
    assert (done.returncode, done.stdout) == (2, "")
    complaint = "line 2: size 'many' is not a whole number of bytes"
    assert done.stderr == f"Error: {trace}: {complaint}\n"


def test_an_empty_trace_exits_2(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    trace.touch()
    for format_ in ("csv", "oracleGeneral"):
        done = insula_cdn("--trace", trace, "--format", format_, "--policy", "lru", "--size", "1")
        assert (done.returncode, done.stdout) == (2, "")
        assert "holds no request" in done.stderr


@pytest.mark.parametrize(
    "change",
    [
        {"--trace": "missing"}, {"--trace": "."}, {"--format": "pcap"}, {"--policy": "magic"},
        {"--policy": "s3fifo", "--size": "9"}, {"--size": "0"}, {"--size": "-5"}, {"--size": "1.5"},
    ],
    ids=str,
)  # fmt: skip
def test_wrong_usage_exits_2(tmp_path: Path, change: dict[str, str]) -> None:
    trace = write_csv(tmp_path / "trace.csv")
    right = {"--trace": str(trace), "--format": "csv", "--policy": "lru", "--size": "10"}
    done = insula_cdn(*(text for option in (right | change).items() for text in option))
    assert (done.returncode, done.stdout) == (2, "")


def run_on_terminal(pause: float, *options: str) -> tuple[str, int]:
    """Feed a pipe of requests with a pause in the middle; answer what the terminal showed."""
    half = b"".join(b"0,%d,7\n" % number for number in range(20_000))  # more than a pipe holds
    master, slave = pty.openpty()
    command = [str(SCRIPT), "cache", "--trace", "/dev/stdin", "--format", "csv", "--policy", "fifo",
               "--size", "700", "--json", *options]  # fmt: skip
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=slave,
        env={**os.environ, "TERM": "xterm-256color"},
    )
    os.close(slave)
    shown: list[bytes] = []

    def read_terminal() -> None:
        try:
            while chunk := os.read(master, 4096):
                shown.append(chunk)
        except OSError:  # Linux answers EIO once the other end is closed
            pass

    reader = threading.Thread(target=read_terminal)
    reader.start()
    assert process.stdin
    assert process.stdout
    process.stdin.write(half)
    process.stdin.flush()
    time.sleep(pause)
    process.stdin.write(half)
    process.stdin.close()
    assert json.loads(process.stdout.read())["requests"] == 40_000
    process.stdout.close()
    code = process.wait(timeout=30)
    reader.join()
    os.close(master)
    return b"".join(shown).decode(), code


def test_a_run_longer_than_a_second_shows_progress_on_a_terminal() -> None:
    shown, code = run_on_terminal(1.3)
    assert code == 0
    assert "requests" in shown


def test_progress_can_be_switched_off() -> None:
    assert run_on_terminal(1.3, "--no-progress") == ("", 0)


def test_a_short_run_shows_no_progress() -> None:
    assert run_on_terminal(0) == ("", 0)
