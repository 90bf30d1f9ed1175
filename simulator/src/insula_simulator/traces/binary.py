"""libCacheSim's binary formats: records of fixed length, little-endian."""

from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from insula_simulator.traces.chunks import CHUNK, Chunk, TraceError, occupied

ORACLE_RECORD = np.dtype([("time", "<u4"), ("key", "<u8"), ("size", "<u4"), ("following", "<i8")])
TWITTER_RECORD = np.dtype([("time", "<u4"), ("key", "<u8"), ("sizes", "<u4"), ("operation", "<u4")])
NEVER = np.iinfo(np.int64).max
_VALUE_BITS = 22
_READS = (1, 2)  # get and gets


def read_oracle_general(file: BinaryIO) -> Iterator[Chunk]:
    """``oracleGeneral``: time, id, size, when the object is asked for next; 24 bytes.

    Raises:
        TraceError: the file ends inside a record.
    """
    for records in _records(file, ORACLE_RECORD):
        following = records["following"].copy()
        following[following == -1] = NEVER
        yield occupied(
            Chunk(
                records["key"].astype(np.uint64).view(np.int64),
                records["size"].astype(np.int64),
                records["time"].astype(np.float64),
                following,
            )
        )


def read_twitter_records(file: BinaryIO) -> Iterator[Chunk]:
    """libCacheSim's binary form of Twitter's traces: an object is as large as key and value; reads
    of nothing are left out.

    Raises:
        TraceError: the file ends inside a record.
    """
    for records in _records(file, TWITTER_RECORD):
        key_size = (records["sizes"] >> _VALUE_BITS).astype(np.int64)
        value_size = (records["sizes"] & ((1 << _VALUE_BITS) - 1)).astype(np.int64)
        empty = (value_size == 0) & np.isin(records["operation"] >> 24, _READS)
        yield occupied(
            Chunk(
                records["key"].astype(np.uint64).view(np.int64),
                np.where(empty, 0, key_size + value_size),
                records["time"].astype(np.float64),
            )
        )


def _records(file: BinaryIO, record: np.dtype[Any]) -> Iterator[npt.NDArray[Any]]:
    width, done, left = record.itemsize, 0, b""
    while block := file.read(width * CHUNK):
        block = left + block
        whole = len(block) // width
        left = block[whole * width :]
        if whole:
            yield np.frombuffer(block, record, whole)
        done += whole
    if left:
        raise TraceError(f"record {done + 1}: {len(left)} bytes where {width} are a record")
