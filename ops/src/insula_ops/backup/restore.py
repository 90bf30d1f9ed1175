"""Putting a backup, or a part of it, into a database."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import asyncpg
import msgspec

from insula_ops.backup import manifest, programs, renaming, selection
from insula_ops.backup.address import Address
from insula_ops.backup.archive import Entry
from insula_ops.backup.catalogue import quoted
from insula_ops.backup.dump import Report
from insula_ops.backup.errors import BackupFailed, server_says
from insula_ops.backup.load import Loader
from insula_ops.backup.manifest import TableData
from insula_ops.backup.reading import Backup
from insula_ops.backup.selection import Selection

_OCCUPIED = """
    SELECT format('%I.%I', n.nspname, c.relname)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' AND c.relkind <> 'c'
        AND ($1::text[] IS NULL OR n.nspname = ANY ($1))
        AND NOT EXISTS (
            SELECT FROM pg_depend d
            WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('e', 'i')
        )
    ORDER BY 1 LIMIT 1
"""
_EXISTS = {
    "SCHEMA": "SELECT to_regnamespace($1) IS NOT NULL",
    "FUNCTION": "SELECT to_regprocedure($1) IS NOT NULL",
    "SEQUENCE": "SELECT to_regclass($1) IS NOT NULL",
    "COLLATION": "SELECT to_regcollation($1) IS NOT NULL",
}
_DEFAULT_GRANTEES = """
    SELECT DISTINCT coalesce(quote_ident(r.rolname), 'PUBLIC')
    FROM pg_default_acl d CROSS JOIN LATERAL aclexplode(d.defaclacl) a
    LEFT JOIN pg_roles r ON r.oid = a.grantee
    WHERE d.defaclobjtype IN ('r', 'S') AND a.grantee <> d.defaclrole
        AND d.defaclrole = (SELECT oid FROM pg_roles WHERE rolname = current_user)
"""
_RELATIONS = {
    "FOREIGN TABLE": "TABLE", "MATERIALIZED VIEW": "TABLE", "SEQUENCE": "SEQUENCE",
    "TABLE": "TABLE", "VIEW": "TABLE",
}  # fmt: skip
_TYPE_EXISTS = "SELECT to_regtype($1) IS NOT NULL"


class Options(msgspec.Struct, frozen=True):
    schemas: dict[str, str] = {}
    """The name in the backup: the name to restore it under."""
    table: tuple[str, str] | None = None
    jobs: int = 2
    into_occupied: bool = False
    roles: bool = False
    tablespaces: bool = True


class Restored(msgspec.Struct, frozen=True):
    backup: str
    tables: int
    rows: int
    seconds: float
    steps: dict[str, float]
    """Seconds of each."""
    left_out: list[str] = []


async def restore(backup: Backup, target: Address, options: Options, report: Report) -> Restored:
    """
    Raises:
        BackupFailed: with a new schema name nothing has changed then; otherwise what was restored
            up to there is in the target.
    """
    started = time.monotonic()
    contents = await asyncio.to_thread(backup.contents)
    archive = await asyncio.to_thread(backup.archive)
    chosen = _choose(archive, options)
    renamed = {old: new for old, new in options.schemas.items() if old != new}
    connection = await target.connect()
    try:
        if options.roles:
            await _make_roles(connection, await asyncio.to_thread(backup.roles))
        await _check_free(connection, chosen, options, renamed)
        if not renamed:
            chosen = await _without_existing(connection, chosen)
        await _grant_nothing_by_default(connection, chosen)
    except asyncpg.PostgresError as error:
        raise BackupFailed(f"{target.shown}: {server_says(error)}") from None
    finally:
        connection.terminate()
    wanted = set(selection.files(chosen.archive))
    tables = [table for table in contents.tables if table.file in wanted]
    blobs = any(entry.desc == "BLOBS" for entry in chosen.archive.entries)
    with TemporaryDirectory(prefix="insula-restore-") as folder:
        if renamed:
            await renaming.restore(backup, chosen, tables, target, renamed, Path(folder), report)
            steps = {"all in one transaction": time.monotonic() - started}
        else:
            objects = contents.large_objects if blobs else []
            run = _Run(backup, target, options, Path(folder), chosen)
            steps = await run.all(tables, objects, report)
    rows = sum(table.rows for table in tables)
    seconds = time.monotonic() - started
    return Restored(
        backup.manifest.name, len(tables), rows, round(seconds, 3),
        {step: round(each, 3) for step, each in steps.items()}, chosen.left_out,
    )  # fmt: skip


class _Run:
    """Definitions by pg_restore, rows by our own COPY, then indexes and constraints in parallel."""

    def __init__(
        self, backup: Backup, target: Address, options: Options, folder: Path, chosen: Selection
    ) -> None:
        self._backup = backup
        self._target = target
        self._options = options
        self._folder = folder
        self._chosen = chosen
        self._steps: dict[str, float] = {}

    async def all(
        self, tables: Sequence[TableData], objects: Sequence[Any], report: Report
    ) -> dict[str, float]:
        ours = {"TABLE DATA", "BLOBS"}
        ids = {e.id for e in self._chosen.archive.entries if e.desc in ours}
        first, last = selection.split_last(self._chosen.without(ids))
        toc = self._folder / manifest.TOC
        toc.write_bytes(first.archive.encode())
        loader = Loader(self._target, self._backup, selection.made_here(self._chosen.archive))
        jobs = self._options.jobs
        await self._step("definitions", self._section("pre-data", "--single-transaction"))
        await self._step("sequences", self._section("data", "--single-transaction"))
        await self._step("rows", loader.tables(tables, jobs, report))
        await self._step("large objects", loader.large_objects(objects))
        await self._step("indexes and constraints", self._section("post-data", f"--jobs={jobs}"))
        toc.write_bytes(last.archive.encode())
        alone = selection.is_partitioned(self._chosen.archive)
        how = "--jobs=1" if alone else f"--jobs={jobs}"
        await self._step("foreign keys", self._section("post-data", how))
        await self._step("statistics", loader.analyse(tables, jobs))
        return self._steps

    async def _step(self, name: str, work: Any) -> None:
        started = time.monotonic()
        await work
        self._steps[name] = time.monotonic() - started

    async def _section(self, section: str, how: str) -> None:
        command = [
            *(programs.find("pg_restore", _dumped_by(self._backup)), "--dbname=", "--no-password"),
            *("--exit-on-error", f"--section={section}", how, str(self._folder)),
            *([] if self._options.tablespaces else ["--no-tablespaces"]),
        ]
        await programs.run(command, self._target)


def _choose(archive: Any, options: Options) -> Selection:
    if options.table is not None:
        return selection.table(archive, *options.table)
    if options.schemas:
        return selection.schemas(archive, list(options.schemas))
    return selection.everything(archive)


def _dumped_by(backup: Backup) -> int:
    return int(backup.manifest.pg_dump.split(".")[0])


async def _make_roles(connection: Any, script: str) -> None:
    try:
        await connection.execute(script)
    except asyncpg.PostgresError as error:
        raise BackupFailed(f"the roles could not be made: {server_says(error)}") from None


async def _check_free(
    connection: Any, chosen: Selection, options: Options, renamed: dict[str, str]
) -> None:
    """Refuse to mix what is restored with what is there."""
    if options.table is not None:
        schema, name = options.table
        schema = options.schemas.get(schema, schema)
        known = f"{quoted(schema)}.{quoted(name)}"
        if await connection.fetchval("SELECT to_regclass($1) IS NOT NULL", known):
            raise BackupFailed(
                f"{known} exists: rename or drop it first, or restore it beside, with --schema "
                f"{options.table[0]}=NEW"
            )
    for new in renamed.values():
        if await connection.fetchval("SELECT to_regnamespace($1) IS NOT NULL", quoted(new)):
            raise BackupFailed(f"the schema {new} exists: choose a name that is free")
    if options.table is None and not renamed and not options.into_occupied:
        schemas = list(options.schemas) or None
        if there := await connection.fetchval(_OCCUPIED, schemas):
            raise BackupFailed(
                f"the target is not empty, it has {there} for one: restore into a new database, "
                "under another name with --schema OLD=NEW, or say --into-occupied"
            )


async def _without_existing(connection: Any, chosen: Selection) -> Selection:
    """Leave out what only may have to come along, where it is there."""
    ids: set[int] = set()
    for entry in chosen.may_exist:
        query = _EXISTS.get(entry.desc, _TYPE_EXISTS)
        if await connection.fetchval(query, _named(entry)):
            ids.add(entry.id)
    values = {
        entry.id
        for entry in chosen.archive.entries
        if entry.desc == "SEQUENCE SET" and set(entry.needs) & ids
    }
    return chosen.without(ids | values)


async def _grant_nothing_by_default(connection: Any, chosen: Selection) -> None:
    """Where the target has default privileges, what is made there would be open to more than it
    was: an archive says what was granted, not what was not."""
    grantees = ", ".join(row[0] for row in await connection.fetch(_DEFAULT_GRANTEES))
    if not grantees:
        return
    for entry in chosen.archive.entries:
        if (kind := _RELATIONS.get(entry.desc)) and entry.definition:
            name = f"{quoted(entry.namespace or '')}.{quoted(entry.tag)}"
            entry.definition += f"\nREVOKE ALL ON {kind} {name} FROM {grantees};\n"


def _named(entry: Entry) -> str:
    if entry.desc == "SCHEMA":
        return quoted(entry.tag)
    # A function's tag has its arguments, and its name is in quotes where that is needed.
    name = entry.tag if entry.desc == "FUNCTION" else quoted(entry.tag)
    return f"{quoted(entry.namespace or '')}.{name}"
