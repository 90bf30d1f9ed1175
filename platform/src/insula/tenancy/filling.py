"""Building slots ahead, and dropping schemas that are no tenant's any more.

Each step is a transaction that holds its slot's row and makes or drops ten tables at most, so that
the relation caches of those who serve survive it. What a killed process leaves is a slot half-way,
and whoever comes next takes the next step.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import asyncpg
import structlog
from sqlalchemy import Integer, Text, bindparam, text

from insula.db import Database, Statement, Work
from insula.db.listening import first_of
from insula.tenancy import core, placement, slots
from insula.tenancy.building import FEW_ROWS, LEAVE, build, enter, portions
from insula.tenancy.cells import BUCKETS_OF_CELL, CATALOGUE_PRELUDE, HOME
from insula.tenancy.migrations import (
    APPLIED,
    MigrationChanged,
    MigrationFile,
    pending,
    script,
)
from insula.tenancy.registrars import drop_role
from insula.tenancy.roles import OWNER
from insula.tenancy.slots import Slot, Stock
from insula.tenancy.tenant import schema_name

log = structlog.get_logger("insula.slots")

Progress = Callable[[int, int], None]
"""How many are done, and of how many."""

_LOOK_SECONDS = 5.0
"""How often the stock is counted although nobody said that it is low."""
_TROUBLE_SECONDS = 30.0
_DROPPED_AT_ONCE = 10

_EXISTS = Statement(
    text("SELECT to_regnamespace(:name) IS NOT NULL").bindparams(bindparam("name", type_=Text)),
    bool,
)
# By dependency: pg_class has no index by schema.
_TABLES = Statement(
    text(
        "SELECT quote_ident(c.relname) FROM pg_depend d JOIN pg_class c ON c.oid = d.objid "
        "WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = to_regnamespace(:name) "
        "AND d.classid = 'pg_class'::regclass AND c.relkind IN ('r', 'p') "
        "ORDER BY c.oid DESC LIMIT :limit"
    ).bindparams(bindparam("name", type_=Text), bindparam("limit", type_=Integer)),
    str,
)


class Filling:
    """The steps. ``catalogue`` is a database of the provisioner's login, by cell. One who ``leads``
    lets nobody else lead meanwhile: each step raises asyncpg.LockNotAvailableError if somebody is.
    """

    def __init__(
        self,
        catalogue: Database,
        *,
        buckets: int,
        leads: bool = False,
        files: tuple[MigrationFile, ...] | None = None,
    ) -> None:
        self._leads = leads
        self._catalogue = catalogue
        self._buckets = buckets
        self._files = core.tenant_files() if files is None else files
        self._version = self._files[-1].version

    async def stock(self) -> Stock:
        work = self._catalogue.work(HOME, CATALOGUE_PRELUDE, writes=False)
        return await work.one(slots.COUNT, version=self._version)

    async def reopen(self) -> int:
        """Have the free slots migrated that a newer version of us finds; how many there are."""
        async with self._home() as tx:
            return await tx.execute(slots.REOPEN, version=self._version)

    async def begin(self) -> Slot:
        """A new slot, with the first of its tables."""
        async with self._home() as tx:
            room = await placement.choose(tx, self._buckets)
            first = room.cell * BUCKETS_OF_CELL
            slot = await tx.one(slots.BEGIN, first=first, buckets=room.buckets)
            return await self._take_further(tx, slot)

    async def step(self, number: int | None = None) -> Slot | None:
        """Take a slot that was begun one step further: the one of this number, or any. None if
        nobody left one, or somebody is at it."""
        slot = None
        try:
            async with self._home() as tx:
                slot = await tx.find(slots.TAKE, state="building", slot=number)
                return None if slot is None else await self._take_further(tx, slot)
        except (asyncpg.PostgresError, MigrationChanged):
            if slot is not None:  # whatever is wrong with this one, the next is made afresh
                await self._give_up(slot)
            raise

    async def finish(self, slot: Slot | None) -> None:
        """Take all the steps that are left."""
        while slot is not None and slot.state == "building":
            slot = await self.step(slot.number)

    async def _take_further(self, tx: Work, slot: Slot) -> Slot:
        async with placement.ahead(tx, slot.bucket) as there:
            version = await self._advance(there, slot)
        state = "building" if version < self._version else "free"
        await tx.execute(slots.SET, slot=slot.number, new_state=state, new_version=version)
        if state == "free":
            # Or the sign-up that takes it would wait for all of it to be on the disk.
            await tx.run_script("SET LOCAL synchronous_commit = on")
        return Slot(slot.number, slot.bucket, state, version)

    async def _advance(self, tx: Work, slot: Slot) -> int:
        """Apply the next files, as the schema's own records say; the version that it then has."""
        if not await tx.one(_EXISTS, name=schema_name(slot.number)):
            portion = portions(self._files)[0]
            await tx.run_script(build(slot.number, slot.bucket, portion, tx.capabilities) + LEAVE)
            return portion[-1].version
        await tx.run_script(enter(slot.number))
        due = pending(self._files, await tx.many(APPLIED, module=core.TENANT))
        portion = portions(due)[0] if due else ()
        await tx.run_script(FEW_ROWS + script(portion, fresh={core.TENANT}) + LEAVE)
        return max(slot.version, portion[-1].version if portion else self._version)

    async def _give_up(self, slot: Slot) -> None:
        async with self._home() as tx:
            await tx.execute(slots.GIVE_UP, slot=slot.number)

    async def drop_step(self, number: int | None = None) -> Slot | None:
        """Drop ten tables of a schema that nobody has; at last, with none left, itself, its role
        and its row. The slot; None if there is nothing to drop.

        A ``DROP SCHEMA`` of 200 tables would take 5,000 locks at once (FACTS.md).
        """
        async with self._home() as tx:
            slot = await tx.find(slots.TAKE, state="dropping", slot=number)
            if slot is None:
                return None
            async with placement.at(tx, slot.bucket) as there:
                is_gone = await self._drop_some(there, slot)
            if is_gone:
                await tx.execute(slots.REMOVE, slot=slot.number)
        return slot

    async def _drop_some(self, tx: Work, slot: Slot) -> bool:
        name = schema_name(slot.number)
        await tx.run_script("SET LOCAL lock_timeout = '5s'")
        tables = await tx.many(_TABLES, name=name, limit=_DROPPED_AT_ONCE)
        if tables:
            dropped = ", ".join(f"{name}.{table}" for table in tables)
            await tx.run_script(f"SET LOCAL ROLE {OWNER}; DROP TABLE {dropped} CASCADE; {LEAVE}")
            return False
        await tx.run_script(
            f"SET LOCAL ROLE {OWNER}; DROP SCHEMA IF EXISTS {name} CASCADE; {LEAVE}"
            f"{drop_role(name)} {LEAVE}"
        )
        return True

    @asynccontextmanager
    async def _home(self) -> AsyncIterator[Work]:
        """A transaction that need not be on the disk when it ends: it is lost as a whole, with
        those that build on it."""
        async with self._catalogue.transaction(HOME, CATALOGUE_PRELUDE) as tx:
            await tx.run_script(placement.UNHURRIED)
            if self._leads:
                await tx.execute(slots.LEAD)
            yield tx

    # In bulk

    async def fill(self, target: int, progress: Progress, *, at_once: int = 4) -> int:
        """Build until so many are free; how many were built."""
        await self.reopen()
        while (slot := await self.step()) is not None:
            await self.finish(slot)
        missing = max(0, target - (await self.stock()).free)
        places = iter(range(missing))
        done = 0

        async def build_some() -> None:
            nonlocal done
            for _ in places:
                await self.finish(await self.begin())
                done += 1
                progress(done, missing)

        progress(0, missing)
        async with asyncio.TaskGroup() as workers:
            for _ in range(at_once):
                workers.create_task(build_some())
        return missing

    async def drop_all(self) -> None:
        """Drop whatever is nobody's."""
        while await self.drop_step() is not None:
            pass


class Refill:
    """Keeps ``target`` slots free, of which half may be taken before it begins; one worker of the
    installation does it at a time, and rests for as long as each step took."""

    def __init__(self, filling: Filling, *, target: int) -> None:
        self._filling = filling
        self._target = target
        self._is_low = False
        self._woken = asyncio.Event()

    def wake(self) -> None:
        self._woken.set()

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            self._woken.clear()
            started = time.monotonic()
            try:
                is_busy, pause = await self._take_step(), _LOOK_SECONDS
            except asyncpg.LockNotAvailableError:  # another worker leads, or tables are in use
                is_busy, pause = False, _LOOK_SECONDS
            except Exception as error:  # the worker does more than this
                log.warning("slots cannot be filled", error=repr(error))
                is_busy, pause = False, _TROUBLE_SECONDS
            if is_busy:
                await first_of(stop.wait(), seconds=time.monotonic() - started)
            else:
                await first_of(self._woken.wait(), stop.wait(), seconds=pause)

    async def _take_step(self) -> bool:
        """Whether there was one to take."""
        filling = self._filling
        if await filling.step() is not None or await filling.reopen():
            return True
        stock = await filling.stock()
        self._is_low = 2 * stock.free < self._target or (self._is_low and stock.free < self._target)
        if self._is_low:
            await filling.begin()
            return True
        return await filling.drop_step() is not None
