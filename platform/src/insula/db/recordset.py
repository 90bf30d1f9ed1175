"""Many rows for one statement, where :meth:`Work.execute_many` would run it once for each."""

from typing import Any

from sqlalchemy import TableValuedAlias, bindparam, column, func
from sqlalchemy.dialects.postgresql import JSONB


def recordset(name: str, **columns: Any) -> TableValuedAlias:
    """What to select from in a statement that takes ``rows``, a list of dicts with these columns of
    these types::

        done = recordset("done", id=Uuid, status=Text)
        SETTLE = Statement(update(Row).where(Row.id == done.c.id).values(status=done.c.status))
        await tx.execute(SETTLE, rows=[{"id": …, "status": …}])

    Values travel as JSON, so text may hold no NUL.
    """
    declared = [column(key, kind) for key, kind in columns.items()]
    rows = func.jsonb_to_recordset(bindparam("rows", type_=JSONB))
    return rows.table_valued(*declared, name=name).render_derived(name=name, with_types=True)
