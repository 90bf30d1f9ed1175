"""Dictionaries: words that the check takes for right, one user's own and the tenant's."""

import unicodedata
from uuid import UUID

from insula.db import RowNotFound, Statement, Work, binds
from insula.db.ids import new_id
from insula.http.listing import Listing
from sqlalchemy import bindparam, delete, func, or_, select
from sqlalchemy.dialects.postgresql import insert

from insula_tenants.notes.errors import DictionaryFull
from insula_tenants.notes.grammar.schemas import Word
from insula_tenants.notes.tables import NoteWord

MOST = 5000
_COLUMNS = (NoteWord.id, NoteWord.owner_id, NoteWord.word, NoteWord.created_at)
_SEEN = or_(NoteWord.owner_id == bindparam("user_id"), NoteWord.owner_id.is_(None))
LIST = Listing(
    select(*_COLUMNS).where(_SEEN),
    Word,
    key=NoteWord.id,
    sort={"word": NoteWord.word, "created_at": NoteWord.created_at},
    default="word",
)
_KNOWN = Statement(select(func.array_agg(NoteWord.folded)).where(_SEEN), list)
_COUNT = Statement(
    select(func.count()).where(
        NoteWord.owner_id.is_not_distinct_from(bindparam("owner_id", type_=NoteWord.owner_id.type))
    ),
    int,
)
_PUT = Statement(
    insert(NoteWord)
    .values(**binds("id", "owner_id", "word", "folded"))
    .on_conflict_do_update(index_elements=["owner_id", "folded"], set_={"word": bindparam("word")})
    .returning(*_COLUMNS),
    Word,
)
_DELETE = Statement(delete(NoteWord).where(NoteWord.id == bindparam("id"), _SEEN))


def fold(word: str) -> str:
    """The form in which words are compared."""
    return unicodedata.normalize("NFC", word).replace("’", "'").casefold()


async def known_to(tx: Work, user_id: UUID) -> frozenset[str]:
    """The folded words, read ahead of the transaction."""
    return frozenset(await tx.peek(_KNOWN, user_id=user_id) or ())


async def add(tx: Work, word: str, user_id: UUID, *, shared: bool) -> Word:
    """Put a word into one's own dictionary, or everybody's; one that is there stays.

    Raises:
        DictionaryFull: there are too many.
    """
    owner_id = None if shared else user_id
    if await tx.one(_COUNT, owner_id=owner_id) >= MOST:
        raise DictionaryFull
    word = word.strip()
    return await tx.one(_PUT, id=new_id(), owner_id=owner_id, word=word, folded=fold(word))


async def remove(tx: Work, word_id: UUID, user_id: UUID) -> None:
    if await tx.execute(_DELETE, id=word_id, user_id=user_id) == 0:
        raise RowNotFound
