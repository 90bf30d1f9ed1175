"""A note's title, and files whose text says it.

A file's title is that of its front matter, else its first heading of level 1, else its name. Notes
keep the title in a column of its own; ``file_text`` writes it into the front matter only where the
file would not say it anyway. So an untouched file comes out as it went in, and an exported vault
imported again has the same titles.
"""

import posixpath
import re
from unicodedata import category

from insula.markdown.front_matter import Properties, read_properties, split_text

from insula_tenants.notes.front_matter_edit import with_title

TITLE_LIMIT = 300
"""Characters of a title; longer ones are cut."""
_UNTITLED = "Untitled"


def clean_title(written: str) -> str:
    """A title on one line, without control characters; empty where nothing is left."""
    line = " ".join(written.split())
    return "".join(sign for sign in line if category(sign) not in {"Cc", "Cs"})[
        :TITLE_LIMIT
    ].strip()


def title_of(properties: Properties, heading: str, path: str | None) -> str:
    """The title that a file at ``path`` has by itself; ``heading`` is its outline's."""
    stem = posixpath.splitext(posixpath.basename(path or ""))[0]
    named = (clean_title(name) for name in (properties.title, heading, stem))
    return next((name for name in named if name), _UNTITLED)


def file_text(front_matter: str, body: str, *, title: str, heading: str, path: str) -> str:
    """The text of the file at ``path`` for a note: front matter and body, saying ``title``."""
    newline = newline_of(body)
    if title_of(read_properties(front_matter), heading, path) != title:
        front_matter = with_title(front_matter, title, newline)
    elif not front_matter.strip("\ufeff") and split_text(front_matter + body)[1] != body:
        front_matter += f"---{newline}---{newline}"  # or the body's own start would be taken for it
    if body and front_matter.strip("\ufeff") and not front_matter.endswith(("\n", "\r")):
        front_matter += newline  # its file ended with the fence
    return front_matter + body


def newline_of(text: str) -> str:
    """How the lines of ``text`` end, by its first one; a line feed where there is just one line."""
    found = re.search(r"\r\n|\n|\r", text)
    return found[0] if found else "\n"
