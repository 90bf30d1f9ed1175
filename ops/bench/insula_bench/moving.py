"""Moving a tenant to another PostgreSQL server while clients write to it and read from it."""

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import asyncpg
import msgspec
from insula.embedded import EmbeddedServers
from insula.http.redis_line import Address, RedisLine
from insula.module import discover
from insula.settings import Settings
from insula.tenancy import joining
from insula.tenancy.cells import CATALOGUE_PRELUDE, HOME, Cells
from insula.tenancy.epochs import publish_epoch
from insula.tenancy.moving.beginning import begin
from insula.tenancy.moving.mover import Mover
from insula.tenancy.moving.records import Move
from insula.tenancy.tenant import Tenant

from insula_bench import cores
from insula_bench.api import Api
from insula_bench.installation import Installation
from insula_bench.server import Server

_ROW = 16_000
"""Characters of a revision's body, random enough that it does not compress to nothing."""
_FILL = """
INSERT INTO {schema}.notes_revisions (note_id, revision, author_id, title, body, front_matter)
SELECT n.id, 1 + s, n.author_id, 'Bulk',
    (SELECT string_agg(md5(random()::text || w), '') FROM generate_series(1, {words}) w), ''
FROM {schema}.notes n, generate_series(1, $1) s
"""
_HEAD = """## Moving a tenant to another server

Two PostgreSQL servers with durable settings on one machine; one client writes notes and one reads
them, without pause, while the tenant moves. *Writes wait* is from the moment in which the catalogue
says so until the tenant has its new place; *longest write* is what the client saw of it, which may
have met locks besides. The rest of the move happens while the tenant serves. Asked for: writes
paused for less than a second per 100 MB.

Again: `python ops/bench/run.py --only move --megabytes 10 --megabytes 100`

| tenant | move | MB/s | writes wait | per 100 MB | longest write | longest read | refused |
|---|---|---|---|---|---|---|---|
"""


class Moved(msgspec.Struct):
    """One move. Times in seconds."""

    megabytes: float
    """On disk, indexes and all."""
    seconds: float
    pause: float
    longest_write: float
    longest_read: float
    requests: int
    refused: int


def measure(installation: Installation, *, megabytes: Sequence[int]) -> list[Moved]:
    """Move tenants of these sizes, the next after the one before."""
    settings = installation.settings
    folder = installation.folder / "annex"
    log = installation.folder / "moving.log"
    with (
        cores.running_on(cores.OTHERS),
        EmbeddedServers(folder, redis=False) as annex,
        Server("insula.app:create_app", installation.environment, log) as server,
    ):
        asyncio.run(joining.add(settings, "annex", annex.database_url, buckets=2, capacity=1000))
        return [_move(settings, server.port, size) for size in megabytes]


def _move(settings: Settings, port: int, megabytes: int) -> Moved:
    slug = f"moving-{megabytes}"
    api = Api(port)
    tenant = api.sign_up(slug)
    with suppress(RuntimeError):  # a move before has made it the fuller cell
        asyncio.run(_run(settings, slug, "home"))
    api.call("PUT", "/api/v1/modules/notes")
    api.call("POST", "/api/v1/notes", {"title": "First", "body": "Rain."})
    size = asyncio.run(_fill(settings, tenant["id"], megabytes))
    with _clients(port, api.headers) as seen:
        started = time.perf_counter()
        moved = asyncio.run(_run(settings, slug, "annex"))
        seconds = time.perf_counter() - started
    return Moved(
        size, seconds, moved.pause or 0.0, max(seen.writes), max(seen.reads),
        len(seen.writes) + len(seen.reads), seen.refused,
    )  # fmt: skip


async def _fill(settings: Settings, tenant_id: str, megabytes: int) -> float:
    admin = await asyncpg.connect(settings.database_url)
    try:
        number = await admin.fetchval(
            "SELECT number FROM ctl.tenants WHERE id = $1::text::uuid", tenant_id
        )
        rows = max(1, megabytes * 1_000_000 // _ROW)
        fill = _FILL.format(schema=f"t_{number}", words=_ROW // 32)
        await admin.execute(fill, rows, timeout=3600)
        await admin.execute("CHECKPOINT")
        size = await admin.fetchval(
            "SELECT sum(pg_total_relation_size(oid)) FROM pg_class "
            "WHERE relnamespace = $1::text::regnamespace AND relkind = 'r'",
            f"t_{number}",
        )
        return float(size) / 1e6
    finally:
        await admin.close()


async def _run(settings: Settings, slug: str, cell: str) -> Move:
    cells = Cells(settings, size=2)
    redis = RedisLine(Address(settings.redis_url), ())
    await redis.connect()

    async def announce(tenant: Tenant, epoch: int) -> None:
        await publish_epoch(redis, tenant, epoch)

    try:
        async with cells.catalogue.transaction(HOME, CATALOGUE_PRELUDE) as work:
            try:
                move = await begin(work, settings, slug, cell)
            except Exception as error:
                raise RuntimeError(str(error)) from error
        return await Mover(cells, discover(), announce).run(move)
    finally:
        await redis.close()
        await cells.close()


class _Seen:
    def __init__(self) -> None:
        self.writes: list[float] = []
        self.reads: list[float] = []
        self.refused = 0


@contextmanager
def _clients(port: int, headers: dict[str, str]) -> Iterator[_Seen]:
    """One that writes and one that reads, until the end of the block."""
    seen, stop = _Seen(), threading.Event()

    def repeat(times: list[float], method: str, body: dict[str, str] | None) -> None:
        api = Api(port)
        api.headers.update(headers)
        while not stop.is_set():
            started = time.perf_counter()
            try:
                api.call(method, "/api/v1/notes", body)
            except RuntimeError:
                seen.refused += 1
            times.append(time.perf_counter() - started)
        api.close()

    note = {"title": "Meanwhile", "body": "Rain."}
    threads = [
        threading.Thread(target=repeat, args=(seen.writes, "POST", note)),
        threading.Thread(target=repeat, args=(seen.reads, "GET", None)),
    ]
    for thread in threads:
        thread.start()
    try:
        yield seen
        time.sleep(1)
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def section(moves: Sequence[Moved]) -> str:
    """Of RESULTS.md."""
    lines = [
        f"| {m.megabytes:.0f} MB | {m.seconds:.1f} s | {m.megabytes / m.seconds:.0f} "
        f"| {1000 * m.pause:.0f} ms | {100_000 * m.pause / m.megabytes:.0f} ms "
        f"| {1000 * m.longest_write:.0f} ms | {1000 * m.longest_read:.0f} ms "
        f"| {m.refused} of {m.requests} |"
        for m in moves
    ]
    return _HEAD + "\n".join(lines) + "\n"
