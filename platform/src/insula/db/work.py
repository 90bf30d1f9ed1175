"""The unit of work: one request's statements, bound to one tenant."""

import re
from collections.abc import AsyncIterator, Callable, Iterable, Sequence, Set
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import asyncpg

from insula.db.capabilities import Capabilities
from insula.db.connection import Connection
from insula.db.pool import Pool
from insula.db.statement import Statement
from insula.db.wire import Prelude

T = TypeVar("T")


# What leaves nothing behind when the transaction has ended.
_TRANSIENT = re.compile(r"(SET LOCAL|LOCK TABLE) [^;]*")
# That a text needs no TOAST table. PostgreSQL 15 can't be told, and makes one.
_STORAGE, _KNOWS_STORAGE = re.compile(r"(?<!\bSET) STORAGE PLAIN\b"), (16,)


class RowNotFound(Exception):
    """A row that had to exist does not; answered as 404."""


class Work:
    """Statements of one request under one tenant's role and search path.

    ``writes=False`` (GET, HEAD): each statement is its own transaction and costs one round trip.
    ``writes=True``: the first statement opens a transaction, which the gate commits after the
    handler has succeeded and rolls back when it answers with an error, unless :meth:`keep` was
    called.
    """

    __slots__ = (
        "_begun",
        "_capabilities",
        "_connection",
        "_database",
        "_kept",
        "_pool",
        "_prelude",
        "_writes",
    )

    def __init__(
        self,
        pool: Pool,
        prelude: Prelude,
        *,
        writes: bool,
        capabilities: Capabilities | None = None,
        database: "Database | None" = None,
    ) -> None:
        self._capabilities = capabilities
        self._database = database
        self._pool = pool
        self._prelude = prelude
        self._writes = writes
        self._connection: Connection | None = None
        self._begun = False
        self._kept = False

    # Reading

    async def find(self, statement: Statement[T], **params: Any) -> T | None:
        """The first row, or None."""
        arguments = statement.arguments(params)
        if self._writes:
            connection = await self._in_transaction()
            record = await connection.ask("fetchrow", statement.sql, arguments)
        else:
            record = await self._alone("fetchrow", statement, arguments)
        return None if record is None else statement.decode(record)

    async def peek(self, statement: Statement[T], **params: Any) -> T | None:
        """:meth:`find` ahead of the transaction, so that no connection is held while something
        slow follows, like hashing a password. What was read may have changed when the transaction
        begins: read it again there."""
        if self._connection is not None:
            return await self.find(statement, **params)
        record = await self._alone("fetchrow", statement, statement.arguments(params))
        return None if record is None else statement.decode(record)

    async def one(self, statement: Statement[T], **params: Any) -> T:
        """The row.

        Raises:
            RowNotFound: there is none.
        """
        row = await self.find(statement, **params)
        if row is None:
            raise RowNotFound
        return row

    async def many(self, statement: Statement[T], **params: Any) -> list[T]:
        """Every row; the statement bounds how many there can be."""
        arguments = statement.arguments(params)
        if self._writes:
            connection = await self._in_transaction()
            records = await connection.ask("fetch", statement.sql, arguments)
        else:
            records = await self._alone("fetch", statement, arguments)
        return [statement.decode(record) for record in records]

    async def stream(self, statement: Statement[T], **params: Any) -> AsyncIterator[T]:
        """Rows one by one, all as they stood when the first was read; for what does not fit into
        memory. Opens the unit's transaction."""
        connection = await self._in_transaction()
        await self._begin(connection)
        prepared = await connection.raw.prepare(statement.sql)
        async for record in prepared.cursor(*statement.arguments(params), prefetch=50):
            yield statement.decode(record)

    async def _alone(self, method: str, statement: Statement[Any], arguments: list[Any]) -> Any:
        """One statement in the implicit transaction that its binding opens."""
        pool, prelude = self._pool, self._prelude
        connection = await pool.acquire(prelude.role)
        transport = connection.transport
        binding = connection.binding(prelude)
        transport.arm(binding.key if statement.by_key else binding.bind, once=False)
        try:
            try:
                result = await connection.ask(method, statement.sql, arguments)
            except asyncpg.InvalidCachedStatementError:  # a migration; with the shared one now
                result = await getattr(connection.raw, method)(statement.sql, *arguments)
        except asyncpg.PostgresError:
            transport.disarm()
            pool.release(connection)
            raise
        except BaseException:
            pool.discard(connection)
            raise
        transport.disarm()
        pool.release(connection)
        return result

    # Writing

    async def execute(self, statement: Statement[Any], **params: Any) -> int:
        """Run a statement; the number of rows that it touched."""
        connection = await self._in_transaction()
        arguments = statement.arguments(params)
        if arguments:
            status = await connection.ask("execute", statement.sql, arguments)
        else:  # asyncpg would send it as plain text, which can be several statements
            prepared = await connection.raw.prepare(statement.sql)
            await prepared.fetch()
            status = prepared.get_statusmsg()
        count = status.rpartition(" ")[2]
        return int(count) if count.isdigit() else 0

    async def execute_many(self, statement: Statement[Any], rows: Iterable[dict[str, Any]]) -> None:
        """Run a statement once per row, pipelined."""
        if arguments := [statement.arguments(row) for row in rows]:
            connection = await self._in_transaction()
            await connection.ask("executemany", statement.sql, [arguments])

    async def run_script(self, script: str) -> None:
        """Run reviewed SQL (a migration, a binding) as one message. Never text from a request: it
        may be several statements. Should it happen, nobody else gets the connection afterwards."""
        connection = await self._in_transaction()
        if self._prelude.sealed:
            await self._begin(connection)
            connection.spent = connection.spent or not _TRANSIENT.fullmatch(script)
        elif connection.transport.armed is not None:
            connection.transport.disarm()
            script = self._prelude.script + script
        if connection.raw.get_server_version()[:1] < _KNOWS_STORAGE:
            script = _STORAGE.sub("", script)
        connection.scripts += 1
        await connection.raw.execute(script)

    async def bare(self) -> asyncpg.Connection:
        """The driver's connection, inside of the transaction: for whoever reads or writes tables
        that no class speaks of. Never for text from a request."""
        connection = await self._in_transaction()
        await self._begin(connection)
        connection.spent = connection.spent or self._prelude.sealed
        return connection.raw

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """What is inside can fail without failing the request's transaction."""
        connection = await self._in_transaction()
        await self._begin(connection)
        # Not asyncpg's: it refuses inside a transaction that it did not begin itself. Savepoints of
        # one name may be nested, the innermost is meant.
        await connection.raw.execute("SAVEPOINT insula")
        try:
            yield
        except Exception:
            await connection.raw.execute("ROLLBACK TO insula; RELEASE insula")
            raise
        await connection.raw.execute("RELEASE insula")

    def keep(self) -> None:
        """Commit even if the answer is an error: for counters that security rests on."""
        self._kept = True

    # The edge: called by the gate, and by jobs and commands

    @property
    def capabilities(self) -> Capabilities:
        """What tenants of this database are sealed with.

        Raises:
            RuntimeError: the :class:`Database` was made without.
        """
        if self._capabilities is None:
            raise RuntimeError("Database(…, Capabilities(settings.secret_key)) binds tenants")
        return self._capabilities

    @property
    def database(self) -> "Database":
        """Where it comes from: for transactions beside this one.

        Raises:
            RuntimeError: it was made by hand.
        """
        if self._database is None:
            raise RuntimeError("Database.work() makes a Work that knows its database")
        return self._database

    @property
    def is_open(self) -> bool:
        return self._connection is not None

    @property
    def is_kept(self) -> bool:
        """Whether it is committed even if the answer is an error."""
        return self._kept

    async def finish(self, *, success: bool) -> None:
        """Commit or roll back, and give the connection back.

        Raises:
            asyncpg.PostgresError: the commit failed; nothing was written.
        """
        connection, self._connection = self._connection, None
        if connection is None:
            return
        connection.transport.disarm()
        begun, self._begun = self._begun, False
        if not begun:
            self._pool.release(connection)
        elif success or self._kept:
            await self._commit(connection)
        else:
            await self._roll_back(connection)

    async def _commit(self, connection: Connection) -> None:
        try:
            done = await connection.raw.execute("COMMIT")
        except asyncpg.PostgresError:
            self._pool.release(connection)
            raise
        except BaseException:
            self._pool.discard(connection)
            raise
        self._pool.release(connection)
        if done != "COMMIT":  # PostgreSQL's answer where a statement failed and nobody minded
            raise asyncpg.InFailedSQLTransactionError("a failed transaction cannot be committed")

    async def _roll_back(self, connection: Connection) -> None:
        """Never fails: without its connection, a transaction is rolled back as well."""
        try:
            await connection.raw.execute("ROLLBACK")
        except Exception:
            self._pool.discard(connection)
        except BaseException:
            self._pool.discard(connection)
            raise
        else:
            self._pool.release(connection)

    def abandon(self) -> None:
        """Drop the connection, and with it the transaction, without waiting (cancellation)."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._pool.discard(connection)

    async def _in_transaction(self) -> Connection:
        connection = self._connection
        if connection is None:
            connection = await self._pool.acquire(self._prelude.role)
            self._connection = connection
            self._begun = True
            # BEGIN and the binding travel ahead of the first statement, in the same packet.
            prelude = self._prelude
            connection.transport.arm(connection.binding(prelude).begin, once=True)
        return connection

    async def _begin(self, connection: Connection) -> None:
        """Send the waiting BEGIN now (before a statement that asyncpg sends as plain text)."""
        if connection.transport.armed is not None:
            await connection.raw.fetchval("SELECT 1")


class Database:
    """Hands out units of work; one per process. ``pools`` are the buckets', or make a bucket's when
    it is first asked for. Without ``capabilities`` no tenant can be bound or built. ``kin`` are the
    pools whose databases lie on the same server as pool 0's."""

    def __init__(
        self,
        pools: Sequence[Pool] | Callable[[int], Pool],
        capabilities: Capabilities | None = None,
        kin: Set[int] = frozenset(),
    ) -> None:
        self._kin = kin
        self._make = pools if callable(pools) else pools.__getitem__
        self._pools: dict[int, Pool] = {}
        self._capabilities = capabilities

    def work(self, bucket: int, prelude: Prelude, *, writes: bool) -> Work:
        pool = self._pools.get(bucket)
        if pool is None:
            pool = self._pools[bucket] = self._make(bucket)
        work = Work(pool, prelude, writes=writes, capabilities=self._capabilities, database=self)
        if not prelude.ready:
            prelude.unseal(work.capabilities)
        return work

    def shares_log(self, bucket: int) -> bool:
        """Whether that pool's database writes the same log as pool 0's: what is committed there is
        then on the disk as soon as what pool 0 commits afterwards is. Not known, and False, before
        the pool has opened a connection."""
        return bucket in self._kin

    @asynccontextmanager
    async def transaction(self, bucket: int, prelude: Prelude) -> AsyncIterator[Work]:
        """A transaction outside a request: jobs, commands, streams."""
        work = self.work(bucket, prelude, writes=True)
        try:
            yield work
        except BaseException as error:
            if isinstance(error, Exception):
                await work.finish(success=False)
            else:
                work.abandon()
            raise
        await work.finish(success=True)

    async def close(self) -> None:
        for pool in self._pools.values():
            await pool.close()
