"""Waking what waits for PostgreSQL's NOTIFY."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import asyncpg
import structlog

log = structlog.get_logger("insula.listening")

_PAUSE_SECONDS: Final = 1.0


async def listen(
    dsn: Callable[[], Awaitable[str]],
    wakes: Mapping[str, Callable[[], None]],
    stop: asyncio.Event,
) -> None:
    """Call what belongs to a channel whenever it is notified. A connection that is lost is opened
    again, and everything is called then: what was said meanwhile is not known."""
    while not stop.is_set():
        lost = asyncio.Event()
        try:
            connection = await asyncpg.connect(
                await dsn(), server_settings={"application_name": "insula"}
            )
        # Also what asyncpg says of a connection at home that is dying: no worker ends for it.
        except Exception as error:
            log.warning("cannot listen", error=repr(error))
            await first_of(stop.wait(), seconds=_PAUSE_SECONDS)
            continue
        try:
            connection.add_termination_listener(lambda *_, lost=lost: lost.set())
            for channel, wake in wakes.items():
                await connection.add_listener(channel, lambda *_, wake=wake: wake())
                wake()
            await first_of(lost.wait(), stop.wait())
        except Exception as error:
            log.warning("cannot listen", error=repr(error))
            await first_of(stop.wait(), seconds=_PAUSE_SECONDS)
        finally:
            connection.terminate()


async def first_of(*waits: Any, seconds: float | None = None) -> None:
    """Until one of them is over, or the seconds are."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
