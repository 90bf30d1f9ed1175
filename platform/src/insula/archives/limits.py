"""How much an archive or folder may hold."""

import msgspec


class ArchiveRefused(Exception):
    """The archive or folder as a whole can't be read; nothing of it was."""


class ArchiveLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds on what reading one may cost. A zip never unpacks to more than it declares."""

    entries: int = 50_000
    """Files of any kind, and folders that a zip lists."""
    file_bytes: int = 4 * 1_000_000 + 4 * 65_536
    """Of one Markdown file: the longest body and front matter, four bytes a character."""
    total_bytes: int = 1 << 30
    """Of all Markdown files, unpacked."""
    ratio: int = 200
    """Unpacked size over packed size, looked at from a megabyte on. Text rarely passes 20."""
    directory_bytes: int = 8 << 20
    """A zip's own table of contents, which is read into memory whole."""
