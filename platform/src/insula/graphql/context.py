"""What resolvers are given: ``info.context``."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

import strawberry
from strawberry.dataloader import DataLoader

from insula.db import Statement, Work
from insula.graphql.told import Told
from insula.http.authority import require_right
from insula.http.exchange import Caller, Exchange
from insula.http.problem import Unauthenticated, Unavailable
from insula.i18n import say
from insula.tenancy.errors import ModuleDisabled
from insula.tenancy.tenant import Tenant

T = TypeVar("T")
Load = Callable[["Context", list[UUID]], Awaitable[Sequence[Any]]]
"""Reads things by their ids, in any order; what is not there, or not to be seen by who asks, is
left out."""

_READS_AT_ONCE = 4
"""Statements of one request that run side by side: more would take others' connections."""


class SharedWork(Work):
    """A unit of work for resolvers that run side by side: they take turns."""

    __slots__ = ("_turns", "_work")

    def __init__(self, work: Work, at_once: int) -> None:
        self._work = work
        self._turns = asyncio.Semaphore(at_once)

    async def find(self, statement: Statement[T], **params: Any) -> T | None:
        async with self._turns:
            return await self._work.find(statement, **params)

    async def peek(self, statement: Statement[T], **params: Any) -> T | None:
        async with self._turns:
            return await self._work.peek(statement, **params)

    async def many(self, statement: Statement[T], **params: Any) -> list[T]:
        async with self._turns:
            return await self._work.many(statement, **params)

    async def stream(self, statement: Statement[T], **params: Any) -> AsyncIterator[T]:
        async with self._turns:
            async for row in self._work.stream(statement, **params):
                yield row

    async def execute(self, statement: Statement[Any], **params: Any) -> int:
        async with self._turns:
            return await self._work.execute(statement, **params)

    async def execute_many(self, statement: Statement[Any], rows: Iterable[dict[str, Any]]) -> None:
        async with self._turns:
            await self._work.execute_many(statement, rows)

    async def run_script(self, script: str) -> None:
        async with self._turns:
            await self._work.run_script(script)

    def savepoint(self) -> Any:
        return self._work.savepoint()

    def keep(self) -> None:
        self._work.keep()


class Context:
    """One operation. ``services`` are those that handlers ask for by name."""

    def __init__(
        self,
        work: Work,
        exchange: Exchange,
        services: Mapping[str, Any],
        *,
        writes: bool,
        privileged: frozenset[str] = frozenset(),
    ) -> None:
        self.tx: Work = SharedWork(work, 1 if writes else _READS_AT_ONCE)
        self.exchange = exchange
        self.services = services
        self._privileged = privileged
        self._loaders: dict[Load, DataLoader[UUID, Any]] = {}

    @property
    def tenant(self) -> Tenant:
        assert self.exchange.tenant is not None  # or the route had not been called
        return self.exchange.tenant

    @property
    def visitor(self) -> Caller | None:
        """Who asks, where nobody has to be signed in."""
        return self.exchange.caller

    @property
    def caller(self) -> Caller:
        """Who asks.

        Raises:
            Unauthenticated: somebody who is not signed in.
        """
        if self.exchange.caller is None:
            raise Unauthenticated
        return self.exchange.caller

    def require(self, right: str, module: str | None = None) -> None:
        """Hold a right against the caller, as in front of a REST route.

        Raises:
            ModuleDisabled, Unauthenticated, Forbidden, Unavailable: it may not be used.
        """
        require_right(self.exchange.caller, right)
        verdict = self.exchange.verdict
        if right in self._privileged and verdict is not None and verdict.down:
            raise Unavailable("Revocations cannot be checked right now, so this right is closed.")
        if module is not None and module not in self.tenant.modules:
            raise ModuleDisabled(
                say("{module} is off: PUT /api/v1/modules/{module} switches it on.", module=module)
            )

    def watch(self, channel: str) -> AsyncIterator[Told]:
        """What a live channel says, for resolvers of subscriptions: its state first, then each
        event. Whoever may not watch it is told so by a problem."""
        told: AsyncIterator[Told] = self.services["graph"].watch(self.exchange, channel)
        return told

    def forget(self) -> None:
        """Read anew what is asked for from now on."""
        self._loaders.clear()

    async def load(self, load: Load, key: UUID | None) -> Any:
        """One thing by its id, read together with all others that are asked for meanwhile; None if
        there is none."""
        if key is None:
            return None
        if load not in self._loaders:
            self._loaders[load] = DataLoader(load_fn=self._batch(load), max_batch_size=500)
        return await self._loaders[load].load(key)

    def _batch(self, load: Load) -> Callable[[list[UUID]], Awaitable[list[Any]]]:
        async def batch(keys: list[UUID]) -> list[Any]:
            found = {row.id: row for row in await load(self, keys)}
            return [found.get(key) for key in keys]

        return batch


Info = strawberry.Info[Context, None]
"""The type of a resolver's ``info``."""
