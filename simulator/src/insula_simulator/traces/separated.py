"""Comma-separated traces: our own columns, and Twitter's.

A block of plain lines is parsed by Polars; a block that it cannot vouch for goes through Python's
strict parser, which reads the same and names the line that is wrong.
"""

import csv
from collections.abc import Iterator
from io import BytesIO
from typing import BinaryIO, NamedTuple

import numpy as np
import polars as pl

from insula_simulator.traces.chunks import (
    ANYWHERE,
    LARGEST,
    Chunk,
    Request,
    TraceError,
    in_chunks,
    key_of,
    occupied,
)
from insula_simulator.traces.lines import (
    LINE_LIMIT,
    is_size,
    numbered_lines,
    seconds,
    whole_size,
)

BLOCK = 1 << 21
"""Bytes of lines that are parsed together."""
ID_NAMES = ("id", "obj_id", "object_id", "key")
SIZE_NAMES = ("size", "obj_size", "object_size", "bytes")
TIME_NAMES = ("time", "timestamp", "clock_time")

REGION_NAME = "region"


class Columns(NamedTuple):
    """Where a row has what; ``time`` is None where the trace has none."""

    key: int
    size: int
    time: int | None
    sizes_too: int | None = None
    """A column added to the size (Twitter: key and value)."""
    operation: int | None = None
    region: int | None = None
    names: tuple[str, ...] = ()
    """The regions that may be named."""

    @property
    def last(self) -> int:
        places = (self.key, self.size, self.time, self.sizes_too, self.operation, self.region)
        return max(each for each in places if each is not None)


WITHOUT_HEADER = Columns(key=1, size=2, time=0)
TWITTER = Columns(key=1, size=3, time=0, sizes_too=2, operation=5)
TWITTER_FIELDS = 7


def read_csv(file: BinaryIO, regions: tuple[str, ...] = ()) -> Iterator[Chunk]:
    """A header that names ``id`` and ``size`` and perhaps ``time`` and ``region`` (any order, more
    columns are ignored), or without a header ``time,id,size``. A region is looked at only where
    ``regions`` says which there are.

    Raises:
        TraceError: a line is too long, not UTF-8, not CSV, lacks an id or a size, or names a
            region that is not there.
    """
    lines = numbered_lines(file)
    for number, line in lines:
        try:
            fields = next(csv.reader([line], strict=False), [])
        except csv.Error as error:
            raise TraceError(f"line {number}: {error}") from error
        if not fields:
            continue
        columns, is_header = _columns(fields, number, regions)
        rest = _Rewound(b"" if is_header else line.encode(), file)
        yield from _read_blocks(rest, columns, number + 1 if is_header else number)
        return


def read_twitter_csv(file: BinaryIO) -> Iterator[Chunk]:
    """Twitter's published form: time, key, key size, value size, client, operation, TTL. An object
    is as large as key and value; reads of nothing are left out.

    Raises:
        TraceError: see ``read_csv``.
    """
    yield from _read_blocks(_Rewound(b"", file), TWITTER, 1)


class _Rewound:
    """A file with some bytes put back in front."""

    def __init__(self, front: bytes, file: BinaryIO) -> None:
        self.front = front
        self.file = file

    def lines(self) -> bytes:
        """Whole lines, about a block of them; empty at the end."""
        block = self.front + self.file.read(BLOCK)
        self.front = b""
        if block and not block.endswith(b"\n"):
            block += self.file.readline(LINE_LIMIT + 1)
        return block


def _read_blocks(rest: _Rewound, columns: Columns, line: int) -> Iterator[Chunk]:
    while block := rest.lines():
        chunk = None if b'"' in block else _fast(block, columns)
        if chunk is not None:
            yield chunk
        elif b'"' in block:
            # A quoted field may go on in the next block: from here on line by line.
            yield from in_chunks(_slow(_Joined(block, rest.file), columns, line))  # type: ignore[arg-type]
            return
        else:
            yield from in_chunks(_slow(BytesIO(block), columns, line))
        line += block.count(b"\n")


class _Joined:
    """The lines of a block, then those of the file behind it."""

    def __init__(self, block: bytes, file: BinaryIO) -> None:
        self.block = BytesIO(block)
        self.file = file

    def readline(self, limit: int) -> bytes:
        line = self.block.readline(limit)
        if not line.endswith(b"\n") and len(line) < limit:
            line += self.file.readline(limit - len(line))
        return line


def _fast(block: bytes, columns: Columns) -> Chunk | None:
    """The chunk, or None when anything about the block is unusual."""
    try:
        frame = pl.read_csv(block, has_header=False, infer_schema=False, quote_char=None)
    except (pl.exceptions.PolarsError, UnicodeDecodeError):
        return None
    if frame.width <= columns.last:
        return None
    names = frame.columns
    wanted = [_integer(names[columns.size]).alias("size"), pl.col(names[columns.key]).alias("id")]
    if columns.time is not None:
        wanted.append(pl.col(names[columns.time]).cast(pl.Float64, strict=False).alias("time"))
    if columns.sizes_too is not None and columns.operation is not None:
        value = _integer(names[columns.size])
        reads = pl.col(names[columns.operation]).is_in(["get", "gets"])
        size = value + _integer(names[columns.sizes_too])
        wanted[0] = pl.when(reads & (value == 0)).then(0).otherwise(size).alias("size")
    if columns.region is not None:
        wanted.append(_places(pl.col(names[columns.region]), columns.names))
    table = frame.select(wanted)
    ids = table["id"]
    if sum(table.null_count().row(0)) or (ids.str.strip_chars() != ids).any():
        return None
    if int(ids.str.len_bytes().max() or 0) > LINE_LIMIT // 2:  # type: ignore[arg-type]
        return None
    times = table["time"].to_numpy() if columns.time is not None else np.zeros(len(table))
    if not (np.isfinite(times).all() and (times >= 0).all() and (times < 1e18).all()):
        return None
    places = table["region"].to_numpy() if columns.region is not None else None
    keys, sizes = _keys(table["id"]).view(np.int64), table["size"].to_numpy().astype(np.int64)
    return occupied(Chunk(keys, sizes, times, None, places))


def _integer(name: str) -> pl.Expr:
    digits = pl.col(name).str.contains(r"^[0-9]{1,18}$")
    number = pl.col(name).cast(pl.Int64, strict=False)
    return pl.when(digits & (number <= LARGEST)).then(number)


def _places(column: pl.Expr, names: tuple[str, ...]) -> pl.Expr:
    """Where each region stands in the list; null for one that is not there."""
    known = {name: place for place, name in enumerate(names)} | {"": ANYWHERE}
    filled = column.fill_null("").str.strip_chars()
    return filled.replace_strict(known, default=None, return_dtype=pl.Int64).alias("region")


def _keys(ids: pl.Series) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    plain = ids.str.contains(r"^(0|[1-9][0-9]{0,18})$")
    if plain.all():
        return ids.cast(pl.UInt64).to_numpy()
    distinct = ids.unique()
    keys = pl.Series([key_of(text) for text in distinct], dtype=pl.UInt64)
    return ids.replace_strict(distinct, keys).to_numpy()


def _slow(file: BinaryIO, columns: Columns, first: int) -> Iterator[Request]:
    number = first - 1

    def texts() -> Iterator[str]:
        nonlocal number
        for at, line in numbered_lines(file, first):
            number = at
            yield line

    try:
        for row in csv.reader(texts(), strict=True):
            if row:
                yield _request(row, columns, number)
    except csv.Error as error:
        raise TraceError(f"line {number}: {error}") from error


def _request(row: list[str], columns: Columns, line: int) -> Request:
    if len(row) <= columns.last:
        raise TraceError(f"line {line}: {len(row)} fields where at least {columns.last + 1} belong")
    key, size = row[columns.key].strip(), whole_size(row[columns.size].strip(), line)
    if not key:
        raise TraceError(f"line {line}: the id is empty")
    if columns.sizes_too is not None and columns.operation is not None:
        empty = size == 0 and row[columns.operation] in ("get", "gets")
        size = 0 if empty else size + whole_size(row[columns.sizes_too].strip(), line)
    time = 0.0 if columns.time is None else seconds(row[columns.time], line)
    return key, size, time, _region(row, columns, line)


def _region(row: list[str], columns: Columns, line: int) -> int:
    name = "" if columns.region is None else row[columns.region].strip()
    if name and name not in columns.names:
        raise TraceError(f"line {line}: region {name[:64]!r} is none of {_listed(columns.names)}")
    return columns.names.index(name) if name else ANYWHERE


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names[:8]) + (", …" if len(names) > 8 else "")


def _columns(first: list[str], line: int, regions: tuple[str, ...] = ()) -> tuple[Columns, bool]:
    """Where things stand, and whether ``first`` was the header that says so."""
    names = [field.strip().lower() for field in first]

    def place(known: tuple[str, ...]) -> int | None:
        return next((names.index(name) for name in known if name in names), None)

    key, size = place(ID_NAMES), place(SIZE_NAMES)
    if key is not None and size is not None:
        region = place((REGION_NAME,)) if regions else None
        time = place(TIME_NAMES)
        return Columns(key, size, time, region=region, names=regions), True
    if len(names) > WITHOUT_HEADER.last and is_size(names[WITHOUT_HEADER.size]):
        return WITHOUT_HEADER, False
    raise TraceError(f"line {line}: neither a header that names id and size nor time,id,size")
