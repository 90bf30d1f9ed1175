"""The import contracts of DESIGN.md section 2, each shown to catch a planted violation."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ("platform/src", "tenants/src", "simulator/src", "ops/src")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources, to plant things in; a second module beside the real ones."""
    folder = tmp_path_factory.mktemp("sources")
    ignore = shutil.ignore_patterns("__pycache__", "*.sql", "static")
    for source in SOURCES:
        shutil.copytree(ROOT / source, folder / source, ignore=ignore)
    shutil.copy(ROOT / "pyproject.toml", folder)
    for name in ("planted", "neighbour"):
        _write(folder, f"tenants/src/insula_tenants/{name}/__init__.py", "")
        for part in ("errors", "tables", "queries", "service", "routes", "api", "module"):
            _write(folder, f"tenants/src/insula_tenants/{name}/{part}.py", "")
    return folder


def _write(folder: Path, path: str, code: str) -> Path:
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(code)
    return file


def _lint(folder: Path) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join(str(folder / source) for source in SOURCES)
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )


PLANTED = {
    "the platform imports a module": (
        "platform/src/insula/planted.py",
        "from insula_tenants.planted import service",
        "insula imports none of our other packages",
    ),
    "the lab imports the platform": (
        "ops/src/insula_ops/planted.py",
        "import insula.settings",
        "speak to Insula over HTTP only",
    ),
    "the simulator imports a module": (
        "simulator/src/insula_simulator/planted.py",
        "import insula_tenants.planted",
        "speak to Insula over HTTP only",
    ),
    "a module imports a neighbour's service": (
        "tenants/src/insula_tenants/planted/routes.py",
        "from insula_tenants.neighbour import service",
        "only api and events of another module",
    ),
    "a module hides such an import in a function": (
        "tenants/src/insula_tenants/planted/routes.py",
        "def f():\n    from insula_tenants.neighbour import queries",
        "only api and events of another module",
    ),
    "a module imports upwards": (
        "tenants/src/insula_tenants/planted/queries.py",
        "from insula_tenants.planted import service",
        "inside a module, downwards only",
    ),
    "data access imports HTTP": (
        "platform/src/insula/db/planted.py",
        "import insula.http.problem",
        "the foundations know nothing",
    ),
}


@pytest.mark.parametrize("case", PLANTED)
def test_a_planted_violation_is_caught(copy: Path, case: str) -> None:
    path, code, contract = PLANTED[case]
    file = copy / path
    before = file.read_text() if file.exists() else None
    _write(copy, path, code)
    try:
        result = _lint(copy)
    finally:
        file.unlink() if before is None else file.write_text(before)
    assert result.returncode == 1, result.stdout
    broken = [line for line in result.stdout.splitlines() if " BROKEN" in line]
    assert any(contract in line for line in broken), result.stdout


def test_a_planted_cycle_between_modules_is_caught(copy: Path) -> None:
    files = [
        _write(
            copy,
            f"tenants/src/insula_tenants/{one}/routes.py",
            f"from insula_tenants.{other} import api",
        )
        for one, other in (("planted", "neighbour"), ("neighbour", "planted"))
    ]
    result = _lint(copy)
    for file in files:
        file.write_text("")
    assert "no cycles between modules BROKEN" in result.stdout


def test_the_api_of_a_neighbour_may_be_imported(copy: Path) -> None:
    file = _write(
        copy,
        "tenants/src/insula_tenants/planted/routes.py",
        "from insula_tenants.neighbour import api",
    )
    result = _lint(copy)
    file.write_text("")
    assert result.returncode == 0, result.stdout


def hidden_imports(source: str) -> list[int]:
    """Lines of imports inside functions; those for the type checker alone don't count."""
    return [
        node.lineno
        for function in ast.walk(ast.parse(source))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]


def test_no_import_hides_in_a_function_outside_of_the_command_line() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: move this import to the top of the file"
        for source in SOURCES
        for path in (ROOT / source).rglob("*.py")
        if "cli" not in path.relative_to(ROOT).with_suffix("").parts
        for line in hidden_imports(path.read_text())
    ]
    assert found == []


def test_a_hidden_import_is_found() -> None:
    assert hidden_imports("def f():\n    import os") == [2]


def test_the_standard_platform_module_is_never_shadowed() -> None:
    code = "import platform, sys; assert platform.system(); print(platform.__file__)"
    for folder in (ROOT, ROOT / "tests", ROOT / "platform"):
        result = subprocess.run(
            [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True
        )
        assert str(ROOT) not in result.stdout.replace(str(ROOT / ".venv"), "")
    assert not list((ROOT / "platform").glob("*.py"))
    assert not (ROOT / "tests" / "platform").exists()
