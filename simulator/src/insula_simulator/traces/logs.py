"""Access logs: the combined format of NGINX and Apache, CloudFront's, and Insula's own gateway's.

What counts is a GET that was answered with a body: its URL is the id, the bytes sent the size.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import BinaryIO

import msgspec

from insula_simulator.traces.chunks import ANYWHERE, Chunk, Request, TraceError, in_chunks
from insula_simulator.traces.lines import numbered_lines, whole_size

_COMBINED = re.compile(
    r'\S+ \S+ .+? \[(?P<time>[^\]]{1,40})\] "(?P<request>(?:[^"\\]|\\.)*)"'
    r" (?P<status>\d{3}) (?P<bytes>\d+|-)"
)
_COMBINED_TIME = "%d/%b/%Y:%H:%M:%S %z"


def read_combined(file: BinaryIO) -> Iterator[Chunk]:
    """The ``combined`` or ``common`` log format.

    Raises:
        TraceError: a line has another form.
    """
    yield from in_chunks(_combined(file))


def _combined(file: BinaryIO) -> Iterator[Request]:
    for number, line in numbered_lines(file):
        if not line.strip():
            continue
        match = _COMBINED.match(line)
        if not match:
            raise TraceError(f"line {number}: not in the combined log format")
        method, _, rest = match["request"].partition(" ")
        if method == "GET" and match["bytes"] != "-":
            time = _time(match["time"], _COMBINED_TIME, number)
            yield (
                rest.rpartition(" ")[0] or rest,
                whole_size(match["bytes"], number),
                time,
                ANYWHERE,
            )


def read_cloudfront(file: BinaryIO) -> Iterator[Chunk]:
    """CloudFront's standard log: tab-separated, a ``#Fields:`` line says what stands where.

    Raises:
        TraceError: there is no such line, or a later one has too few fields.
    """
    yield from in_chunks(_cloudfront(file))


_CLOUDFRONT = ("date", "time", "sc-bytes", "cs-method", "cs(Host)", "cs-uri-stem", "cs-uri-query")


def _cloudfront(file: BinaryIO) -> Iterator[Request]:
    places: dict[str, int] | None = None
    for number, line in numbered_lines(file):
        if line.startswith("#Fields:"):
            names = line.removeprefix("#Fields:").split()
            missing = [name for name in _CLOUDFRONT if name not in names]
            if missing:
                raise TraceError(f"line {number}: #Fields lacks {', '.join(missing)}")
            places = {name: names.index(name) for name in _CLOUDFRONT}
            continue
        if line.startswith("#") or not line.strip():
            continue
        if places is None:
            raise TraceError(f"line {number}: a request before the #Fields line")
        row = line.rstrip("\r\n").split("\t")
        if len(row) <= max(places.values()):
            raise TraceError(f"line {number}: {len(row)} fields are too few")
        date, clock, size, method, host, path, query = (row[places[name]] for name in _CLOUDFRONT)
        if method == "GET":
            time = _time(f"{date} {clock} +0000", "%Y-%m-%d %H:%M:%S %z", number)
            url = f"{host}{path}" if query == "-" else f"{host}{path}?{query}"
            yield url, whole_size(size, number), time, ANYWHERE


class _GatewayLine(msgspec.Struct):
    """What Insula's gateway logs about a request, as far as a cache cares."""

    time: datetime
    host: str
    method: str
    path: str
    bytes: int


_GATEWAY = msgspec.json.Decoder(_GatewayLine)


def read_gateway(file: BinaryIO) -> Iterator[Chunk]:
    """The JSON lines of Insula's gateway.

    Raises:
        TraceError: a line is not such an object.
    """
    yield from in_chunks(_gateway(file))


def _gateway(file: BinaryIO) -> Iterator[Request]:
    for number, line in numbered_lines(file):
        if not line.strip():
            continue
        try:
            request = _GATEWAY.decode(line)
        except msgspec.DecodeError as error:
            raise TraceError(f"line {number}: {error}") from error
        if request.method == "GET":
            size = whole_size(str(request.bytes), number)
            yield f"{request.host}{request.path}", size, request.time.timestamp(), ANYWHERE


def _time(text: str, form: str, line: int) -> float:
    try:
        return datetime.strptime(text, form).astimezone(UTC).timestamp()
    except (ValueError, OverflowError) as error:
        raise TraceError(f"line {line}: {text[:40]!r} is not a time") from error
