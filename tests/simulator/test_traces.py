"""Reading traces: right on good ones, exact about where a broken one breaks, in bounded memory."""

import gzip
import re
import struct
import tracemalloc
from collections.abc import Callable, Iterator
from io import BufferedReader, BytesIO, RawIOBase
from pathlib import Path
from random import Random
from typing import Any, BinaryIO

import numpy as np
import polars as pl
import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st
from insula_simulator.cache import Cache
from insula_simulator.replay import replay
from insula_simulator.traces import READERS, Chunk, TraceError, read_trace
from insula_simulator.traces.chunks import key_of
from insula_simulator.traces.lines import LINE_LIMIT
from insula_simulator.traces.separated import BLOCK

Reader = Callable[[BinaryIO], Iterator[Chunk]]


def requests_of(format_: str, text: bytes) -> list[tuple[int, int]]:
    """Keys (as unsigned numbers) and sizes."""
    rows: list[tuple[int, int]] = []
    for chunk in read_trace(BufferedReader(BytesIO(text)), format_):
        rows += zip(chunk.keys.view(np.uint64).tolist(), chunk.sizes.tolist(), strict=True)
    return rows


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


A, B = key_of("a"), key_of("b")


@pytest.mark.parametrize(
    "text",
    [
        b"0,a,10\n1,b,20\n",
        b"time,id,size\n0,a,10\n1,b,20\n",
        b"Size , KEY\r\n10,a\r\n\r\n20,b",
        b"\xef\xbb\xbfobj_id,ttl,obj_size\na,5,10\nb,,20\n",
        b'id,size\n"a",10\nb,20\nc,0\n',
        b"id,size\na,10\nb,20\nc,0\n",
        b"id,size,time\na, 10,0.5\nb,20,1\n",
    ],
)
def test_csv_is_read_with_and_without_header(text: bytes) -> None:
    assert requests_of("csv", text) == [(A, 10), (B, 20)]


def test_a_plain_number_is_its_own_key_and_other_text_is_hashed() -> None:
    text = b"id,size\n7,1\n07,1\n18446744073709551615,1\n18446744073709551616,1\nx y,1\n"
    keys = [key for key, _ in requests_of("csv", text)]
    assert (keys[0], keys[2]) == (7, 2**64 - 1)
    assert len(set(keys)) == 5
    assert keys == [key_of(line.split(",")[0]) for line in text.decode().splitlines()[1:]]


def test_both_ways_of_reading_csv_agree_across_blocks() -> None:
    rows = b"".join(b"%d,/file %d,%d\n" % (n, n % 977, n % 89) for n in range(150_000))
    assert len(rows) > BLOCK
    plain = requests_of("csv", b"time,id,size\n" + rows)
    careful = requests_of("csv", b'time,id,size\n0,"q",0\n' + rows)
    assert plain == careful
    assert len(plain) == sum(n % 89 > 0 for n in range(150_000))


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
        (b"soon,a,1\n", "line 1: time 'soon' is not a number of seconds"),
        (b"id,size\n" + b"a,1\n" * 600_000 + b"b\n", "line 600002: 1 fields where at least 2"),
    ],
    ids=range(15),
)
def test_broken_csv_names_its_line(text: bytes, complaint: str) -> None:
    with pytest.raises(TraceError, match=re.escape(complaint)):
        requests_of("csv", text)


def test_oracle_general_is_read_and_empty_objects_left_out() -> None:
    text = record(7, 10) + record(8, 0) + record(2**64 - 1, 2**32 - 1)
    assert requests_of("oracleGeneral", text) == [(7, 10), (2**64 - 1, 2**32 - 1)]


@pytest.mark.parametrize("compress", [zstd.compress, gzip.compress], ids=["zstd", "gzip"])
def test_a_compressed_trace_is_read_as_it_is(compress: Callable[[bytes], bytes]) -> None:
    text = record(7, 10) * 5000
    assert requests_of("oracleGeneral", compress(text)) == [(7, 10)] * 5000
    with pytest.raises(TraceError, match=r"the compressed file is broken|record \d+"):
        requests_of("oracleGeneral", compress(text)[:-9])


@pytest.mark.parametrize("whole", [0, 2, 4096, 70_000])
def test_a_cut_off_oracle_general_names_its_record(whole: int) -> None:
    with pytest.raises(TraceError, match=f"record {whole + 1}: 10 bytes where 24"):
        requests_of("oracleGeneral", record(1, 1) * whole + b"half a rec")


def test_twitter_is_read_as_published_and_in_binary() -> None:
    published = b"0,a,2,8,1,get,0\n1,x,3,0,1,get,0\n2,b,20,0,1,set,60\n"
    assert requests_of("twitter", published) == [(A, 10), (B, 20)]
    get, put = 1 << 24, 3 << 24
    binary = b"".join(
        struct.pack("<IQII", 0, key, (key_size << 22) | value_size, operation)
        for key, key_size, value_size, operation in [
            (A, 2, 8, get),
            (9, 3, 0, get),
            (B, 20, 0, put),
        ]
    )
    assert requests_of("twitter", binary) == [(A, 10), (B, 20)]


LOGS = {
    "combined": (
        b'192.0.2.1 - - [10/Oct/2026:13:55:36 -0700] "GET /a?x=1 HTTP/1.1" 200 10 "-" "curl"\n'
        b'192.0.2.1 - - [10/Oct/2026:13:55:37 -0700] "POST /a HTTP/1.1" 200 99 "-" "curl"\n'
        b'2001:db8::1 - Jo Doe [10/Oct/2026:13:55:38 -0700] "GET /\\"q HTTP/2.0" 206 20 "-" "c"\n',
        [("/a?x=1", 10), ('/\\"q', 20)],
        (b"GET / please\n", "line 4: not in the combined log format"),
    ),
    "cloudfront": (
        b"#Version: 1.0\n#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) "
        b"cs-uri-stem sc-status cs(Referer) cs(User-Agent) cs-uri-query\n"
        b"2026-01-02\t03:04:05\tFRA2\t10\t192.0.2.1\tGET\tx.example\t/a\t200\t-\t-\tv=1\n"
        b"2026-01-02\t03:04:06\tFRA2\t20\t192.0.2.1\tGET\tx.example\t/b\t200\t-\t-\t-\n"
        b"2026-01-02\t03:04:06\tFRA2\t20\t192.0.2.1\tHEAD\tx.example\t/b\t200\t-\t-\t-\n",
        [("x.example/a?v=1", 10), ("x.example/b", 20)],
        (b"2026-01-02\t03:04:05\n", "line 6: 2 fields are too few"),
    ),
    "gateway": (
        b'{"time":"2026-01-02T03:04:05+00:00","host":"h","method":"GET","path":"/a","bytes":10}\n'
        b'{"time":"2026-01-02T03:04:05+00:00","host":"h","method":"PUT","path":"/a","bytes":5}\n'
        b'{"time":"2026-01-02T03:04:05Z","host":"h","method":"GET","path":"/b","bytes":20,"x":1}\n',
        [("h/a", 10), ("h/b", 20)],
        (b'{"time":"yesterday"}\n', "line 4: "),
    ),
}


@pytest.mark.parametrize("format_", LOGS)
def test_what_was_got_from_an_access_log_is_the_trace(format_: str) -> None:
    text, expected, (broken, complaint) = LOGS[format_]
    assert requests_of(format_, text) == [(key_of(url), size) for url, size in expected]
    with pytest.raises(TraceError, match=re.escape(complaint)):
        requests_of(format_, text + broken)


def test_parquet_is_read_with_numbers_or_text_as_ids() -> None:
    def stored(**columns: list[object]) -> bytes:
        file = BytesIO()
        pl.DataFrame(columns).write_parquet(file)
        return file.getvalue()

    assert requests_of("parquet", stored(id=["a", "b", "c"], size=[10, 20, 0])) == [
        (A, 10),
        (B, 20),
    ]
    assert requests_of("parquet", stored(time=[1, 2], size=[3, 4], key=[7, 8])) == [(7, 3), (8, 4)]
    with pytest.raises(TraceError, match="record 2: no id, or no size"):
        requests_of("parquet", stored(id=[1, 2], size=[3, None]))
    with pytest.raises(TraceError, match="no column named size"):
        requests_of("parquet", stored(id=[1, 2]))
    with pytest.raises(TraceError, match="not readable as Parquet"):
        requests_of("parquet", b"PAR1 or not")


@pytest.mark.parametrize("format_", READERS)
@given(noise=st.binary(max_size=400) | st.text(alphabet='0a,"\n\r\0', max_size=60).map(str.encode))
def test_noise_is_read_or_refused(format_: str, noise: bytes) -> None:
    complaint, requests = "line 0: ", []
    try:
        requests = requests_of(format_, noise)
    except TraceError as error:
        complaint = str(error)
    assert re.match(r"(line|record) \d+: |not readable as Parquet|the compressed file", complaint)
    assert all(size > 0 for _, size in requests)


def whole_files() -> dict[str, bytes]:
    """A trace of each format that can be read."""
    table = BytesIO()
    ids, places = ["a", "b", "c"] * 50, ["x", "y", ""] * 50
    pl.DataFrame(
        {"time": range(150), "id": ids, "size": range(150), "region": places}
    ).write_parquet(table)
    return {name: text * 20 for name, (text, _, _) in LOGS.items()} | {
        "csv": b"time,id,size,region\n"
        + b"".join(b"%d,k%d,9,x\n" % (n, n % 7) for n in range(200)),
        "parquet": table.getvalue(),
        "oracleGeneral": b"".join(record(n % 7, n) for n in range(200)),
        "twitter": b"".join(b"%d,k%d,2,8,1,get,0\n" % (n, n % 7) for n in range(200)),
    }


DAMAGE = (b"\0", b"-1", b"9" * 20, b"1e400", b"nan", b"\xff", b"\r", b"\n", b'"', b",", b"[", b"{")


def damaged(text: bytes, chance: Random) -> bytes:
    """Cut off, changed, with something put in, taken out or repeated."""
    at = chance.randrange(len(text) + 1)
    return chance.choice(
        [
            text[:at],
            text[:at] + bytes([chance.randrange(256)]) + text[at + 1 :],
            text[:at] + chance.choice(DAMAGE) + text[at:],
            text[:at] + text[at + chance.randint(1, 30) :],
            text[:at] + text[at // 2 :],
        ]
    )


@pytest.mark.parametrize("squeeze", [bytes, zstd.compress, gzip.compress])
@pytest.mark.parametrize("format_", READERS)
def test_a_damaged_trace_is_read_or_refused(
    format_: str, squeeze: Callable[[bytes], bytes]
) -> None:
    whole, chance = whole_files()[format_], Random(1)
    complaints = []
    for _ in range(40):
        text = squeeze(damaged(damaged(whole, chance), chance))
        if squeeze is not bytes and chance.random() < 0.5:
            text = text[:4] + damaged(text[4:], chance)
        try:
            for chunk in read_trace(BufferedReader(BytesIO(text)), format_, ("x", "y")):
                assert (chunk.sizes > 0).all()
                assert np.isfinite(chunk.times).all()
        except TraceError as error:
            complaints.append(str(error))
    assert len(complaints) > 5
    known = r"(line|record) \d+: |not readable as Parquet|the compressed file|no column"
    assert [each for each in complaints if not re.match(known, each)] == []


def test_the_lines_of_our_own_gateway_are_a_trace() -> None:
    """As its configuration writes them, with something for each variable."""
    conf = (Path(__file__).parents[2] / "nginx" / "access_log.conf").read_text()
    written = "".join(
        re.findall(r"^ +'(.*)';?$", conf.split("log_format gateway")[1], re.MULTILINE)
    )
    values = {"time_iso8601": "2026-01-02T03:04:05+01:00", "host_logged": "h", "path_logged": "/a",
              "method_logged": "GET", "body_bytes_sent": "10"}  # fmt: skip
    line = re.sub(r"\$(\w+)", lambda name: values.get(name[1], "1"), written)
    assert requests_of("gateway", line.encode() + b"\n") == [(key_of("h/a"), 10)]


ROWS = {
    "csv": b"".join(b"0,%d,7\n" % key for key in range(10_000, 110_000)),
    "oracleGeneral": b"".join(record(key, 7) for key in range(65536)),
}


@pytest.mark.parametrize("format_", ROWS)
def test_a_longer_trace_takes_no_more_memory(format_: str) -> None:
    def peak(times: int) -> int:
        tracemalloc.start()
        try:
            replay(READERS[format_](repeating(ROWS[format_], times)), Cache("lru", 700))
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(20) < 1.2 * peak(10)


def test_a_line_without_end_is_refused_in_bounded_memory() -> None:
    tracemalloc.start()
    try:
        with pytest.raises(TraceError, match="line 1: longer than"):
            list(READERS["csv"](repeating(b"x" * 8192, 1 << 20)))
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_a_quote_without_end_is_refused_in_bounded_memory() -> None:
    tracemalloc.start()
    try:
        file = BytesIO(b'id,size\n"never closed,1\n' + b"more,1\n" * 500_000)
        with pytest.raises(TraceError, match=r"line \d+: field larger than"):
            list(READERS["csv"](file))
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()
