"""Finishing moves whose command died while writes waited."""

import asyncio
from functools import partial

import structlog

from insula.db.listening import first_of
from insula.http.redis_line import RedisLine
from insula.module import Module
from insula.tenancy.cells import CATALOGUE_PRELUDE, HOME, Cells
from insula.tenancy.epochs import publish_epoch
from insula.tenancy.moving import records
from insula.tenancy.moving.holding import MoveTaken
from insula.tenancy.moving.mover import Mover
from insula.tenancy.tenant import Tenant

log = structlog.get_logger("insula.moving")

_LOOK_SECONDS = 2.0


async def tend(
    cells: Cells, modules: dict[str, Module], redis: RedisLine, stop: asyncio.Event
) -> None:
    """Look after moves until ``stop`` is set. One that somebody is at is left to them."""
    mover = Mover(cells, modules, partial(_announce, redis))
    while not stop.is_set():
        try:
            home = cells.catalogue.work(HOME, CATALOGUE_PRELUDE, writes=False)
            for move in await home.many(records.UNATTENDED):
                await _finish(mover, move)
        except Exception as error:
            log.warning("moves cannot be looked up", error=str(error))
        await first_of(stop.wait(), seconds=_LOOK_SECONDS)


async def _finish(mover: Mover, move: records.Move) -> None:
    try:
        await mover.run(move)
    except MoveTaken:
        return
    except Exception as error:
        log.warning("a move cannot be finished", tenant=move.slug, exc_info=error)
        return
    log.info("finished a move that was left half-way", tenant=move.slug)


async def _announce(redis: RedisLine, tenant: Tenant, epoch: int) -> None:
    await publish_epoch(redis, tenant, epoch)
