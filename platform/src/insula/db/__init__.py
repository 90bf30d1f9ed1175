"""Data access: what a module author meets first.

1. ``tables.py`` declares typed table classes on :class:`TenantTable`.
2. ``queries.py`` builds :class:`Statement` objects from them once, at import, and says which
   :class:`msgspec.Struct` a row becomes.
3. A route or service receives ``tx: Work``, already bound to the tenant, and calls ``one``,
   ``find``, ``many``, ``execute``, ``page``. The gate commits after the handler.

A statement whose shape varies (a PATCH of some columns) is a function under ``functools.cache``
that returns a :class:`Statement`, so that each shape is compiled once.
"""

from insula.db.recordset import recordset
from insula.db.statement import Statement, StatementError, binds
from insula.db.tables import CatalogueTable, SpoolTable, TenantTable
from insula.db.work import Database, RowNotFound, Work

__all__ = [
    "CatalogueTable",
    "Database",
    "RowNotFound",
    "SpoolTable",
    "Statement",
    "StatementError",
    "TenantTable",
    "Work",
    "binds",
    "recordset",
]
