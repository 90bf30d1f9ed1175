"""What other blogs write and read: WordPress WXR, Ghost JSON, folders of Markdown.

Nothing here touches the database: readers yield items, writers are given them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Literal

from insula_tenants.blog.formats import ghost, markdown, wordpress
from insula_tenants.blog.formats.items import Entry, FormatError

FormatName = Literal["wordpress", "ghost", "markdown"]


@contextmanager
def open_source(name: FormatName, source: Path | BinaryIO) -> Iterator[Iterator[Entry]]:
    """What an export of another blog holds, entry by entry. Blocking: iterate it in a thread.

    Raises:
        FormatError: it is not in this format, or too much; also while it is read.
    """
    if name == "markdown":
        with markdown.open_folder(source) as entries:
            yield entries
        return
    if isinstance(source, Path):
        if source.is_dir():
            raise FormatError("This is a folder; only Markdown is read from one.")
        with source.open("rb") as file:
            yield _read(name, file)
        return
    yield _read(name, source)


def _read(name: FormatName, file: BinaryIO) -> Iterator[Entry]:
    return wordpress.read(file) if name == "wordpress" else ghost.read(file)
