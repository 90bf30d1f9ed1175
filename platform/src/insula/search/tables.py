"""The words that a tenant's searchable rows have had.

The functions that fold, stem and compare them are in ``migrations_core/0007_search.sql``.
"""

from sqlalchemy import BigInteger, Identity, Index
from sqlalchemy.orm import Mapped, mapped_column

from insula.db import TenantTable
from insula.db.marks import SHORT, stays


class SearchWord(TenantTable):
    """A word, written by the trigger of each searchable table. Some may be here twice: writers
    that learn the same word at the same time don't wait for each other."""

    __tablename__ = "search_words"
    __table_args__ = (
        Index("ix_search_words_trigrams", "trigrams", postgresql_using="gin"),
        {"info": stays() | SHORT},  # the triggers of the tables that are loaded write it again
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    word: Mapped[str] = mapped_column(index=True)
    trigrams: Mapped[list[str]]
