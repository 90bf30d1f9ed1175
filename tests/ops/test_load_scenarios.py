"""The Locust scenarios, run as a person would run them, against a real installation."""

import csv
import subprocess
import sys
from pathlib import Path

from fixtures.installation import Installation

LOCUSTFILE = Path(__file__).parents[2] / "ops/src/insula_ops/locustfile.py"


def run_locust(url: str, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--host", url, "--headless"]
    return subprocess.run(
        [*command, "--csv", str(folder / "lab"), "--only-summary", *options],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_readers_and_writers_do_all_they_do_without_a_failure(
    installation: Installation, tmp_path: Path
) -> None:
    run = run_locust(installation.url, tmp_path, "-u", "10", "-r", "10", "-t", "8s")
    assert run.returncode == 0, run.stderr
    with (tmp_path / "lab_stats.csv").open() as file:
        stats = {(row["Type"], row["Name"]): row for row in csv.DictReader(file)}
    done = {key for key, row in stats.items() if int(row["Request Count"]) > 0}
    notes = "/api/v1/notes"
    assert done >= {
        ("POST", "/api/v1/tenants"),
        ("POST", "/api/v1/users"),
        ("POST", "/api/v1/sessions"),
        ("GET", notes),
        ("GET", f"{notes}/{{id}}"),
        ("GET", f"{notes}?q="),
        ("POST", notes),
        ("PATCH", f"{notes}/{{id}}"),
    }
    assert {row["Failure Count"] for row in stats.values()} == {"0"}


def test_a_server_that_is_not_there_is_a_failure(tmp_path: Path) -> None:
    run = run_locust("http://127.0.0.1:9", tmp_path, "-u", "1", "-r", "1", "-t", "3s")
    assert run.returncode != 0
