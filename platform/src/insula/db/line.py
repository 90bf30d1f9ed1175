"""Those who wait for a pool's connection."""

import asyncio

from insula.db.connection import Connection


class Waiter:
    """What comes of it is a connection, or None: room to open one."""

    __slots__ = ("future", "place", "role")

    def __init__(self, role: str, place: Connection | None) -> None:
        self.role = role
        self.place = place
        """The only one that will do, for now."""
        self.future: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()

    def give(self, connection: Connection | None) -> None:
        self.future.set_result(connection)

    def refuse(self, error: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class Line:
    """In the order in which they came."""

    def __init__(self) -> None:
        self._waiting: dict[Waiter, None] = {}

    def join(self, waiter: Waiter) -> None:
        self._waiting[waiter] = None

    def leave(self, waiter: Waiter) -> None:
        self._waiting.pop(waiter, None)

    def next(self, connection: Connection | None) -> Waiter | None:
        """Whose turn it is now that this one has come back, or there is room to open one."""
        for waiter in self._waiting:
            if waiter.place in (None, connection) and not waiter.future.done():
                del self._waiting[waiter]
                return waiter
        return None

    def forget(self, connection: Connection) -> None:
        """It will not come back: another one will do."""
        for waiter in self._waiting:
            if waiter.place is connection:
                waiter.place = None
