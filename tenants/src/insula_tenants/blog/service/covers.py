"""Covers that lie among the tenant's files. Whoever may read the article sees its cover."""

from uuid import UUID

from insula.db import RowNotFound, Work
from insula.files.queries import GET_STORED
from insula.files.schemas import Stored
from insula.http.problem import FieldError, InvalidInput

from insula_tenants.blog.schemas import Article


async def require(tx: Work, file_id: UUID) -> None:
    """Make sure that a file can be a cover.

    Raises:
        InvalidInput: there is no such file in the list of files, or it is no image.
    """
    stored = await tx.find(GET_STORED, id=file_id)
    if stored is None or not stored.media_type.startswith("image/"):
        raise InvalidInput(errors=(FieldError("/cover_file_id", "is no image among the files"),))


async def find(tx: Work, article: Article) -> Stored:
    """The file that is an article's cover.

    Raises:
        RowNotFound: it has none, or it was deleted since.
    """
    if article.cover_file_id is None:
        raise RowNotFound
    return await tx.one(GET_STORED, id=article.cover_file_id)
