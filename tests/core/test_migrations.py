"""Migrations lead to the table classes, and reach every tenant whatever happens on the way."""

import asyncio
import secrets
import time
from pathlib import Path

import asyncpg
import msgspec
import pytest
from fixtures.command import CommandLine
from fixtures.installation import Installation
from insula.authoring.revise import Difference, difference
from insula.authoring.targets import find_target
from insula.module import discover

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


PLANTED = {
    "a missing column": ("catalogue", "    bucket SMALLINT NOT NULL,\n", "", "ADD COLUMN bucket"),
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


# The fleet


MODULE = """
from uuid import UUID
from insula.db import TenantTable
from insula.module import Module
from sqlalchemy.orm import Mapped, mapped_column

class Row(TenantTable):
    __tablename__ = "{name}"
    id: Mapped[UUID] = mapped_column(primary_key=True)

MODULE = Module(name="{name}", title="Probe", summary="", package=__package__, tables=(Row,))
"""


class Fleet:
    """Some tenants with a module that the test changes."""

    def __init__(self, installation: Installation, folder: Path) -> None:
        self.name = f"probe{secrets.token_hex(4)}"
        self.command = CommandLine(installation, folder)
        self._url = installation.settings.database_url
        self._migrations = folder / self.name / "migrations"
        self._migrations.mkdir(parents=True)
        (folder / self.name / "__init__.py").touch()
        (folder / self.name / "module.py").write_text(MODULE.format(name=self.name))
        self.step(1, f"CREATE TABLE {self.name} (id UUID PRIMARY KEY);")
        installed = folder / f"{self.name}-1.dist-info"
        installed.mkdir()
        (installed / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {self.name}\n")
        point = f"{self.name} = {self.name}.module:MODULE"
        (installed / "entry_points.txt").write_text(f"[insula.modules]\n{point}\n")

    def step(self, number: int, sql: str) -> None:
        (self._migrations / f"{number:04}_step.sql").write_text(sql)

    def found(self, count: int) -> dict[str, int]:
        """This many tenants with the module on: slug and number."""
        slugs = [f"f-{secrets.token_hex(5)}" for _ in range(count)]
        made = [self.command.create(slug, "--module", self.name) for slug in slugs]
        return {tenant["slug"]: tenant["number"] for tenant in made}

    def migrate(self) -> tuple[int, str, str]:
        result = self.command.run("db", "migrate", "--json")
        return result.returncode, result.stdout, result.stderr

    def execute(self, sql: str) -> None:
        async def run() -> None:
            connection = await asyncpg.connect(self._url)
            await connection.execute(sql)
            await connection.close()

        asyncio.run(run())

    def having(self, column: str) -> set[int]:
        """The numbers of the tenants whose table has this column: the truth, not the index."""

        async def read() -> list[str]:
            connection = await asyncpg.connect(self._url)
            rows = await connection.fetch(
                "SELECT table_schema FROM information_schema.columns "
                "WHERE table_name = $1 AND column_name = $2",
                self.name,
                column,
            )
            await connection.close()
            return [row["table_schema"] for row in rows]

        return {int(schema.removeprefix("t_")) for schema in asyncio.run(read())}


@pytest.fixture
def fleet(installation: Installation, tmp_path: Path) -> Fleet:
    made = Fleet(installation, tmp_path)
    code, _, error = made.migrate()
    assert code == 0, error
    return made


def test_a_new_step_reaches_every_tenant_once(fleet: Fleet) -> None:
    tenants = fleet.found(2)
    fleet.step(2, f"ALTER TABLE {fleet.name} ADD COLUMN b INTEGER;")
    assert fleet.command.run("db", "status", "--check").returncode == 1
    code, out, error = fleet.migrate()
    assert (code, msgspec.json.decode(out)["changed"]) == (0, 2), error
    assert fleet.having("b") == set(tenants.values())
    code, out, error = fleet.migrate()
    assert (code, msgspec.json.decode(out)["changed"]) == (0, 0), error
    assert fleet.command.run("db", "status", "--check").returncode == 0


def test_an_applied_file_that_was_edited_is_refused(fleet: Fleet) -> None:
    fleet.found(1)
    fleet.step(1, f"CREATE TABLE {fleet.name} (id UUID PRIMARY KEY, more TEXT);")
    fleet.step(2, f"ALTER TABLE {fleet.name} ADD COLUMN b INTEGER;")
    code, _, error = fleet.migrate()
    assert code == 1
    assert f"{fleet.name}/0001_step.sql was edited after it was applied" in error
    assert fleet.having("b") == set()


def test_a_tenant_that_fails_is_reported_and_the_others_are_migrated(fleet: Fleet) -> None:
    tenants = fleet.found(3)
    slug, number = next(iter(tenants.items()))
    fleet.execute(f"ALTER TABLE t_{number}.{fleet.name} ADD COLUMN b INTEGER")
    fleet.step(2, f"ALTER TABLE {fleet.name} ADD COLUMN b INTEGER, ADD COLUMN c INTEGER;")
    code, out, error = fleet.migrate()
    assert code == 1
    assert [failure["tenant"] for failure in msgspec.json.decode(out)["failures"]] == [slug]
    assert f"{slug}, {fleet.name}: " in error
    assert fleet.having("c") == set(tenants.values()) - {number}
    fleet.execute(f"ALTER TABLE t_{number}.{fleet.name} DROP COLUMN b")
    assert fleet.migrate()[0] == 0
    assert fleet.having("c") == set(tenants.values())


def test_a_killed_migration_is_resumed(fleet: Fleet) -> None:
    tenants = fleet.found(6)
    fleet.step(2, f"ALTER TABLE {fleet.name} ADD COLUMN b INTEGER; SELECT pg_sleep(1.5);")
    process = fleet.command.start("db", "migrate")
    deadline = time.monotonic() + 30
    while not (before := fleet.having("b")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.kill()
    process.communicate()
    assert 0 < len(before) < len(tenants)
    code, _, error = fleet.migrate()
    assert code == 0, error
    assert fleet.having("b") == set(tenants.values())
