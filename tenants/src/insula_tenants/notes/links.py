"""Links between notes: how they are written and what they lead to.

A link names its target the way people do: by title, by file name, by the end of a path, by an
alias. Both sides are folded to keys (``link_key``, ``note_keys``), so that finding backlinks is
one comparison of strings; case and Unicode composition make no difference.
"""

import posixpath
import re
from typing import Literal
from unicodedata import normalize
from urllib.parse import unquote

import msgspec

TARGET_LIMIT = 500
"""Characters of a target; a longer one leads nowhere and is left out."""
_KEY_LIMIT = 500
"""Characters of a key: with four bytes each it still fits into a B-tree's page."""
_MARKDOWN_SUFFIX = re.compile(r"\.(?:md|markdown)$", re.IGNORECASE)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:|//", re.IGNORECASE)

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


def wikilink_target(inner: str) -> tuple[str, str]:
    """Target and heading of what stands in ``[[…]]`` before the bar."""
    target, _, heading = inner.partition("#")
    return target.strip(), heading.strip()


def markdown_target(href: str) -> tuple[str, str] | None:
    """Target and heading of a relative Markdown link to a Markdown file; None for any other."""
    path, _, heading = href.partition("#")
    path = unquote(path)
    if _SCHEME.match(path) or not _MARKDOWN_SUFFIX.search(path):
        return None
    return path, unquote(heading)


def embed_text(target: str, label: str) -> str:
    """What stands for ``![[target|label]]``; a label of digits is the width of an image."""
    return label.strip() if label.strip(" 0123456789x") else target


def link_key(link: Link, path: str | None = None) -> str:
    """The key by which ``link``, in the note stored at ``path``, finds its target.

    A Markdown link is relative to its own file, or to the vault when it starts with a slash.
    Empty where it leads to no note.
    """
    target = link.target
    if link.kind == "markdown":
        folder = posixpath.dirname(path or "")
        target = posixpath.normpath(posixpath.join("/", folder, target))
    return fold(_MARKDOWN_SUFFIX.sub("", target.strip("/")))


def note_keys(path: str | None, title: str, aliases: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Every key that leads to a note, the most certain first.

    ``work/2024/Plan.md`` is found as ``work/2024/plan``, ``2024/plan`` and ``plan``.
    """
    parts = _MARKDOWN_SUFFIX.sub("", path or "").split("/")
    names = ["/".join(parts[start:]) for start in range(len(parts))]
    keys = dict.fromkeys(fold(name) for name in (*names, title, *aliases))
    return tuple(key for key in keys if key)


def fold(name: str) -> str:
    """Same for all spellings of a name that a person takes for the same."""
    folded = normalize("NFC", normalize("NFC", name).casefold())
    return " ".join(folded.split())[:_KEY_LIMIT].rstrip()
