"""Traces written: a chunk at a time, whole or not at all."""

import gzip
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO, cast

import numpy as np
import polars as pl
from polars.io.plugins import register_io_source

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from insula_simulator.traces import Chunk, TraceError
from insula_simulator.traces.binary import ORACLE_RECORD
from insula_simulator.workload.objects import NEVER, Objects

LAST = (1 << 32) - 1
"""oracleGeneral keeps times and sizes in 32 bits."""
_SCHEMA = {"time": pl.Float64, "id": pl.UInt64, "size": pl.Int64}


def write_csv(chunks: Iterable[Chunk], file: BinaryIO) -> None:
    """``time,id,size``; ids are the keys, as numbers."""
    file.write(b"time,id,size\n")
    for chunk in chunks:
        file.write(_frame(chunk).write_csv(include_header=False).encode())


def write_parquet(chunks: Iterable[Chunk], file: BinaryIO) -> None:
    frames = (_frame(chunk) for chunk in chunks)
    register_io_source(lambda *_: frames, schema=_SCHEMA).sink_parquet(file, engine="streaming")


def write_oracle_general(chunks: Iterable[Chunk], file: BinaryIO) -> None:
    """libCacheSim's records. When an object is asked for again is known only later: then the
    record before is mended where it lies in the file.

    Raises:
        TraceError: a time or a size needs more than 32 bits.
    """
    objects = Objects()
    for chunk in chunks:
        start = objects.requests
        records = np.zeros(len(chunk.keys), ORACLE_RECORD)
        for name, column in (("time", chunk.times), ("size", chunk.sizes)):
            _check_fits(name, column, start)
            records[name] = column.astype(np.uint32)
        records["key"] = chunk.keys.view(np.uint64)
        records["following"] = NEVER
        before, _ = objects.ask(chunk.keys, chunk.sizes, chunk.times)
        numbers = start + np.arange(len(before))
        here = before >= start
        records["following"][before[here] - start] = numbers[here]
        file.write(records.tobytes())
        earlier = (before != NEVER) & ~here
        if earlier.any():
            file.flush()
            stored = np.memmap(file, ORACLE_RECORD, "r+")
            stored["following"][before[earlier]] = numbers[earlier]
            del stored


def _check_fits(
    name: str, column: np.ndarray[tuple[int], np.dtype[np.generic]], start: int
) -> None:
    wrong = column > LAST  # type: ignore[operator]
    if wrong.any():
        place = int(wrong.argmax())
        raise TraceError(
            f"request {start + place + 1}: {name} {column[place]} needs more than the 32 bits of "
            "oracleGeneral"
        )


def _frame(chunk: Chunk) -> pl.DataFrame:
    columns = (chunk.times, chunk.keys.view(np.uint64), chunk.sizes)
    return pl.DataFrame(dict(zip(_SCHEMA, columns, strict=True)), schema=_SCHEMA)


WRITERS: dict[str, Callable[[Iterable[Chunk], BinaryIO], None]] = {
    "csv": write_csv,
    "parquet": write_parquet,
    "oracleGeneral": write_oracle_general,
}
_COMPRESSED: dict[str, Callable[[Path], BinaryIO]] = {
    ".zst": lambda path: cast(BinaryIO, zstd.ZstdFile(path, "wb")),
    ".gz": lambda path: cast(BinaryIO, gzip.GzipFile(path, "wb")),
}


def write_trace(chunks: Iterable[Chunk], path: Path, format_: str) -> None:
    """Write a file, compressed as its name says (``.zst``, ``.gz``). Who is interrupted leaves the
    file that was there before, or none.

    Raises:
        TraceError: a request does not fit the format, or the chunks are broken.
    """
    with _unfinished(path) as plain:
        with plain.open("w+b") as file:
            WRITERS[format_](chunks, file)
        squeeze = _COMPRESSED.get(path.suffix) if format_ != "parquet" else None
        if squeeze is None:
            os.replace(plain, path)
            return
        with _unfinished(path) as squeezed:
            with plain.open("rb") as source, squeeze(squeezed) as target:
                shutil.copyfileobj(source, target, 1 << 20)
            os.replace(squeezed, path)


def write_text(text: str, path: Path) -> None:
    """As ``write_trace``."""
    with _unfinished(path) as file:
        file.write_text(text, "utf-8")
        os.replace(file, path)


@contextmanager
def _unfinished(path: Path) -> Iterator[Path]:
    """A file beside ``path`` that is gone afterwards, unless it was moved. Its name is chosen
    first: at no moment is there a file that nobody would remove."""
    file = path.with_name(f".{path.name}-unfinished-{token_hex(8)}")
    try:
        file.open("xb").close()
        yield file
    finally:
        file.unlink(missing_ok=True)
