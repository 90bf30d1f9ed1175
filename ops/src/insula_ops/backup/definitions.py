"""All that is not rows, from stock ``pg_dump`` under our snapshot: definitions as an archive's
table of contents, and the large objects with their data."""

import subprocess
import tempfile
from collections.abc import Callable, Sequence
from typing import IO

import msgspec

from insula_ops.backup import archive, programs
from insula_ops.backup.address import Address
from insula_ops.backup.archive import Archive, Numbers
from insula_ops.backup.blocks import Compressor
from insula_ops.backup.catalogue import quoted
from insula_ops.backup.errors import BackupFailed, Damaged
from insula_ops.backup.manifest import LargeObject
from insula_ops.backup.place import Writing

_BLOBS = 3
_LOCK_WAIT = "30s"


class Definitions(msgspec.Struct, frozen=True):
    archive: Archive
    large_objects: list[LargeObject]
    by_entry: dict[int, list[int]]
    """Large objects that belong to an archive's entry."""


def read(
    address: Address,
    version: int,
    snapshot: str,
    schemas: Sequence[str] | None,
    compressor: Compressor,
    create: Callable[[str], Writing],
    keep: Callable[[Writing], None],
) -> Definitions:
    """Run pg_dump to its end. Large objects become files as they come: none is held in memory.

    Raises:
        BackupFailed: pg_dump failed, with its own words.
    """
    command = [
        *(programs.find("pg_dump", version), "-Fc", "-Z0", "--no-password"),
        *("--exclude-table-data=*.*", f"--snapshot={snapshot}"),
        f"--lock-wait-timeout={_LOCK_WAIT}",
        *(f"--schema={quoted(schema)}" for schema in schemas or ()),
    ]
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=said,
            stdin=subprocess.DEVNULL,
            env=address.environment(),
        ) as process,
    ):
        assert process.stdout is not None
        try:
            found: Definitions | Damaged = _parse(process.stdout, compressor, create, keep)
        except Damaged as error:
            found = error
            while process.stdout.read(1 << 20):
                pass  # what it has to say stands elsewhere
        except BaseException:
            process.kill()
            raise
        if process.wait() != 0:
            said.seek(0)
            text = address.redact(said.read().decode("utf-8", "replace")).strip()
            raise BackupFailed(f"pg_dump failed: {text[-4000:]}")
    if isinstance(found, Damaged):
        raise found
    return found


def _parse(
    source: IO[bytes],
    compressor: Compressor,
    create: Callable[[str], Writing],
    keep: Callable[[Writing], None],
) -> Definitions:
    found = archive.read_custom(source)
    reader = Numbers(source, found.int_size)
    objects: list[LargeObject] = []
    by_entry: dict[int, list[int]] = {}
    while kind := source.read(1):
        entry = reader.integer()
        if kind[0] != _BLOBS:
            raise Damaged(f"pg_dump wrote a block of kind {kind[0]}, which was not asked for")
        while oid := reader.integer() & 0xFFFFFFFF:
            name = f"blob_{oid}.dat"
            writing = create(name)
            size = 0
            while length := reader.integer():
                piece = reader.take(length)
                size += length
                writing.write(compressor.frame(piece))
            if size == 0:
                writing.write(compressor.frame(b""))
            keep(writing)
            objects.append(LargeObject(oid, size, name))
            by_entry.setdefault(entry, []).append(oid)
    return Definitions(found, objects, by_entry)
