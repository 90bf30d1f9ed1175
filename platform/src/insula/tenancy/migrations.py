"""Applying reviewed SQL files to a schema, and recording which have been applied."""

import hashlib
import re
from collections.abc import Container
from functools import cache
from importlib.resources.abc import Traversable

import msgspec
from sqlalchemy import bindparam, select

import insula.portability.core_tables  # noqa: F401 - so that their marks are known
from insula.db import Statement, TenantTable
from insula.module import migration_names
from insula.tenancy.sealing import SEAL
from insula.tenancy.tables import Migration


class MigrationFile(msgspec.Struct, frozen=True):
    """One step of one module: plain SQL, written against an unqualified search path."""

    module: str
    version: int
    name: str
    sql: str
    checksum: str
    fresh: str = ""
    """What does the same, cheaper, where all of the module's files run in one transaction in a
    schema that has nothing of it: the file ``0001_initial.fresh.sql`` beside this one, if any."""


class MigrationChanged(Exception):
    """A file that has been applied was edited since: write a new file instead."""


ALONE = f"SELECT pg_advisory_xact_lock({0x4D696772617465});"  # "Migrate"
"""Whoever migrates a catalogue or a spool does so alone in that database, to the end of the
transaction: of two that begin at once each would make the same tables."""

_read: dict[str, tuple[MigrationFile, ...]] = {}


def read(module: str, folder: Traversable) -> tuple[MigrationFile, ...]:
    """The migrations of a module, in order; read once a process."""
    if module not in _read:
        _read[module] = _read_folder(module, folder)
    return _read[module]


def _read_folder(module: str, folder: Traversable) -> tuple[MigrationFile, ...]:
    files = []
    for number, name in migration_names(folder):
        sql = (folder / name).read_text(encoding="utf-8")
        checksum = hashlib.sha256(sql.encode()).hexdigest()
        beside = folder / name.replace(".sql", ".fresh.sql")
        fresh = beside.read_text(encoding="utf-8") if beside.is_file() else ""
        files.append(MigrationFile(module, number, name, sql, checksum, fresh))
    return tuple(files)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


_WRITTEN = re.compile(
    r"^CREATE TABLE (?P<made>\w+) \(\n.*?^\);|^ALTER TABLE (?P<widened>\w+) ADD COLUMN [^;]*;",
    re.MULTILINE | re.DOTALL,
)
_TEXT = re.compile(r"((?:^ {4}|\bADD COLUMN )\w+ (?:TEXT|BYTEA)(?:\[\])?)", re.MULTILINE)


@cache
def anew(file: MigrationFile) -> str:
    """What a step does where nobody has any rows of its module yet, and its module's other steps
    run with it. Tables that are marked :data:`~insula.db.marks.SHORT` store their text plain: two
    relations fewer to make for each."""

    def store_plain(statement: re.Match[str]) -> str:
        table = TenantTable.metadata.tables.get(statement["made"] or statement["widened"])
        if table is None or not table.info.get("short"):
            return statement[0]
        return _TEXT.sub(r"\1 STORAGE PLAIN", statement[0])

    return _WRITTEN.sub(store_plain, file.fresh or file.sql)


_TABLE = re.compile(r"\bCREATE\s+TABLE\b", re.IGNORECASE)
_UNSEALED = ("catalogue", "spool")  # of the installation: the spool has policies of its own


def script(files: tuple[MigrationFile, ...], *, fresh: Container[str] = ()) -> str:
    """The files and their records, as one script for one round trip; a tenant's new tables are
    sealed (:mod:`insula.tenancy.sealing`). ``fresh`` are the modules of which nobody has any rows
    yet."""
    texts = [anew(file) if file.module in fresh else file.sql for file in files]
    parts = [text.rstrip().rstrip(";") + ";" for text in texts]
    if files:
        parts.append(
            "INSERT INTO insula_migrations (module, version, checksum) VALUES "
            + ", ".join(
                f"({_literal(file.module)}, {file.version}, {_literal(file.checksum)})"
                for file in files
            )
            + ";"
        )
    if any(_TABLE.search(file.sql) and file.module not in _UNSEALED for file in files):
        parts.append(SEAL)
    return "\n".join(parts)


class Applied(msgspec.Struct, frozen=True):
    """A line of ``insula_migrations``."""

    version: int
    checksum: str


APPLIED = Statement(
    select(Migration.version, Migration.checksum).where(Migration.module == bindparam("module")),
    Applied,
)


def pending(files: tuple[MigrationFile, ...], applied: list[Applied]) -> tuple[MigrationFile, ...]:
    """What has not been applied yet.

    Raises:
        MigrationChanged: an applied file no longer has the checksum that was recorded.
    """
    checksums = {line.version: line.checksum for line in applied}
    for file in files:
        if checksums.get(file.version, file.checksum) != file.checksum:
            raise MigrationChanged(f"{file.module}/{file.name} was edited after it was applied")
    return tuple(file for file in files if file.version not in checksums)
