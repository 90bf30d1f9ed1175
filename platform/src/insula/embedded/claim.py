"""One owner at a time for a folder of state: decided by the kernel, not by a file's existence."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class FolderBusy(Exception):
    """Another process owns the folder; the message names both."""


@contextmanager
def claim(folder: Path, name: str = "lock") -> Iterator[None]:
    """Own ``folder`` until the block ends; the claim dies with the process, however it dies.

    The file stays behind on purpose: removing it would let a third process lock a new file
    of the same name while a second one still holds the old.

    Raises:
        FolderBusy: another process holds the claim.
    """
    descriptor = os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
            raise FolderBusy(f"process {owner} already runs on {folder}") from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)
