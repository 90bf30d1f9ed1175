"""Binding a connection to a tenant without a round trip of its own.

PostgreSQL's extended protocol lets a client send several Bind/Execute pairs before one Sync; all of
them up to the Sync are one implicit transaction (PostgreSQL manual, "Extended Query" and
"Pipelining"). :class:`BindingTransport` stands between asyncpg and the socket: it writes the
prepared statement that sets role and search path *ahead* of asyncpg's own message, in the same
packet, and swallows its answers. ``set_config(…, is_local => true)`` ends with that transaction,
so nothing can leak to the connection's next user, and a frame that is not prefixed runs as the
bucket login, which owns nothing: forgetting to bind is "permission denied".

Measured (ops/bench/RESULTS.md): about the cost of no binding at all, where
``BEGIN; SET LOCAL …; query; COMMIT`` costs two more round trips.
"""

import asyncio
import struct
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, cast

import asyncpg
from asyncpg.protocol import Protocol as AsyncpgProtocol

from insula.db.capabilities import CAPABILITY, Capabilities

BIND_STATEMENT = "insula_bind"
# It answers every tenant with the same bytes, so that none has to be kept of what it answers one.
BIND_SQL = (
    "SELECT (set_config('role', $1::text, true) || set_config('search_path', $2::text, true) || "
    f"set_config('{CAPABILITY}', $3::text, true) || "
    "set_config('plan_cache_mode', $4::text, true)) IS NULL"
)
_BY_VALUES, _FOR_ALL = "auto", "force_generic_plan"
BEGIN_STATEMENT = "insula_begin"
BEGIN_SQL = "BEGIN"

_PARSE, _BIND = 0x50, 0x42
_SYNC = b"S" + struct.pack("!i", 4)
_ASYNCHRONOUS = b"NSA"  # notice, parameter status, notification: may come at any time
_TEXT = 25  # the type's OID
_EXECUTE = b"E" + struct.pack("!i", 9) + b"\0" + struct.pack("!i", 0)


def _bind(statement: str, *values: str) -> bytes:
    """A Bind message (text format) and its Execute, for the unnamed portal."""
    body = b"\0" + statement.encode() + b"\0" + struct.pack("!hh", 0, len(values))
    for value in values:
        raw = value.encode()
        body += struct.pack("!i", len(raw)) + raw
    body += struct.pack("!h", 0)
    return b"B" + struct.pack("!i", len(body) + 4) + body + _EXECUTE


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def _parse(sql: str) -> bytes:
    """A Parse message for the unnamed statement; every parameter is text."""
    count = sql.count("$")
    body = b"\0" + sql.encode() + b"\0" + struct.pack("!h", count)
    return _message(b"P", body + struct.pack("!i", _TEXT) * count)


_PARSED, _BOUND = _message(b"1", b""), _message(b"2", b"")
_SET = _message(b"D", struct.pack("!hi", 1, 1) + b"f") + _message(b"C", b"SELECT 1\0")
_BEGUN = _message(b"C", b"BEGIN\0")


class Answers(NamedTuple):
    """How many messages the server answers a prefix with, and their bytes, if nothing comes in
    between."""

    messages: int
    reply: bytes

    @classmethod
    def expected(cls, *, pooled: bool, begins: bool) -> "Answers":
        ahead = _PARSED + _BOUND if pooled else _BOUND
        count = 3 + pooled
        return (
            cls(2 * count - 1, ahead + _BEGUN + ahead + _SET)
            if begins
            else cls(count, ahead + _SET)
        )


class Binding(NamedTuple):
    """What goes ahead of one statement, of one that reads by key (:mod:`insula.db.keys`), and of
    the first of a transaction."""

    bind: bytes
    key: bytes
    begin: bytes


class Prelude:
    """The bytes that bind one tenant: for one statement, or for a transaction. Little and close
    together: with thousands of tenants, each look at another place misses the processor's caches.
    """

    __slots__ = (
        "_pooled", "_search_path", "_values", "begin", "bind", "key", "ready", "role", "sealed",
    )  # fmt: skip

    def __init__(self, role: str, search_path: str, *, sealed: bool = False) -> None:
        self.role = role
        self._search_path = search_path
        self.sealed = sealed
        """Whether the role's tables open themselves for its capability only."""
        self.ready = not sealed
        self._pooled: Binding | None = None
        self._write("")

    @property
    def pooled(self) -> Binding:
        """For connections through PgBouncer, where the next server connection knows no statement
        that was prepared before: each binding brings its text along."""
        if self._pooled is None:
            self._pooled = _binding(self._values, pooled=True)
        return self._pooled

    @property
    def script(self) -> str:
        """The beginning of a transaction as text, for whom no capability opens anything: a script
        follows it in one message."""
        assert not self.sealed
        role, search_path, _ = (value.replace("'", "''") for value in self._values)
        return (
            f"{BEGIN_SQL}; SELECT set_config('role', '{role}', true), "
            f"set_config('search_path', '{search_path}', true);"
        )

    def unseal(self, capabilities: Capabilities) -> None:
        """Have the role's capability go with it from now on."""
        self._write(capabilities.of(self.role))
        self.ready = True

    def _write(self, capability: str) -> None:
        # Bound parameters, never literals: pg_stat_activity shows the text of statements.
        self._values = (self.role, self._search_path, capability)
        # As a Binding, for connections of our own, which have prepared what binds.
        self.bind, self.key, self.begin = _binding(self._values, pooled=False)
        self._pooled = None


def _binding(values: tuple[str, ...], *, pooled: bool) -> Binding:
    if pooled:
        ahead, name, begin = _parse(BIND_SQL), "", _parse(BEGIN_SQL) + _bind("")
    else:
        ahead, name, begin = b"", BIND_STATEMENT, _bind(BEGIN_STATEMENT)
    bind = ahead + _bind(name, *values, _BY_VALUES)
    return Binding(bind, ahead + _bind(name, *values, _FOR_ALL), begin + bind)


class BindingTransport:
    """The transport that asyncpg writes to; adds the prelude in front of Parse and Bind frames."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.armed: bytes | None = None
        self.sent = Answers(0, b"")
        self.expect(pooled=False)
        self.once = False
        self.owed = 0
        self._bound = False
        self.prepared: tuple[Any, ...] = ()

    def expect(self, *, pooled: bool) -> None:
        """``pooled``: each prefix brings its text along."""
        self._bound_answers = Answers.expected(pooled=pooled, begins=False)
        self._begun_answers = Answers.expected(pooled=pooled, begins=True)

    def arm(self, prefix: bytes, *, once: bool) -> None:
        """Prefix the next frame (``once``: it begins a transaction) or every frame until
        :meth:`disarm`."""
        self.armed, self.once = prefix, once
        self._bound = False

    def disarm(self) -> None:
        self.armed = None

    def _prefix(self) -> bytes:
        prefix = self.armed
        assert prefix is not None
        self.sent = self._begun_answers if self.once else self._bound_answers
        self.owed += self.sent.messages
        if self.once:
            self.armed = None
        return prefix

    def write(self, data: Any) -> None:
        if self.armed is not None:
            # asyncpg may end a Parse with Flush and send the Sync by itself: the transaction, and
            # with it the binding, lasts until a Sync has gone out.
            ends = data[-5:] == _SYNC
            if data[0] in (_PARSE, _BIND) and not self._bound:
                data = self._prefix() + bytes(data)
            self._bound = not ends
        self._transport.write(data)

    def writelines(self, buffers: Any) -> None:
        buffers = list(buffers)
        prefixes = self.armed is not None and not self._bound
        if prefixes and buffers and buffers[0][0] in (_PARSE, _BIND):
            buffers.insert(0, self._prefix())
        self._transport.writelines(buffers)

    @property
    def bare(self) -> asyncio.Transport:
        return self._transport

    def set_protocol(self, protocol: AsyncpgProtocol) -> None:
        """After TLS negotiation: asyncpg's protocol takes over from the negotiating one."""
        self._transport.set_protocol(_BindingProtocol(protocol, self))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class _BindingProtocol(asyncio.Protocol):
    """Hands the server's bytes to asyncpg, less the answers to the prelude."""

    def __init__(self, inner: AsyncpgProtocol, transport: BindingTransport | None = None) -> None:
        self._inner = inner
        self._receive: Callable[[bytes], None] = inner.data_received
        self._held = b""
        if transport is not None:
            self.transport = transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = BindingTransport(cast(asyncio.Transport, transport))
        self._inner.connection_made(self.transport)

    def data_received(self, data: bytes) -> None:
        transport = self.transport
        if transport.owed or self._held:
            data = self._swallow(self._held + data)
        if data:
            self._receive(data)

    def _swallow(self, data: bytes) -> bytes:
        """Drop the owed answers, keep what is asynchronous; an error is asyncpg's to see."""
        transport, kept, at, size = self.transport, b"", 0, len(data)
        sent = transport.sent
        if transport.owed == sent.messages and data.startswith(sent.reply):
            transport.owed, self._held = 0, b""
            return data[len(sent.reply) :]
        while transport.owed:
            if size - at < 5:
                break
            end = at + 1 + int.from_bytes(data[at + 1 : at + 5], "big")
            if end > size:
                break
            kind = data[at : at + 1]
            if kind == b"E":
                transport.owed = 0
                break
            if kind in _ASYNCHRONOUS:
                kept += data[at:end]
            else:
                transport.owed -= 1
            at = end
        self._held = data[at:] if transport.owed else b""
        return kept if transport.owed else kept + data[at:]

    def connection_lost(self, exc: Exception | None) -> None:
        self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()  # type: ignore[no-any-return]


class _BindingLoop:
    """The running event loop, but for putting :class:`BindingTransport` under asyncpg's protocol.

    asyncpg takes the loop as a public argument, so nothing of it is patched. Connections that
    asyncpg opens for itself (cancel requests) get a transport that nobody arms.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.transport: BindingTransport | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    def create_connection(self, factory: Any, *args: Any, **options: Any) -> Awaitable[Any]:
        return self._wrapped(self._loop.create_connection, factory, args, options)

    def create_unix_connection(self, factory: Any, *args: Any, **options: Any) -> Awaitable[Any]:
        return self._wrapped(self._loop.create_unix_connection, factory, args, options)

    async def _wrapped(self, create: Any, factory: Any, args: Any, options: Any) -> Any:
        inner = factory()
        if isinstance(inner, AsyncpgProtocol):
            _, protocol = await create(lambda: _BindingProtocol(inner), *args, **options)
            self.transport = protocol.transport
        else:  # first speaks TLS negotiation, becomes asyncpg's protocol by set_protocol
            transport, _ = await create(lambda: inner, *args, **options)
            self.transport = BindingTransport(transport)
        return self.transport, inner

    async def start_tls(self, transport: Any, *args: Any, **options: Any) -> BindingTransport:
        secured = await self._loop.start_tls(transport.bare, *args, **options)
        self.transport = BindingTransport(cast(asyncio.Transport, secured))
        return self.transport


async def connect(
    dsn: str, *, pooled: bool = False, **options: Any
) -> tuple[asyncpg.Connection, BindingTransport]:
    """A connection whose frames can be prefixed, with its two prepared binding statements;
    ``pooled`` ones, which go through PgBouncer, prepare nothing that is to last."""
    loop = _BindingLoop(asyncio.get_running_loop())
    if pooled:
        options["statement_cache_size"] = 0
    connection = await asyncpg.connect(dsn, loop=cast(Any, loop), **options)
    assert loop.transport is not None
    loop.transport.expect(pooled=pooled)
    if pooled:
        return connection, loop.transport
    # asyncpg deallocates a statement that nobody refers to.
    loop.transport.prepared = (
        await connection.prepare(BIND_SQL, name=BIND_STATEMENT),
        await connection.prepare(BEGIN_SQL, name=BEGIN_STATEMENT),
    )
    return connection, loop.transport
