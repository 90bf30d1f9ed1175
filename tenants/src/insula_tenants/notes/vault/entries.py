"""What comes out of a vault, one for each file in it."""

from datetime import datetime

import msgspec

from insula_tenants.notes.links import Link


class VaultNote(msgspec.Struct, frozen=True, kw_only=True):
    """A Markdown file, read. ``front_matter + body`` is its text, exactly."""

    path: str
    """With slashes, relative to the vault, composed as in the source."""
    front_matter: str
    body: str
    html: str
    title: str
    heading: str
    """Of level 1, the first; see ``titles.file_text``."""
    tags: tuple[str, ...]
    """Those of the front matter, then those in the text."""
    links: tuple[Link, ...]
    aliases: tuple[str, ...]
    created: datetime | None
    """By the front matter; file systems do not tell."""
    modified: datetime | None
    """By the front matter, else by the file's own date (a zip's without zone is taken for UTC)."""
    warnings: tuple[str, ...] = ()


class Skipped(msgspec.Struct, frozen=True, kw_only=True):
    """A file that is none of ours to import: hidden, an attachment, a link."""

    path: str
    reason: str


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """A file that should have been a note and could not be read; the others go on."""

    path: str
    reason: str


VaultEntry = VaultNote | Skipped | Refused
