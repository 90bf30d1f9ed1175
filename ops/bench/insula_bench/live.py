"""Live channels: fan-out to many WebSockets against a bare broadcast server, and how long an event
takes from its commit to a WebSocket."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any, NamedTuple

from insula.events import emit
from insula.foundation import Foundation
from insula.module import discover
from insula.tenancy.cells import CATALOGUE_PRELUDE
from insula.tenancy.tenant import BY_SLUG, Tenant
from insula_tenants.notes.events import UPDATED, NoteChanged

from insula_bench import cores
from insula_bench.api import Api
from insula_bench.installation import Installation
from insula_bench.server import Server, free_port
from insula_bench.watchers import Crowd

PACED = 10
"""Messages that wait for the one before to have reached everybody; then a burst of as many."""
EVENTS = 200
_PATH = "/api/v1/realtime/ws"
_MARKER = b'"bench'
_TEXT = "Two metres by four, drip irrigation, strawberries on the south side. " * 2


class FanOut(NamedTuple):
    """One round: one message reaching everybody, and a burst."""

    rate: float
    """Messages received a second, over all clients, in the burst."""
    p50: float
    p99: float
    """Seconds from sending to arrival, of single messages, over all clients."""
    cpu: float
    """Seconds of the server's CPU a message received."""


class Live(NamedTuple):
    """Fan-out by server and round, and the seconds of each event."""

    watchers: int
    fan_out: dict[str, list[FanOut]]
    events: list[float]


def measure(installation: Installation, *, rounds: int, watchers: int) -> Live:
    """Everything that is measured of live channels."""
    return asyncio.run(_measure(installation, rounds, watchers))


async def _measure(installation: Installation, rounds: int, watchers: int) -> Live:
    log = installation.folder / "live.log"
    environment = installation.environment | {"INSULA_LIVE_USER_CONNECTIONS": "10000"}
    with Server("insula.app:create_app", environment, log) as server:
        api = Api(server.port)
        api.sign_up("live")
        api.call("PUT", "/api/v1/modules/notes")
        note = api.call("POST", "/api/v1/notes", {"title": "Roof garden", "body": _TEXT})["id"]
        foundation = Foundation(installation.settings, discover())
        await foundation.open()
        try:
            work = foundation.catalogue.work(0, CATALOGUE_PRELUDE, writes=False)
            tenant = Tenant(await work.one(BY_SLUG, slug="live"))
            ours = _Ours(server, api.headers, foundation, tenant)
            with _bare() as bare:
                fan_out = await _fan_out(ours, bare, rounds, watchers)
            with worker(installation):
                events = await _events(ours, note)
        finally:
            await foundation.close()
            api.close()
    return Live(watchers, fan_out, events)


class _Ours(NamedTuple):
    server: Server
    headers: dict[str, str]
    foundation: Foundation
    tenant: Tenant


class _Bare(NamedTuple):
    port: int
    pid: int


@contextmanager
def _bare() -> Iterator[_Bare]:
    """The broadcast server, on the core that Insula's has in its turns."""
    port = free_port()
    with cores.running_on(cores.SERVER):
        process = subprocess.Popen(
            [sys.executable, "-m", "insula_bench.broadcast", str(port)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
    try:
        yield _Bare(port, process.pid)
    finally:
        process.kill()
        process.wait()


@contextmanager
def worker(installation: Installation) -> Iterator[None]:
    """``insula worker``, ready."""
    command = [sys.executable, "-c", "from insula.cli.worker import worker; worker()"]
    environment = {**os.environ, **installation.environment, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if b"ready" in line.split():
                break
        try:
            yield
        finally:
            process.terminate()
            process.stdout.close()
            process.wait(30)


Send = Callable[[int], Awaitable[None]]


async def _fan_out(ours: _Ours, bare: _Bare, rounds: int, watchers: int) -> dict[str, list[FanOut]]:
    found: dict[str, list[FanOut]] = {"insula": [], "bare": []}
    for _ in range(rounds):
        found["insula"].append(await _turn_of_ours(ours, watchers))
        found["bare"].append(await _turn_of_bare(bare, watchers))
    return found


async def _turn_of_ours(ours: _Ours, watchers: int) -> FanOut:
    async def send(number: int) -> None:
        data = {"n": number, "text": _TEXT}
        await ours.foundation.realtime.publish(ours.tenant, "events", "bench.number", data)

    async with Crowd(ours.server.port, _PATH, ours.headers, watchers, _MARKER) as crowd:
        for watcher in crowd.watchers:
            watcher.send(b'{"subscribe":"events"}')
        return await _round(crowd, send, ours.server.cpu_seconds)


async def _turn_of_bare(bare: _Bare, watchers: int) -> FanOut:
    deadline = time.monotonic() + 30
    while True:
        try:
            async with (
                Crowd(bare.port, "/", {}, 1, _MARKER) as speaker,
                Crowd(bare.port, "/", {}, watchers - 1, _MARKER) as crowd,
            ):
                crowd.watchers += speaker.watchers

                async def send(number: int) -> None:
                    text = json.dumps(
                        {"type": "bench.number", "data": {"n": number, "text": _TEXT}}
                    )
                    speaker.watchers[0].send(text.encode())

                return await _round(crowd, send, lambda: cores.cpu_seconds(bare.pid))
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.1)


async def _round(crowd: Crowd, send: Send, cpu_seconds: Callable[[], float]) -> FanOut:
    await _all_watch(crowd, send)
    before, waits = cpu_seconds(), []
    for number in range(PACED):
        crowd.forget()
        started = time.perf_counter()
        await send(number)
        await crowd.have(1)
        waits += [watcher.arrivals[0] - started for watcher in crowd.watchers]
    crowd.forget()
    started = time.perf_counter()
    for number in range(PACED):
        await send(number)
    await crowd.have(PACED)
    last = max(watcher.arrivals[-1] for watcher in crowd.watchers)
    messages = 2 * PACED * len(crowd.watchers)
    waits.sort()
    return FanOut(
        rate=PACED * len(crowd.watchers) / (last - started),
        p50=median(waits),
        p99=waits[int(len(waits) * 0.99)],
        cpu=(cpu_seconds() - before) / messages,
    )


async def _all_watch(crowd: Crowd, send: Send) -> None:
    """Send until everybody hears it, and everything that was sent."""
    for number in range(600):
        await send(number)
        try:
            await crowd.have(1, seconds=0.5)
        except TimeoutError:
            continue
        break
    await asyncio.sleep(0.5)


async def _events(ours: _Ours, note: Any) -> list[float]:
    """Events one at a time, each committed after the one before has arrived."""
    changed = NoteChanged(note, "Roof garden", [], 2)
    waits = []
    async with Crowd(ours.server.port, _PATH, ours.headers, 1, b"notes.note.updated") as crowd:
        (watcher,) = crowd.watchers
        watcher.send(b'{"subscribe":"events"}')
        for number in range(EVENTS + 20):
            watcher.arrivals.clear()
            async with ours.foundation.tenants.transaction(
                ours.tenant.bucket, ours.tenant.prelude
            ) as tx:
                await emit(tx, UPDATED, changed, subject=f"notes/{note}")
            committed = time.perf_counter()
            await crowd.have(1)
            if number >= 20:  # the first warm everything up
                waits.append(max(0.0, watcher.arrivals[0] - committed))
    return sorted(waits)
