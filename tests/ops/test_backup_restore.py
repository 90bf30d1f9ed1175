"""`insula backup restore` and `drill`: all of it, some of it, elsewhere, under another name."""

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from fixtures.any_database import Database, NewDatabase, stock
from fixtures.backing_up import Call
from insula_ops.backup import throwaway
from insula_ops.backup.cli import backup

pytestmark = pytest.mark.xdist_group("backup")


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("key") / "key"
    subprocess.run(["age-keygen", "-o", path], check=True, capture_output=True)
    return path


def public(key: Path) -> str:
    return subprocess.check_output(["age-keygen", "-y", key], text=True).strip()


@pytest.fixture(scope="session")
def made(rich_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place with one backup, ``whole``; to be read alone."""
    path = tmp_path_factory.mktemp("made")
    words = ["create", str(path), "--no-sync", "--name", "whole"]
    result = CliRunner(env={"INSULA_BACKUP_URL": rich_database.url}).invoke(backup, words)
    assert result.exit_code == 0, result.output
    return path


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    """A place of the test's own with one backup, ``whole``."""
    return Path(shutil.copytree(made, tmp_path / "place"))


def copy_of(source: Database, new_database: NewDatabase) -> Database:
    """An equal database, by stock programs."""
    target = new_database()
    target.run(stock("pg_dump", "-d", source.url))
    return target


def test_restored_database_is_equal(
    call: Call, place: Path, rich_database: Database, new_database: NewDatabase
) -> None:
    target = new_database()
    done = call("restore", place, "--json", target=target).json
    assert target.dump() == rich_database.dump()
    assert done["tables"] == 14
    assert target.run("SELECT last_analyze IS NOT NULL FROM pg_stat_user_tables WHERE relname ="
                      " 'customers'") == "t\n"  # fmt: skip
    assert "the target is not empty" in call("restore", place, target=target, code=1).errors


def test_encrypted_backup_wants_the_right_key(
    call: Call, tmp_path: Path, rich_database: Database, new_database: NewDatabase, key: Path
) -> None:
    place, other = tmp_path / "place", tmp_path / "other"
    call("create", place, "--recipient", public(key), source=rich_database)
    target = new_database()
    assert "give --identity" in call("restore", place, target=target, code=1).errors
    subprocess.run(["age-keygen", "-o", other], check=True, capture_output=True)
    answer = call("restore", place, "--identity", other, target=target, code=1)
    assert "none of the identities given" in answer.errors
    assert call("verify", place).text.endswith("as they were written\n")
    call("restore", place, "--identity", other, "--identity", key, target=target)
    assert target.dump() == rich_database.dump()


def test_a_secret_key_among_the_arguments_is_refused(
    call: Call, tmp_path: Path, rich_database: Database, key: Path
) -> None:
    secret = key.read_text().splitlines()[-1]
    answer = call("create", tmp_path / "p", "--recipient", secret, source=rich_database, code=1)
    assert "make another one" in answer.errors
    assert secret not in answer.errors


def test_where_to_restore_to_is_never_the_source_by_default(
    call: Call, place: Path, rich_database: Database
) -> None:
    answer = call("restore", place, source=rich_database, code=1)
    assert "set INSULA_RESTORE_URL" in answer.errors


def test_elsewhere_the_roles_come_along_without_their_passwords(
    call: Call, place: Path, rich_database: Database
) -> None:
    with throwaway.server(18, "UTF8", None) as address:
        where = address.variables
        host, user = where["PGHOST"], where["PGUSER"]
        target = Database("postgres", f"postgresql://{user}@/postgres?host={host}")
        answer = call("restore", place, target=target, code=1)
        assert 'role "insula" does not exist' in answer.errors
        call("restore", place, "--create-roles", target=target)
        assert target.dump() == rich_database.dump()
        kept = "SELECT rolname FROM pg_authid WHERE rolpassword IS NOT NULL"
        assert target.run(kept) == ""
        member = "SELECT pg_has_role('rich \"Owner\"', 'rich_reader', 'MEMBER')"
        assert target.run(member) == "t\n"


def test_a_schema_is_restored_beside_the_living_one(
    call: Call, place: Path, rich_database: Database, new_database: NewDatabase
) -> None:
    target = copy_of(rich_database, new_database)
    before = target.dump()
    target.run("UPDATE shop.customers SET score = 7")
    done = call("restore", place, "--schema", "shop=yesterday", "--json", target=target).json
    assert done["names_old_schema"] == ["function shop.by_whole_name()"]
    assert target.run("SELECT count(*) FROM shop.customers WHERE score = 7") == "5\n"
    target.run(
        "DROP SCHEMA shop CASCADE; ALTER SCHEMA yesterday RENAME TO shop;"
        "ALTER PUBLICATION everything ADD TABLE shop.customers"
    )
    assert target.dump("-n", "shop") == rich_database.dump("-n", "shop")
    assert target.dump() == before


def test_a_schema_is_restored_wholly_or_not_at_all(
    call: Call, place: Path, new_database: NewDatabase
) -> None:
    target = new_database()
    answer = call("restore", place, "--schema", "shop=other", target=target, code=1)
    assert "nothing was restored" in answer.errors
    assert 'type "public.vector" does not exist' in answer.errors
    assert target.run("SELECT count(*) FROM pg_class WHERE relname = 'customers'") == "0\n"
    target.run("CREATE SCHEMA other")
    answer = call("restore", place, "--schema", "shop=other", target=target, code=1)
    assert "the schema other exists" in answer.errors


def test_one_table_comes_back_where_it_was(
    call: Call, place: Path, rich_database: Database, new_database: NewDatabase
) -> None:
    target = copy_of(rich_database, new_database)
    target.run("DROP TABLE shop.secrets")
    call("restore", place, "--table", "shop.secrets", target=target)
    assert target.dump() == rich_database.dump()
    answer = call("restore", place, "--table", "shop.secrets", target=target, code=1)
    assert "exists: rename or drop it first" in answer.errors
    answer = call("restore", place, "--table", "shop.nothing", target=target, code=1)
    assert "has no table shop.nothing" in answer.errors


def test_one_table_comes_with_its_partitions_types_and_sequences(
    call: Call, place: Path, rich_database: Database, new_database: NewDatabase
) -> None:
    target = new_database()
    target.run("CREATE EXTENSION vector SCHEMA public")
    done = call("restore", place, "--table", "shop.orders", "--json", target=target).json
    assert done["left_out"]
    assert all("FK CONSTRAINT" in each for each in done["left_out"])
    assert target.run("SELECT count(*) FROM shop.orders") == "401\n"
    assert target.run("SELECT count(*) FROM shop.orders_rest_all") == (
        rich_database.run("SELECT count(*) FROM shop.orders_rest_all")
    )
    call("restore", place, "--table", "shop.tickets", target=target)
    next_ticket = "INSERT INTO shop.tickets DEFAULT VALUES RETURNING number"
    assert target.run(next_ticket) == "62\n"
    call("restore", place, "--table", "shop.customers", target=target)
    rows = "SELECT md5(string_agg(c::text, '|' ORDER BY id)) FROM shop.customers AS c"
    assert target.run(rows) == rich_database.run(rows)
    insert = "INSERT INTO shop.customers (name) VALUES ('next') RETURNING id, touched"
    assert target.run(insert) == "5000|2001-02-03 04:05:06.789+00\n"


def test_one_table_is_restored_under_another_schemas_name(
    call: Call, place: Path, rich_database: Database, new_database: NewDatabase
) -> None:
    target = copy_of(rich_database, new_database)
    before = target.dump()
    options = ("--table", "shop.hens", "--schema", "shop=rescued")
    done = call("restore", place, *options, "--json", target=target).json
    assert sorted(done["left_out"]) == [
        "FK CONSTRAINT eggs eggs_hen_fkey", "FK CONSTRAINT hens hens_egg_fkey",
    ]  # fmt: skip
    assert target.run("SELECT nextval('rescued.hens_id_seq'), egg FROM rescued.hens") == "2|1\n"
    target.run("DROP SCHEMA rescued CASCADE")
    assert target.dump() == before


def test_changed_rows_are_not_restored_in_silence(
    call: Call, place: Path, new_database: NewDatabase
) -> None:
    largest = max((place / "whole").glob("*.dat.zst"), key=lambda path: path.stat().st_size)
    flip(largest)
    answer = call("restore", place, target=new_database(), code=1)
    assert "changed" in answer.errors
    assert "changed" in call("drill", place, code=1).errors


def flip(file: Path) -> None:
    """Turn one bit in the middle."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 16
    file.chmod(0o600)
    file.write_bytes(content)


def test_drill_compares_every_row_and_leaves_nothing(
    call: Call, place: Path, rich_database: Database, tmp_path: Path
) -> None:
    call("create", place, "--no-sync", "--name", "later", source=rich_database)
    folder = tmp_path / "drill"
    folder.mkdir(mode=0o711)
    folder.chmod(0o711)
    for parent in (tmp_path, *tmp_path.parents):  # the throw-away server is another user
        if os.geteuid() == 0 and parent.stat().st_mode & 0o001 == 0:
            parent.chmod(parent.stat().st_mode | 0o011)
    done = call("drill", place, "--folder", folder, "--json").json
    assert done["good"]
    assert done["backup"] == "later"
    assert done["faults"] == []
    assert (done["tables"], done["sequences"], done["large_objects"]) == (14, 6, 3)
    assert done["rows"] > 400
    assert done["rpo_seconds"] > 0
    assert done["interval_seconds"] > 0
    assert sum(done["steps"].values()) <= done["rto_seconds"]
    assert list(folder.iterdir()) == []
    assert str(folder) not in command_lines()
    answer = call("drill", place, "whole", "--max-rpo", "0s", "--max-rto", "1d", code=1)
    assert "FAILED: RPO is" in answer.text


def command_lines() -> str:
    found = ""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found += path.read_text()
        except OSError:
            continue
    return found


def test_drill_notices_what_was_not_restored_as_it_was_read(call: Call, place: Path) -> None:
    """What was written down when the rows were read says something else than the rows do."""
    contents = json.loads((place / "whole" / "contents.json").read_text())
    tables: dict[str, Any] = {table["name"]: table for table in contents["tables"]}
    tables["hens"]["checksum"] ^= 1
    rewrite(place / "whole", "contents.json", json.dumps(contents).encode())
    assert call("verify", place, "--json").json["good"]
    answer = call("drill", place, code=1)
    assert 'FAILED: "shop"."hens" has other rows than were backed up' in answer.text
    assert answer.text.count("FAILED") == 1


def rewrite(folder: Path, name: str, content: bytes) -> None:
    """Change a file, and all that vouches for it."""
    (folder / name).write_bytes(content)
    manifest = json.loads((folder / "manifest.json").read_text())
    file = next(file for file in manifest["files"] if file["name"] == name)
    old = file["sha256"]
    file |= {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    sums = (folder / "SHA256SUMS").read_text()
    (folder / "SHA256SUMS").write_text(sums.replace(old, file["sha256"]))
