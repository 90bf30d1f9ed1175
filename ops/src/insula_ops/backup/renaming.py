"""Restoring under another schema name, beside the schema of the old name if there is one.

SQL cannot be rewritten safely: functions hold names in text. So nothing is rewritten. One
transaction renames the schema that is there, restores under the old name, renames what it restored,
and gives the first its name back. Other sessions never see a name change, because they see nothing
of the transaction before it ends; and if anything fails, nothing has happened.
"""

import asyncio
import subprocess
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryFile
from typing import IO

from insula_ops.backup import manifest, programs
from insula_ops.backup.address import Address
from insula_ops.backup.archive import Archive
from insula_ops.backup.catalogue import literal, quoted
from insula_ops.backup.dump import Report
from insula_ops.backup.errors import BackupFailed
from insula_ops.backup.manifest import TableData
from insula_ops.backup.reading import Backup
from insula_ops.backup.selection import Selection

_TEXT_OF_NAMES = {"FUNCTION", "PROCEDURE", "AGGREGATE"}


def mentions(archive: Archive, schemas: Mapping[str, str]) -> list[str]:
    """Functions whose text names a schema that gets another name: nobody rewrites that."""
    return [
        f"{entry.desc.lower()} {entry.namespace}.{entry.tag}"
        for entry in archive.entries
        if entry.desc in _TEXT_OF_NAMES
        and any(_names(entry.definition or "", entry.namespace or "", old) for old in schemas)
    ]


async def restore(
    backup: Backup,
    chosen: Selection,
    tables: Sequence[TableData],
    target: Address,
    renamed: Mapping[str, str],
    folder: Path,
    report: Report,
) -> None:
    """
    Raises:
        BackupFailed: the target is as it was.
    """
    await asyncio.to_thread(_restore, backup, chosen, tables, target, renamed, folder, report)


def _restore(
    backup: Backup,
    chosen: Selection,
    tables: Sequence[TableData],
    target: Address,
    renamed: Mapping[str, str],
    folder: Path,
    report: Report,
) -> None:
    ids = {entry.id for entry in chosen.archive.entries if entry.desc == "TABLE DATA"}
    (folder / manifest.TOC).write_bytes(chosen.without(ids).archive.encode())
    dumped_by = int(backup.manifest.pg_dump.split(".")[0])
    psql = [
        *(programs.find("psql", dumped_by), "--no-psqlrc", "--quiet", "--no-password"),
        *("--set=ON_ERROR_STOP=1", "--single-transaction", "--file=-"),
    ]
    aside = {old: f"aside_{token_hex(6)}" for old in renamed}
    with (
        TemporaryFile() as said,
        subprocess.Popen(
            psql,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=said,
            env=target.environment(),
        ) as process,
    ):
        assert process.stdin is not None
        try:
            made = {entry.tag for entry in chosen.archive.entries if entry.desc == "SCHEMA"}
            _write(process.stdin, backup, tables, aside, renamed, made, folder, dumped_by, report)
        except BrokenPipeError:
            pass  # it says why
        except BaseException:
            process.kill()  # the end of its input would make it commit
            raise
        finally:
            # What is left in the buffer is sent now. If nobody takes it, that is no news either.
            with suppress(BrokenPipeError):
                process.stdin.close()
        if process.wait() != 0:
            said.seek(0)
            text = target.redact(said.read().decode("utf-8", "replace")).strip()
            raise BackupFailed(f"nothing was restored: {text[-4000:]}")


def _write(
    script: IO[bytes],
    backup: Backup,
    tables: Sequence[TableData],
    aside: Mapping[str, str],
    renamed: Mapping[str, str],
    made: Collection[str],
    folder: Path,
    dumped_by: int,
    report: Report,
) -> None:
    for old, scratch in aside.items():
        script.write(_rename_if_there(old, scratch))
        if old not in made:  # as with "public", which every database has
            script.write(f"CREATE SCHEMA {quoted(old)};\n".encode())
    _sections(script, folder, dumped_by, "pre-data")
    for table in tables:
        columns = f"({', '.join(map(quoted, table.columns))})" if table.columns else ""
        name = f"{quoted(table.schema)}.{quoted(table.name)}"
        script.write(f"COPY {name} {columns} FROM stdin;\n".encode())
        for piece in backup.rows(table.file):
            script.write(piece)
            report(len(piece))
        script.write(b"\\.\n")
    _sections(script, folder, dumped_by, "data", "post-data")
    script.write(b"RESET ALL;\n")
    for table in tables:
        script.write(f"ANALYZE {quoted(table.schema)}.{quoted(table.name)};\n".encode())
    for old, new in renamed.items():
        script.write(f"ALTER SCHEMA {quoted(old)} RENAME TO {quoted(new)};\n".encode())
    for old, scratch in aside.items():
        script.write(_rename_if_there(scratch, old))


def _sections(script: IO[bytes], folder: Path, dumped_by: int, *names: str) -> None:
    """What pg_restore would do, as SQL."""
    command = [programs.find("pg_restore", dumped_by), "--file=-", str(folder)]
    for name in names:
        made = subprocess.run([*command, f"--section={name}"], capture_output=True, check=False)
        if made.returncode != 0:
            raise BackupFailed(f"pg_restore failed: {made.stderr.decode('utf-8', 'replace')}")
        script.write(made.stdout)


def _rename_if_there(old: str, new: str) -> bytes:
    rename = literal(f"ALTER SCHEMA {quoted(old)} RENAME TO {quoted(new)}")
    body = (
        f"BEGIN IF pg_catalog.to_regnamespace({literal(quoted(old))}) IS NOT NULL "
        f"THEN EXECUTE {rename}; END IF; END"
    )
    return f"DO {literal(body)};\n".encode()


def _names(definition: str, namespace: str, schema: str) -> bool:
    """Whether a name of the schema stands in the body; the one in the heading is no text."""
    _, _, body = definition.partition("AS $")
    return namespace == schema and f"{schema}." in body
