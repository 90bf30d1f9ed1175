"""`insula backup` against pg_dump on the same database, in turns: the time of whole processes, from
a server at rest to files that are on the disk."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from statistics import median

import msgspec
import pyrage
from insula.embedded import EmbeddedServers
from insula.embedded.postgres import programs

_ROWS_A_MEGABYTE = {"orders": 2600, "items": 2600, "documents": 750}
"""So that a megabyte of these tables with their indexes is about one in PostgreSQL, and the largest
of them has about half of it: what cannot be split is not done in less than its time."""
_TABLES = """
    CREATE TABLE orders AS SELECT g AS id, md5(g::text) AS reference, (random() * 1e6)::int AS
        customer, now() - g * interval '1 second' AS placed, (random() * 1000)::numeric(10, 2) AS
        total, repeat(md5((g % 1000)::text), 2) AS note FROM generate_series(1, {orders}) AS g;
    CREATE TABLE items AS SELECT g AS id, g % 100000 AS order_id, md5(g::text) AS sku,
        (random() * 10)::int AS n FROM generate_series(1, {items}) AS g;
    CREATE TABLE documents AS SELECT g AS id, jsonb_build_object('a', md5(g::text), 'b', g, 'c',
        ARRAY[md5((g + 1)::text), md5((g + 2)::text)]) AS document
        FROM generate_series(1, {documents}) AS g;
    ALTER TABLE orders ADD PRIMARY KEY (id);
    ALTER TABLE items ADD PRIMARY KEY (id);
    ALTER TABLE documents ADD PRIMARY KEY (id);
    CREATE INDEX ON items (order_id);
    VACUUM ANALYZE;
    CHECKPOINT;
"""
_TABLE_IN_SCHEMA = "CREATE TABLE s{0}.t{1} (id int PRIMARY KEY, name text NOT NULL, n int);"
_TABLES_A_SCHEMA = 10
_OURS = "from insula_ops.backup.cli import backup; backup()"


class Turn(msgspec.Struct, frozen=True):
    seconds: float
    size: int
    """Bytes written, or 0."""


class Backups(msgspec.Struct, frozen=True):
    database_size: int
    dumping: dict[str, list[Turn]]
    restoring: dict[str, list[Turn]]
    schemas: int
    catalogue: dict[str, float]
    """Seconds in a database of so many schemas."""
    megabytes: int
    """What was asked for; ``database_size`` is what became of it, in bytes."""

    def ratio(self, name: str = "insula") -> float:
        """Of the medians: of the faster of the two that everybody uses."""
        theirs = min(self.seconds(each) for each in ("pg_dump -Fc", "pg_dump -Fd -j2"))
        return self.seconds(name) / theirs

    def seconds(self, name: str) -> float:
        return median(turn.seconds for turn in (self.dumping | self.restoring)[name])


class _Bench:
    def __init__(self, folder: Path, url: str) -> None:
        self._folder = folder
        self._url = url

    def database(self, name: str) -> str:
        self.stock("psql", "-qXd", self._url, "-c", f"CREATE DATABASE {name}")
        return self._url.replace("/insula?", f"/{name}?")

    def stock(self, program: str, *arguments: str, given: str = "") -> str:
        done = subprocess.run(
            [str(programs() / program), *arguments],
            input=given, stdout=subprocess.PIPE, text=True, check=True,
        )  # fmt: skip
        return done.stdout

    def insula(self, url: str, *arguments: str) -> None:
        environ = {"INSULA_BACKUP_URL": url, "INSULA_RESTORE_URL": url}
        subprocess.run(
            [sys.executable, "-c", _OURS, *arguments],
            env=os.environ | environ, stdout=subprocess.DEVNULL, check=True,
        )  # fmt: skip

    def turn(self, work: Callable[[], object], written: Path | None) -> Turn:
        started = time.perf_counter()
        work()
        seconds = time.perf_counter() - started
        size = 0
        if written is not None:
            files = [written, *written.rglob("*")] if written.is_dir() else [written]
            size = sum(file.stat().st_size for file in files if file.is_file())
            shutil.rmtree(written) if written.is_dir() else written.unlink()
        return Turn(seconds, size)


def measure(
    folder: Path, *, megabytes: int, schemas: int, rounds: int, tell: Callable[[str], None]
) -> Backups:
    """Let them take turns; who begins changes from round to round."""
    with EmbeddedServers(folder / "state", redis=False) as servers:
        bench = _Bench(folder, servers.database_url)
        tell(f"a database of {megabytes} MB …")
        url = bench.database("large")
        counts = {name: each * megabytes for name, each in _ROWS_A_MEGABYTE.items()}
        bench.stock("psql", "-qXd", url, given=_TABLES.format(**counts))
        size = bench.stock("psql", "-qXAtd", url, "-c", "SELECT pg_database_size('large')")
        dumping = _rounds(_dumpers(bench, url, folder), rounds, tell)
        restoring = _restore(bench, url, folder, tell)
        tell(f"a database of {schemas} schemas …")
        catalogue = _catalogue(bench, folder, schemas)
    return Backups(int(size), dumping, restoring, schemas, catalogue, megabytes)


def _dumpers(bench: _Bench, url: str, folder: Path) -> Mapping[str, Callable[[], Turn]]:
    out = folder / "out"
    file = ["-f", str(out), "-d", url]
    theirs = {
        "pg_dump -Fc": ["-Fc"],
        "pg_dump -Fd -j2": ["-Fd", "-j2"],
        "pg_dump -Fd -j2, gzip level 1": ["-Fd", "-j2", "--compress=1"],
        "pg_dump -Fd -j2, not compressed": ["-Fd", "-j2", "--compress=0"],
    }
    if "zstd" in subprocess.run(["ldd", programs() / "pg_dump"], capture_output=True,
                                text=True, check=False).stdout:  # fmt: skip
        theirs["pg_dump -Fd -j2, zstd level 1"] = ["-Fd", "-j2", "--compress=zstd:1"]
    ours = {
        "insula": [],
        "insula, gzip level 1": ["--compression", "gzip"],
        "insula, not compressed": ["--compression", "none"],
        "insula, encrypted": ["--recipient", _recipient()],
    }
    found: dict[str, Callable[[], Turn]] = {}
    for name, options in ours.items():
        found[name] = partial(bench.turn, partial(bench.insula, url, "create", str(out), *options),
                              out)  # fmt: skip
    for name, options in theirs.items():
        found[name] = partial(bench.turn, partial(bench.stock, "pg_dump", *options, *file), out)
    return found


def _rounds(
    contestants: Mapping[str, Callable[[], Turn]], rounds: int, tell: Callable[[str], None]
) -> dict[str, list[Turn]]:
    names, done = list(contestants), dict[str, list[Turn]]()
    for turn in range(rounds):
        for place in range(len(names)):
            name = names[(turn + place) % len(names)]
            done.setdefault(name, []).append(contestants[name]())
            tell(f"{name}: {done[name][-1].seconds:.2f} s")
    return {name: done[name] for name in names}


def _restore(
    bench: _Bench, url: str, folder: Path, tell: Callable[[str], None]
) -> dict[str, list[Turn]]:
    """Each once, into a database of its own; ours also gathers the planner's statistics."""
    ours, theirs = folder / "ours", folder / "theirs"
    bench.insula(url, "create", str(ours))
    bench.stock("pg_dump", "-Fd", "-j2", "-f", str(theirs), "-d", url)

    def insula() -> None:
        bench.insula(bench.database("restored_by_insula"), "restore", str(ours))

    def stock() -> None:
        target = bench.database("restored_by_pg_restore")
        bench.stock("pg_restore", "-j2", "-d", target, str(theirs))

    done = _rounds(
        {"insula restore": lambda: bench.turn(insula, None),
         "pg_restore -j2": lambda: bench.turn(stock, None)}, 1, tell,
    )  # fmt: skip
    for path in (ours, theirs):
        shutil.rmtree(path)
    return done


def _catalogue(bench: _Bench, folder: Path, schemas: int) -> dict[str, float]:
    """A small part of a large catalogue: what pg_dump reads is all of it, whatever it dumps."""
    url = bench.database("many")
    script = ""
    for schema in range(schemas):
        script += f"CREATE SCHEMA s{schema};"
        script += "".join(_TABLE_IN_SCHEMA.format(schema, n) for n in range(_TABLES_A_SCHEMA))
        script += "\n"
    bench.stock("psql", "-qXd", url, given=script)
    out = folder / "out"
    file = ["-f", str(out), "-d", url]
    work = {
        "insula, one schema": lambda: bench.insula(url, "create", str(out), "--schema", "s0"),
        "pg_dump -Fd -j2, one schema": lambda: bench.stock(
            "pg_dump", "-Fd", "-j2", "-n", "s0", *file
        ),
        "insula, all": lambda: bench.insula(url, "create", str(out)),
        "pg_dump -Fd -j2, all": lambda: bench.stock("pg_dump", "-Fd", "-j2", *file),
    }
    return {name: bench.turn(each, out).seconds for name, each in work.items()}


def _recipient() -> str:
    """Of a key that nobody keeps."""
    return str(pyrage.x25519.Identity.generate().to_public())
