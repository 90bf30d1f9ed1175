"""The README's tour, run as it stands."""

import os
import re
import subprocess
from pathlib import Path

from fixtures.installation import Installation

ROOT = Path(__file__).parents[2]


def _tour() -> str:
    match = re.search(r"<!-- tour -->\n```bash\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    assert match is not None
    return match[1]


def test_the_tour_does_what_it_says(installation: Installation, tmp_path: Path) -> None:
    script = "set -euo pipefail\n" + _tour()
    result = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "INSULA": installation.url},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    for expected in (
        '"slug":"roof-garden"',
        '"enabled":true',
        '"tags":["daily"]',
        'etag: "1"',
        '"title":"Watering plan"',
        "\n412\n",
        "\nBearer\n",
        "/docs/problems/invalid-input",
        "\n401\n",
    ):
        assert expected in result.stdout, f"{expected} is missing in:\n{result.stdout}"
