"""Webhook throughput: events committed at once, until the last one has been taken; against a bare
client that posts as many ready bodies to the same receiver, as many at a time."""

import asyncio
import http.client
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import NamedTuple
from uuid import UUID

import aiohttp
from insula.db.ids import new_id
from insula.events import emit
from insula.foundation import Foundation
from insula.module import discover
from insula.tenancy.cells import CATALOGUE_PRELUDE
from insula.tenancy.tenant import BY_SLUG, Tenant
from insula_tenants.notes.events import UPDATED, NoteChanged

from insula_bench.api import Api
from insula_bench.installation import Installation
from insula_bench.live import worker
from insula_bench.server import Server, free_port, is_answering

AT_ONCE = 8
"""Requests of the bare client under way, as many as an endpoint of ours gets."""
_PATIENCE = 300.0


class Webhooks(NamedTuple):
    """Deliveries a second, by round."""

    events: int
    ours: list[float]
    bare: list[float]

    @property
    def ratio(self) -> float:
        return median(ours / bare for ours, bare in zip(self.ours, self.bare, strict=True))


def measure(installation: Installation, *, events: int, rounds: int) -> Webhooks:
    """Rounds of both in turn, each with ``events`` deliveries."""
    environment = installation.environment | {"INSULA_EGRESS_ALLOW": "127.0.0.0/8"}
    allowed = Installation(installation.folder, installation.settings, environment)
    log = installation.folder / "webhooks.log"
    with _receiver() as port, Server("insula.app:create_app", environment, log) as server:
        api = Api(server.port)
        api.sign_up("hooks")
        api.call("PUT", "/api/v1/modules/notes")
        hook = {"url": f"http://127.0.0.1:{port}/", "events": ["notes.*"]}
        api.call("POST", "/api/v1/webhooks", hook)
        api.close()
        with worker(allowed):
            found = Webhooks(events, [], [])
            for _ in range(rounds):
                found.ours.append(asyncio.run(_ours(allowed, port, events)))
                found.bare.append(asyncio.run(_bare(port, events)))
    return found


@contextmanager
def _receiver() -> Iterator[int]:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "insula_bench.webhook_receiver", str(port)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        while not is_answering(port, "/"):
            time.sleep(0.05)
        yield port
    finally:
        process.kill()
        process.wait()


async def _ours(installation: Installation, port: int, events: int) -> float:
    foundation = Foundation(installation.settings, discover())
    await foundation.open()
    try:
        work = foundation.catalogue.work(0, CATALOGUE_PRELUDE, writes=False)
        tenant = Tenant(await work.one(BY_SLUG, slug="hooks"))
        before, _ = _arrived(port)
        notes = [new_id() for _ in range(max(1, events // 4))]
        async with foundation.tenants.transaction(tenant.bucket, tenant.prelude) as tx:
            for number in range(events):
                note: UUID = notes[number % len(notes)]
                changed = NoteChanged(note, "Roof garden", [], number)
                await emit(tx, UPDATED, changed, subject=f"notes/{note}")
        committed = time.monotonic()
    finally:
        await foundation.close()
    return events / (await _until(port, before + events) - committed)


async def _bare(port: int, events: int) -> float:
    body = b"{" + b'"specversion":"1.0",' * 20 + b'"id":1}'
    before, _ = _arrived(port)
    started = time.monotonic()
    async with aiohttp.ClientSession() as session:

        async def post(count: int) -> None:
            for _ in range(count):
                async with session.post(f"http://127.0.0.1:{port}/", data=body) as answer:
                    await answer.read()

        shares = [events // AT_ONCE + (place < events % AT_ONCE) for place in range(AT_ONCE)]
        await asyncio.gather(*(post(share) for share in shares))
    return events / (await _until(port, before + events) - started)


async def _until(port: int, count: int) -> float:
    """When the last of so many had arrived."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        arrived, last = _arrived(port)
        if arrived >= count:
            return last
        if time.monotonic() > deadline:
            raise RuntimeError(f"{arrived} of {count} webhooks arrived")
        await asyncio.sleep(0.05)


def _arrived(port: int) -> tuple[int, float]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/")
        count, last = connection.getresponse().read().split()
        return int(count), float(last)
    finally:
        connection.close()
