"""Erasing a person (GDPR, article 17): what the marks on the table classes say, table by table.

Names of tables and columns come from the code; the only value is the user's id.
"""

from typing import Any, Literal
from uuid import UUID

import msgspec
from sqlalchemy import ARRAY, Column, Table

from insula.db import TenantTable, Work
from insula.db.marks import Personal, Written
from insula.portability.core_tables import CORE_TABLES
from insula.portability.naming import quoted

Content = Literal["keep", "remove"]


class Erased(msgspec.Struct, omit_defaults=True):
    """What became of a table's rows."""

    deleted: int = 0
    emptied: int = 0
    """Rows that stay, without what they said about the person."""
    unlinked: int = 0
    """Rows that refer to nobody now."""
    kept: int = 0
    """Rows that refer to a user who has no name any more."""
    later: int = 0
    """Rows that go within minutes, when everything that follows the log has read them."""


_ORDER = ("deleted", "emptied", "unlinked", "kept")
"""What is emptied must still say whose it is."""
_PRESENT = """
    SELECT c.relname, array_agg(a.attname::text) FROM pg_class c
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'
    GROUP BY c.relname
"""


async def erase_rows(tx: Work, user_id: UUID, content: Content) -> dict[str, Erased]:
    """Carry out every mark on the tables that this tenant has, of modules that are off as well.
    What was touched, by table."""
    assert CORE_TABLES  # imported: their classes are in the metadata
    connection = await tx.bare()
    present = {name: set(columns) for name, columns in await connection.fetch(_PRESENT)}
    tables = [t for t in TenantTable.metadata.sorted_tables if t.name in present]
    report: dict[str, Erased] = {}
    for kind in _ORDER:
        for table in reversed(tables):  # what refers to others goes first
            for sql in _statements(table, present[table.name], content)[kind]:
                done = await connection.execute(sql, user_id)
                touched = int(done.rpartition(" ")[2])
                erased = report.setdefault(table.name, Erased())
                setattr(erased, kind, getattr(erased, kind) + touched)
    return {name: erased for name, erased in report.items() if erased != Erased()}


def _statements(table: Table, present: set[str], content: Content) -> dict[str, list[str]]:
    """What is done to a table, by the kind of what it does; ``$1`` is the user."""
    found: dict[str, list[str]] = {"deleted": [], "emptied": [], "unlinked": [], "kept": []}
    columns = [column for column in table.columns if column.name in present]
    name = quoted(table.name)
    for column in columns:
        becomes = _becomes(column, content)
        if becomes is None:
            continue
        his, clear = _condition(column)
        blanks = _blanks(columns, column.name, removing=becomes == "empty")
        if becomes == "delete":
            found["deleted"].append(f"DELETE FROM {name} WHERE {his}")
            continue
        if blanks:
            found["emptied"].append(f"UPDATE {name} SET {blanks} WHERE {his}")
        if becomes == "clear":
            found["unlinked"].append(f"UPDATE {name} SET {clear} WHERE {his}")
        elif column.name != "id":
            found["kept"].append(f"SELECT FROM {name} WHERE {his}")
    return found


def _becomes(column: Column[Any], content: Content) -> str | None:
    erasing = column.info.get("person")
    if erasing != "content":
        return erasing
    if content == "keep":
        return "keep"
    assert column.table is not None
    has_answers = any("written" in other.info for other in column.table.columns)
    return "empty" if has_answers else "delete"


def _condition(column: Column[Any]) -> tuple[str, str]:
    """Which rows are the user's, and what takes the user out of them."""
    name = quoted(column.name)
    if isinstance(column.type, ARRAY):
        return f"{name} @> ARRAY[$1::uuid]", f"{name} = array_remove({name}, $1::uuid)"
    return f"{name} = $1::uuid", f"{name} = NULL"


def _blanks(columns: list[Column[Any]], of: str, *, removing: bool) -> str:
    """SET clauses for what the columns say about the user in ``of``."""
    found = []
    for column in columns:
        mark: Personal | Written | None = column.info.get("personal")
        if mark is None and removing:
            mark = column.info.get("written")
        if mark is not None and mark.of == of:
            found.append(f"{quoted(column.name)} = {mark.blank}")
    return ", ".join(found)
