"""What a table class says of its columns to those who carry a tenant elsewhere, to those who erase
a person, and to those who make its table.

They go into SQLAlchemy's ``info``, of a column or of a table (``__table_args__``), and are joined
with ``|``::

    author_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), info=person("content"))
    bio: Mapped[str | None] = mapped_column(info=personal(of="author_id"))

A module whose columns speak of a person without one of these marks does not load.
"""

import re
from typing import Any, Literal

import msgspec
from sqlalchemy import Table

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


class Written(msgspec.Struct, frozen=True):
    """Something that the user in the column ``of`` has written, in a row that must not go with it:
    others have answered it."""

    of: str
    blank: str


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


def written(*, of: str, blank: str) -> Mark:
    """A column that is blanked instead of its row being deleted, where ``of`` is ``content``."""
    return {"written": Written(of, blank)}


SHORT: Mark = {"short": True}
"""Of a table: all of its text has an upper limit, and no row is longer than 8,000 bytes. It is then
made without a TOAST table, and the index of one, which would stay empty."""

IMPERSONAL: Mark = {"impersonal": True}
"""Of a column that is named as if it spoke of a person and does not."""

_ABOUT_PEOPLE = re.compile(
    r"(user|author|owner|actor|editor|follower|assignee|member|person|customer|sender)_ids?"
    r"|.*_by|.*e_?mail.*|address|user_agent|phone.*"
)
_MARKS = frozenset({"person", "personal", "written", "impersonal"})


def unmarked(table: Table) -> list[str]:
    """The columns that refer to a user, or are named as if they spoke of one, and have no mark."""
    return [
        column.name
        for column in table.columns
        if not _MARKS & set(column.info)
        and (
            _ABOUT_PEOPLE.fullmatch(column.name)
            or any(_leads_to_user(key.target_fullname, table) for key in column.foreign_keys)
        )
    ]


def _leads_to_user(target: str, table: Table) -> bool:
    """Also by way of a table whose key is a user's id."""
    if target == "users.id":
        return True
    name, _, column = target.partition(".")
    other = table.metadata.tables.get(name)
    return other is not None and other is not table and "person" in other.columns[column].info
