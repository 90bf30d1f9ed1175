"""Parquet with columns as in CSV: id, size, perhaps time."""

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import polars as pl

from insula_simulator.traces.chunks import (
    ANYWHERE,
    CHUNK,
    LARGEST,
    Chunk,
    Floats,
    Ints,
    TraceError,
    key_of,
    occupied,
)
from insula_simulator.traces.separated import ID_NAMES, REGION_NAME, SIZE_NAMES, TIME_NAMES


def read_parquet(file: BinaryIO, regions: tuple[str, ...] = ()) -> Iterator[Chunk]:
    """Batch by batch.

    Raises:
        TraceError: it is not Parquet, lacks a column, or a row holds no id or no size.
    """
    try:
        source = pl.scan_parquet(file)
        names = source.collect_schema().names()
        columns = [_column(names, known) for known in (ID_NAMES, SIZE_NAMES)]
        time = next((name for name in TIME_NAMES if name in names), None)
        columns += [time] if time else []
        region = REGION_NAME if regions and REGION_NAME in names else None
        wanted = source.select(*columns, *([region] if region else []))
        done = 0
        for frame in wanted.collect_batches(chunk_size=CHUNK):
            chunk = _chunk(frame.select(columns), done)
            where = _regions(frame[region], regions, done) if region else None
            yield occupied(chunk._replace(regions=where))
            done += len(frame)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
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
    wrong = (sizes.is_null() | (sizes < 0) | (sizes > LARGEST) | ids.is_null()).arg_true()
    if len(wrong):
        place = done + int(wrong[0]) + 1
        raise TraceError(f"record {place}: no id, or no size between 0 and 16 TiB")
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
        times = _times(frame.to_series(2), done)
    return Chunk(keys, sizes.cast(pl.Int64).to_numpy(), times)


def _times(column: pl.Series, done: int) -> Floats:
    if not (column.dtype.is_numeric() or column.dtype == pl.Null):
        raise TraceError(f"record {done + 1}: times are not numbers of seconds")
    times = column.cast(pl.Float64).fill_null(0).to_numpy()
    wrong = ~((times >= 0) & (times < 1e18))
    if wrong.any():
        place = int(wrong.argmax())
        raise TraceError(f"record {done + place + 1}: time {times[place]} is no number of seconds")
    return times


def _regions(column: pl.Series, names: tuple[str, ...], done: int) -> Ints:
    texts = column.cast(pl.String).fill_null("")
    known = {name: place for place, name in enumerate(names)} | {"": ANYWHERE}
    places = texts.replace_strict(known, default=None, return_dtype=pl.Int64)
    wrong = places.is_null().arg_true()
    if len(wrong):
        place = int(wrong[0])
        raise TraceError(f"record {done + place + 1}: region {texts[place][:64]!r} is not there")
    return places.to_numpy()
