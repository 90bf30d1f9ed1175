"""Vaults: folders or zip files of Markdown, as Obsidian and others keep them, in and out.

Nothing here touches the database: ``open_vault`` yields what a vault holds, file by file, and
``VaultZip`` and ``VaultFolder`` write files that are byte for byte what was read.
"""

from insula_tenants.notes.vault.entries import (
    Refused,
    Skipped,
    VaultEntry,
    VaultLimits,
    VaultNote,
    VaultRefused,
)
from insula_tenants.notes.vault.names import FileNames, portability_warning, unsafe_reason
from insula_tenants.notes.vault.reading import Vault, open_vault, read_file
from insula_tenants.notes.vault.writing import PathRefused, VaultFolder, VaultZip

__all__ = [
    "FileNames",
    "PathRefused",
    "Refused",
    "Skipped",
    "Vault",
    "VaultEntry",
    "VaultFolder",
    "VaultLimits",
    "VaultNote",
    "VaultRefused",
    "VaultZip",
    "open_vault",
    "portability_warning",
    "read_file",
    "unsafe_reason",
]
