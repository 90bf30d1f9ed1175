"""A pooled connection."""

import time

import asyncpg
import msgspec

from insula.db import wire

# Types that asyncpg has to ask the server for. It asks through set_config, which a tenant's role
# may not call: they are asked for on connect, as the login itself.
_WARM = "SELECT $1::text[], $2::uuid[], $3::int[], $4::bigint[], $5::timestamptz[], $6::tsvector"


class Connection:
    """A pooled connection and what it needs to know of itself."""

    __slots__ = ("born", "raw", "role", "spent", "tenants", "transport")

    def __init__(self, raw: asyncpg.Connection, transport: wire.BindingTransport) -> None:
        self.raw = raw
        self.transport = transport
        self.born = time.monotonic()
        self.spent = False
        """To be replaced when it comes back: something ran on it that may have left a trace in the
        session, or it has served tenants enough."""
        self.role = ""
        """Which tenant it is serving, or served last."""
        self.tenants: set[str] = set()
        """The roles of those whose relations its backend has cached."""


async def open_connection(dsn: str) -> Connection:
    """Connect, warm the types and register the JSON codec."""
    raw, transport = await wire.connect(dsn, server_settings={"application_name": "insula"})
    for name in ("jsonb", "json"):
        await raw.set_type_codec(
            name,
            schema="pg_catalog",
            encoder=lambda value: msgspec.json.encode(value).decode(),
            decoder=msgspec.json.decode,
        )
    await raw.prepare(_WARM)
    return Connection(raw, transport)
