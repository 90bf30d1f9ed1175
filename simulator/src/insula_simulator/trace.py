"""Traces of requests, read one after the other: memory does not grow with their length.

Requests of size 0 are left out, as libCacheSim's readers do: they cannot occupy a cache.
"""

import csv
import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO, TypeAlias

Key: TypeAlias = int | str
Request: TypeAlias = tuple[Key, int]
"""An object's id and its size in bytes."""

LINE_LIMIT = 1 << 16
"""Bytes of a line; a longer one is no trace, and would be read into memory whole."""
SIZE_DIGITS = 18
ID_NAMES = ("id", "obj_id", "object_id", "key")
SIZE_NAMES = ("size", "obj_size", "object_size", "bytes")
WITHOUT_HEADER = (1, 2)
"""Positions of id and size in a file without a header line: ``time,id,size``."""

_ORACLE_RECORD = struct.Struct("<IQIq")  # time, id, size, when the object is asked for next
_RECORDS_AT_ONCE = 4096


class TraceError(Exception):
    """The trace cannot be read; the message names the line or the record."""


def read_oracle_general(file: BinaryIO) -> Iterator[Request]:
    """Read libCacheSim's ``oracleGeneral``: little-endian records of 24 bytes.

    Raises:
        TraceError: the file ends inside a record.
    """
    width = _ORACLE_RECORD.size
    done = 0
    while chunk := file.read(width * _RECORDS_AT_ONCE):
        whole = len(chunk) - len(chunk) % width
        for _, key, size, _ in _ORACLE_RECORD.iter_unpack(memoryview(chunk)[:whole]):
            if size:
                yield key, size
        done += whole // width
        if whole != len(chunk):
            left = len(chunk) - whole
            raise TraceError(f"record {done + 1}: {left} bytes where {width} are a record")


def read_csv(file: BinaryIO) -> Iterator[Request]:
    """Read comma-separated text with a header that names ``id`` and ``size`` (any order, more
    columns are ignored), or without a header as ``time,id,size``.

    An id is text: ``7`` and ``07`` are two objects.

    Raises:
        TraceError: a line is too long, not UTF-8, not CSV, or lacks an id or a size.
    """
    rows = csv.reader(_lines(file), strict=True)
    columns: tuple[int, int] | None = None
    try:
        for row in rows:
            if not row:
                continue
            if columns is None:
                columns, is_header = _columns(row, rows.line_num)
                if is_header:
                    continue
            key, size = _request(row, columns, rows.line_num)
            if size:
                yield key, size
    except csv.Error as error:
        raise TraceError(f"line {rows.line_num}: {error}") from error


def _lines(file: BinaryIO) -> Iterator[str]:
    number = 0
    while line := file.readline(LINE_LIMIT + 1):
        number += 1
        if len(line) > LINE_LIMIT:
            raise TraceError(f"line {number}: longer than {LINE_LIMIT} bytes")
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise TraceError(f"line {number}: byte {error.start + 1} is not UTF-8") from error


def _columns(first: list[str], line: int) -> tuple[tuple[int, int], bool]:
    """Where id and size stand, and whether ``first`` was the header that says so."""
    names = [field.strip().lower() for field in first]
    key = next((names.index(name) for name in ID_NAMES if name in names), None)
    size = next((names.index(name) for name in SIZE_NAMES if name in names), None)
    if key is not None and size is not None:
        return (key, size), True
    if len(names) > WITHOUT_HEADER[1] and _is_size(names[WITHOUT_HEADER[1]]):
        return WITHOUT_HEADER, False
    raise TraceError(f"line {line}: neither a header that names id and size nor time,id,size")


def _request(row: list[str], columns: tuple[int, int], line: int) -> Request:
    if len(row) <= max(columns):
        raise TraceError(f"line {line}: {len(row)} fields where at least {max(columns) + 1} belong")
    key, size = row[columns[0]].strip(), row[columns[1]].strip()
    if not key:
        raise TraceError(f"line {line}: the id is empty")
    if not _is_size(size):
        raise TraceError(f"line {line}: size {size[:40]!r} is not a whole number of bytes")
    return key, int(size)


def _is_size(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= SIZE_DIGITS


READERS: dict[str, Callable[[BinaryIO], Iterator[Request]]] = {
    "csv": read_csv,
    "oracleGeneral": read_oracle_general,
}
