"""Byte ranges (RFC 9110, section 14)."""

import re
from itertools import pairwise
from typing import NamedTuple

MAX_RANGES = 10
"""More in one request are an attack (section 17.15), and are answered with the whole."""

_SPEC = re.compile(r"\s*(\d{1,19})?-(\d{1,19})?\s*", re.ASCII)


class Range(NamedTuple):
    """Bytes from ``start`` up to, and without, ``end``."""

    start: int
    end: int

    def header(self, size: int) -> str:
        """The value of ``Content-Range``."""
        return f"bytes {self.start}-{self.end - 1}/{size}"


def read_ranges(header: str, size: int) -> list[Range] | None:
    """The ranges asked for that the file has; an empty list if it has none of them, None if the
    header asks for nothing that is done here, so that the whole is the answer."""
    unit, separator, specs = header.partition("=")
    if unit.strip().lower() != "bytes" or not separator:
        return None
    parts = [part for part in specs.split(",") if part.strip()]
    if not 1 <= len(parts) <= MAX_RANGES:
        return None
    found = []
    for part in parts:
        match = _SPEC.fullmatch(part)
        if match is None or (match[1] is None and match[2] is None):
            return None
        if match[1] is not None and match[2] is not None and int(match[2]) < int(match[1]):
            return None
        if wanted := _resolve(match[1], match[2], size):
            found.append(wanted)
    return None if _wastes(found, size) else found


def _resolve(first: str | None, last: str | None, size: int) -> Range | None:
    if first is None:
        length = min(int(last or 0), size)
        return Range(size - length, size) if length else None
    start = int(first)
    end = size if last is None else min(int(last) + 1, size)
    return Range(start, end) if start < size else None


def _wastes(found: list[Range], size: int) -> bool:
    """Whether ranges overlap: sent as asked, they are more than the file."""
    if len(found) < 2:
        return False
    return any(before.end > after.start for before, after in pairwise(sorted(found)))
