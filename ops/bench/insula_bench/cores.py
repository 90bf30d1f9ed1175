"""Who runs on which core: the worker under test has one to itself, everything else the others."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_ALL = sorted(os.sched_getaffinity(0))
SERVER = frozenset(_ALL[:1])
ALL = frozenset(_ALL)
OTHERS = frozenset(_ALL[1:] or _ALL)
_TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def running_on(cores: frozenset[int]) -> Iterator[None]:
    """This thread, and what it starts meanwhile, stays on these cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def move(pid: int, cores: frozenset[int]) -> None:
    """A process and its children, and what they start from now on, to these cores."""
    os.sched_setaffinity(pid, cores)
    for each in children(pid):
        with suppress(ProcessLookupError):  # it has just ended
            os.sched_setaffinity(each, cores)


def cpu_seconds(pid: int) -> float:
    """User and system time that a process has used (proc(5), fields 14 and 15 of ``stat``)."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / _TICKS


def children(pid: int) -> list[int]:
    """Processes that a process has started and not yet collected."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(child) for child in (task / "children").read_text().split()]
    return found
