"""`insula modules new` writes a module that passes every check and its own tests, untouched."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ("platform/src", "tenants/src", "simulator/src", "ops/src")
BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the workspace with a new module in it, which Python finds as if installed."""
    folder = tmp_path_factory.mktemp("workspace")
    ignore = shutil.ignore_patterns("__pycache__")
    for source in SOURCES:
        shutil.copytree(ROOT / source, folder / source, ignore=ignore)
    shutil.copytree(ROOT / "tests" / "fixtures", folder / "tests" / "fixtures", ignore=ignore)
    for file in ("pyproject.toml", "tests/conftest.py", "tenants/pyproject.toml"):
        shutil.copy(ROOT / file, folder / file)
    made = _run(folder, sys.executable, "-m", "insula.cli", "modules", "new", "entries")
    assert made.returncode == 0, made.stderr
    probe = folder / "installed" / "probe-1.dist-info"
    probe.mkdir(parents=True)
    (probe / "METADATA").write_text("Metadata-Version: 2.1\nName: probe\nVersion: 1\n")
    module = "entries = insula_tenants.entries.module:MODULE"
    (probe / "entry_points.txt").write_text(f"[insula.modules]\n{module}\n")
    return folder


def _run(folder: Path, *command: str | Path) -> subprocess.CompletedProcess[str]:
    paths = [folder / "installed", *(folder / source for source in SOURCES)]
    return subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_is_formatted_linted_typed_and_keeps_the_import_contracts(workspace: Path) -> None:
    written = ["tenants/src/insula_tenants/entries", "tests/tenants/entries"]
    commands: tuple[list[str | Path], ...] = (
        [BIN / "ruff", "format", "--check", "--no-cache", *written],
        [BIN / "ruff", "check", "--no-cache", *written],
        [BIN / "mypy", "--cache-dir", workspace / ".mypy_cache", *written],
        [BIN / "lint-imports", "--no-cache"],
    )
    for command in commands:
        result = _run(workspace, *command)
        assert result.returncode == 0, f"{command}\n{result.stdout}{result.stderr}"


def test_its_own_tests_pass(workspace: Path) -> None:
    result = _run(workspace, BIN / "pytest", "-q", "-p", "no:cacheprovider", "tests/tenants")
    assert result.returncode == 0, result.stdout
    assert "12 passed" in result.stdout


def test_it_is_registered_in_its_distribution(workspace: Path) -> None:
    project = (workspace / "tenants" / "pyproject.toml").read_text()
    assert 'entries = "insula_tenants.entries.module:MODULE"' in project
    assert (workspace / "tenants/src/insula_tenants/entries/migrations/0001_initial.sql").exists()


def test_it_speaks_every_language(workspace: Path) -> None:
    result = _run(workspace, sys.executable, "-m", "insula.cli", "i18n", "report", "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["gaps"] == []


@pytest.mark.parametrize("name", ["Polls", "two words", "users", "../evil", "notes", "x", "class"])
def test_an_impossible_name_is_refused(workspace: Path, name: str) -> None:
    result = _run(workspace, sys.executable, "-m", "insula.cli", "modules", "new", name)
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
