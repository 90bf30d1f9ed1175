"""Many things at once, each of which may be refused without the others."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from insula.db import RowNotFound, Work
from insula.http.conditional import etag_of
from insula.http.errors import to_problem
from insula.http.problem import FieldError, InvalidInput, Problem

from insula_tenants.tasks.schemas.around import BulkItem, BulkReport, BulkResult
from insula_tenants.tasks.service import completing, moving, tasks

_NEEDS = {"create": "new", "update": "change", "move": "move"}
_Do = Callable[[Work, BulkItem, UUID, str | None], Awaitable[Any]]


async def run(tx: Work, items: list[BulkItem], user_id: UUID) -> BulkReport:
    """Do each item, in order; what one does the next one sees."""
    results = [await _attempt(tx, item, user_id) for item in items]
    refused = sum(result.problem is not None for result in results)
    return BulkReport(len(results) - refused, refused, results)


async def _attempt(tx: Work, item: BulkItem, user_id: UUID) -> BulkResult:
    try:
        async with tx.savepoint():
            task = await _do(tx, item, user_id)
    except (Problem, RowNotFound, asyncpg.DataError) as error:
        problem = to_problem(error)
        return BulkResult(problem.status, problem=msgspec.json.decode(problem.body()))
    status = {"create": 201, "delete": 204}.get(item.action, 200)
    return BulkResult(status, task=task)


async def _do(tx: Work, item: BulkItem, user_id: UUID) -> Any:
    _check(item)
    if item.action == "create":
        assert item.new is not None
        return await tasks.create(tx, item.new, user_id)
    match = None if item.version is None else etag_of(item.version)
    return await _ACTIONS[item.action](tx, item, user_id, match)


def _check(item: BulkItem) -> None:
    faults = []
    if item.action == "create":
        if item.task_id is not None:
            faults.append(FieldError("/task_id", "is not known before the task is made"))
    elif item.task_id is None:
        faults.append(FieldError("/task_id", "is missing"))
    for action, field in _NEEDS.items():
        given = getattr(item, field) is not None
        if given != (action == item.action):
            word = "does not belong to this action" if given else "is missing"
            faults.append(FieldError(f"/{field}", word))
    if faults:
        raise InvalidInput(errors=tuple(faults))


async def _update(tx: Work, item: BulkItem, user_id: UUID, match: str | None) -> Any:
    assert item.change is not None
    return await tasks.update(tx, _id(item), item.change, user_id, match)


async def _move(tx: Work, item: BulkItem, user_id: UUID, match: str | None) -> Any:
    assert item.move is not None
    return await moving.move(tx, _id(item), item.move, user_id, match)


async def _complete(tx: Work, item: BulkItem, user_id: UUID, match: str | None) -> Any:
    return await completing.complete(tx, _id(item), user_id, match)


async def _reopen(tx: Work, item: BulkItem, user_id: UUID, match: str | None) -> Any:
    return await completing.reopen(tx, _id(item), user_id, match)


async def _delete(tx: Work, item: BulkItem, user_id: UUID, match: str | None) -> Any:
    await tasks.delete(tx, _id(item), user_id, match)


def _id(item: BulkItem) -> UUID:
    assert item.task_id is not None
    return item.task_id


_ACTIONS: dict[str, _Do] = {
    "update": _update,
    "move": _move,
    "complete": _complete,
    "reopen": _reopen,
    "delete": _delete,
}
