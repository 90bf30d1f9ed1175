"""Statements that a connection keeps prepared for one tenant alone.

PostgreSQL analyses and plans a prepared statement again whenever it is executed under another role
or search path than the time before. On a connection that serves hundreds of tenants that is nearly
every time, and takes several times as long as a row by its key (docs/adr/0006). Here a tenant
that asks again for what it has asked for before gets the statement prepared for itself, which then
finds its plan as it left it.

What is remembered is bounded, in the backend and here. Where more is in use than there is room for,
keeping the newest would mean to prepare everything anew and use nothing twice; so only one newcomer
in a few takes the place of what was not used for longest, and the others share one statement.
"""

from collections import OrderedDict

import asyncpg
from asyncpg.prepared_stmt import PreparedStatement

_TURNED_AWAY = 7
"""Newcomers for each that is let in when there is no room left."""

_REMEMBERED = 4
"""Times as many are remembered to have been asked for once."""

_Key = tuple[str, str]


class TenantStatements:
    """At most ``size`` of them, by role and SQL text, of one connection."""

    __slots__ = ("_asked", "_kept", "_raw", "_size", "_turned_away")

    def __init__(self, raw: asyncpg.Connection, *, size: int) -> None:
        self._raw = raw
        self._size = size
        self._kept: OrderedDict[_Key, PreparedStatement] = OrderedDict()
        self._asked: OrderedDict[_Key, None] = OrderedDict()
        """What was asked for once and is not kept."""
        self._turned_away = 0

    def __len__(self) -> int:
        return len(self._kept)

    async def get(self, role: str, sql: str) -> PreparedStatement | None:
        """The tenant's own, prepared now if it is time to, or None; the binding has to be armed.

        Raises:
            asyncpg.PostgresError: PostgreSQL does not take the statement.
        """
        key = role, sql
        if (kept := self._kept.get(key)) is not None:
            if len(self._kept) > self._size * 3 // 4:  # before that, nothing goes for long
                self._kept.move_to_end(key)
            return kept
        if not self._admits(key):
            return None
        while len(self._kept) >= self._size:
            self._kept.popitem(last=False)  # asyncpg closes what nobody refers to …
        # … unless the text is in its own cache as well. This one also tells the operator whose
        # statement it is, in pg_stat_activity and in PostgreSQL's log.
        prepared = self._kept[key] = await self._raw.prepare(f"{sql} /* {role} */")
        return prepared

    def drop(self, role: str, sql: str) -> None:
        """It has become invalid; the tenant's next one is prepared anew."""
        self._kept.pop((role, sql), None)
        self._asked[role, sql] = None

    def _admits(self, key: _Key) -> bool:
        if key not in self._asked:
            self._asked[key] = None
            if len(self._asked) > _REMEMBERED * self._size:
                self._asked.popitem(last=False)
            return False
        if len(self._kept) >= self._size:
            self._turned_away = (self._turned_away + 1) % (_TURNED_AWAY + 1)
            if self._turned_away:
                return False
        del self._asked[key]
        return self._size > 0
