"""Statements: SQLAlchemy Core expressions, compiled once, executed by asyncpg."""

import re
from collections.abc import Mapping
from types import NoneType
from typing import Any, Generic, TypeVar, overload

import msgspec
from sqlalchemy import BindParameter, bindparam
from sqlalchemy.dialects.postgresql.asyncpg import dialect as asyncpg_dialect
from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.compiler import SQLCompiler

from insula.db.keys import is_by_key

T = TypeVar("T")

_DIALECT = asyncpg_dialect()  # type: ignore[no-untyped-call]

# Everything else (SET, LISTEN, EXPLAIN, DO, COPY …) acts on the session, on other tenants of the
# bucket or on the server; a statement whose text came from outside must not get that far.
_PLAIN = re.compile(
    r"[\s(]*(SELECT|INSERT|UPDATE|DELETE|MERGE|WITH|VALUES|LOCK\s+TABLE)\b", re.IGNORECASE
)


class StatementError(Exception):
    """A statement was written in a way that cannot be compiled once; raised at import."""


class Statement(Generic[T]):
    """A statement whose SQL text is fixed and whose rows become ``into``.

    Built at import, so that a mistake stops the process from starting instead of a request::

        GET = Statement(select(Note.id, Note.title).where(Note.id == bindparam("id")), NoteLine)
        note = await tx.one(GET, id=note_id)

    ``into`` is a :class:`msgspec.Struct` whose fields are the selected columns, in order, or any
    type for a statement of one column. ``in_()`` has no fixed text: write
    ``column == func.any(bindparam("ids", type_=ARRAY(...)))`` instead.
    """

    __slots__ = ("by_key", "construct", "into", "names", "preset", "single", "sql")

    @overload
    def __init__(self: "Statement[None]", expression: Executable) -> None: ...

    @overload
    def __init__(self, expression: Executable, into: type[T]) -> None: ...

    def __init__(self, expression: Executable, into: Any = NoneType) -> None:
        compiled = expression.compile(dialect=_DIALECT)  # type: ignore[attr-defined]
        assert isinstance(compiled, SQLCompiler)
        self.sql = str(compiled)
        if _PLAIN.match(self.sql) is None:
            raise StatementError(f"this is no statement on rows: {self.sql[:100]}")
        if "__[POSTCOMPILE" in self.sql:
            raise StatementError(f"in_() has no fixed text, use = ANY(:array): {self.sql}")
        self.names: tuple[str, ...] = tuple(compiled.positiontup or ())
        self.preset: Mapping[str, Any] = {
            name: value
            for name, value in compiled.params.items()
            if not compiled.binds[name].required
        }
        self.by_key = is_by_key(expression)
        """Whether it reads one row by a unique key: no value of it asks for a plan of its own."""
        self.into: Any = into
        self.single = not (isinstance(into, type) and issubclass(into, msgspec.Struct))
        self.construct: Any = into
        if not self.single:
            self._check_columns(compiled)

    def _check_columns(self, compiled: SQLCompiler) -> None:
        columns = tuple(column.keyname for column in compiled._result_columns)
        fields = tuple(field.name for field in msgspec.structs.fields(self.into))
        if columns != fields[: len(columns)]:
            raise StatementError(
                f"{self.into.__name__} has the fields {fields}, the statement selects {columns}: "
                "name and order must agree"
            )

    def arguments(self, params: Mapping[str, Any]) -> list[Any]:
        """Values in the order of the placeholders.

        Raises:
            KeyError: a parameter is missing.
        """
        if not self.preset:
            return [params[name] for name in self.names]
        merged = {**self.preset, **params}
        return [merged[name] for name in self.names]

    def decode(self, record: Any) -> T:
        """One driver row as ``into``."""
        if self.single:
            return record[0]  # type: ignore[no-any-return]
        return self.construct(*record)  # type: ignore[no-any-return]


def binds(*names: str) -> dict[str, BindParameter[Any]]:
    """Placeholders named like the columns that they fill: ``.values(**binds("id", "name"))``."""
    return {name: bindparam(name) for name in names}
