"""The worker process: the relay, consumers of events, and jobs."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from datetime import timedelta
from functools import partial
from typing import Any

import structlog

from insula.broker.inward import Inbound
from insula.broker.line import line_to
from insula.broker.outward import BrokerConsumer
from insula.db.listening import first_of, listen
from insula.events import consumers
from insula.events.consumers import Consumer
from insula.events.following import Following
from insula.events.relay import CHANNEL, Relay
from insula.files.jobs import CRONS as FILE_CRONS
from insula.files.jobs import JOBS as FILE_JOBS
from insula.foundation import Foundation
from insula.jobs import Cron, Job
from insula.jobs.runner import JobRunner
from insula.mail.sending import SEND as SEND_MAIL
from insula.module import RESERVED, discover
from insula.portability.jobs import JOBS as PORTABILITY_JOBS
from insula.portability.own import IMPORT
from insula.realtime.consumer import LiveEvents
from insula.search.forgetting import FORGET, Forgetting
from insula.settings import Settings
from insula.tenancy import slots
from insula.tenancy.cells import HOME, Cells
from insula.tenancy.filling import Filling, Refill
from insula.tenancy.moving.tending import tend
from insula.tenancy.purging import purge_due
from insula.tenancy.rechecking import recheck_due
from insula.tenancy.room import look_for_room
from insula.webhooks.fanout import WebhookConsumer
from insula.webhooks.sender import CHANNEL as WEBHOOKS
from insula.webhooks.sender import Sender
from insula.webhooks.signing import Secrets

log = structlog.get_logger("insula.worker")

CORE_JOBS: tuple[Job[Any], ...] = (
    *FILE_JOBS,
    SEND_MAIL,
    FORGET,
    *PORTABILITY_JOBS,
    IMPORT,
)
"""Jobs of the core services; modules bring theirs."""
_CELLS_SECONDS = 5.0
"""How often it is looked for new cells."""
CORE_CRONS: tuple[Cron, ...] = (
    *FILE_CRONS,
    Cron(name="tenants.purge", schedule="*/10 * * * *", run=purge_due),
    Cron(name="cells.room", schedule="7 * * * *", run=look_for_room),
    Cron(name="domains.recheck", schedule="*/15 * * * *", run=recheck_due),
)


async def work(settings: Settings, ready: Callable[[], None] = lambda: None) -> None:
    """Work until SIGINT or SIGTERM; what is under way then is finished or given back.

    Raises:
        SettingsError: there is no Redis or database URL.
    """
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    foundation = Foundation(settings, discover())
    await foundation.open()
    try:
        async with asyncio.TaskGroup() as group:
            parts, serve = _parts(foundation, stop)
            for part in parts:
                group.create_task(part)
            group.create_task(_serve_cells(foundation.cells, serve, group, stop))
            ready()
    finally:
        await foundation.close()


Part = Coroutine[Any, Any, None]
"""Something that runs beside the rest, and ends soon after the worker is to stop."""


def _parts(
    foundation: Foundation, stop: asyncio.Event
) -> tuple[list[Part], Callable[[int], list[Part]]]:
    """What runs once, and what makes the parts of a cell."""
    runner = _runner(foundation)
    outward, inward = _broker(foundation)
    following = Following(
        foundation.tenants, [*_consumers(foundation), *outward], foundation.tracing
    )
    once = [
        runner.run(stop),
        *(part.run(stop) for part in outward),
        *(part.run(stop) for part in inward),
        tend(foundation.cells, foundation.modules, foundation.redis, stop),
    ]
    return once, lambda cell: _cell_parts(foundation, cell, following, runner, stop)


def _cell_parts(
    foundation: Foundation, cell: int, following: Following, runner: JobRunner, stop: asyncio.Event
) -> list[Part]:
    """What empties the spool of a cell."""
    settings = foundation.settings
    relay = Relay(
        foundation.catalogue,
        following,
        partial(runner.start_jobs, cell=cell),
        keep=timedelta(days=settings.event_days),
        cell=cell,
    )
    sender = Sender(
        foundation.tenants,
        foundation.catalogue,
        foundation.egress,
        Secrets(settings.secret_key),
        foundation.tracing,
        cell=cell,
    )
    wakes = {CHANNEL: relay.wake, WEBHOOKS: sender.wake}
    parts = [
        relay.run(stop),
        sender.run(stop),
        listen(partial(foundation.cells.provisioner_url, cell), wakes, stop),
        runner.hand_out(cell, stop),
    ]
    if cell == HOME:  # where the catalogue is, which lists them
        refill = _refill(foundation)
        wakes[slots.CHANNEL] = refill.wake
        parts.append(refill.run(stop))
    return parts


def _refill(foundation: Foundation) -> Refill:
    settings = foundation.settings
    filling = Filling(foundation.catalogue, buckets=settings.buckets, leads=True)
    return Refill(filling, target=settings.slots)


async def _serve_cells(
    cells: Cells,
    serve: Callable[[int], list[Part]],
    group: asyncio.TaskGroup,
    stop: asyncio.Event,
) -> None:
    """Serve every cell that there is, and those that are added later."""
    served: set[int] = set()
    while not stop.is_set():
        try:
            found = {HOME, *(cell.number for cell in await cells.known())}
        except Exception as error:
            log.warning("cells cannot be read", error=str(error))
            found = {HOME}
        for cell in sorted(found - served):
            for part in serve(cell):
                group.create_task(part)
        served |= found
        await first_of(stop.wait(), seconds=_CELLS_SECONDS)


def _consumers(foundation: Foundation) -> list[Consumer]:
    return [
        *consumers.listeners(foundation.modules.values()),
        LiveEvents(foundation.realtime),
        WebhookConsumer(),
        Forgetting([name for name, module in foundation.modules.items() if module.search]),
    ]


def _broker(foundation: Foundation) -> tuple[list[BrokerConsumer], list[Inbound]]:
    """What speaks to the broker, if there is one."""
    settings = foundation.settings
    ours = {*RESERVED, *foundation.modules}
    if not settings.broker_url:
        return [], []
    outward = BrokerConsumer(line_to(settings.broker_url), settings.broker_topic, ours)
    inward = [Inbound(foundation, ours)] if settings.broker_inbound else []
    return [outward], inward


def _runner(foundation: Foundation) -> JobRunner:
    modules = foundation.modules.values()
    return JobRunner(
        foundation,
        [*CORE_JOBS, *(job for module in modules for job in module.jobs)],
        [*CORE_CRONS, *(cron for module in modules for cron in module.crons)],
    )
