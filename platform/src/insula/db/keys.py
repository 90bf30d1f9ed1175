"""Which statements read one row by a unique key.

For those the plan is the same whatever the values are: the key's index. So PostgreSQL need not plan
them five times with their values before it dares to keep one plan for all
(``plan_cache_mode``, PostgreSQL manual, "Prepared statements").
"""

from collections.abc import Iterator

from sqlalchemy import BindParameter, Column, FromClause, Select, Table, UniqueConstraint
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.elements import BinaryExpression, BooleanClauseList, ColumnElement


def is_by_key(expression: Executable) -> bool:
    """Whether it selects from one table, without another SELECT inside, where the columns of a
    primary key or a unique constraint equal parameters."""
    if not isinstance(expression, Select) or expression.whereclause is None:
        return False
    given = list(_equal(expression.whereclause))
    if not any(_are_key_of(column.table, given) for column in given):
        return False
    inside = (part for part in visitors.iterate(expression) if part is not expression)
    if any(isinstance(part, Select) for part in inside):
        return False
    match expression.get_final_froms():  # which compiles it, so it is asked last
        case [Table() as table]:
            return _are_key_of(table, given)
        case _:
            return False


def _are_key_of(table: FromClause, columns: list[Column[object]]) -> bool:
    names = {column.name for column in columns if column.table is table}
    return isinstance(table, Table) and any(key and key <= names for key in _keys(table))


def _keys(table: Table) -> Iterator[set[str]]:
    for constraint in table.constraints:
        if constraint is table.primary_key or isinstance(constraint, UniqueConstraint):
            yield {column.name for column in constraint.columns}


def _equal(clause: ColumnElement[bool]) -> Iterator[Column[object]]:
    """Columns that have to equal a parameter."""
    if isinstance(clause, BooleanClauseList) and clause.operator is operators.and_:
        for part in clause.clauses:
            yield from _equal(part)
    elif (
        isinstance(clause, BinaryExpression)
        and clause.operator is operators.eq
        and isinstance(clause.left, Column)
        and isinstance(clause.right, BindParameter)
    ):
        yield clause.left
