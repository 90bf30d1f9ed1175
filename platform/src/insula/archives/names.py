"""Paths in archives: which are safe, which travel to every system, and names for new files."""

import re
from unicodedata import category, normalize

PATH_LIMIT = 500
"""Characters of a path."""
_KEY_LIMIT = 500
"""Characters of a key: with four bytes each it still fits into a B-tree's page."""
_PART_BYTES = 255
"""UTF-8 bytes of a file's or folder's name: the bound of nearly all file systems."""
_DEPTH = 32
_STEM_LIMIT = 100

_MARKDOWN = re.compile(r"\.(?:md|markdown)$", re.IGNORECASE)
_SEPARATOR = re.compile(r"[/\\]")
_HIDDEN = re.compile(r"\.(?!\.?(?:\\|$))")  # but a step up is refused, not skipped
_DRIVE = re.compile(r"[A-Za-z]:")
_ILLEGAL_ON_WINDOWS = re.compile(r'[<>:"|?*\\\x00-\x1f]')
_RESERVED_ON_WINDOWS = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\..*)?", re.I)
_UNWANTED_IN_NAMES = re.compile(r'[<>:"|?*\\/\[\]#^\x00-\x1f\x7f-\x9f]+')


def unsafe_reason(path: str) -> str:
    """Why a file must not be read from or written to ``path``; empty where it may be."""
    parts = path.split("/")
    if path.startswith(("/", "\\")) or _DRIVE.match(path):
        return "the path is absolute"
    if ".." in _SEPARATOR.split(path):
        return "the path leads out of the folder"
    if any(part in {"", "."} for part in parts):
        return "the path has an empty part"
    if any(category(sign) in {"Cc", "Cs"} for sign in path):
        return "the path has control characters or is no Unicode"
    if len(path) > PATH_LIMIT or len(parts) > _DEPTH:
        return f"the path is longer than {PATH_LIMIT} characters or {_DEPTH} folders"
    if any(len(part.encode()) > _PART_BYTES for part in parts):
        return f"a name in the path is longer than {_PART_BYTES} bytes"
    return ""


def skip_reason(path: str) -> str:
    """Why a file is not for import at all; empty where it is a note."""
    parts = path.split("/")
    if parts[0] == "__MACOSX":
        return "written by macOS beside the files"
    if any(_HIDDEN.match(part) for part in parts):
        return "hidden"
    return "" if _MARKDOWN.search(path) else "not Markdown"


def portability_warning(path: str) -> str:
    """What keeps ``path`` from existing on Windows; empty where nothing does."""
    for part in path.split("/"):
        if found := _ILLEGAL_ON_WINDOWS.search(part):
            return f"Windows allows no {found[0]!r} in a name"
        if part.endswith((".", " ")):
            return "Windows allows no name that ends with a dot or space"
        if _RESERVED_ON_WINDOWS.fullmatch(part):
            return f"Windows keeps the name {part!r} for a device"
    return ""


class FileNames:
    """Names for the files of one folder that never had one, safe on every system and unique."""

    def __init__(self, taken: list[str]) -> None:
        self._taken = {fold(path) for path in taken}
        self._next: dict[str, int] = {}

    def claim(self, title: str) -> str:
        """A free path at the top of the folder: ``Title.md``, ``Title 2.md`` …"""
        stem = _stem(title)
        key = fold(stem)
        number = self._next.get(key, 1)
        path = f"{stem}.md" if number == 1 else f"{stem} {number}.md"
        while fold(path) in self._taken:
            number += 1
            path = f"{stem} {number}.md"
        self._next[key] = number + 1
        self._taken.add(fold(path))
        return path


def _stem(title: str) -> str:
    stem = " ".join(_UNWANTED_IN_NAMES.sub(" ", title).split())[:_STEM_LIMIT]
    while len(stem.encode()) > _PART_BYTES - 20:  # room for a number and the suffix
        stem = stem[:-1]
    stem = "".join(sign for sign in stem if category(sign) != "Cs").strip(". ")
    if not stem:
        return "Untitled"
    return f"{stem} note" if _RESERVED_ON_WINDOWS.fullmatch(stem) else stem


def fold(name: str) -> str:
    """Same for all spellings of a name that a person takes for the same."""
    folded = normalize("NFC", normalize("NFC", name).casefold())
    return " ".join(folded.split())[:_KEY_LIMIT].rstrip()
