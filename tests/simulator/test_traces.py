"""Reading traces: right on good ones, exact about where a broken one breaks, in bounded memory."""

import re
import struct
import tracemalloc
from collections.abc import Callable, Iterator
from io import BufferedReader, BytesIO, RawIOBase
from typing import Any, BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from insula_simulator.cache import Lru
from insula_simulator.replay import replay
from insula_simulator.trace import (
    LINE_LIMIT,
    READERS,
    Request,
    TraceError,
    read_csv,
    read_oracle_general,
)

Reader = Callable[[BinaryIO], Iterator[Request]]


def record(key: int, size: int) -> bytes:
    return struct.pack("<IQIq", 1, key, size, -1)


class Repeating(RawIOBase):
    """A file of one block many times over, stored nowhere."""

    def __init__(self, block: bytes, times: int) -> None:
        self.block = block
        self.times = times

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self.times:
            return 0
        self.times -= 1
        assert len(buffer) >= len(self.block)
        buffer[: len(self.block)] = self.block
        return len(self.block)


def repeating(block: bytes, times: int) -> BinaryIO:
    return BufferedReader(Repeating(block, times), buffer_size=len(block))


@pytest.mark.parametrize(
    "text",
    [
        b"0,a,10\n1,b,20\n",
        b"time,id,size\n0,a,10\n1,b,20\n",
        b"Size , KEY\r\n10,a\r\n\r\n20,b",
        b"\xef\xbb\xbfobj_id,ttl,obj_size\na,5,10\nb,,20\n",
        b'id,size\n"a",10\nb,20\nc,0\n',
    ],
)
def test_csv_is_read_with_and_without_header(text: bytes) -> None:
    assert list(read_csv(BytesIO(text))) == [("a", 10), ("b", 20)]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (b"time,url,length\n", "line 1: neither a header"),
        (b"\n\nnonsense\n", "line 3: neither a header"),
        (b"0,a,10\n1,b\n", "line 2: 2 fields where at least 3"),
        (b"id,size\na,1\n\n,5\n", "line 4: the id is empty"),
        (b"id,size\na,-1\n", "line 2: size '-1' is not a whole number"),
        (b"id,size\na,1_0\n", "line 2: size '1_0'"),
        (b"id,size\na,1e3\n", "line 2: size '1e3'"),
        ("id,size\na,\u0663\n".encode(), "line 2: size"),
        (b"id,size\na," + b"9" * 5000 + b"\n", "line 2: size '9"),
        (b"id,size\na,1\n\xff,1\n", "line 3: byte 1 is not UTF-8"),
        (b'id,size\na,1\n"b" x,1\n', "line 3: "),
        (b'id,size\na,1\n"b,1\n', "line 3: "),
        (b"id,size\n" + b"a" * LINE_LIMIT + b",1\n", "line 2: longer than"),
    ],
)
def test_broken_csv_names_its_line(text: bytes, complaint: str) -> None:
    with pytest.raises(TraceError, match=re.escape(complaint)):
        list(read_csv(BytesIO(text)))


def test_oracle_general_is_read_and_empty_objects_left_out() -> None:
    file = BytesIO(record(7, 10) + record(8, 0) + record(2**64 - 1, 2**32 - 1))
    assert list(read_oracle_general(file)) == [(7, 10), (2**64 - 1, 2**32 - 1)]


@pytest.mark.parametrize("whole", [0, 2, 4096, 5000])
def test_a_cut_off_oracle_general_names_its_record(whole: int) -> None:
    file = BytesIO(record(1, 1) * whole + b"half a rec")
    with pytest.raises(TraceError, match=f"record {whole + 1}: 10 bytes where 24"):
        list(read_oracle_general(file))


@pytest.mark.parametrize("read", READERS.values(), ids=list(READERS))
@given(noise=st.binary(max_size=400) | st.text(alphabet='0a,"\n\r\0', max_size=60).map(str.encode))
def test_noise_is_read_or_refused(read: Reader, noise: bytes) -> None:
    complaint, requests = "", []
    try:
        requests = list(read(BytesIO(noise)))
    except TraceError as error:
        complaint = str(error)
    assert re.match(r"(line|record) \d+: |$", complaint)
    assert all(size > 0 for _, size in requests)


ROWS = {
    "csv": b"".join(b"0,%d,7\n" % key for key in range(10_000, 15_000)),
    "oracleGeneral": b"".join(record(key, 7) for key in range(4096)),
}


@pytest.mark.parametrize("format_", READERS)
def test_a_longer_trace_takes_no_more_memory(format_: str) -> None:
    def peak(times: int) -> int:
        tracemalloc.start()
        try:
            replay(READERS[format_](repeating(ROWS[format_], times)), Lru(700))
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(20) < 1.2 * peak(5)


def test_a_line_without_end_is_refused_in_bounded_memory() -> None:
    tracemalloc.start()
    try:
        with pytest.raises(TraceError, match="line 1: longer than"):
            list(read_csv(repeating(b"x" * 8192, 1 << 20)))
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_a_quote_without_end_is_refused_in_bounded_memory() -> None:
    tracemalloc.start()
    try:
        file = BytesIO(b'id,size\n"never closed,1\n' + b"more,1\n" * 500_000)
        with pytest.raises(TraceError, match=r"line \d+: field larger than"):
            list(read_csv(file))
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
