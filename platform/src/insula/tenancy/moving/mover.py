"""One move, from wherever it is to its end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import asyncpg

from insula.db import Work
from insula.module import Module
from insula.tenancy.cells import CATALOGUE_PRELUDE, HOME, CellRefused, Cells, cell_of
from insula.tenancy.moving import anatomy, capture, carrying, fencing, making, records, spooled
from insula.tenancy.moving.altering import Busy
from insula.tenancy.moving.anatomy import Table
from insula.tenancy.moving.holding import held, reread
from insula.tenancy.moving.records import Move
from insula.tenancy.roles import OWNER
from insula.tenancy.tenant import BY_NUMBER, Tenant, schema_name

Progress = Callable[[str, int, int], None]
"""What is being done, how many are done, how many there are."""
Announce = Callable[[Tenant, int], Awaitable[None]]
"""Tells every replica a tenant's new epoch."""

_FEW = 200
"""Changes that may be left to be copied while writes wait."""
_ROUNDS = 20
_LOOKS_FOR_HANDS = 50
_WRITERS_SECONDS = 60.0
"""As long as a request's transaction may take."""


class _Ends:
    """Both ends of a move, and what is to be carried."""

    def __init__(self, source: asyncpg.Connection, target: asyncpg.Connection, move: Move) -> None:
        self.source = source
        self.target = target
        self.schema = schema_name(move.number)
        self.tables: list[Table] = []


class Mover:
    """Carries a move on until it is done."""

    def __init__(
        self,
        cells: Cells,
        modules: dict[str, Module],
        announce: Announce,
        progress: Progress = lambda *_: None,
    ) -> None:
        self._cells = cells
        self._modules = modules
        self._announce = announce
        self._progress = progress

    async def run(self, begun: Move) -> Move:
        """
        Raises:
            MoveTaken: another process is at it.
            CellRefused, Busy, Differs: it cannot be done now; the tenant stays where it is, and
                serves.
        """
        async with held(self._cells, begun) as move:
            if move.phase == "done":  # by somebody else, meanwhile
                return move
            async with self._connected(move) as ends:
                if move.phase == "copying":
                    await self._copy(move, ends)
                if move.phase in ("copying", "paused"):
                    await self._switch(move, ends)
                await self._finish(move, ends)
            return await reread(self._cells, move)

    async def cancel(self, begun: Move) -> None:
        """Have the tenant stay where it is, as long as it has not been switched.

        Raises:
            MoveTaken, CellRefused: see there; or it is too late.
        """
        async with held(self._cells, begun) as move, self._connected(move) as ends:
            if move.phase not in ("copying", "paused"):
                raise CellRefused(f"{move.slug} has moved already.")
            if move.phase == "paused":
                await self._unpause(move, ends)
            await capture.end(ends.source, ends.schema)
            await fencing.remove(ends.source, ends.schema)
            await fencing.drop(ends.target, ends.schema, move.target)
            async with self._home() as catalogue:
                await catalogue.execute(records.FORGET, tenant=move.tenant_id)

    # What it stands on

    @asynccontextmanager
    async def _connected(self, move: Move) -> AsyncIterator[_Ends]:
        urls = [
            await self._cells.provisioner_url(cell_of(bucket))
            for bucket in (move.source, move.target)
        ]
        async with carrying.connected(urls[0]) as source, carrying.connected(urls[1]) as target:
            ends = _Ends(source, target, move)
            ends.tables = await anatomy.tables(source, ends.schema)
            yield ends

    @asynccontextmanager
    async def _home(self) -> AsyncIterator[Work]:
        async with self._cells.catalogue.transaction(HOME, CATALOGUE_PRELUDE) as catalogue:
            yield catalogue

    async def _tenant(self, move: Move) -> Tenant:
        async with self._home() as catalogue:
            return Tenant(await catalogue.one(BY_NUMBER, number=move.number))

    # Copying, while the tenant serves

    async def _copy(self, move: Move, ends: _Ends) -> None:
        schema = ends.schema
        if await making.ensure(ends.source, ends.target, self._cells, self._modules, move):
            async with self._home() as catalogue:
                await catalogue.execute(records.START_OVER, tenant=move.tenant_id)
            move = await reread(self._cells, move)
        await capture.begin(ends.source, schema, ends.tables)
        await fencing.prepare(ends.source, schema, ends.tables)
        keyed = [table for table in ends.tables if table.key]
        left = [table for table in keyed if table.name not in move.copied]
        self._progress("tables", len(keyed) - len(left), len(keyed))
        for place, table in enumerate(left, len(keyed) - len(left) + 1):
            size = await carrying.copy_table(ends.source, ends.target, schema, table)
            async with self._home() as catalogue:
                await catalogue.execute(
                    records.COPIED, tenant=move.tenant_id, name=table.name, bytes=size
                )
            self._progress("tables", place, len(keyed))
        await self._catch_up(ends)

    async def _catch_up(self, ends: _Ends) -> None:
        """Copy what has changed meanwhile, and compare everything; what it is compared with is what
        one moment sees, however long it takes."""
        await self._shrink(ends)
        keyed = [table for table in ends.tables if table.key]
        async with _snapshot(ends.source):
            await carrying.copy_changes(ends.source, ends.target, ends.schema, ends.tables)
            for place, table in enumerate(keyed, 1):
                await carrying.compare(ends.source, ends.target, ends.schema, table)
                self._progress("compared", place, len(keyed))
        await carrying.analyze(ends.target, ends.schema, ends.tables)

    async def _shrink(self, ends: _Ends) -> None:
        """Copy what has changed until little is left."""
        for _ in range(_ROUNDS):
            async with _snapshot(ends.source):
                await carrying.copy_changes(ends.source, ends.target, ends.schema, ends.tables)
            if await _count(ends) <= _FEW:
                break

    # The pause

    async def _switch(self, move: Move, ends: _Ends) -> None:
        """Give the tenant its new place. If that fails, it has its old one again."""
        try:
            if move.phase == "copying":
                await self._make_ready(ends)
            await self._pause(move)
            await fencing.fence(ends.source, ends.schema, ends.tables)
            await self._carry_rest(ends)
            await fencing.cut(ends.source, ends.schema, move.source)
        except BaseException:
            await self._unpause(await reread(self._cells, move), ends)
            raise
        await self._change_place(move)

    async def _make_ready(self, ends: _Ends) -> None:
        """Whatever would make the pause longer comes to an end before it: jobs that run, and one
        that meets the pause is run again; transactions that write; and what changed while
        everything was compared, which took the longer the more there is."""
        for _ in range(_LOOKS_FOR_HANDS):
            if not await spooled.in_hand(ends.source, ends.schema):
                break
            await asyncio.sleep(0.1)
        await self._shrink(ends)
        await fencing.outlast_writers(ends.source, ends.schema, seconds=_WRITERS_SECONDS)
        await self._shrink(ends)

    async def _pause(self, move: Move) -> None:
        tenant = await self._tenant(move)
        async with self._home() as catalogue:
            status = await catalogue.one(records.STATUS, tenant=move.tenant_id)
            if status == "deleted":
                raise CellRefused(f"{move.slug} is deleted.")
            await catalogue.execute(records.PAUSED, tenant=move.tenant_id, before=status)
            epoch = await catalogue.one(
                records.SET_STATUS, tenant=move.tenant_id, new="moving", place=move.source
            )
        await self._announce(tenant, epoch)

    async def _carry_rest(self, ends: _Ends) -> None:
        now = await anatomy.tables(ends.source, ends.schema)
        if {(t.name, t.columns) for t in now} != {(t.name, t.columns) for t in ends.tables}:
            raise Busy("The tenant's tables have changed meanwhile: cancel, and begin anew.")
        async with _snapshot(ends.source):
            await carrying.copy_changes(ends.source, ends.target, ends.schema, ends.tables)
            for table in ends.tables:
                if not table.key:
                    await carrying.copy_rows(ends.source, ends.target, ends.schema, table)
                    await carrying.compare(ends.source, ends.target, ends.schema, table)
            await carrying.set_sequences(ends.source, ends.target, ends.schema)
        await spooled.carry(ends.source, ends.target, ends.schema)

    async def _unpause(self, move: Move, ends: _Ends) -> None:
        """Back to serving where it was."""
        await fencing.unfence(ends.source, ends.schema, move.source)
        if move.phase != "paused":
            return
        async with self._home() as catalogue:
            await catalogue.one(records.STATUS, tenant=move.tenant_id)
            await catalogue.execute(records.RESUMED, tenant=move.tenant_id)
            epoch = await catalogue.one(
                records.SET_STATUS, tenant=move.tenant_id, new=move.status, place=move.source
            )
        await self._announce(await self._tenant(move), epoch)

    async def _change_place(self, move: Move) -> None:
        move = await reread(self._cells, move)
        async with self._home() as catalogue:
            await catalogue.one(records.STATUS, tenant=move.tenant_id)
            await catalogue.execute(records.SWITCHED, tenant=move.tenant_id)
            epoch = await catalogue.one(
                records.SET_STATUS, tenant=move.tenant_id, new=move.status, place=move.target
            )
        await self._announce(await self._tenant(move), epoch)

    # Afterwards

    async def _finish(self, move: Move, ends: _Ends) -> None:
        """Drop what is left at the source, once nobody can be writing there any more."""
        if (await self._tenant(move)).bucket != move.target:
            raise CellRefused(f"{move.slug} is not where it has been moved to: nothing is dropped.")
        await spooled.outlast(ends.source)
        await spooled.carry_late(ends.source, ends.target, ends.schema)
        await fencing.drop(ends.source, ends.schema, move.source)
        async with self._home() as catalogue:
            await catalogue.execute(records.DONE, tenant=move.tenant_id)


@asynccontextmanager
async def _snapshot(source: asyncpg.Connection) -> AsyncIterator[None]:
    """A transaction at the source that sees one moment, as the owner."""
    async with source.transaction(isolation="repeatable_read"):
        await source.execute(f"SET LOCAL ROLE {OWNER}")
        yield


async def _count(ends: _Ends) -> int:
    async with ends.source.transaction():
        await ends.source.execute(f"SET LOCAL ROLE {OWNER}")
        return await capture.count(ends.source, ends.schema)
