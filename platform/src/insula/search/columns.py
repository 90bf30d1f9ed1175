"""The column by which a table can be searched."""

from typing import Any, Final

from sqlalchemy import DDL, Column, Computed, Index, Table, event
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import MappedColumn, mapped_column

LEARN: Final = (
    "CREATE TRIGGER search_learn AFTER INSERT OR UPDATE OF search ON {table} "
    "FOR EACH ROW EXECUTE FUNCTION search_learn()"
)


def searchable(
    *,
    language: str = "en",
    language_column: str | None = None,
    **columns: str,
) -> MappedColumn[Any]:
    """A ``search`` column over the text columns named: the most telling ones ``A``, then ``B``,
    ``C`` and ``D``; several of one weight are separated by blanks. It brings its index, and the
    trigger by which words are remembered for the mending of typing errors::

        search: Mapped[str] = searchable(A="title", B="summary tags_text", C="body")

    Words are found as they are written, whatever their accents, and by their stems in ``language``
    (a BCP 47 tag), or in that which ``language_column`` holds for the row.
    """
    tag = language_column or f"'{language}'"
    parts = [
        f"search_vector('{weight}', {column}, {tag})"
        for weight, names in columns.items()
        for column in names.split()
    ]
    made = mapped_column(
        "search", TSVECTOR, Computed(" || ".join(parts), persisted=True), nullable=False
    )
    event.listen(made.column, "after_parent_attach", _complete)
    return made


def _complete(column: Column[Any], table: Table) -> None:
    Index(f"ix_{table.name}_search", column, postgresql_using="gin")
    event.listen(table, "after_create", DDL(LEARN.format(table=table.name)))  # type: ignore[no-untyped-call]
