"""Who is compared, on what: three servers over one tenant's notes, and the requests to send."""

import asyncio
import json
import random
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, Self
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import msgspec

from insula_bench import bare, load
from insula_bench.api import Api
from insula_bench.installation import Installation
from insula_bench.server import Server

NOTES = 200
PAGE = 20
_PARAGRAPH = "Two metres by four, drip irrigation, **strawberries** on the south side. " * 4
NOTE = {
    "title": "Roof garden",
    "body": f"# Roof garden\n\n{_PARAGRAPH}\n\n- [ ] water\n- [x] weed\n\n{_PARAGRAPH}\n",
}
_PATH = "/api/v1/notes"


class Unequal(Exception):
    """The competitors do not give the same answer: their times would not be comparable."""


class Operation(msgspec.Struct, frozen=True):
    """One kind of request; ``messages`` are sent round robin."""

    name: str
    messages: list[bytes]
    status: int = 200


class Contest:
    """``with Contest(installation) as contest:`` fills a tenant and starts ``servers``."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._running = ExitStack()
        self.servers: dict[str, Server] = {}
        self.operations: list[Operation] = []

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            environment = self._installation.environment
            self._start(undo, "insula", "insula.app:create_app", environment)
            api = Api(self.servers["insula"].port)
            undo.callback(api.close)
            tenant = api.sign_up("bench")
            api.call("PUT", "/api/v1/modules/notes")
            ids = [api.call("POST", _PATH, NOTE)["id"] for _ in range(NOTES)]
            environment = environment | self._bare(api, tenant)
            self._start(undo, "own", "insula_bench.bare:own_pool", environment)
            self._start(undo, "ordinary", "insula_bench.bare:ordinary_pool", environment)
            self._compare(api, f"{_PATH}/{ids[0]}")
            self.operations = _operations(api.headers, ids)
            self._running = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def _start(
        self, undo: ExitStack, name: str, target: str, environment: Mapping[str, str]
    ) -> None:
        log = self._installation.folder / f"{name}.log"
        self.servers[name] = undo.enter_context(Server(target, environment, log))

    def _bare(self, api: Api, tenant: Any) -> dict[str, str]:
        """What a bare handler has to know: the tenant's schema, and who writes."""
        admin = self._installation.settings.database_url
        number = asyncio.run(_prepare(admin, tenant["id"]))
        url = urlsplit(admin)
        query = f"{url.query}&search_path=t_{number},ext".lstrip("&")
        return {
            bare.DATABASE: urlunsplit(url._replace(query=query)),
            bare.AUTHOR: api.call("GET", "/api/v1/me")["user"]["id"],
        }

    def _compare(self, api: Api, path: str) -> None:
        """Make sure that all give the same note and the same list.

        Raises:
            Unequal: they do not.
        """
        apis = [api, *(Api(self.servers[name].port) for name in ("own", "ordinary"))]
        notes = [json.dumps(one.call("GET", path)) for one in apis]
        lists = [json.dumps(one.call("GET", _PATH)["items"]) for one in apis]
        if len({*notes}) > 1 or len({*lists}) > 1:
            raise Unequal(f"{notes}\n{lists}")


async def _prepare(admin: str, tenant_id: str) -> int:
    """Give the planner its statistics; the tenant's number."""
    connection = await asyncpg.connect(admin)
    try:
        statement = "SELECT number FROM ctl.tenants WHERE id = $1::text::uuid"
        number: int = await connection.fetchval(statement, tenant_id)
        await connection.execute(f"ANALYZE t_{number}.notes")
        return number
    finally:
        await connection.close()


def _operations(headers: dict[str, str], ids: list[str]) -> list[Operation]:
    shuffled = random.Random(1).sample(ids, len(ids))
    body = msgspec.json.encode(NOTE)
    return [
        Operation("get", [load.request("GET", f"{_PATH}/{key}", headers) for key in shuffled]),
        Operation("list", [load.request("GET", _PATH, headers)]),
        Operation("create", [load.request("POST", _PATH, headers, body)], 201),
    ]
