"""Identifiers: UUIDv7 (RFC 9562), ordered by time, made by us so that any PostgreSQL will do."""

import os
import time
from uuid import UUID

_last = 0


def new_id() -> UUID:
    """A UUIDv7 whose 60 leading time bits (48 of milliseconds, 12 below) never go backwards."""
    global _last  # noqa: PLW0603 - one counter a process is the point
    ticks = time.time_ns() * 4096 // 1_000_000
    _last = ticks = max(ticks, _last + 1)
    high = (ticks >> 12) << 16 | 0x7000 | (ticks & 0xFFF)
    low = int.from_bytes(os.urandom(8), "big") & 0x3FFFFFFFFFFFFFFF | 0x8000000000000000
    return UUID(int=high << 64 | low)
