"""A pooled connection."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from types import SimpleNamespace
from typing import Any, ClassVar, Final

import asyncpg
import msgspec

from insula.db import wire
from insula.db.prepared import TenantStatements

_FIRST_OF_A_DATABASE: Final = 16384
"""From here on numbers of types are a database's own (PostgreSQL, FirstNormalObjectId)."""
# Types that asyncpg has to ask the server for. It asks through set_config, which a tenant's role
# may not call: they are asked for on connect, as the login itself.
_WARM = "SELECT $1::text[], $2::uuid[], $3::int[], $4::bigint[], $5::timestamptz[], $6::tsvector"

_INVALID = (
    asyncpg.InvalidCachedStatementError,  # a migration changed what it returns …
    asyncpg.InternalClientError,  # … or a type of it
    asyncpg.InterfaceError,
)


class _Raw(asyncpg.Connection):  # type: ignore[misc]
    """Asks once a process for the types that PostgreSQL comes with, which are the same everywhere,
    and not on every connection: that was three quarters of what opening one took the server."""

    __slots__ = ()
    _known: ClassVar[dict[frozenset[int], Any]] = {}

    async def _introspect_types(self, typeoids: Iterable[int], timeout: float) -> Any:  # noqa: ASYNC109
        wanted = frozenset(typeoids)
        if max(wanted) >= _FIRST_OF_A_DATABASE:
            return await super()._introspect_types(typeoids, timeout)
        if types := self._known.get(wanted):
            return types, _NOTHING_ASKED
        types, statement = await super()._introspect_types(typeoids, timeout)
        self._known[wanted] = types
        return types, statement


_NOTHING_ASKED = SimpleNamespace(name="none")
"""In the place of asyncpg's question: it looks whether that had no name, and so took the place of
the statement that is being prepared."""


class Connection:
    """A pooled connection and what it needs to know of itself."""

    __slots__ = (
        "born",
        "homes",
        "own",
        "pooled",
        "raw",
        "role",
        "scripts",
        "spent",
        "successor",
        "tenants",
        "transport",
    )

    def __init__(
        self,
        raw: asyncpg.Connection,
        transport: wire.BindingTransport,
        *,
        pooled: bool = False,
        statements: int = 0,
    ) -> None:
        self.raw = raw
        self.own = TenantStatements(raw, size=0 if pooled else statements)
        self.pooled = pooled
        """Whether PgBouncer is in between."""
        self.transport = transport
        self.born = time.monotonic()
        self.spent = False
        """To be replaced when it comes back: something ran on it that may have left a trace in the
        session, or it has served tenants enough."""
        self.successor: asyncio.Task[None] | None = None
        """Opens another one that is to take its place."""
        self.scripts = 0
        """That ran on it. The provisioner goes into a tenant's schema by one and out of it by
        another, and what it writes there leaves a plan for each foreign key in its backend, for
        good. At every table that is made or changed afterwards, PostgreSQL looks through them."""
        self.role = ""
        """Which tenant it is serving, or served last."""
        self.tenants: set[str] = set()
        """The roles of those whose relations its backend has cached."""
        self.homes = 0
        """How many of them have their place here; the others are guests."""

    def binding(self, prelude: wire.Prelude) -> wire.Prelude | wire.Binding:
        return prelude.pooled if self.pooled else prelude

    async def ask(self, method: str, sql: str, arguments: Sequence[Any]) -> Any:
        """``method`` of asyncpg's connection; with the statement that the tenant has prepared for
        itself, if it is among others here: whoever is alone shares it with nobody."""
        role = self.role
        own = await self.own.get(role, sql) if len(self.tenants) > 1 else None
        if own is None:
            return await getattr(self.raw, method)(sql, *arguments)
        try:
            if method == "execute":
                await own.fetch(*arguments)
                return own.get_statusmsg()
            return await getattr(own, method)(*arguments)
        except _INVALID:
            self.own.drop(role, sql)
            raise


async def open_connection(dsn: str, *, pooled: bool = False, statements: int = 0) -> Connection:
    """Connect, warm the types and register the JSON codec; ``statements`` at most are prepared for
    one tenant alone."""
    settings = {"application_name": "insula"}
    raw, transport = await wire.connect(
        dsn, pooled=pooled, server_settings=settings, connection_class=_Raw
    )
    for name in ("jsonb", "json"):
        await raw.set_type_codec(
            name,
            schema="pg_catalog",
            encoder=lambda value: msgspec.json.encode(value).decode(),
            decoder=msgspec.json.decode,
        )
    await (await raw.prepare(_WARM)).fetch(*[None] * 6)
    return Connection(raw, transport, pooled=pooled, statements=statements)
