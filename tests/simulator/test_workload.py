"""``insula-cdn trace``: converted, described and imitated traces."""

import json
import signal
import struct
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec
import numpy as np
import pytest
from insula_simulator.cache import Cache
from insula_simulator.replay import next_requests, replay
from insula_simulator.scenario import Sizes, Traffic
from insula_simulator.traces import Chunk, TraceError, evenly, read_trace
from insula_simulator.workload.popularity import catalogue, expected, fit_zipf
from insula_simulator.workload.sizes import fit_sizes
from insula_simulator.workload.statistics import survey
from insula_simulator.workload.synthesis import synthetic
from insula_simulator.workload.writers import write_trace

SCRIPT = Path(sys.executable).with_name("insula-cdn")
Requests = list[tuple[int, int, float]]


def trace(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SCRIPT, "trace", *arguments], capture_output=True, text=True, timeout=120, check=False
    )


def requests_of(path: Path, format_: str) -> Requests:
    rows: Requests = []
    with path.open("rb") as file:
        for chunk in read_trace(file, format_):
            rows += zip(
                chunk.keys.tolist(), chunk.sizes.tolist(), chunk.times.tolist(), strict=True
            )
    return rows


def drawn(requests: int = 100_000, **traffic: float) -> list[Chunk]:
    fitted = msgspec.convert({"objects": 5000} | traffic, Traffic)
    return list(synthetic(fitted, requests, 3600.0, 3))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """150,000 requests: more than a chunk, so that objects return in a later one."""
    path = tmp_path_factory.mktemp("traces") / "recorded.csv"
    chance = np.random.default_rng(1)
    keys = chance.zipf(1.2, 150_000) % 30_000
    rows = [f"{n // 100},{key},{1 + key * 37 % 5000}\n" for n, key in enumerate(keys.tolist())]
    path.write_text("time,id,size\n" + "".join(rows))
    return path


@pytest.mark.parametrize(
    ("name", "to"),
    [
        ("x.csv", "csv"),
        ("x.csv.gz", "csv"),
        ("x.parquet", "parquet"),
        ("x.og.zst", "oracleGeneral"),
    ],
)
def test_a_converted_trace_holds_the_same_requests(
    tmp_path: Path, recorded: Path, name: str, to: str
) -> None:
    target = tmp_path / name
    done = trace("convert", recorded, target, "--format", "csv", "--to", to)
    assert (done.returncode, done.stderr) == (0, "")
    assert requests_of(target, to) == requests_of(recorded, "csv")
    assert list(tmp_path.iterdir()) == [target]


def test_oracle_general_says_when_each_object_returns(tmp_path: Path, recorded: Path) -> None:
    target = tmp_path / "x.og"
    with recorded.open("rb") as file:
        write_trace(read_trace(file, "csv"), target, "oracleGeneral")
    stored = [row[3] for row in struct.iter_unpack("<IQIq", target.read_bytes())]
    following = next_requests(np.array([key for key, _, _ in requests_of(recorded, "csv")]))
    assert stored == [-1 if at == 2**63 - 1 else at for at in following.tolist()]


@pytest.mark.parametrize(
    ("text", "to", "complaint"),
    [
        (b"1,a,5\n2,b,x\n", "csv", "line 2: size 'x'"),
        (b"1,a,5\n2,b,4294967296\n", "oracleGeneral", "request 2: size 4294967296"),
        (b"1,a,5\n99999999999,b,5\n", "oracleGeneral", "request 2: time"),
        (b"1,a,5\n2,b,x\n", "parquet", "line 2: size 'x'"),
    ],
)
def test_a_conversion_that_fails_leaves_what_was_there(
    tmp_path: Path, text: bytes, to: str, complaint: str
) -> None:
    source, target = tmp_path / "in.csv", tmp_path / "out"
    source.write_bytes(text)
    target.write_text("earlier")
    done = trace("convert", source, target, "--format", "csv", "--to", to)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{source}: {complaint}" in done.stderr
    assert target.read_text() == "earlier"
    assert len(list(tmp_path.iterdir())) == 2


def test_an_interrupted_conversion_leaves_nothing(tmp_path: Path) -> None:
    command = [str(SCRIPT), "trace", "convert", "/dev/stdin", str(tmp_path / "out.csv"),
               "--format", "csv", "--to", "csv"]  # fmt: skip
    process = subprocess.Popen(command, stdin=subprocess.PIPE)
    assert process.stdin
    process.stdin.write(b"1,a,5\n" * 1_000_000)
    process.stdin.flush()
    deadline = time.monotonic() + 60
    while not list(tmp_path.iterdir()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    # CPython does not look for signals between two reads of a pipe that fill one buffer: the first
    # signal may have to wait for the next one.
    while process.returncode is None and time.monotonic() < deadline:
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
    assert process.returncode == 128 + signal.SIGTERM
    process.stdin.close()
    assert list(tmp_path.iterdir()) == []


def test_statistics_are_those_of_a_plain_count(recorded: Path) -> None:
    done = trace("stat", recorded, "--format", "csv", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    rows = requests_of(recorded, "csv")
    counts: dict[int, int] = {}
    last: dict[int, float] = {}
    within_ten = 0
    for key, _, at in rows:
        within_ten += key in last and at - last[key] <= 10
        last[key] = at
        counts[key] = counts.get(key, 0) + 1
    assert found["requests"] == len(rows)
    assert found["bytes"] == sum(size for _, size, _ in rows)
    assert found["objects"] == len(counts)
    assert found["object_bytes"] == sum({key: size for key, size, _ in rows}.values())
    once = sum(count == 1 for count in counts.values())
    assert found["one_hit_wonders"] == pytest.approx(once / len(counts))
    assert found["reuse"]["within_seconds"]["10"] == pytest.approx(within_ten / len(rows))
    assert found["seconds"] == rows[-1][2]
    assert sum(found["rate"]) * found["bin_seconds"] == pytest.approx(len(rows))
    distinct = [len({key for key, _, _ in rows[i : i + 65536]}) for i in (0, 65536)]
    assert found["working_set"]["objects"] == sum(distinct) / 2


def test_reuse_distances_are_what_an_lru_cache_hits() -> None:
    chunks = drawn()
    found = survey(chunks).result()
    for size in (64, 1024):
        hits = replay(chunks, Cache("lru", size), ignore_size=True)
        assert found.reuse.within_objects[str(size)] == pytest.approx(1 - hits.miss_ratio)


@pytest.mark.parametrize("exponent", [0.6, 0.9, 1.2])
def test_a_zipf_exponent_is_found_within_its_error(exponent: float) -> None:
    chance = np.random.default_rng(5)
    weights = np.arange(1.0, 20_001) ** -exponent
    counts = chance.multinomial(1_000_000, weights / weights.sum())
    found = fit_zipf(counts[counts > 0])
    assert found.exponent == pytest.approx(exponent, abs=max(0.01, 4 * found.error))
    assert found.error < 0.005
    assert found.distance < 0.02


def test_a_catalogue_is_found_behind_what_was_asked_for() -> None:
    asked, once = expected(500_000 * 0.9, 40_000, 0.8)
    wonders = 500_000 * 0.1
    objects, share = catalogue(500_000, round(asked + wonders), round(once + wonders), 0.8, 0.0)
    assert objects == pytest.approx(40_000, rel=0.02)
    assert share == pytest.approx(0.1, rel=0.03)


def test_sizes_are_found_with_their_tail() -> None:
    chance = np.random.default_rng(2)
    sizes = 20_000 * np.exp(1.3 * chance.standard_normal(200_000))
    tail = chance.random(200_000) < 0.03
    sizes[tail] = 20_000 * np.exp(2.6) * (1 + chance.pareto(1.3, int(tail.sum())))
    found = fit_sizes(sizes.astype(np.int64))
    assert found.median == pytest.approx(20_000, rel=0.05)
    assert found.sigma == pytest.approx(1.3, rel=0.06)
    assert found.pareto_share == pytest.approx(0.03, abs=0.012)
    assert found.pareto_alpha == pytest.approx(1.3, rel=0.35)


def test_an_imitation_is_near_and_a_scenario_takes_it(tmp_path: Path) -> None:
    source, toml, target = tmp_path / "in.csv", tmp_path / "t.toml", tmp_path / "out.csv"
    write_trace(drawn(60_000, zipf=0.8, drift=4.0, one_hit_wonders=0.1), source, "csv")
    done = trace(
        "synth", source, "--format", "csv", "--toml", toml, "--write", target, "--json"
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert found["difference"] < 3
    assert found["objects_synthetic"] == pytest.approx(found["objects_real"], rel=0.1)
    table = tomllib.loads(toml.read_text())
    assert msgspec.convert(table["traffic"], Traffic) == msgspec.convert(found["traffic"], Traffic)
    assert table["traffic"]["drift"] > 0
    assert isinstance(msgspec.convert(table["traffic"]["sizes"], Sizes), Sizes)
    assert len(requests_of(target, "csv")) == table["requests"] == 60_000


def test_chunks_are_cut_evenly_whatever_they_were() -> None:
    rows = np.arange(1000)
    chunks = [
        Chunk(part, part + 1, part.astype(np.float64))
        for part in np.split(rows, [1, 1, 7, 400, 990])
    ]
    cut = list(evenly(chunks, 64, 500))
    assert [len(each.keys) for each in cut] == [64] * 7 + [52]
    assert np.concatenate([each.keys for each in cut]).tolist() == rows[:500].tolist()


WRONG: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "nul": lambda: b"1,a\0,5\n2,b,\0\n",
    "garbage": lambda: np.random.default_rng(1).bytes(5000),
    "mixed line ends": lambda: b"1,a,5\r\n2,b,5\n3,c,5\r4,d,-5\n",
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_broken_trace_is_refused_in_one_line(tmp_path: Path, kind: str) -> None:
    source = tmp_path / "in.csv"
    source.write_bytes(WRONG[kind]())
    done = trace("stat", source, "--format", "csv")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"Error: {source}: ")
    assert done.stderr.count("\n") == 1


def test_a_trace_of_nothing_is_no_statistic() -> None:
    with pytest.raises(TraceError, match="holds no request"):
        survey([])
