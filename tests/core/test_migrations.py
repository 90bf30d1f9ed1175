"""Migrations lead to the table classes."""

import asyncio
from pathlib import Path

import msgspec
import pytest
from fixtures.installation import Installation
from insula.authoring.revise import Difference, difference
from insula.authoring.targets import find_target
from insula.module import discover
from insula.tenancy.migrations import anew, read

NAMES = ["core", "catalogue", *discover()]


def _compare(installation: Installation, name: str, folder: Path | None = None) -> Difference:
    target = find_target(name)
    if folder is not None:
        target = msgspec.structs.replace(target, folder=folder)
    return asyncio.run(difference(target, installation.settings.database_url))


def _edited(name: str, folder: Path, old: str, new: str) -> Path:
    """The migrations of a name with something replaced in them."""
    for number, sql in find_target(name).migrations():
        (folder / f"{number:04}_step.sql").write_text(sql.replace(old, new))
    assert any(new in file.read_text() for file in folder.iterdir()), f"{old!r} is not there"
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_the_migrations_lead_to_the_table_classes(installation: Installation, name: str) -> None:
    assert _compare(installation, name) == Difference("", ())


def test_from_nothing_the_whole_module_is_written(
    installation: Installation, tmp_path: Path
) -> None:
    written = _compare(installation, "notes", tmp_path)
    assert written.open == ()
    (tmp_path / "0001_initial.sql").write_text(written.sql)
    assert _compare(installation, "notes", tmp_path) == Difference("", ())


@pytest.mark.parametrize("name", NAMES)
def test_what_is_built_anew_is_the_same(
    installation: Installation, tmp_path: Path, name: str
) -> None:
    """What new schemas get is made in a cheaper way."""
    for file in read(name, find_target(name).folder):
        (tmp_path / f"{file.version:04}_step.sql").write_text(anew(file))
    assert _compare(installation, name, tmp_path) == Difference("", ())


PLANTED = {
    "a missing column": (
        "catalogue",
        "    epoch BIGINT DEFAULT '0' NOT NULL,\n",
        "",
        "ADD COLUMN epoch",
    ),
    "another type": ("core", "user_agent TEXT", "user_agent UUID", "TYPE TEXT"),
    "a missing index": (
        "core",
        "CREATE INDEX ix_users_created_at ON users (created_at);",
        "",
        "CREATE INDEX ix_users_created_at",
    ),
    "another CHECK": ("core", "'disabled')", "'banned')", "ADD CONSTRAINT ck_users_status CHECK"),
    "a missing trigger": (
        "notes",
        "CREATE TRIGGER search_learn",
        "-- CREATE TRIGGER search_learn",
        "CREATE TRIGGER search_learn AFTER INSERT OR UPDATE OF search ON notes",
    ),
    "another default": ("core", "DEFAULT 'active'", "DEFAULT 'new'", "SET DEFAULT 'active'"),
}


@pytest.mark.parametrize("case", PLANTED)
def test_a_planted_difference_is_written(
    installation: Installation, tmp_path: Path, case: str
) -> None:
    name, old, new, expected = PLANTED[case]
    found = _compare(installation, name, _edited(name, tmp_path, old, new))
    assert expected in found.sql
    assert found.open == ()
    (tmp_path / "0099_mended.sql").write_text(found.sql)
    assert _compare(installation, name, tmp_path) == Difference("", ())


def test_another_generated_column_is_reported_and_not_written(
    installation: Installation, tmp_path: Path
) -> None:
    """PostgreSQL 18 can't change what a stored column is generated from without rewriting it."""
    folder = _edited(
        "notes", tmp_path, "search_vector('B', body, 'en')", "search_vector('B', body, 'de')"
    )
    found = _compare(installation, "notes", folder)
    assert found.sql == ""
    assert [line.partition(": ")[0] for line in found.open] == ["notes"]
    assert "column search" in found.open[0]
