"""Huge pages for a process's own memory, from a kernel that gives them to who asks."""

import subprocess
import sys
from pathlib import Path

import pytest
from insula.huge_pages import PIECE

_SWITCH = Path("/sys/kernel/mm/transparent_hugepage/enabled")
_SIZES = """
import mmap, re, sys
from pathlib import Path
from insula.huge_pages import PIECE, HugePages, collapse

def sizes():
    text = Path("/proc/self/smaps_rollup").read_text()
    return [int(re.search(rf"{name}: +(\\d+)", text)[1]) for name in ("Anonymous", "AnonHugePages")]

"""
_FULL = """
kept = mmap.mmap(-1, 8 * PIECE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for at in range(0, len(kept), 4096):
    kept[at:at + 3] = at.to_bytes(3, "big")
"""
_IN_USE = f"""{_FULL}
ours = sizes()
done = collapse()
print(*ours, *sizes(), len(done))
assert all(kept[at:at + 3] == at.to_bytes(3, "big") for at in range(0, len(kept), 4096))
"""
_SPARSE = """
kept = mmap.mmap(-1, 64 * PIECE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for at in range(0, len(kept), PIECE // 4):
    kept[at] = 1
ours = sizes()
done = collapse()
print(*ours, *sizes(), len(done))
"""
_THREAD = f"""{_FULL}
import time
ours, pages, deadline = sizes(), HugePages(), time.monotonic() + 60
pages.start()
pages.close()
pages.start()
while sizes()[1] < 14 * 1024 and time.monotonic() < deadline:
    time.sleep(0.01)
pages.close()
print(*ours, *sizes(), 0)
"""


def _sizes(script: str) -> list[int]:
    """Own memory and huge pages in it, before and after, in kB; and how many pieces were done."""
    done = subprocess.run(
        [sys.executable, "-c", _SIZES + script], capture_output=True, text=True, check=True
    )
    return [int(word) for word in done.stdout.split()]


def _has_huge_pages() -> bool:
    try:
        return "[never]" not in _SWITCH.read_text() and _sizes(_IN_USE)[-1] > 0
    except OSError:
        return False


@pytest.fixture(scope="module", autouse=True)
def _needs_them() -> None:
    if not _has_huge_pages():
        pytest.skip("this kernel puts no huge pages together (Linux before 6.1, or switched off)")


@pytest.mark.parametrize("script", [_IN_USE, _THREAD])
def test_what_is_in_use_is_put_together_and_takes_hardly_more_room(script: str) -> None:
    own, huge, own_then, huge_then, _ = _sizes(script)
    assert huge_then - huge >= 7 * PIECE // 1024
    assert own_then < 1.34 * own


def test_what_is_hardly_in_use_is_left_alone() -> None:
    own, _, own_then, _, _ = _sizes(_SPARSE)
    assert own_then < 1.34 * own  # all of it would be 128 MB more
