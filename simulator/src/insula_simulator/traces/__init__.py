"""Recorded requests: readers by format, each streaming in bounded memory."""

import gzip
import sys
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import BinaryIO, cast

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from insula_simulator.traces.binary import read_oracle_general, read_twitter_records
from insula_simulator.traces.chunks import CHUNK, Chunk, TraceError, evenly
from insula_simulator.traces.columnar import read_parquet
from insula_simulator.traces.logs import read_cloudfront, read_combined, read_gateway
from insula_simulator.traces.separated import TWITTER_FIELDS, read_csv, read_twitter_csv

__all__ = ["CHUNK", "READERS", "Chunk", "TraceError", "evenly", "read_trace"]

_ZSTD, _GZIP = b"\x28\xb5\x2f\xfd", b"\x1f\x8b"
_AHEAD = 4096


def read_twitter(file: BinaryIO) -> Iterator[Chunk]:
    """Twitter's traces, as published (CSV) or in libCacheSim's binary form, told apart by the
    first line."""
    first = _ahead(file).split(b"\n", 1)[0]
    is_text = first.count(b",") >= TWITTER_FIELDS - 1 and first.strip().isascii()
    yield from read_twitter_csv(file) if is_text else read_twitter_records(file)


READERS: dict[str, Callable[[BinaryIO], Iterator[Chunk]]] = {
    "csv": read_csv,
    "parquet": read_parquet,
    "oracleGeneral": read_oracle_general,
    "twitter": read_twitter,
    "combined": read_combined,
    "cloudfront": read_cloudfront,
    "gateway": read_gateway,
}


WITH_REGIONS = {"csv": read_csv, "parquet": read_parquet}
"""Formats that may say where a request comes from."""


def read_trace(file: BinaryIO, format_: str, regions: tuple[str, ...] = ()) -> Iterator[Chunk]:
    """The requests of a file, decompressed when it is zstd or gzip. ``regions`` are the names that
    its requests may come from, when someone wants to know.

    Raises:
        TraceError: the file is broken; the message says where.
    """
    start, done = _ahead(file), 0
    opened: BinaryIO = file
    if format_ == "parquet" and start.startswith((_ZSTD, _GZIP)):
        raise TraceError("not readable as Parquet, which is read in place: decompress it first")
    if start.startswith(_ZSTD):
        opened = cast(BinaryIO, zstd.ZstdFile(file))
    elif start.startswith(_GZIP):
        opened = cast(BinaryIO, gzip.GzipFile(fileobj=file))
    try:
        for chunk in _reader(format_, regions)(opened):
            yield chunk
            done += len(chunk.keys)
    except (zstd.ZstdError, zlib.error, EOFError, gzip.BadGzipFile) as error:
        raise TraceError(
            f"the compressed file is broken after {done:,} requests or more: {error}"
        ) from error


def _reader(format_: str, regions: tuple[str, ...]) -> Callable[[BinaryIO], Iterator[Chunk]]:
    if regions and format_ in WITH_REGIONS:
        return partial(WITH_REGIONS[format_], regions=regions)
    return READERS[format_]


def _ahead(file: BinaryIO) -> bytes:
    """The file's start, not yet consumed."""
    peek = getattr(file, "peek", None)
    return bytes(peek(_AHEAD)[:_AHEAD]) if peek else b""
