"""What row security costs: two tenants of one server, of which one has it switched off."""

import asyncio
import random
from statistics import median
from typing import NamedTuple

import asyncpg

from insula_bench import load
from insula_bench.api import Api
from insula_bench.contest import NOTE, NOTES, PAGE
from insula_bench.installation import Installation
from insula_bench.server import Server

_PATH = "/api/v1/notes"
_CONNECTIONS = 4
_WARM_UP = 1.0
_HEAD = f"""## Row security

What it costs that each statement on a tenant's tables proves its binding (DESIGN.md, section 4):
two tenants with the same {NOTES} notes on one server, in turns; of one, a superuser has switched
row security off on every table. Role, search path and capability are bound for both. *Of open*
compares medians of all turns, in parentheses the range over the rounds: above 1 row security costs
time. {_CONNECTIONS} connections that each wait for their answer. Target: p50 of a read by id at
most 1.05.

Again: `python ops/bench/run.py --only isolation`

| | sealed p50 ms | open p50 ms | p50 of open | p99 of open |
|---|---:|---:|---:|---:|
"""
_TITLES = {
    "get": "`GET /api/v1/notes/{id}`",
    "list": f"`GET /api/v1/notes`, {PAGE} notes",
    "search": "`GET /api/v1/notes?q=strawberries`",
}


class Turn(NamedTuple):
    """Seconds."""

    p50: float
    p99: float


class Pair(NamedTuple):
    """A round: the sealed tenant's turn, and the open one's."""

    sealed: Turn
    open: Turn


def measure(installation: Installation, *, seconds: float, rounds: int) -> dict[str, list[Pair]]:
    log = installation.folder / "isolation.log"
    with Server("insula.app:create_app", installation.environment, log) as server:
        sealed, opened = _fill(server, "sealed"), _fill(server, "open")
        asyncio.run(_switch_off(installation.settings.database_url, "open"))
        found: dict[str, list[Pair]] = {}
        for name in _TITLES:
            for messages in (sealed[name], opened[name]):
                _turn(server, messages, min(_WARM_UP, seconds))
            found[name] = [
                _round(server, sealed[name], opened[name], seconds, swapped=bool(number % 2))
                for number in range(rounds)
            ]
    return found


def _fill(server: Server, slug: str) -> dict[str, list[bytes]]:
    """A tenant with notes, and the requests that will be sent."""
    api = Api(server.port)
    api.sign_up(slug)
    api.call("PUT", "/api/v1/modules/notes")
    ids = [api.call("POST", _PATH, NOTE)["id"] for _ in range(NOTES)]
    api.close()
    random.Random(1).shuffle(ids)
    return {
        "get": [load.request("GET", f"{_PATH}/{key}", api.headers) for key in ids],
        "list": [load.request("GET", _PATH, api.headers)],
        "search": [load.request("GET", f"{_PATH}?q=strawberries", api.headers)],
    }


async def _switch_off(url: str, slug: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        number = await connection.fetchval("SELECT number FROM ctl.tenants WHERE slug = $1", slug)
        tables = await connection.fetch(
            "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' "
            "AND relnamespace = $1::text::regnamespace",
            f"t_{number}",
        )
        for (table,) in tables:
            await connection.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
        await connection.execute("ANALYZE")
    finally:
        await connection.close()


def _round(
    server: Server, sealed: list[bytes], opened: list[bytes], seconds: float, *, swapped: bool
) -> Pair:
    """Who begins changes from round to round."""
    if swapped:
        last = _turn(server, opened, seconds)
        return Pair(_turn(server, sealed, seconds), last)
    return Pair(_turn(server, sealed, seconds), _turn(server, opened, seconds))


def _turn(server: Server, messages: list[bytes], seconds: float) -> Turn:
    run = load.run(server.port, messages, seconds=seconds, connections=_CONNECTIONS)
    return Turn(run.percentile(0.5), run.percentile(0.99))


def section(found: dict[str, list[Pair]]) -> str:
    return _HEAD + "".join(_row(name, pairs) for name, pairs in found.items())


def _row(name: str, pairs: list[Pair]) -> str:
    sealed = median(pair.sealed.p50 for pair in pairs)
    opened = median(pair.open.p50 for pair in pairs)
    times = f"{sealed * 1000:.2f} | {opened * 1000:.2f}"
    p50 = _ratio([(pair.sealed.p50, pair.open.p50) for pair in pairs])
    p99 = _ratio([(pair.sealed.p99, pair.open.p99) for pair in pairs])
    return f"| {_TITLES[name]} | {times} | {p50} | {p99} |\n"


def _ratio(pairs: list[tuple[float, float]]) -> str:
    of_medians = median(one for one, _ in pairs) / median(other for _, other in pairs)
    ratios = [one / other for one, other in pairs]
    return f"**{of_medians:.2f}** ({min(ratios):.2f}–{max(ratios):.2f})"
