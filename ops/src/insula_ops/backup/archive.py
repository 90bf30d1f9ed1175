"""The table of contents of pg_dump's archives, read from the custom format and written for the
directory format, which stock ``pg_restore`` reads.

The layout is that of PostgreSQL's ``pg_backup_archiver.c`` (``ReadHead``, ``ReadToc``), archive
versions 1.14 (PostgreSQL 12) to 1.16 (17 and 18). Numbers are a sign byte and ``int_size`` bytes,
low byte first; strings a length (-1: null) and bytes.
"""

from collections.abc import Callable
from io import BytesIO
from typing import Protocol

import msgspec

from insula_ops.backup.errors import Damaged

PRE_DATA, DATA, POST_DATA = 2, 3, 4
"""``teSection``; 1 is what goes wherever its neighbours go: comments, grants."""

_MAGIC = b"PGDMP"
_CUSTOM = 1
_TAR = 3  # which is what a directory's toc.dat says it is
_OLDEST, _NEWEST = (1, 14), (1, 16)


class Reading(Protocol):
    """A stream that gives fewer bytes than asked for at its end alone."""

    def read(self, size: int, /) -> bytes: ...


class Entry(msgspec.Struct):
    """One thing to restore (``TocEntry``)."""

    id: int
    desc: str
    """``TABLE``, ``TABLE DATA``, ``INDEX`` …"""
    tag: str
    section: int
    class_oid: str = "0"
    oid: str = "0"
    definition: str | None = ""
    drop: str | None = ""
    copy: str | None = None
    namespace: str | None = None
    tablespace: str | None = None
    access_method: str | None = None
    relkind: int = 0
    owner: str | None = ""
    has_oids: str | None = "false"
    needs: list[int] = msgspec.field(default_factory=list)
    filename: str = ""
    """Of the data, in the directory format; empty where there is none."""
    has_data: bool = False


class Archive(msgspec.Struct):
    """A whole table of contents; ``heading`` is the time of the dump as its seven numbers."""

    version: tuple[int, int, int]
    int_size: int
    off_size: int
    heading: list[int]
    database: str | None
    server_version: str | None
    dump_version: str | None
    entries: list[Entry]

    def next_id(self) -> int:
        return max((entry.id for entry in self.entries), default=0) + 1

    def blobs_toc(self, entry: Entry) -> str:
        """The name that ``pg_restore`` expects for the list of an entry's large objects."""
        return f"blobs_{entry.id}.toc" if self.version >= (1, 16) else "blobs.toc"

    def encode(self) -> bytes:
        """A ``toc.dat``. What the header calls the compression is "none": pg_restore then looks at
        each file's name, and reads those that it finds uncompressed, too."""
        out = _Writer(self.int_size)
        out.raw(_MAGIC, bytes(self.version), bytes([self.int_size, self.off_size, _TAR]))
        out.raw(b"\0") if self.version >= (1, 15) else out.integer(0)
        for number in self.heading:
            out.integer(number)
        out.text(self.database, self.server_version, self.dump_version)
        out.integer(len(self.entries))
        for entry in self.entries:
            self._encode_entry(out, entry)
        return bytes(out.buffer)

    def _encode_entry(self, out: "_Writer", entry: Entry) -> None:
        out.integer(entry.id)
        out.integer(int(entry.has_data))
        out.text(entry.class_oid, entry.oid, entry.tag, entry.desc)
        out.integer(entry.section)
        out.text(entry.definition, entry.drop, entry.copy)
        out.text(entry.namespace, entry.tablespace, entry.access_method)
        if self.version >= (1, 16):
            out.integer(entry.relkind)
        out.text(entry.owner, entry.has_oids, *map(str, entry.needs), None, entry.filename)


def read_custom(source: Reading) -> Archive:
    """The head of a ``pg_dump -Fc`` stream; the source stands at its data then.

    Raises:
        Damaged: this is no archive of a version that is known here.
    """
    return _read(source, _CUSTOM)


def read_directory(toc: bytes) -> Archive:
    """A ``toc.dat`` as :meth:`Archive.encode` writes it."""
    return _read(BytesIO(toc), _TAR)


def _read(source: Reading, expected: int) -> Archive:
    head = source.read(11)
    version = (head[5], head[6], head[7]) if len(head) == 11 else (0, 0, 0)
    if head[:5] != _MAGIC or not _OLDEST <= version[:2] <= _NEWEST or head[10] != expected:
        raise Damaged(f"not an archive that this release knows: {head!r}")
    reader = Numbers(source, head[8])
    if version >= (1, 15):
        source.read(1)
    else:
        reader.integer()
    heading = [reader.integer() for _ in range(7)]
    database, server, dump = reader.text(), reader.text(), reader.text()
    archive = Archive(version, head[8], head[9], heading, database, server, dump, [])
    count = reader.integer()

    def tail() -> str | None:
        if expected == _TAR:
            return reader.text()
        reader.take(1 + head[9])  # where the data is, which in a stream nobody knows yet
        return None

    archive.entries = [_read_entry(reader, version, tail) for _ in range(count)]
    return archive


def _read_entry(
    reader: "Numbers", version: tuple[int, int, int], tail: Callable[[], str | None]
) -> Entry:
    text, integer = reader.text, reader.integer
    number, has_data = integer(), bool(integer())
    class_oid, oid, tag, desc = (text() or "" for _ in range(4))
    entry = Entry(number, desc, tag, integer(), class_oid, oid, has_data=has_data)
    entry.definition, entry.drop, entry.copy = text(), text(), text()
    entry.namespace, entry.tablespace, entry.access_method = text(), text(), text()
    if version >= (1, 16):
        entry.relkind = integer()
    entry.owner, entry.has_oids = text(), text()
    while (needed := text()) is not None:
        entry.needs.append(int(needed))
    entry.filename = tail() or ""
    return entry


class Numbers:
    """Numbers and strings of an archive, its large objects' sizes among them."""

    def __init__(self, source: Reading, int_size: int) -> None:
        self._source = source
        self._size = 1 + int_size

    def integer(self) -> int:
        """
        Raises:
            Damaged: the stream ends here.
        """
        piece = self.take(self._size)
        number = int.from_bytes(piece[1:], "little")
        return -number if piece[0] else number

    def text(self) -> str | None:
        length = self.integer()
        return None if length < 0 else self.take(length).decode("utf-8", "surrogateescape")

    def take(self, length: int) -> bytes:
        piece = self._source.read(length)
        if len(piece) != length:
            raise Damaged("the archive ends in the middle")
        return piece


class _Writer:
    def __init__(self, int_size: int) -> None:
        self.buffer = bytearray()
        self._size = int_size

    def raw(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.buffer += piece

    def integer(self, number: int) -> None:
        self.buffer.append(number < 0)
        self.buffer += abs(number).to_bytes(self._size, "little")

    def text(self, *strings: str | None) -> None:
        for string in strings:
            if string is None:
                self.integer(-1)
                continue
            encoded = string.encode("utf-8", "surrogateescape")
            self.integer(len(encoded))
            self.buffer += encoded
