"""The statement behind a list, taken from the route's own :class:`Listing`."""

import asyncio
from types import SimpleNamespace
from typing import Any

from insula.db import Statement
from insula_tenants.notes import queries
from insula_tenants.notes.schemas import NoteLine


class _Recorder:
    """Stands where a unit of work would, and keeps what it is asked to run."""

    statement: Statement[NoteLine]

    async def many(self, statement: Statement[NoteLine], **_: Any) -> list[NoteLine]:
        self.statement = statement
        return []


def list_statement() -> Statement[NoteLine]:
    """What ``GET /api/v1/notes`` runs when it is given no parameters."""
    recorder = _Recorder()
    request = SimpleNamespace(scope={"query_string": b"", "path": "/api/v1/notes"})
    page: Any = queries.LIST.page
    asyncio.new_event_loop().run_until_complete(page(recorder, request))
    return recorder.statement
