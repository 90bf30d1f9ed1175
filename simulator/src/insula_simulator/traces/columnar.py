"""Parquet with columns as in CSV: id, size, perhaps time."""

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import polars as pl

from insula_simulator.traces.chunks import CHUNK, Chunk, TraceError, key_of, occupied
from insula_simulator.traces.separated import ID_NAMES, SIZE_NAMES, TIME_NAMES


def read_parquet(file: BinaryIO) -> Iterator[Chunk]:
    """Batch by batch.

    Raises:
        TraceError: it is not Parquet, lacks a column, or a row holds no id or no size.
    """
    try:
        source = pl.scan_parquet(file)
        names = source.collect_schema().names()
        columns = [_column(names, known) for known in (ID_NAMES, SIZE_NAMES)]
        time = next((name for name in TIME_NAMES if name in names), None)
        wanted = source.select(*columns, *([time] if time else []))
        done = 0
        for frame in wanted.collect_batches(chunk_size=CHUNK):
            yield _chunk(frame, done)
            done += len(frame)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise TraceError(f"not readable as Parquet: {error}") from error


def _column(names: list[str], known: tuple[str, ...]) -> str:
    for name in known:
        if name in names:
            return name
    raise TraceError(f"no column named {' or '.join(known)}")


def _chunk(frame: pl.DataFrame, done: int) -> Chunk:
    ids, sizes = frame.to_series(0), frame.to_series(1)
    if not sizes.dtype.is_integer():
        raise TraceError(f"record {done + 1}: sizes are not whole numbers of bytes")
    wrong = (sizes.is_null() | (sizes < 0) | ids.is_null()).arg_true()
    if len(wrong):
        raise TraceError(f"record {done + int(wrong[0]) + 1}: no id, or no size of 0 or more")
    if ids.dtype.is_unsigned_integer():
        keys = ids.cast(pl.UInt64).to_numpy().view(np.int64)
    elif ids.dtype.is_integer():
        keys = ids.cast(pl.Int64).to_numpy()
    else:
        texts = ids.cast(pl.String)
        distinct = texts.unique()
        hashed = pl.Series([key_of(text) for text in distinct], dtype=pl.UInt64)
        keys = texts.replace_strict(distinct, hashed).to_numpy().view(np.int64)
    times = np.zeros(len(frame))
    if frame.width > 2:
        times = frame.to_series(2).cast(pl.Float64).fill_null(0).to_numpy()
    return occupied(Chunk(keys, sizes.cast(pl.Int64).to_numpy(), times))
