"""Migrating the slots: schemas that were built ahead and belong to nobody yet."""

import asyncpg
import msgspec
import structlog
from sqlalchemy import Integer, bindparam, func, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY, BIGINT

from insula.db import Database, Statement, Work
from insula.tenancy.building import LEAVE, enter
from insula.tenancy.cells import CATALOGUE_PRELUDE, HOME, cell_of
from insula.tenancy.fleet.attempt import CellDown, at_cell
from insula.tenancy.fleet.files import newest
from insula.tenancy.migrations import MigrationFile, script
from insula.tenancy.tables import SlotRow

log = structlog.get_logger("insula.fleet")


class _Slot(msgspec.Struct, frozen=True):
    number: int
    bucket: int
    version: int


async def migrate_slots(
    catalogue: Database, steps: tuple[MigrationFile, ...], down: dict[int, str], *, batch: int
) -> None:
    """Bring free slots up to date, a batch in a transaction. One at which that fails is marked to
    be dropped: nobody will miss it. Those of cells that are down are left alone."""
    after = 0
    while True:
        async with catalogue.transaction(HOME, CATALOGUE_PRELUDE) as home:
            found = await home.many(_FIND, after=after, version=newest(steps), size=batch)
            for slot in found:
                if cell_of(slot.bucket) not in down:
                    try:
                        await _migrate(catalogue, home, slot, steps)
                    except CellDown as error:
                        down[error.cell] = str(error)
        if not found:
            return
        after = found[-1].number


async def _migrate(
    catalogue: Database, home: Work, slot: _Slot, steps: tuple[MigrationFile, ...]
) -> None:
    due = tuple(step for step in steps if step.version > slot.version)
    text = enter(slot.number) + script(due) + LEAVE
    try:
        if (cell := cell_of(slot.bucket)) == HOME:
            async with home.savepoint():
                await home.run_script(text)
        else:
            async with at_cell(catalogue, cell) as there:
                await there.run_script(text)
    except asyncpg.PostgresError as error:
        log.warning("slot cannot be migrated", number=slot.number, error=str(error))
        await home.execute(_GIVE_UP, numbers=[slot.number])
    else:
        await home.execute(_DONE, numbers=[slot.number], new_version=newest(steps))


_FIND = Statement(
    select(SlotRow.number, SlotRow.bucket, SlotRow.version)
    .where(
        SlotRow.number > bindparam("after", type_=BIGINT),
        SlotRow.state == literal("free"),
        SlotRow.version < bindparam("version", type_=Integer),
    )
    .order_by(SlotRow.number)
    .limit(bindparam("size", type_=BIGINT))
    .with_for_update(skip_locked=True),
    _Slot,
)
_these = SlotRow.number == func.any(bindparam("numbers", type_=ARRAY(BIGINT)))
_DONE = Statement(update(SlotRow).where(_these).values(version=bindparam("new_version")))
_GIVE_UP = Statement(update(SlotRow).where(_these).values(state="dropping"))
