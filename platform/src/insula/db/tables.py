"""The base class of every table that lives in a tenant's schema."""

from datetime import datetime
from typing import Any

from sqlalchemy import DateTime, MetaData, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase

# Constraints carry names, so that migrations can drop them and services can tell which one failed.
NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

_TYPES: dict[Any, Any] = {
    str: Text(),
    datetime: DateTime(timezone=True),
    list[str]: ARRAY(Text()),
    dict[str, Any]: JSONB(),
}


class TenantTable(DeclarativeBase):
    """A table that exists once per tenant, in the tenant's own schema.

    Tables carry no schema name: the binding's ``search_path`` supplies it. Text, ``timestamptz``,
    ``text[]`` and ``jsonb`` are what ``str``, ``datetime``, ``list[str]`` and ``dict`` map to.
    """

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = _TYPES


class CatalogueTable(DeclarativeBase):
    """A table of the installation itself, in the schema ``ctl`` that no tenant role can read."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = _TYPES


class SpoolTable(DeclarativeBase):
    """A table that every tenant writes rows of its own to and only the platform reads, in the
    schema ``spool``."""

    metadata = MetaData(naming_convention=NAMING, schema="spool")
    type_annotation_map = _TYPES
