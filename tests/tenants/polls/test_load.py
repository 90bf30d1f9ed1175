"""The crowd of ``ops``, smaller: everybody votes at once, and all counts agree."""

import re
import subprocess
import sys
from pathlib import Path

from fixtures.background import WorkerProcess
from fixtures.installation import Installation

SCENARIO = Path(__file__).parents[3] / "ops/src/insula_ops/scenarios/polls.py"


def test_a_crowds_votes_its_rows_the_tally_and_every_watchers_sum_agree(
    installation: Installation, worker: WorkerProcess
) -> None:
    options = "--headless --only-summary -u 204 -r 200 -t 8s --stop-timeout 60".split()
    run = subprocess.run(
        [sys.executable, "-m", "locust", "-f", str(SCENARIO), "--host", installation.url, *options],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    said = re.search(
        r"(\d+) votes acknowledged, (\d+) rows, (\d+) in the tally after (\d+) deltas; "
        r"(\d+) of (\d+) watchers",
        run.stdout,
    )
    assert said is not None, run.stdout + run.stderr
    votes, rows, tally, deltas, agreeing, watchers = map(int, said.groups())
    assert votes == rows == tally >= 100
    assert 1 <= deltas <= votes
    assert agreeing == watchers >= 3
    assert run.returncode == 0, run.stdout + run.stderr
