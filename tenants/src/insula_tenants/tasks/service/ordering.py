"""The order of a project's tasks by hand: positions with gaps.

A task that is made gets the time as its position, or what comes behind the last one if that is
farther: it comes last, and needs no lock.
One that is moved gets the middle between its new neighbours, under a lock of the project, so that
two who move at once do not choose the same. Where no number is left between, all are spread anew.
"""

import time
from uuid import UUID

from insula.db import Work
from insula.http.problem import FieldError, InvalidInput

from insula_tenants.tasks.queries import places
from insula_tenants.tasks.schemas.fields import FARTHEST

GAP = 1 << 20
_TICKS_A_MILLISECOND = 1 << 10


def _ticks() -> int:
    return time.time_ns() // 1_000_000 * _TICKS_A_MILLISECOND


async def at_the_end(tx: Work, project_id: UUID, moved: UUID) -> int:
    """Behind all others of the project."""
    last = await tx.find(places.LAST, project_id=project_id, moved=moved)
    return max(_ticks(), (last or 0) + GAP)


async def place(
    tx: Work, project_id: UUID, moved: UUID, *, before: UUID | None, after: UUID | None
) -> int:
    """The position in front of ``before`` or behind ``after``, else behind all. The project is
    locked.

    Raises:
        InvalidInput: the neighbour is not in the project, or both are given.
    """
    if before is not None and after is not None:
        raise InvalidInput(errors=(FieldError("/after", "excludes before"),))
    neighbour = before or after
    if neighbour is None:
        return await at_the_end(tx, project_id, moved)
    if neighbour == moved:
        raise InvalidInput(errors=(FieldError(_name(before), "is the task itself"),))
    found = await _between(tx, project_id, moved, neighbour, ahead=before is not None)
    if found is None:
        await _spread(tx, project_id)
        found = await _between(tx, project_id, moved, neighbour, ahead=before is not None)
    assert found is not None, "what has been spread has gaps"
    return found


async def _between(
    tx: Work, project_id: UUID, moved: UUID, neighbour: UUID, *, ahead: bool
) -> int | None:
    """The middle between the neighbour and whoever is on its other side; None without a gap."""
    here = await tx.find(places.PLACE, project_id=project_id, id=neighbour)
    if here is None:
        raise InvalidInput(
            errors=(FieldError("/before" if ahead else "/after", "is no task of the project"),)
        )
    if await tx.one(places.TIED, project_id=project_id, position=here, id=neighbour):
        return None
    side = places.PREVIOUS if ahead else places.NEXT
    there = await tx.find(side, project_id=project_id, moved=moved, position=here)
    if there is None:
        there = here - 2 * GAP if ahead else here + 2 * GAP
    middle = (here + there) // 2
    return None if middle in (here, there) or abs(middle) > FARTHEST else middle


async def _spread(tx: Work, project_id: UUID) -> None:
    """Give every task a position anew, in the same order, the last one's before now."""
    count = await tx.one(places.COUNT, project_id=project_id)
    first = _ticks() - (count + 1) * GAP
    await tx.execute(places.SPREAD, project_id=project_id, first=first, gap=GAP)


def _name(before: UUID | None) -> str:
    return "/before" if before is not None else "/after"
