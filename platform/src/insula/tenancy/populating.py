"""Making many tenants like one, for load tests: with the same modules, users and rows."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import islice

from sqlalchemy import Text, bindparam, insert, select, text

from insula.db import Database, Statement, Work
from insula.db.ids import new_id
from insula.module import Module
from insula.settings import Settings
from insula.tenancy import core, placement, slots
from insula.tenancy.building import LEAVE, furnish
from insula.tenancy.cells import BUCKETS_OF_CELL, CATALOGUE_PRELUDE, HOME, Cells
from insula.tenancy.fleet.report import Progress
from insula.tenancy.likeness import Model, Shape, read_model
from insula.tenancy.placement import Room
from insula.tenancy.registrars import create_role
from insula.tenancy.tables import TenantModule, TenantRow
from insula.tenancy.tenant import schema_name

_TOGETHER = 10
"""Tenants of a transaction: each commit looks through all buffers for files that were dropped, and
tells all other connections what has changed."""
_OF_A_CONNECTION = 100
"""Tenants of a connection: PostgreSQL keeps what it has made in the session's caches, and looks
through them at each step."""


async def populate(
    settings: Settings,
    modules: dict[str, Module],
    *,
    like: str,
    prefix: str,
    upto: int,
    workers: int,
    progress: Progress,
) -> Shape:
    """Make tenants ``<prefix>-1`` to ``<prefix>-<upto>``, those that are not there yet, each in the
    cell that is least full. Whoever can sign in to the model can sign in to them, the same way.

    Raises:
        TenantNotFound: there is no model.
    """
    async with (
        _connected(settings, 1) as database,
        database.transaction(HOME, CATALOGUE_PRELUDE) as catalogue,
    ):
        model = await read_model(catalogue, modules, like)
        there = set(await catalogue.many(_THERE, prefix=f"{prefix}-"))
    wanted = [name for name in (f"{prefix}-{n + 1}" for n in range(upto)) if name not in there]
    done = 0

    async def work(database: Database, names: Iterator[str]) -> None:
        nonlocal done
        while some := list(islice(names, _TOGETHER)):
            async with database.transaction(HOME, CATALOGUE_PRELUDE) as catalogue:
                room = await placement.choose(catalogue, settings.buckets)
                await _make(catalogue, some, model, room)
            done += len(some)
            progress("tenants", done, len(wanted))

    for at in range(0, len(wanted), workers * _OF_A_CONNECTION):
        names = iter(wanted[at : at + workers * _OF_A_CONNECTION])
        async with _connected(settings, workers) as database, asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(work(database, names))
    return model.shape


@asynccontextmanager
async def _connected(settings: Settings, size: int) -> AsyncIterator[Database]:
    cells = Cells(settings, size=size)
    try:
        yield cells.catalogue
    finally:
        await cells.close()


async def _make(catalogue: Work, slugs: list[str], model: Model, room: Room) -> None:
    """In one transaction. That resets what other backends know of their relations (FACTS.md), so
    this is nothing to do beside people who work."""
    files, first = core.tenant_files(), room.cell * BUCKETS_OF_CELL
    await catalogue.run_script(placement.UNHURRIED)
    roles: list[str] = []
    parts: list[str] = []
    async with placement.at(catalogue, first, script=placement.UNHURRIED) as there:
        may_copy = await there.one(_MAY_COPY)
        rows = model.rows(room.cell)
        filling = model.tables + rows.own + (rows.derived if may_copy else "") + LEAVE
        for slug in slugs:
            place = await catalogue.one(
                slots.SKIP, id=new_id(), slug=slug, name=slug, version=files[-1].version,
                first=first, buckets=room.buckets,
            )  # fmt: skip
            await catalogue.execute(_LIKE, new_slug=slug, old=model.tenant.id)
            # Roles first: PostgreSQL looks up anew who is in which role after each that is made.
            roles.append(create_role(schema_name(place.number), place.bucket))
            parts += [furnish(place.number, files, catalogue.capabilities), filling]
        head = _WITHOUT_TRIGGERS if may_copy else ""
        await there.run_script("\n".join([*roles, head, *parts]))


# Triggers and foreign keys leave plans in the session, of each tenant its own; and at each table
# that PostgreSQL makes it looks through all of them.
_WITHOUT_TRIGGERS = "SET LOCAL session_replication_role = replica;"
_MAY_COPY = Statement(
    text("SELECT has_parameter_privilege('session_replication_role', 'SET')"), bool
)
_THERE = Statement(
    select(TenantRow.slug).where(TenantRow.slug.startswith(bindparam("prefix", type_=Text))), str
)
_NEW = (
    select(TenantRow.id)
    .where(TenantRow.slug == bindparam("new_slug", type_=Text))
    .scalar_subquery()
)
_LIKE = Statement(
    insert(TenantModule).from_select(
        ["tenant_id", "module", "version", "enabled"],
        select(
            _NEW,
            TenantModule.module,
            TenantModule.version,
            TenantModule.enabled,
        ).where(TenantModule.tenant_id == bindparam("old"), TenantModule.module != core.TENANT),
    )
)
