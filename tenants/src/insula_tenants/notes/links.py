"""Links between notes: how they are written and what they lead to.

A link names its target the way people do: by title, by file name, by the end of a path, by an
alias. Both sides are folded to keys (``link_key``, ``note_keys``), so that finding backlinks is
one comparison of strings; case and Unicode composition make no difference.
"""

import posixpath
from typing import Literal

import msgspec
from insula.archives.names import fold
from insula.markdown.wikilinks import MARKDOWN_SUFFIX

TARGET_LIMIT = 500
"""Characters of a target; a longer one leads nowhere and is left out."""

LinkKind = Literal["wikilink", "embed", "markdown"]


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A link from a note to another one, which may not exist (yet)."""

    kind: LinkKind
    target: str
    """As written, without heading; empty where the link stays in its own note."""
    heading: str
    """What follows the ``#``: a heading, or ``^`` and the name of a block."""
    text: str
    line: int
    """1-based line of the body."""


def link_key(link: Link, path: str | None = None) -> str:
    """The key by which ``link``, in the note stored at ``path``, finds its target.

    A Markdown link is relative to its own file, or to the vault when it starts with a slash.
    Empty where it leads to no note.
    """
    target = link.target
    if link.kind == "markdown":
        folder = posixpath.dirname(path or "")
        target = posixpath.normpath(posixpath.join("/", folder, target))
    return fold(MARKDOWN_SUFFIX.sub("", target.strip("/")))


def note_keys(path: str | None, title: str, aliases: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Every key that leads to a note, the most certain first.

    ``work/2024/Plan.md`` is found as ``work/2024/plan``, ``2024/plan`` and ``plan``.
    """
    parts = MARKDOWN_SUFFIX.sub("", path or "").split("/")
    names = ["/".join(parts[start:]) for start in range(len(parts))]
    keys = dict.fromkeys(fold(name) for name in (*names, title, *aliases))
    return tuple(key for key in keys if key)
