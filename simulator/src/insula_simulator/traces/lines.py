"""Lines of text, of bounded length, each with its number."""

from collections.abc import Iterator
from typing import BinaryIO

from insula_simulator.traces.chunks import LARGEST, TraceError

LINE_LIMIT = 1 << 16
"""Bytes of a line; a longer one is no trace, and would be read into memory whole."""
SIZE_DIGITS = 18


def numbered_lines(file: BinaryIO, first: int = 1) -> Iterator[tuple[int, str]]:
    """Each line with its number, with its line end.

    Raises:
        TraceError: a line is too long or not UTF-8.
    """
    number = first - 1
    while line := file.readline(LINE_LIMIT + 1):
        number += 1
        if len(line) > LINE_LIMIT:
            raise TraceError(f"line {number}: longer than {LINE_LIMIT} bytes")
        try:
            yield number, line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise TraceError(f"line {number}: byte {error.start + 1} is not UTF-8") from error


def whole_size(text: str, line: int) -> int:
    """Raises TraceError: not a number of bytes."""
    if not is_size(text):
        raise TraceError(f"line {line}: size {text[:40]!r} is not a whole number of bytes")
    if int(text) > LARGEST:
        raise TraceError(f"line {line}: size {text} is more than 16 TiB")
    return int(text)


def is_size(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= SIZE_DIGITS


def seconds(text: str, line: int) -> float:
    """Raises TraceError: not a time in seconds."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 <= value < 1e18:
        raise TraceError(f"line {line}: time {text[:40]!r} is not a number of seconds")
    return value
