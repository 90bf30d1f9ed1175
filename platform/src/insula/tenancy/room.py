"""Whether there is room for more tenants, and what to do when there is not.

A cell that is full gets tenants all the same, as long as no other has room: a sign-up is never
refused for that. So somebody has to be told.
"""

from typing import Any

import structlog

from insula.db import Database
from insula.tenancy.cells import CATALOGUE_PRELUDE, HOME
from insula.tenancy.joining import CellLine, list_cells

log = structlog.get_logger("insula.cells")

_NEARLY = 0.9
_WHAT_TO_DO = "`insula cells add NAME --here` makes room (docs/guides/operating.md)"


def shortage(lines: list[CellLine]) -> str:
    """What the operator is to be told of the cells; empty while there is room."""
    taking = [line for line in lines if line.state == "open"]
    tenants = sum(min(line.tenants, line.capacity) for line in taking)
    capacity = sum(line.capacity for line in taking)
    if tenants < _NEARLY * capacity:
        return ""
    if not taking:
        return f"no cell is open, so new tenants go to home: {_WHAT_TO_DO}"
    how = "full" if tenants >= capacity else f"{tenants / capacity:.0%} full"
    which = ", ".join(f"{line.name} {line.tenants:,} of {line.capacity:,}" for line in taking)
    return f"cells that take new tenants are {how} ({which}): {_WHAT_TO_DO}"


async def look_for_room(services: dict[str, Any]) -> None:
    """The cron: warn in the log."""
    catalogue: Database = services["catalogue"]
    lines = await list_cells(catalogue.work(HOME, CATALOGUE_PRELUDE, writes=False))
    if found := shortage(lines):
        log.warning("little room for new tenants", what=found)
