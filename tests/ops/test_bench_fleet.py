"""What the benches of many tenants count with."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from insula.tenancy.fleet import Options
from insula_bench import crowd, fleet_report, pacing, place, results, serving_report
from insula_bench.fleet import Fleet, Guess, Step
from insula_bench.pacing import Request, Sample
from insula_bench.serving import Memory, Pair, Serving, Size, Soak, Turn

RUN = Path(__file__).parents[2] / "ops/bench/run.py"
MACHINE = {"date": "today", "commit": "abc", "CPU": "some", "memory": "1 GiB", "Python": "3"}


def test_a_section_is_renewed_in_its_place_and_a_new_one_comes_last(tmp_path: Path) -> None:
    file = tmp_path / "RESULTS.md"
    file.write_text("# Benchmarks\n\n## One\n\nold\n\n### Part\n\n## Two\n\nkept\n")
    results.update(file, ["## One\n\nnew\n", "## Three\n\nfirst\n"], MACHINE, "1%")
    text = file.read_text()
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        "# Benchmarks", "## One", "## Two", "## Three",
    ]  # fmt: skip
    assert "old" not in text
    assert "new" in text.partition("## Two")[0]
    assert "kept" in text
    assert text.count("commit abc") == 2


def test_percentiles_are_of_the_latency_and_not_of_the_time() -> None:
    samples = [Sample(100.0 - n, n / 100, 200) for n in range(100)]
    assert pacing.percentile(samples, 0.5) == 0.5
    assert pacing.percentile(samples, 0.99) == 0.99


def test_zipf_draws_the_first_most_and_uniform_all_alike() -> None:
    requests = [Request("GET", f"/{n}", {}, b"") for n in range(100)]
    by_zipf, evenly = crowd.zipf(requests, 10_000), crowd.uniform(requests, 10_000)
    first = crowd.each_once(requests[:1])[0]
    assert by_zipf.count(first) == pytest.approx(10_000 / 5.187, rel=0.1)  # the harmonic number
    assert evenly.count(first) == pytest.approx(100, rel=0.5)


def test_all_tenants_have_a_place_on_a_connection() -> None:
    for tenants in (10, 1000, 10_000):
        for of_a_cell in (2000, 10_000):
            cells, buckets, connections = place.layout(tenants, of_a_cell)
            assert cells == max(1, tenants // of_a_cell)
            places = cells * buckets * connections * place.TENANTS_OF_CONNECTION
            assert places >= tenants
            assert cells * buckets * connections <= 100


def test_verdicts_on_a_fleet() -> None:
    calm = [Sample(0.0, 0.01, 200)] * 100
    slow = [*[Sample(0.0, 0.01, 200)] * 90, *[Sample(0.0, 0.03, 200)] * 10]
    broken = [*calm, Sample(0.0, 0.01, 503)]
    alone = Step("a column", 10_000, 12.0, Guess("about 5 s left", 5.5), [], [])
    beside = [
        Step("a column", 10_000, 13.0, None, calm, slow),
        Step("an index", 10_000, 13.0, None, calm, broken),
    ]
    text = fleet_report.section(Fleet(10_000, 5, 200.0, Options(), 10.0, [alone], beside))
    assert "a column at 10,000 tenants: 12.0 s, wanted at most 15 (reached)" in text
    assert "p99 beside a column: 3.00 of before, wanted at most 2 and no error: 0 (missed)" in text
    assert "p99 beside an index: 1.00 of before, wanted at most 2 and no error: 1 (missed)" in text


def test_verdicts_on_serving() -> None:
    def size(tenants: int, p50: float, p99: float) -> Size:
        pair = Pair(Turn(0.001, 0.002, 100.0), Turn(p50, p99, 90.0))
        return Size(tenants, 1.0, {"uniform": [pair] * 3})

    sizes = [size(10, 0.001, 0.002), size(10_000, 0.0011, 0.004)]
    text = serving_report.section(Serving(10, "1 × 4 × 8", "5 × 7 × 2", 27, 64, sizes))
    assert "p50 at 10,000 of that at 10, uniform: 1.10, wanted at most 1.15 (reached)" in text
    assert "p99 at 10,000 of that at 10, uniform: 2.00, wanted at most 1.5 (missed)" in text


def test_memory_that_grows_is_seen() -> None:
    found = [Memory(0.0, 100 << 20, 4, 50 << 20), Memory(2.0, 150 << 20, 4, 50 << 20)]
    text = serving_report.memory(Soak(10_000, 1000, found))
    assert "of the backends 1.50, of the web worker 1.00" in text


def test_a_short_run_measures_many_tenants(tmp_path: Path) -> None:
    """Serving, provisioning, migrating alone and beside people, memory; in two databases."""
    output = tmp_path / "RESULTS.md"
    scale = [
        "--sizes",
        "3",
        "--cell-tenants",
        "2",
        "--rounds",
        "1",
        "--seconds",
        "0.1",
        "--times",
        "1",
    ]
    scale += ["--beside-seconds", "0.5", "--rate", "40", "--soak-minutes", "0.01"]
    command = [sys.executable, str(RUN), "--only", "tenants", *scale, "--output", str(output)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert run.returncode == 0, run.stderr
    text = output.read_text()
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        "## Serving at scale", "## Provisioning", "## Migrating the fleet", "## Memory at scale",
    ]  # fmt: skip
    rows = re.findall(r"^\| (\d+) \| (?:uniform|Zipf) \| ([\d.]+) \|", text, re.MULTILINE)
    assert [tenants for tenants, _ in rows] == ["3", "3"]
    assert all(float(p50) > 0 for _, p50 in rows)
    beside = re.findall(r"^\| an? (?:column|index) \| \d+ \| [\d.]+ \|.*$", text, re.MULTILINE)
    assert len(beside) == 2
    assert "grows (2 × 1 × 3" in text
    assert "in 2 databases of one server" in text
    assert str(tmp_path) not in text
