"""Starting and stopping one process, with its output in a log file."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

LOG_LIMIT = 16 << 20
"""Bytes of a log file before its content moves to ``<name>.1``."""

Process = subprocess.Popen[bytes]


def start(command: Sequence[str], log: Path, environ: Mapping[str, str]) -> Process:
    """Start a process in a group of its own, so that Ctrl-C in the terminal reaches us alone.

    Call it from a thread that lives on: the parent-death signal follows the thread.
    """
    trim_log(log)
    with open(log, "ab", opener=_private) as output:
        return subprocess.Popen(  # noqa: S603  (no shell; every word is ours)
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environ,
            process_group=0,
        )


def stop(process: Process, *steps: tuple[signal.Signals, float]) -> None:
    """Send each signal in turn until the process ends, waiting the seconds given with it."""
    for number, seconds in steps:
        if process.poll() is not None:
            return
        process.send_signal(number)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            continue


def trim_log(log: Path) -> None:
    """Keep a log and its predecessor under ``LOG_LIMIT`` each.

    The content moves and the file stays, since its writer holds it open for appending.
    """
    if not log.exists() or log.stat().st_size <= LOG_LIMIT:
        return
    with open(log.with_name(f"{log.name}.1"), "wb", opener=_private) as old:
        old.write(log.read_bytes()[-LOG_LIMIT:])
    os.truncate(log, 0)


def log_tail(log: Path, lines: int = 15) -> str:
    """The end of a log, for an error message."""
    if not log.exists():
        return ""
    with log.open("rb") as content:
        content.seek(max(0, log.stat().st_size - 16_384))
        return "\n".join(content.read().decode("utf-8", "replace").splitlines()[-lines:])


def ticks(seconds: float, pause: float = 0.01) -> Iterator[None]:
    """Yield every few milliseconds until the time is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
        time.sleep(pause)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)
