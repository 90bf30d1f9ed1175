"""Which connection of a pool knows which tenant."""

from typing import Final

from insula.db.connection import Connection

_AMPLE: Final = 100
"""Tenants of a connection up to which it takes guests. Each costs it a first touch, and memory for
good, to save one moment of waiting; with few tenants they are soon known everywhere."""


class Places(dict[str, Connection]):
    """Where each tenant was served first, by its role; a connection is the place of ``room``
    tenants at most, if there is another one."""

    def __init__(self, room: int) -> None:
        self.room = room

    def with_room(self, idle: dict[Connection, None]) -> Connection | None:
        """Where a tenant without a place can have one, used as lately as possible."""
        for connection in reversed(idle):
            if connection.homes < self.room:
                return connection
        return None

    def as_guest(self, role: str, idle: dict[Connection, None]) -> Connection | None:
        """Where a tenant whose place is busy has been before, or there is ample room."""
        for connection in reversed(idle):
            if role in connection.tenants or len(connection.tenants) < min(_AMPLE, self.room // 2):
                return connection
        return None

    def seat(self, connection: Connection, role: str) -> Connection:
        """The connection serves this tenant from now on."""
        connection.role = role
        connection.tenants.add(role)
        if role not in self:
            self[role] = connection
            connection.homes += 1
        return connection

    def are_taken(self, connections: int) -> bool:
        """Whether there are as many tenants as so many connections have room for."""
        return len(self) >= connections * self.room

    def forget(self, connection: Connection) -> None:
        """It is closed."""
        for role in connection.tenants:
            if self.get(role) is connection:
                del self[role]

    def is_overfull(self, connection: Connection) -> bool:
        """Whether more tenants than it has room for, and half as many guests, were there."""
        return len(connection.tenants) > 1.5 * self.room
