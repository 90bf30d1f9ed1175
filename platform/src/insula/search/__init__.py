"""Search: full text in every list, and one box over all modules.

A module makes a table searchable by a column, and says what kind of thing its rows are::

    class Article(TenantTable):
        search: Mapped[str] = searchable(A="title", B="body")

    MODULE = Module(…, search=(SearchSource(kind="blog.article", key=Article.id, …),))
"""

from insula.search.columns import searchable
from insula.search.types import CALLER, Only, SearchSource

__all__ = ["CALLER", "Only", "SearchSource", "searchable"]
