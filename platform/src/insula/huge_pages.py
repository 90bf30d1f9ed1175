"""Huge pages for the memory of this process.

A web process has some 160 MB, of which every request touches a little everywhere. In pages of
4 kB, the processor then looks up more addresses than it can remember, in a virtual machine at
twice the price. Neither Python's allocator nor, as a rule, the system asks for huge pages; what
lies in memory anyway is put together here, in pieces of 2 MB, by ``madvise(MADV_COLLAPSE)``
(Linux 6.1 and later). Elsewhere, or where the operator has switched transparent huge pages off
(``never``), nothing happens.
"""

import ctypes
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

PIECE = 2 << 20
_MADV_COLLAPSE = 25  # <linux/mman.h>
_SWITCH = Path("/sys/kernel/mm/transparent_hugepage/enabled")
_FULL_ENOUGH = 3 / 4
"""Of a piece's pages, at least so many are in memory: the rest comes in addition."""
_PAUSE = 0.005
"""Seconds between two pieces, while requests are served: each holds up page faults for half a
millisecond."""
_AGAIN = 15.0
"""Seconds between two looks for what has come since …"""
_AFRESH = 40
"""… and so often, for what has been given back and taken anew."""


def collapse(closing: threading.Event | None = None, done: set[int] | None = None) -> set[int]:
    """Put together what can be, and return the addresses of what is huge pages now; those that are
    ``done`` are not looked at. With ``closing``, which ends it early, it takes its time."""
    done = set() if done is None else done
    if not _is_wanted():
        return done
    libc = ctypes.CDLL(None)
    for address in _pieces(Path("/proc/self/maps").read_text()):
        if address in done or _resident(libc, address) < _FULL_ENOUGH:
            continue
        if closing is not None and closing.wait(_PAUSE):
            break
        if libc.madvise(ctypes.c_void_p(address), ctypes.c_size_t(PIECE), _MADV_COLLAPSE) == 0:
            done.add(address)
    return done


def _is_wanted() -> bool:
    try:
        return sys.platform == "linux" and "[never]" not in _SWITCH.read_text()
    except OSError:
        return False  # a kernel without them, or one that does not show


def _pieces(maps: str) -> Iterator[int]:
    """Addresses within memory that is this process's own and no file's (proc(5))."""
    for line in maps.splitlines():
        fields = line.split()
        if fields[1] != "rw-p" or fields[5:] not in ([], ["[heap]"]):
            continue
        first, end = (int(number, 16) for number in fields[0].split("-"))
        yield from range(-(-first // PIECE) * PIECE, end - PIECE + 1, PIECE)


def _resident(libc: ctypes.CDLL, address: int) -> float:
    """Which share of a piece is in memory (mincore(2))."""
    pages = (ctypes.c_ubyte * (PIECE // os.sysconf("SC_PAGE_SIZE")))()
    if libc.mincore(ctypes.c_void_p(address), ctypes.c_size_t(PIECE), pages) != 0:
        return 0.0  # it has gone in the meantime
    return sum(page & 1 for page in pages) / len(pages)


class HugePages:
    """Once at the start, and then again for what is added, in a thread of its own."""

    def __init__(self) -> None:
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        if self._thread is not None or not _is_wanted():
            return
        self._closing.clear()
        self._thread = threading.Thread(target=self._run, name="huge-pages", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while True:
            done: set[int] = set()
            for _ in range(_AFRESH):
                done = collapse(self._closing, done)
                if self._closing.wait(_AGAIN):
                    return
