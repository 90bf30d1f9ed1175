"""A new module that works from its first minute, in the shape that modules have."""

import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from keyword import iskeyword
from pathlib import Path
from string import Template

from insula.module import RESERVED
from insula.settings import SettingsError

_TEMPLATE = files("insula.authoring") / "template"
_WORD = re.compile(r"[a-z][a-z0-9]{1,30}")
_ENTRY_POINTS = '[project.entry-points."insula.modules"]\n'


def write_module(name: str, *, singular: str | None, root: Path) -> list[Path]:
    """Write package, migration and tests below the workspace ``root``, and register the module.

    Raises:
        SettingsError: the name is no word, is taken, or ``root`` is no workspace.
    """
    singular = singular or singular_of(name)
    for word in (name, singular):
        if not _WORD.fullmatch(word) or iskeyword(word):
            raise SettingsError(f"{word!r} must be one lower-case word, and none of Python's own")
    project = root / "tenants" / "pyproject.toml"
    package = root / "tenants" / "src" / "insula_tenants" / name
    _check(name, package, project)
    words = {
        "name": name,
        "singular": singular,
        "one": f"{'an' if singular[0] in 'aeiou' else 'a'} {singular}",
        "Class": singular.capitalize(),
        "Title": name.capitalize(),
    }
    written = []
    for source, path in _targets(package, root / "tests" / "tenants" / name, name):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(Template(source.read_text()).substitute(words), encoding="utf-8")
        written.append(path)
    _register(name, project)
    _tidy(written)
    return [*written, project]


def _tidy(written: list[Path]) -> None:
    """Break the lines that a long name made too long, and sort imports as the project does."""
    ruff = Path(sys.executable).with_name("ruff")
    if ruff.exists():
        files = [str(path) for path in written if path.suffix == ".py"]
        subprocess.run([ruff, "check", "--fix", "--quiet", *files], check=False)  # noqa: S603
        subprocess.run([ruff, "format", "--quiet", *files], check=False)  # noqa: S603


def singular_of(name: str) -> str:
    """One of them, as far as that can be told by the ending."""
    if name.endswith("ies") and len(name) > 4:
        return f"{name[:-3]}y"
    return name[:-1] if name.endswith("s") and not name.endswith("ss") else name


def _check(name: str, package: Path, project: Path) -> None:
    if name in RESERVED:
        raise SettingsError(f"{name!r} belongs to a core service")
    if not project.is_file():
        raise SettingsError(f"{project.parent.parent} is no workspace of Insula: use --into")
    if _ENTRY_POINTS not in project.read_text(encoding="utf-8"):
        raise SettingsError(f"{project} has no section {_ENTRY_POINTS.strip()}")
    if package.exists():
        raise SettingsError(f"{package} exists")


def _targets(package: Path, tests: Path, name: str) -> Iterator[tuple[Traversable, Path]]:
    for source in _TEMPLATE.iterdir():
        if source.name.endswith(".tmpl"):
            yield source, package / source.name.removesuffix(".tmpl")
    for folder in ("locale", "migrations"):
        for source in (_TEMPLATE / folder).iterdir():
            yield source, package / folder / source.name.removesuffix(".tmpl")
    yield _TEMPLATE / "tests" / "test_module.py.tmpl", tests / f"test_{name}.py"


def _register(name: str, project: Path) -> None:
    """Add the entry point by which the platform finds the module."""
    text = project.read_text(encoding="utf-8")
    line = f'{name} = "insula_tenants.{name}.module:MODULE"\n'
    project.write_text(text.replace(_ENTRY_POINTS, _ENTRY_POINTS + line), encoding="utf-8")
