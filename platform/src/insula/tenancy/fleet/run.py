"""One walk over the tenants that are behind."""

import asyncio
import time
from collections import Counter, deque
from itertools import groupby

import structlog

from insula.db import Database
from insula.tenancy.cells import CATALOGUE_PRELUDE, HOME, cell_of
from insula.tenancy.fleet.attempt import ELSEWHERE, Attempts, Broken, CellDown, Unavailable
from insula.tenancy.fleet.claims import Behind, find_behind, is_wanted
from insula.tenancy.fleet.files import Files
from insula.tenancy.fleet.pace import Pace, in_words
from insula.tenancy.fleet.report import Failure, Options, Progress
from insula.tenancy.fleet.tempo import Tempo

log = structlog.get_logger("insula.fleet")

_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds before tenants whose tables are in use are tried again."""
_LOG_SECONDS = 10.0


class Stopped(Exception):
    """The run ends here; the message says why and what to do."""


def _take(queue: deque[Behind], most: int) -> list[Behind]:
    """The next ones, of one cell; none if others were quicker."""
    lines: list[Behind] = []
    while queue and len(lines) < most:
        if lines and cell_of(queue[0].bucket) != cell_of(lines[0].bucket):
            break
        lines.append(queue.popleft())
    return lines


class Run:
    """Canaries first, then module by module all tenants, many at a time; at the end once more those
    whose tables were in use."""

    def __init__(
        self,
        catalogue: Database,
        files: Files,
        foundations: dict[str, frozenset[str]],
        options: Options,
        progress: Progress,
        down: dict[int, str],
        tempo: Tempo,
    ) -> None:
        self.down = down
        """Cells that cannot be worked with, and why; some may be known from the start."""
        self.tenants = 0
        self.changed = 0
        self.failures: list[Failure] = []
        self.locked: dict[tuple[int, str], Failure] = {}
        self.pace = Pace(())
        self._catalogue = catalogue
        self._attempts = Attempts(catalogue, files)
        self._files = files
        self._foundations = foundations
        self._options = options
        self._progress = progress
        self._tempo = tempo
        self._behind: set[tuple[int, str]] = set()
        self._tried: set[tuple[int, str]] = set()
        self._stop = ""
        self._logged = time.monotonic()

    async def finish(self) -> None:
        """Migrate everybody.

        Raises:
            Stopped: a canary failed, or too many tenants did.
        """
        due = await self._find()
        self.tenants = len({line.number for line in due})
        self.pace = Pace(line.module for line in due)
        self._tell()
        await self._send_canaries(due)
        while await self._walk(
            [line for line in await self._find() if line.key not in self._tried]
        ):
            pass  # tenants that have signed up meanwhile, at a replica of the old version
        await self._try_again()

    async def count_left(self) -> Counter[int]:
        """How many tenants of each cell are still to be migrated."""
        return Counter(
            cell for _, cell in {(line.number, cell_of(line.bucket)) for line in await self._find()}
        )

    async def _find(self) -> list[Behind]:
        async with self._catalogue.transaction(HOME, CATALOGUE_PRELUDE) as catalogue:
            lines = await find_behind(catalogue, self._files)
        self._behind = {line.key for line in lines}
        return [line for line in lines if is_wanted(line, self._options)]

    def _is_blocked(self, line: Behind) -> bool:
        """Whether its cell is down, or what its migrations may build on is not there."""
        return cell_of(line.bucket) in self.down or any(
            (line.number, name) in self._behind for name in self._foundations[line.module]
        )

    # Canaries

    async def _send_canaries(self, due: list[Behind]) -> None:
        wanted = self._options.canary_slug
        within_reach = {line.number for line in due if cell_of(line.bucket) not in self.down}
        numbers = sorted(within_reach)[: self._options.canary_size()]
        for line in due:
            chosen = line.number in numbers if wanted is None else line.slug == wanted
            if chosen and not self._is_blocked(line):
                await self._send_canary(line)
            if chosen and cell_of(line.bucket) in self.down:
                raise Stopped(
                    f"the canary {line.slug} is at a server that is down, and nobody else was "
                    "touched: choose another with --canary"
                )

    async def _send_canary(self, line: Behind) -> None:
        started = time.monotonic()
        await self._migrate(line, quarantine=False)
        for pause in _PAUSES:
            if line.key not in self.locked:
                break
            await asyncio.sleep(pause)
            started = time.monotonic()
            await self._migrate(line, quarantine=False)
        if bad := [*self.failures, *self.locked.values()]:
            raise Stopped(
                f"the canary {line.slug} failed at {line.module}, and nobody else was touched: "
                f"{bad[0].error}. Mend the migration; or, if only this tenant is broken, choose "
                "another with --canary"
            )
        self.pace.try_out(line.module, time.monotonic() - started)

    # Everybody

    async def _walk(self, lines: list[Behind]) -> int:
        """Module by module; how many were tried.

        Raises:
            Stopped: see :meth:`finish`.
        """
        before = len(self._tried)
        for module, group in groupby(lines, key=lambda line: line.module):
            queue = deque(line for line in group if not self._is_blocked(line))
            self.pace.begin(module)
            async with asyncio.TaskGroup() as workers:
                for _ in range(min(self._options.workers, len(queue))):
                    workers.create_task(self._work(queue))
            if self._stop:
                raise Stopped(self._stop)
        return len(self._tried) - before

    async def _work(self, queue: deque[Behind]) -> None:
        while queue and not self._stop:
            async with self._tempo.turn() as size:
                await self._migrate_some(_take(queue, size))

    async def _migrate_some(self, lines: list[Behind]) -> None:
        """Tenants of one cell: together or, if that does not work, one by one."""
        cells = {cell_of(line.bucket) for line in lines}
        if cells & self.down.keys() or (len(lines) > 1 and await self._migrate_together(lines)):
            return
        for line in lines:
            if not self._stop and cell_of(line.bucket) not in self.down:
                await self._migrate(line)

    async def _migrate_together(self, lines: list[Behind]) -> bool:
        try:
            claimed = await self._attempts.together(lines)
        except CellDown as error:
            self._give_up(error)
            return True
        if claimed is None:
            return False
        got = {line.key for line in claimed}
        for line in lines:
            if line.key in got:
                self._succeed(line)
            else:
                self._wait_for(line, ELSEWHERE)
        self._tell()
        return True

    async def _migrate(self, line: Behind, *, quarantine: bool = True) -> None:
        try:
            await self._attempts.alone(line)
        except CellDown as error:
            self._give_up(error)
        except Unavailable as error:
            self._wait_for(line, str(error))
        except Broken as error:
            await self._fail(line, str(error), quarantine=quarantine)
        else:
            self._succeed(line)
        self._tell()

    def _give_up(self, error: CellDown) -> None:
        """Leave a cell's tenants as they are: they are the next run's."""
        if error.cell not in self.down:
            log.error("cell is down", cell=error.cell, error=str(error))
        self.down[error.cell] = str(error)

    def _succeed(self, line: Behind) -> None:
        self._close(line)
        self._behind.discard(line.key)
        self.changed += 1

    def _wait_for(self, line: Behind, error: str) -> None:
        self._tried.add(line.key)
        self.locked[line.key] = Failure(line.slug, line.module, error)

    def _close(self, line: Behind) -> None:
        self._tried.add(line.key)
        self.locked.pop(line.key, None)
        self.pace.advance(line.module)

    async def _fail(self, line: Behind, error: str, *, quarantine: bool) -> None:
        self._close(line)
        self.failures.append(Failure(line.slug, line.module, error))
        log.error("migration failed", tenant=line.slug, module=line.module, error=error)
        await self._attempts.note(line, error, quarantine=quarantine)
        if quarantine and len(self.failures) >= self._options.stop_after:
            self._stop = (
                f"{len(self.failures)} tenants failed, so the migration seems to be at fault. "
                "Mend it, then use --retry-quarantined"
            )

    # Those whose tables were in use

    async def _try_again(self) -> None:
        """Once more, with growing pauses, and what waited for them."""
        due: list[Behind] = []
        for pause in _PAUSES:
            if not self.locked:
                return
            self._tell()
            await asyncio.sleep(pause)
            due = await self._find()
            self._forget_done(due)
            for line in due:
                is_waiting = line.key in self.locked or line.key not in self._tried
                if is_waiting and not self._is_blocked(line):
                    await self._migrate(line)
        for line in due:
            if (failure := self.locked.get(line.key)) is not None:
                await self._attempts.note(line, failure.error, quarantine=False)

    def _forget_done(self, due: list[Behind]) -> None:
        """Those that somebody else was busy with, and has done; those whose cell is down now are
        reported with it."""
        left = {line.key for line in due if cell_of(line.bucket) not in self.down}
        self.locked = {key: failure for key, failure in self.locked.items() if key in left}

    def _tell(self) -> None:
        pace, notes = self.pace, []
        if pace.left.total():
            notes.append(in_words(pace.seconds_left()))
        if self.failures:
            notes.append(f"{len(self.failures)} failed")
        if self.down:
            notes.append(f"{len(self.down)} servers down")
        if self.locked:
            notes.append(f"{len(self.locked)} in use")
        note = ", ".join(notes)
        self._progress("tenants' modules", pace.done, pace.total, note)
        if time.monotonic() - self._logged > _LOG_SECONDS:
            self._logged = time.monotonic()
            log.info("migrating", done=pace.done, total=pace.total, note=note)
