"""Several files of one folder that change together: who is killed leaves the old or the new."""

import ctypes
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

_AT_FDCWD = -100
_EXCHANGE = 2
"""RENAME_EXCHANGE of renameat2(2), RENAME_SWAP of renamex_np(2)."""


@contextmanager
def placed(folder: Path) -> Iterator[Path]:
    """An empty folder beside ``folder`` to write files into. Afterwards ``folder`` has them, and
    what else it had: two folders change names in one step. Nothing changes after an exception.

    A folder that this process is in, a mount point, somebody else's, one with folders in it, and
    one on a file system that cannot exchange names keeps its place: the files are moved one by one.
    """
    folder = folder.resolve()
    beside = folder.with_name(f".{folder.name}-unfinished-{token_hex(8)}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside.mkdir()
    try:
        yield beside
        files = sorted(each.name for each in beside.iterdir())
        if not _is_placed_at_once(beside, folder):
            for name in files:
                os.replace(beside / name, folder / name)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _is_placed_at_once(beside: Path, folder: Path) -> bool:
    try:
        os.rename(beside, folder)  # over nothing, or over an empty folder
    except OSError:
        return _may_leave(folder) and _are_exchanged(beside, folder)
    return True


def _may_leave(folder: Path) -> bool:
    here = Path.cwd()
    return not (
        folder == here
        or folder in here.parents
        or folder.is_mount()
        or folder.stat().st_uid != os.geteuid()
        or any(each.is_dir() and not each.is_symlink() for each in folder.iterdir())
    )


def _are_exchanged(beside: Path, folder: Path) -> bool:
    """The new folder gets the other files of the old one first: they are in both for a moment."""
    new = {each.name for each in beside.iterdir()}
    kept = [each.name for each in folder.iterdir() if each.name not in new]
    try:
        for name in kept:
            os.link(folder / name, beside / name, follow_symlinks=False)
        shutil.copystat(folder, beside)
        _exchange(beside, folder)
    except (OSError, AttributeError):
        for name in kept:
            (beside / name).unlink(missing_ok=True)
        return False
    for each in beside.iterdir():  # what came into the old folder meanwhile
        if each.name not in new and each.name not in kept:
            os.replace(each, folder / each.name)
    return True


def _exchange(one: Path, other: Path) -> None:
    """Raises OSError, or AttributeError where the C library has no such call."""
    library = ctypes.CDLL(None, use_errno=True)
    names = os.fsencode(one), os.fsencode(other)
    if sys.platform == "darwin":
        failed = library.renamex_np(*names, _EXCHANGE)
    else:
        failed = library.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _EXCHANGE)
    if failed:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
