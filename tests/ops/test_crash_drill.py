"""The crash drill, short: every part killed once while people write."""

import json
import subprocess
import sys
from pathlib import Path


def test_nothing_is_lost_when_every_part_is_killed_under_load() -> None:
    command = [
        *(str(Path(sys.executable).with_name("insula")), "lab", "crash-drill"),
        *("--seconds", "8", "--writers", "2", "--json"),
        *("--kill", "worker", "--kill", "redis", "--kill", "web"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    outcome = json.loads(done.stdout)
    assert outcome["faults"] == []
    assert outcome["writes"] > 0
    assert outcome["events"] >= outcome["writes"]
    assert [part for part, _ in outcome["recovery_seconds"]] == ["worker", "redis", "web"]
