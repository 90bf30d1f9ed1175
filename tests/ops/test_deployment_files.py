"""What is written in several files of a deployment says the same in each."""

import re
from pathlib import Path

from insula.http.problem import KINDS, TYPE_BASE, Problem

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "nginx" / "templates" / "gateway.conf.template"


def gateway_variables(path: Path) -> set[str]:
    return set(re.findall(r"\bGATEWAY_(?!IMAGE)[A-Z_]+[A-Z]\b", path.read_text()))


def map_of(name: str) -> dict[str, str]:
    """The entries of an nginx ``map $status $name``."""
    text = (ROOT / "nginx" / "problems.conf").read_text()
    block = re.search(rf"map \$status \${name} {{(.*?)}}", text, re.DOTALL)
    assert block is not None
    return {key: value.strip('"') for key, value in re.findall(r"(\w+) (.+);", block[1])}


def test_the_gateway_s_settings_are_documented_and_set_by_compose() -> None:
    wanted = gateway_variables(TEMPLATE)
    assert len(wanted) > 5
    assert gateway_variables(ROOT / "nginx" / "README.md") == wanted
    assert gateway_variables(ROOT / "docker-compose.yml") == wanted


def test_the_gateway_s_problems_are_the_application_s() -> None:
    assert f'"type":"{TYPE_BASE}$problem_slug"' in (ROOT / "nginx" / "errors.conf").read_text()
    kinds: dict[str, type[Problem]] = {**KINDS, Problem.slug: Problem}
    slugs, titles = map_of("problem_slug"), map_of("problem_title")
    assert slugs.keys() == titles.keys()
    assert {status: titles[status] for status in slugs} == {
        status: kinds[slug].title for status, slug in slugs.items()
    }
