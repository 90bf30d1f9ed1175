"""What `insula backup create` writes, read by the stock programs alone; and what it never does."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import obstore
import pytest
from fixtures.any_database import Database, NewDatabase, Server, stock
from fixtures.backing_up import Call
from fixtures.s3 import BUCKET, S3
from fixtures.waiting import eventually
from insula.embedded.postgres import programs
from obstore.store import S3Store

pytestmark = pytest.mark.xdist_group("backup")

ODD = 'Odd "näme"; DROP TABLE x;--'


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "place"


def made(call: Call, place: object, source: Database, *options: str) -> str:
    name: str = call("create", place, "--no-sync", "--json", *options, source=source).json["name"]
    return name


def credentials(database: Database) -> str:
    """The part of its URL before the host."""
    return database.url.split("//")[1].split("@")[0]


def run(*command: str, cwd: Path | None = None, **environ: str) -> None:
    subprocess.run(command, cwd=cwd, env=os.environ | environ, check=True, capture_output=True)


def test_stock_pg_restore_makes_an_equal_database_of_it(
    call: Call, place: Path, rich_database: Database, new_database: NewDatabase
) -> None:
    folder = place / made(call, place, rich_database)
    run("sha256sum", "--check", "--strict", "SHA256SUMS", cwd=folder)
    run("sh", "-c", "zstd --decompress --quiet --rm *.zst", cwd=folder)
    target = new_database()
    for section, jobs in (("pre-data", 1), ("data", 2), ("post-data", 1)):
        # Parallel "post-data" deadlocks at times on foreign keys of partitioned tables, with
        # archives of pg_dump's own as well.
        options = ("--exit-on-error", f"--section={section}", f"--jobs={jobs}")
        stock("pg_restore", *options, "-d", target.url, str(folder))
    assert target.dump() == rich_database.dump()


def test_stock_psql_makes_an_equal_database_of_it(
    call: Call, place: Path, rich_database: Database, new_database: NewDatabase
) -> None:
    folder = place / made(call, place, rich_database, "--compression", "none")
    target = new_database()
    target.run(stock("pg_restore", "--file=-", str(folder)))
    assert target.dump() == rich_database.dump()


def test_stock_pg_restore_reads_gzip_as_it_lies_there(
    call: Call, place: Path, rich_database: Database, new_database: NewDatabase
) -> None:
    folder = place / made(call, place, rich_database, "--compression", "gzip", "--jobs", "1")
    target = new_database()
    stock("pg_restore", "--exit-on-error", "-d", target.url, str(folder))
    assert target.dump() == rich_database.dump()


def test_table_of_contents_is_that_of_pg_dump(
    call: Call, place: Path, rich_database: Database, tmp_path: Path
) -> None:
    folder = place / made(call, place, rich_database)
    stock("pg_dump", "-Fd", "-f", str(tmp_path / "theirs"), "-d", rich_database.url)

    def listed(path: Path) -> list[str]:
        lines = stock("pg_restore", "--list", str(path)).splitlines()
        return sorted(line.split(" ", 3)[-1] for line in lines if not line.startswith(";"))

    assert listed(folder) == listed(tmp_path / "theirs")


def test_stock_age_decrypts_it(
    call: Call, place: Path, rich_database: Database, new_database: NewDatabase, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    run("age-keygen", "-o", str(key))
    public = subprocess.check_output(["age-keygen", "-y", str(key)], text=True).strip()
    folder = place / made(call, place, rich_database, "--recipient", public)
    assert {path.name for path in folder.iterdir() if path.suffix != ".age"} == {
        "manifest.json",
        "SHA256SUMS",
    }
    everything = b"".join(path.read_bytes() for path in folder.iterdir())
    assert b"customers" not in everything
    decrypt = 'for f in *.age; do age -d -i "$KEY" -o "${f%.age}" "$f" || exit 1; done'
    run("sh", "-c", decrypt + "; zstd -d -q --rm *.zst", cwd=folder, KEY=str(key))
    target = new_database()
    stock("pg_restore", "--exit-on-error", "-d", target.url, str(folder))
    assert target.dump() == rich_database.dump()


def test_only_the_schemas_that_were_chosen_are_in_it(
    call: Call, place: Path, rich_database: Database, new_database: NewDatabase
) -> None:
    made(call, place, rich_database, "--schema", ODD)
    target = new_database()
    call("restore", place, target=target)
    odd = '"Odd ""näme""; DROP TABLE x;--"'
    assert target.dump() == rich_database.dump("-n", odd)
    assert target.run("SELECT to_regnamespace('shop') IS NULL") == "t\n"


def test_a_schema_that_is_not_there_is_an_error(
    call: Call, place: Path, rich_database: Database
) -> None:
    answer = call("create", place, "--schema", "missing", source=rich_database, code=1)
    assert "no schema missing" in answer.errors
    assert not place.exists() or not list(place.iterdir())


def test_rows_are_those_of_one_moment(call: Call, place: Path, new_database: NewDatabase) -> None:
    """Money moves between two tables all the time; every backup has the same sum. The first table
    is large enough to be read in several ranges of pages."""
    source = new_database()
    source.run(
        "CREATE TABLE a WITH (fillfactor = 40) AS SELECT n AS id, 10 AS cents, repeat('x', 500) AS"
        " note FROM generate_series(1, 20000) AS n; CREATE TABLE b AS SELECT * FROM a;"
    )
    move = """
        DO $$ BEGIN FOR n IN 1..400 LOOP
            UPDATE a SET cents = cents - 1 WHERE id = n; UPDATE b SET cents = cents + 1
            WHERE id = 20001 - n; COMMIT; PERFORM pg_sleep(0.002);
        END LOOP; END $$
    """
    moving = subprocess.Popen(
        [str(programs() / "psql"), "-Xq", "-d", source.url, "-c", move], stdout=subprocess.DEVNULL
    )
    try:
        eventually(lambda: source.run("SELECT sum(cents) < 200000 FROM a") == "t\n")
        made(call, place, source)
    finally:
        moving.wait(60)
    target = new_database()
    call("restore", place, target=target)
    total = "SELECT (SELECT sum(cents) FROM a) + (SELECT sum(cents) FROM b)"
    assert target.run(total) == "400000\n"
    assert target.run("SELECT count(DISTINCT id) FROM a") == "20000\n"
    assert int(source.run("SELECT pg_relation_size('a') / 8192")) > 2 * 1024
    assert target.run("SELECT sum(cents) < 200000 FROM a") == "t\n"


class Running:
    """``insula-backup`` as a process."""

    def __init__(self, *arguments: str, environ: dict[str, str]) -> None:
        program = "from insula_ops.backup.cli import backup; backup()"
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            env=os.environ | environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip

    def command_lines(self) -> bytes:
        """Of the process and of all that it started."""
        found = b""
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and os.getsid(int(entry.name)) == self.process.pid:
                    found += (entry / "cmdline").read_bytes() + b"\n"
            except (OSError, ProcessLookupError):
                continue
        return found


def locked(source: Database) -> "subprocess.Popen[bytes]":
    """Somebody who keeps the table ``customers`` locked until his input ends."""
    holder = (
        "import sys, asyncio, asyncpg\nasync def run():\n c = await asyncpg.connect(sys.argv[1])\n"
        " await c.execute('BEGIN; LOCK shop.customers IN ACCESS EXCLUSIVE MODE')\n"
        " print(flush=True)\n sys.stdin.read()\nasyncio.run(run())"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", holder, source.url], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_killed_half_way_leaves_nothing_that_looks_complete(
    call: Call, place: Path, any_server: Server, rich_database: Database
) -> None:
    source = any_server.create(rich_database.name)
    environ = {"INSULA_BACKUP_URL": source.url}
    # Larger than what the pipes and buffers take, so that it cannot be done before it is killed.
    source.run(
        "CREATE TABLE big AS SELECT n, repeat(md5(random()::text), 20) FROM"
        " generate_series(1, 150000) AS n"
    )
    running = Running("create", str(place), environ=environ)
    try:
        eventually(lambda: any(place.glob("*.partial/*.dat.zst")))
    finally:
        os.killpg(running.process.pid, signal.SIGKILL)
        running.process.communicate()
    listed = call("list", place, "--json").json
    assert listed["backups"] == []
    assert len(listed["incomplete"]) == 1
    assert call("verify", place, code=1).errors
    assert call("check", place, "--max-age", "1h", code=1).text.startswith("STALE")
    pruned = call("prune", place, "--incomplete-after", "1h", "--json").json
    assert pruned["incomplete"] == []
    call("prune", place, "--incomplete-after", "0s")
    assert list(place.iterdir()) == []


def test_no_secret_is_in_arguments_output_or_files(
    any_server: Server, rich_database: Database, place: Path
) -> None:
    source = any_server.create(rich_database.name)
    source.run("CREATE ROLE with_password LOGIN SUPERUSER PASSWORD 'pw h/unter@'")
    password = "pw%20h%2Funter%40"
    url = source.url.replace(credentials(source), f"with_password:{password}")
    holder = locked(source)
    try:
        running = Running("create", str(place), "--no-sync", environ={"INSULA_BACKUP_URL": url})
        seen = b""
        deadline = time.monotonic() + 60
        waiting = "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        while time.monotonic() < deadline and source.run(waiting) != "t\n":
            seen += running.command_lines()
        seen += running.command_lines()
    finally:
        assert holder.stdin is not None
        holder.stdin.close()
        holder.wait(30)
    output = running.process.communicate(timeout=120)[0]
    assert running.process.returncode == 0, output
    source.run("DROP ROLE with_password")
    written = b"".join(path.read_bytes() for path in place.rglob("*") if path.is_file())
    for text in (seen, output, written):
        assert b"h/unter" not in text
        assert password.encode() not in text
    assert b"insula_ops.backup.cli" in seen


def test_a_wrong_password_is_not_repeated(call: Call, tmp_path: Path) -> None:
    url = "postgresql://nobody:h%2Funter@127.0.0.1:1/x"
    answer = call("create", tmp_path / "p", code=1, INSULA_BACKUP_URL=url)
    assert "cannot connect to nobody@127.0.0.1:1/x" in answer.errors
    assert "unter" not in answer.errors


def test_a_url_among_the_arguments_is_refused(call: Call, tmp_path: Path) -> None:
    answer = call("create", "postgresql://a:secret@b/c", code=1)
    assert "does not belong into the arguments" in answer.errors
    assert "secret" not in answer.errors
    answer = call("restore", tmp_path, "--url-file", "postgresql://a:secret@b/c", code=1)
    assert "does not belong into the arguments" in answer.errors


def test_a_url_comes_from_a_file_from_standard_input_or_from_libpqs_variables(
    call: Call, rich_database: Database, tmp_path: Path
) -> None:
    file = tmp_path / "url"
    file.write_text(rich_database.url + "\n")
    name = rich_database.name
    assert name in call("connect", "test", "--url-file", file).text
    assert name in call("connect", "test", "--url-file", "-", given=rich_database.url + "\n").text
    host = rich_database.url.partition("host=")[2].replace("%2F", "/")
    user, password = credentials(rich_database).split(":")
    environ = {"PGHOST": host, "PGUSER": user, "PGPASSWORD": password, "PGDATABASE": name}
    assert name in call("connect", "test", **environ).text
    assert "no database named" in call("connect", "test", code=1).errors


def test_a_login_that_may_not_read_everything_is_told_so(
    call: Call, any_server: Server, rich_database: Database, place: Path
) -> None:
    source = any_server.create(rich_database.name)
    source.run("CREATE ROLE weak LOGIN PASSWORD 'weak'; GRANT USAGE ON SCHEMA shop TO weak")
    weak = Database(source.name, source.url.replace(credentials(source), "weak:weak"))
    assert call("connect", "test", "--json", source=weak, code=1).json["unreadable_tables"] > 5
    assert "permission denied" in call("create", place, source=weak, code=1).errors
    assert list(place.iterdir()) == []


def test_inspect_says_what_there_is(call: Call, rich_database: Database) -> None:
    seen = call("inspect", "--json", source=rich_database).json
    assert seen["extensions"] == ["vector"]
    assert seen["large_objects"] == 3
    tables = {(table["schema"], table["name"]): table for table in seen["tables"]}
    customers = tables["shop", "customers"]
    assert "id bigint not null identity" in customers["columns"]
    assert "PRIMARY KEY (id)" in customers["keys"]
    assert tables["shop", "orders"]["kind"] == "partitioned table"
    assert tables["shop", "orders"]["depends_on"] == ["shop.customers"]
    assert tables["shop", "secrets"]["row_security"] is True
    assert customers["size"] > 30_000
    assert (
        "shop.orders: partitioned table"
        in call("inspect", "--schema", "shop", source=rich_database).text
    )


def test_a_bucket_keeps_backups(
    call: Call, s3: S3, rich_database: Database, new_database: NewDatabase, tmp_path: Path
) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    place = f"s3://{BUCKET}/some/backups?endpoint={s3.url}"
    first = call("create", place, "--name", "first", source=rich_database, **keys)
    assert first.text.startswith("first: ")
    call("create", place, "--name", "second", "--schema", "shop", source=rich_database, **keys)
    listed = call("list", place, "--json", **keys).json["backups"]
    assert [each["name"] for each in listed] == ["second", "first"]
    assert call("verify", place, "first", "--json", **keys).json["good"]
    target = new_database()
    call("restore", place, "first", target=target, **keys)
    assert target.dump() == rich_database.dump()
    store = S3Store(
        BUCKET, endpoint=s3.url, access_key_id="key", secret_access_key="secret",
        region="us-east-1", client_options={"allow_http": True},
    )  # fmt: skip
    obstore.delete(store, "some/backups/second/manifest.json")
    assert call("list", place, "--json", **keys).json["incomplete"] == ["second"]
    call("prune", place, "--incomplete-after", "0s", **keys)
    assert not any("second" in key for key in s3.contents())
    assert any(key == "some/backups/first/manifest.json" for key in s3.contents())


def test_age_and_zstd_are_here() -> None:
    """What the tests above rely on: an absent program must not look like a broken backup."""
    assert shutil.which("age")
    assert shutil.which("zstd")
