"""How long ``insula up`` takes from the command to a server that is ready."""

import os
import subprocess
import sys
import time
from pathlib import Path

from insula_bench.server import free_port, is_answering
from insula_bench.timing import Times

_PATIENCE = 120.0


class NotReady(Exception):
    """``insula up`` ended, or took longer than two minutes; with what it said."""


def measure(folder: Path, *, starts: int) -> list[Times]:
    """Start on an empty state folder, stop, and start again on what is there by then."""
    _start(folder / "uncounted")  # Python compiles what it imports for the first time
    cold, warm = [], []
    for number in range(starts):
        home = folder / f"start-{number}"
        cold.append(_start(home))
        warm.append(_start(home))
    return [
        Times("cold: empty `INSULA_HOME`", cold),
        Times("warm: the state of an earlier run", warm),
    ]


def _start(home: Path) -> float:
    """Seconds until ``/health/ready`` answers 200."""
    port = free_port()
    environment = {
        name: value
        for name, value in os.environ.items()
        if "INSULA_" not in name and name != "PYTHONDONTWRITEBYTECODE"
    } | {
        "INSULA_HOME": str(home),
        "INSULA_PORT": str(port),
        "INSULA_METRICS_PORT": str(free_port()),
    }
    said = home.with_suffix(".log")
    with said.open("wb") as log:
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "insula.cli", "up"], env=environment, stdout=log, stderr=log
        )
        try:
            while not is_answering(port, "/health/ready", 200):
                if process.poll() is not None or time.perf_counter() - started > _PATIENCE:
                    raise NotReady(said.read_text())
                time.sleep(0.01)
            return time.perf_counter() - started
        finally:
            process.terminate()
            process.wait(60)
