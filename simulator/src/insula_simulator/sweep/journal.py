"""The runs of a sweep that are done, a line each: who is interrupted goes on where it stopped."""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from insula_simulator.sweep.values import SweepError

JOURNAL = "runs.jsonl"


class Head(msgspec.Struct, frozen=True):
    """What all runs of a journal have in common. ``scenario`` and ``program`` are digests."""

    scenario: str
    program: str
    keys: list[str]


class Run(msgspec.Struct, frozen=True):
    """``share`` is how large a part of the requests it had; ``figures`` are of the whole."""

    point: list[bool | int | float | str]
    share: float
    figures: dict[str, float | None]
    """None where there is none, as the latency of no requests."""


class Journal:
    """A line is written whole by one call, and only a last one that is torn is dropped.

    Raises:
        SweepError: another sweep is writing it, it is of something else, or it is damaged.
    """

    def __init__(self, folder: Path, head: Head, *, restart: bool) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / JOURNAL
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            self._lock()
            if restart:
                os.ftruncate(self._file, 0)
            self.runs = self._read(head)
        except BaseException:
            os.close(self._file)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._file)

    def append(self, run: Run) -> None:
        self._write(run)
        self.runs.append(run)

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SweepError(f"{self.path}: another sweep is writing it") from error

    def _write(self, line: Head | Run) -> None:
        os.write(self._file, msgspec.json.encode(line) + b"\n")
        os.fsync(self._file)

    def _read(self, head: Head) -> list[Run]:
        content = self.path.read_bytes()
        whole = content.rfind(b"\n") + 1
        os.ftruncate(self._file, whole)
        lines = content[:whole].splitlines()
        if not lines:
            self._write(head)
            return []
        try:
            first = msgspec.json.decode(lines[0], type=Head)
            runs = [msgspec.json.decode(line, type=Run) for line in lines[1:]]
        except msgspec.DecodeError as error:
            raise SweepError(f"{self.path} is damaged ({error}); --restart begins anew") from error
        self._compare(first, head)
        return runs

    def _compare(self, first: Head, head: Head) -> None:
        same = {
            "the scenario (or --requests, --seed) is another": first.scenario == head.scenario,
            "the program is another version": first.program == head.program,
            f"the keys that vary were {', '.join(first.keys)}": first.keys == head.keys,
        }
        for difference, is_same in same.items():
            if not is_same:
                raise SweepError(
                    f"{self.path} is of another sweep: {difference}. "
                    "--restart begins anew, --out FOLDER goes elsewhere"
                )
