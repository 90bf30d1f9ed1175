"""Many tenants, and requests to them."""

import asyncio
import itertools
import os
import random
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import asyncpg
from insula.identity.tokens import AccessTokens
from insula.module import discover
from insula.tenancy import cells, joining
from insula.tenancy.likeness import Shape
from insula.tenancy.populating import populate

from insula_bench import cores, load
from insula_bench.api import Api
from insula_bench.installation import Installation
from insula_bench.pacing import Request
from insula_bench.server import Server

NOTES = 5
_NOTE = {"title": "Roof garden", "body": "Two metres by four, **strawberries** on the south side."}
_PATH = "/api/v1/notes"
_MODEL = "crowd-1"
_DAY = 86400
_THOSE = "SELECT id FROM ctl.tenants WHERE starts_with(slug, 'crowd-') ORDER BY number"
_MANY = 500
"""Tenants from which on the disk is waited for, which then has gigabytes to write."""
_HURRIED = {"fsync": "off", "full_page_writes": "off", "max_wal_size": "8GB"}
_CATALOGUES = (
    "pg_class", "pg_attribute", "pg_index", "pg_constraint", "pg_depend", "pg_type",
    "pg_namespace", "pg_auth_members", "pg_authid", "pg_policy", "pg_attrdef", "pg_trigger",
    "pg_proc", "pg_shdepend",
)  # fmt: skip


class Crowd:
    """Tenants, each with the module notes, one user and the same few notes; :meth:`grow` makes
    them."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.tenants = 0
        self.seconds = 0.0
        """That filling has taken in all, without waiting for the disk."""
        self.shape = Shape(0, 0, 0)
        self.cells = 1
        """Databases over which they are spread."""
        self.urls = [installation.settings.database_url]
        self._tokens = AccessTokens(installation.settings.secret_key, seconds=_DAY)
        self._bearers: dict[UUID, str] = {}
        self._ids: list[UUID] = []
        log = installation.folder / "model.log"
        with Server("insula.app:create_app", installation.environment, log) as server:
            api = Api(server.port)
            api.sign_up(_MODEL)
            api.call("PUT", "/api/v1/modules/notes")
            self._notes = [api.call("POST", _PATH, _NOTE)["id"] for _ in range(NOTES)]
            self._owner: str = api.call("GET", "/api/v1/me")["user"]["id"]
            api.close()

    def grow(self, tenants: int) -> None:
        """Until there are so many; then all of it is on the disk, and the catalogue is as a server
        has it that has been up for a while: vacuumed, and grown by a tenth since, which has filled
        the holes that VACUUM found (docs/guides/operating.md)."""
        started = time.perf_counter()
        asyncio.run(self._forgo_sync())
        asyncio.run(self._populate(tenants - tenants // 10))
        asyncio.run(self._maintain("VACUUM (ANALYZE)"))
        self.shape = asyncio.run(self._populate(tenants))
        asyncio.run(self._maintain("ANALYZE"))
        self.seconds += time.perf_counter() - started
        self._ids = asyncio.run(self._settle(tenants))
        self.tenants = len(self._ids)

    def add_cell(self, buckets: int, capacity: int) -> None:
        """Another database on the same server: the next tenants go there, until it is as full as
        the others."""
        settings = self.installation.settings
        joined = asyncio.run(
            joining.add_beside_home(settings, f"c{self.cells}", buckets=buckets, capacity=capacity)
        )
        self.urls.append(cells.address(settings, joined.cell.url))
        self.cells += 1

    async def _populate(self, tenants: int) -> Shape:
        return await populate(
            self.installation.settings,
            discover(),
            like=_MODEL,
            prefix="crowd",
            upto=tenants,
            workers=2,
            progress=_print_progress,
        )

    async def _forgo_sync(self) -> None:
        """PostgreSQL need not wait for the disk while it makes the million files of 10,000 tenants:
        it is waited for once, at the end."""
        async with self._admin() as admin:
            for name, value in _HURRIED.items():
                await admin.execute(f"ALTER SYSTEM SET {name} = '{value}'")
            await admin.execute("SELECT pg_reload_conf()")

    async def _maintain(self, command: str) -> None:
        """Every database's catalogue."""
        for url in self.urls:
            async with self._admin(url) as admin:
                for table in _CATALOGUES:
                    await admin.execute(f"{command} pg_catalog.{table}")

    async def _settle(self, tenants: int) -> list[UUID]:
        """The tenants' ids."""
        async with self._admin() as admin:
            await admin.execute("VACUUM (ANALYZE) ctl.tenants, ctl.tenant_modules, ctl.slots")
            await admin.execute("CHECKPOINT")
            if tenants >= _MANY:
                os.sync()
            for name in _HURRIED:
                await admin.execute(f"ALTER SYSTEM RESET {name}")
            await admin.execute("SELECT pg_reload_conf()")
            rows = await admin.fetch(_THOSE)
        return [row["id"] for row in rows]

    @asynccontextmanager
    async def _admin(self, url: str = "") -> AsyncIterator[asyncpg.Connection]:
        """Of home, or of another cell."""
        admin = await asyncpg.connect(url or self.urls[0])
        try:
            yield admin
        finally:
            await admin.close()

    def reads(self) -> list[Request]:
        """One to each tenant: a note by its id."""
        notes = itertools.cycle(self._notes)
        return [
            Request("GET", f"{_PATH}/{next(notes)}", self._headers(tenant), b"")
            for tenant in self._ids
        ]

    def writes(self) -> list[Request]:
        """One to each tenant: a new note."""
        body = b'{"title": "Terrace", "body": "Three by three."}'
        kind = {"Content-Type": "application/json"}
        return [Request("POST", _PATH, self._headers(t) | kind, body) for t in self._ids]

    def _headers(self, tenant: UUID) -> dict[str, str]:
        if tenant not in self._bearers:
            self._bearers[tenant] = self._tokens.issue(
                user_id=UUID(self._owner), tenant_id=tenant, session_id=tenant, role="owner"
            )
        return {"Authorization": f"Bearer {self._bearers[tenant]}"}


def uniform(requests: Sequence[Request], count: int) -> list[bytes]:
    """Every tenant as often as every other, in no order."""
    return [_encoded(each) for each in random.Random(1).choices(requests, k=count)]


def zipf(requests: Sequence[Request], count: int) -> list[bytes]:
    """The n-th tenant 1/n as often as the first (Zipf's law with exponent 1)."""
    weights = [1 / (rank + 1) for rank in range(len(requests))]
    return [_encoded(each) for each in random.Random(1).choices(requests, weights, k=count)]


def each_once(requests: Sequence[Request]) -> list[bytes]:
    return [_encoded(each) for each in requests]


def _encoded(request: Request) -> bytes:
    return load.request(*request)


def backends(folder: Path) -> list[int]:
    """The process ids of a PostgreSQL server's clients' processes, from its data folder's pid."""
    postmaster = int((folder / "state" / "postgres" / "postmaster.pid").read_text().split()[0])
    return [pid for pid in cores.children(postmaster) if b": app_b" in _command(pid)]


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""  # it has just ended


def own_memory(pid: int) -> int:
    """Bytes of memory that a process has for itself: what it shares, like PostgreSQL's buffers, is
    not counted (proc(5), RssAnon)."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0  # it has just ended
    found = next((line for line in lines if line.startswith("RssAnon")), "RssAnon: 0")
    return int(found.split()[1]) * 1024


_printed: dict[int, int] = {}


def _print_progress(what: str, done: int, total: int, note: str = "") -> None:
    step = max(1, total // 10)
    if done == total or done // step != _printed.get(total):
        _printed[total] = done // step
        print(f"  {what} {done}/{total} {note}", file=sys.stderr, flush=True)
