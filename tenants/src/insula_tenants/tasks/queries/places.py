"""Where tasks are: above and below each other, and in which order."""

from uuid import UUID

from insula.db import Statement
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Integer,
    Uuid,
    bindparam,
    func,
    literal_column,
    select,
    update,
)
from sqlalchemy.orm import aliased

from insula_tenants.tasks.tables import Task

_tree = (
    select(Task.id, literal_column("0").label("level"))
    .where(Task.id == bindparam("id"))
    .cte("tree", recursive=True)
)
_child = aliased(Task)
_tree = _tree.union_all(
    select(_child.id, _tree.c.level + 1).join(_tree, _child.parent_id == _tree.c.id)
)
BELOW = Statement(select(_tree.c.id).where(_tree.c.level > 0).limit(10_000), UUID)
HEIGHT = Statement(select(func.coalesce(func.max(_tree.c.level), 0)), int)
_line = (
    select(Task.id, Task.parent_id).where(Task.id == bindparam("id")).cte("line", recursive=True)
)
_up = aliased(Task)
_line = _line.union_all(select(_up.id, _up.parent_id).join(_line, _up.id == _line.c.parent_id))
ABOVE = Statement(select(_line.c.id).where(_line.c.id != bindparam("id")), UUID)
DEPTH = Statement(select(Task.depth).where(Task.id == bindparam("id")), int)
COUNT_CHILDREN = Statement(select(func.count()).where(Task.parent_id == bindparam("id")), int)
COUNT = Statement(select(func.count()).where(Task.project_id == bindparam("project_id")), int)
CARRY = Statement(
    update(Task)
    .where(Task.id == func.any(bindparam("ids", type_=ARRAY(Uuid()))))
    .values(
        project_id=bindparam("project_id"),
        depth=Task.depth + bindparam("deeper", type_=Integer()),
        version=Task.version + 1,
        updated_at=func.now(),
    )
)

_IN_PROJECT = Task.project_id == bindparam("project_id")
_OTHERS = (_IN_PROJECT, Task.id != bindparam("moved"))
LAST = Statement(select(func.max(Task.position)).where(*_OTHERS), int)
PLACE = Statement(select(Task.position).where(Task.id == bindparam("id"), _IN_PROJECT), int)
PREVIOUS = Statement(
    select(func.max(Task.position)).where(*_OTHERS, Task.position < bindparam("position")), int
)
NEXT = Statement(
    select(func.min(Task.position)).where(*_OTHERS, Task.position > bindparam("position")), int
)
TIED = Statement(
    select(func.count()).where(
        _IN_PROJECT, Task.position == bindparam("position"), Task.id != bindparam("id")
    ),
    int,
)
_numbered = (
    select(Task.id, func.row_number().over(order_by=(Task.position, Task.id)).label("number"))
    .where(_IN_PROJECT)
    .subquery("numbered")
)
SPREAD = Statement(
    update(Task)
    .where(Task.id == _numbered.c.id)
    .values(
        position=bindparam("first", type_=BigInteger())
        + _numbered.c.number * bindparam("gap", type_=BigInteger())
    )
)
