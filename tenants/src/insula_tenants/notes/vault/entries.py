"""What comes out of a vault, one for each file in it, and how much a vault may hold."""

from datetime import datetime

import msgspec

from insula_tenants.notes.links import Link
from insula_tenants.notes.markdown import BODY_LIMIT


class VaultRefused(Exception):
    """The vault as a whole can't be read; nothing of it was."""


class VaultLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds on what a vault may cost. What a zip declares is never more than what it unpacks."""

    entries: int = 50_000
    """Files of any kind, and folders that a zip lists."""
    file_bytes: int = 4 * BODY_LIMIT + 4 * 65_536
    """Of one Markdown file: the longest body and front matter, four bytes a character."""
    total_bytes: int = 1 << 30
    """Of all Markdown files, unpacked."""
    ratio: int = 200
    """Unpacked size over packed size, looked at from a megabyte on. Text rarely passes 20."""
    directory_bytes: int = 8 << 20
    """A zip's own table of contents, which is read into memory whole."""


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
