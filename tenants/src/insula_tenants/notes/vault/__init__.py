"""Vaults: folders or zip files of Markdown, as Obsidian and others keep them, in and out.

Nothing here touches the database: ``open_vault`` yields what a vault holds, file by file, and
``ZipWriter`` and ``FolderWriter`` write files that are byte for byte what was read.
"""

from insula.archives.limits import ArchiveLimits, ArchiveRefused
from insula.archives.names import FileNames, portability_warning, unsafe_reason
from insula.archives.writing import FolderWriter, PathRefused, ZipWriter

from insula_tenants.notes.vault.entries import (
    Refused,
    Skipped,
    VaultEntry,
    VaultNote,
)
from insula_tenants.notes.vault.reading import Vault, open_vault, read_file

__all__ = [
    "ArchiveLimits",
    "ArchiveRefused",
    "FileNames",
    "FolderWriter",
    "PathRefused",
    "Refused",
    "Skipped",
    "Vault",
    "VaultEntry",
    "VaultNote",
    "ZipWriter",
    "open_vault",
    "portability_warning",
    "read_file",
    "unsafe_reason",
]
