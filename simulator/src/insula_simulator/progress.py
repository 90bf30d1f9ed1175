"""How far a run is, shown on a terminal."""

import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

PATIENCE = 1.0
"""Seconds that a run stays silent, unless progress was asked for."""


@contextmanager
def preparing(what: str, *, wanted: bool | None) -> Iterator[None]:
    """Say what is being compiled or read, once that takes longer than a blink."""
    console = Console(stderr=True)
    if wanted is False or (wanted is None and not console.is_terminal):
        yield
        return
    status = console.status(f"{what} …")
    later = threading.Timer(0.0 if wanted else PATIENCE, status.start)
    later.start()
    try:
        yield
    finally:
        later.cancel()
        later.join()
        status.stop()


@contextmanager
def reading_progress(file: BinaryIO, *, wanted: bool | None) -> Iterator[Callable[[int], None]]:
    """Yield what takes the number of requests done, and shows it with the share of the file read.

    ``wanted`` is None for: only on a terminal, and only once the run takes longer than a second.
    A pipe has no known length, so only its requests are counted.
    """
    console = Console(stderr=True)
    if wanted is False or (wanted is None and not console.is_terminal):
        yield lambda done: None
        return
    columns = TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn()
    bar = Progress(*columns, console=console, transient=True)
    about = os.fstat(file.fileno())
    is_file = stat.S_ISREG(about.st_mode)
    task = bar.add_task("", total=about.st_size if is_file else None)
    shown_from = time.monotonic() + (0.0 if wanted else PATIENCE)

    def report(done: int) -> None:
        bar.update(task, description=f"{done:,} requests")
        if is_file:
            bar.update(task, completed=file.tell())
        if time.monotonic() >= shown_from:
            bar.start()

    try:
        yield report
    finally:
        if bar.live.is_started:
            bar.stop()


@contextmanager
def counting_progress(total: int, *, wanted: bool | None) -> Iterator[Callable[[int], None]]:
    """Yield what takes the number of requests done of ``total``, and shows how long the rest takes.
    Before the first of them the engine is compiled, which is said too."""
    console = Console(stderr=True)
    if wanted is False or (wanted is None and not console.is_terminal):
        yield lambda done: None
        return
    columns = TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("preparing (the first run compiles the engine)", total=total)

        def report(done: int) -> None:
            bar.update(task, completed=done, description=f"{done:,} of {total:,} requests")

        yield report
