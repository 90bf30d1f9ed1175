"""A PostgreSQL that is older than ours and has other extensions: the system's own."""

import os
import subprocess
from pathlib import Path

import pytest
from fixtures.any_database import RICH, Database
from fixtures.backing_up import Call
from fixtures.contrib import programs
from insula_ops.backup import throwaway
from insula_ops.backup.programs import VARIABLE, major

pytestmark = pytest.mark.xdist_group("backup")


def test_an_older_server_is_backed_up_restored_and_drilled_by_its_own_programs(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pg_dump's archives are of another version there, too, with one list of large objects."""
    where = programs()
    monkeypatch.setenv(VARIABLE, str(where))
    sql = RICH.read_text().replace("vector SCHEMA public", "pg_trgm SCHEMA public")
    sql = sql.replace("public.vector(3)", "text")

    with throwaway.server(major(str(where / "postgres")), "UTF8", None) as address:
        environ = os.environ | address.variables

        def stock(program: str, *arguments: str, given: str = "") -> str:
            done = subprocess.run(
                [str(where / program), *arguments],
                input=given, capture_output=True, text=True, check=False, env=environ,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            return done.stdout

        stock("psql", "-Xqc", "CREATE DATABASE source TEMPLATE template0")
        stock("psql", "-Xqc", "CREATE DATABASE by_stock TEMPLATE template0")
        stock("psql", "-Xqc", "CREATE DATABASE by_us TEMPLATE template0")
        stock("psql", "-Xqd", "source", "-v", "ON_ERROR_STOP=1", given=sql)

        def url(database: str) -> str:
            host, user = address.variables["PGHOST"], address.variables["PGUSER"]
            return f"postgresql://{user}@/{database}?host={host}"

        def dump(database: str) -> list[str]:
            lines = stock("pg_dump", "-d", database).splitlines()
            return sorted(line for line in lines if not line.startswith(("\\restrict", "\\unres")))

        place = tmp_path / "place"
        options = ("--name", "b", "--compression", "gzip", "--no-sync")
        call("create", place, *options, INSULA_BACKUP_URL=url("source"))
        stock("pg_restore", "--exit-on-error", "-d", "by_stock", str(place / "b"))
        assert dump("by_stock") == dump("source")
        call("restore", place, INSULA_RESTORE_URL=url("by_us"))
        assert dump("by_us") == dump("source")
    assert call("drill", place, "--json").json["good"]


def test_a_pg_dump_older_than_the_server_is_named(
    call: Call, rich_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "pg_dump"
    old.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 14.9'\n")
    old.chmod(0o700)
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    answer = call("create", tmp_path / "place", source=rich_database, code=1)
    assert "the server is PostgreSQL 18, the newest pg_dump here 14" in answer.errors
    assert "INSULA_PG_PROGRAMS" in answer.errors
