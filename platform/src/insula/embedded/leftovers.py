"""Finding and stopping processes of ours that outlived the supervisor that started them.

They are recognised by what they show in ``/proc``, which is read anew before every signal: a
process id in a file may by now be anybody's.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from insula.embedded.child import ticks
from insula.embedded.errors import ServerFailed

Belongs = Callable[[Path], bool]
"""Says of a folder ``/proc/<pid>`` whether that process is meant."""


def command_line(entry: Path) -> list[str]:
    """The arguments of a process; ``[""]`` for a zombie and for one that has just gone."""
    try:
        return os.fsdecode((entry / "cmdline").read_bytes()).rstrip("\0").split("\0")
    except OSError:
        return [""]


def environment(entry: Path) -> list[str]:
    """What ``NAME=value`` pairs a process was started with, as far as we may read them."""
    try:
        return os.fsdecode((entry / "environ").read_bytes()).split("\0")
    except OSError:
        return []


def stop_leftovers(belongs: Belongs, *steps: tuple[signal.Signals, float]) -> bool:
    """Send each signal in turn until none is left, waiting the seconds given with it.

    Returns:
        Whether there were any.

    Raises:
        ServerFailed: some are still there after the last step.
    """
    if not _found(belongs):
        return False
    for number, seconds in steps:
        for pid in _found(belongs):
            _send(pid, number)
        for _ in ticks(seconds):
            if not _found(belongs):
                return True
    raise ServerFailed(f"processes {_found(belongs)} of an earlier run do not end")


def _found(belongs: Belongs) -> list[int]:
    own = os.getpid()
    return [pid for pid in _pids() if pid != own and belongs(Path("/proc", str(pid)))]


def _pids() -> Iterator[int]:
    try:
        names = os.listdir("/proc")
    except OSError:  # not Linux
        return
    yield from (int(name) for name in names if name.isdigit())


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
        os.kill(pid, signal.SIGCONT)  # a stopped process sees no other signal
