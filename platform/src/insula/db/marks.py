"""What a table class says of its columns to those who carry a tenant elsewhere, and to those who
erase a person.

They go into SQLAlchemy's ``info``, of a column or of a table (``__table_args__``), and are joined
with ``|``::

    author_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), info=person("content"))
    bio: Mapped[str | None] = mapped_column(info=personal(of="author_id"))

``tests/architecture`` asks for one on each column that speaks of a person.
"""

from typing import Any, Literal

import msgspec

Mark = dict[str, Any]

Erasing = Literal["keep", "clear", "delete", "content"]
"""What becomes of a row that refers to a user who is erased:

* ``keep``: it stays, and refers to a user who has no name any more;
* ``clear``: it stays and refers to nobody (NULL, or one fewer in an array);
* ``delete``: it goes: it was about this person only;
* ``content``: something the person has written, which stays or goes as whoever erases says.
"""


class Personal(msgspec.Struct, frozen=True):
    """Something about the user whose id the same row has in the column ``of``."""

    of: str
    blank: str
    """SQL that takes its place."""


class Stays(msgspec.Struct, frozen=True):
    """What belongs to this installation and is not carried into another."""

    filled: str | None = None
    """SQL over the archive's row ``r`` for what comes in its place; None: the column's default."""


def stays(filled: str | None = None) -> Mark:
    """A table or a column that no archive has."""
    return {"stays": Stays(filled)}


def carried_where(condition: str) -> Mark:
    """Of a table: which of its rows an archive has, in SQL."""
    return {"carried_where": condition}


def person(erasing: Erasing) -> Mark:
    """A column that refers to a user, and what becomes of its row without them."""
    return {"person": erasing}


def personal(*, of: str, blank: str = "NULL") -> Mark:
    """A column that says something about the user in the column ``of``."""
    return {"personal": Personal(of, blank)}


IMPERSONAL: Mark = {"impersonal": True}
"""Of a column that is named as if it spoke of a person and does not."""
