"""Reading a vault: each of its files becomes a note, or says why not."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from insula.archives.folder import folder_files
from insula.archives.limits import ArchiveLimits, ArchiveRefused
from insula.archives.names import fold, portability_warning, skip_reason, unsafe_reason
from insula.archives.zip_reading import zip_files
from insula.markdown.front_matter import read_properties, split_text
from insula.markdown.tags import distinct

from insula_tenants.notes.markdown import BODY_LIMIT, read_markdown
from insula_tenants.notes.titles import title_of
from insula_tenants.notes.vault.entries import (
    Refused,
    Skipped,
    VaultEntry,
    VaultNote,
)


class SourceFile(Protocol):
    """A file in a folder or archive, not read yet."""

    @property
    def path(self) -> str: ...

    @property
    def not_a_file(self) -> str:
        """What it is instead, such as a symbolic link; empty where it is one."""
        ...

    @property
    def refusal(self) -> str:
        """Why it must not be read; empty where it may be."""
        ...

    def read(self) -> tuple[bytes, datetime | None]:
        """Content and date.

        Raises:
            OSError: it can't be read; the message is for the report.
        """
        ...


class Vault:
    """The files of a vault, to go through once. Blocking: iterate it in a thread."""

    def __init__(self, files: Sequence[SourceFile]) -> None:
        self._files = files

    def __len__(self) -> int:
        """How many entries will come, for a progress bar."""
        return len(self._files)

    def __iter__(self) -> Iterator[VaultEntry]:
        paths: set[str] = set()
        spellings: dict[str, str] = {}
        for file in self._files:
            entry: VaultEntry = Refused(
                path=file.path, reason="the vault has two files of this path"
            )
            if file.path not in paths:
                warnings = _warnings(file.path, spellings.setdefault(fold(file.path), file.path))
                entry = _read_entry(file, warnings)
            paths.add(file.path)
            yield entry


@contextmanager
def open_vault(source: Path | BinaryIO, limits: ArchiveLimits | None = None) -> Iterator[Vault]:
    """Open a folder, a zip file, or a seekable stream of one.

    Raises:
        ArchiveRefused: it is neither, or holds more than ``limits`` allow.
    """
    limits = limits or ArchiveLimits()
    with ExitStack() as stack:
        try:
            if isinstance(source, Path):
                if source.is_dir():
                    files: Sequence[SourceFile] = folder_files(source, limits)
                else:
                    files = stack.enter_context(
                        zip_files(stack.enter_context(source.open("rb")), limits)
                    )
            else:
                files = stack.enter_context(zip_files(source, limits))
        except OSError as error:
            raise ArchiveRefused(f"The vault can't be opened: {error.strerror or error}") from error
        yield Vault(files)


def read_file(
    path: str, content: bytes, modified: datetime | None = None, warnings: tuple[str, ...] = ()
) -> VaultNote | Refused:
    """Read one Markdown file that lies at ``path`` in its vault."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        return Refused(path=path, reason=_encoding_reason(content, error))
    if "\0" in text:
        place = text.index("\0")
        return Refused(path=path, reason=f"has a NUL character at position {place}")
    front_matter, body = split_text(text)
    if len(body) > BODY_LIMIT:
        return Refused(path=path, reason=f"longer than {BODY_LIMIT:,} characters")
    return _note(path, front_matter, body, modified, warnings)


def _note(
    path: str, front_matter: str, body: str, modified: datetime | None, warnings: tuple[str, ...]
) -> VaultNote:
    properties = read_properties(front_matter)
    document = read_markdown(body)
    outline = document.outline
    if properties.warning:
        warnings += (f"front matter not understood: {properties.warning}",)
    if document.plain:
        warnings += ("shown as plain text: its markup is nested too deep or too dense",)
    return VaultNote(
        path=path,
        front_matter=front_matter,
        body=body,
        html=document.html,
        title=title_of(properties, outline.heading, path),
        heading=outline.heading,
        tags=distinct((*properties.tags, *outline.tags)),
        links=outline.links,
        aliases=properties.aliases,
        created=properties.created,
        modified=properties.updated or modified,
        warnings=warnings,
    )


def _read_entry(file: SourceFile, warnings: tuple[str, ...]) -> VaultEntry:
    path = file.path
    if reason := file.not_a_file or skip_reason(path):
        return Skipped(path=path, reason=reason)
    if reason := unsafe_reason(path) or file.refusal:
        return Refused(path=path, reason=reason)
    try:
        content, modified = file.read()
    except OSError as error:
        return Refused(path=path, reason=error.strerror or str(error))
    return read_file(path, content, modified, warnings)


def _warnings(path: str, first: str) -> tuple[str, ...]:
    unportable = portability_warning(path)
    twin = f"differs only in case or composition from {first}" if first != path else ""
    return tuple(warning for warning in (unportable, twin) if warning)


def _encoding_reason(content: bytes, error: UnicodeDecodeError) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "is UTF-16; only UTF-8 is read"
    return f"is not UTF-8: byte {error.start} is 0x{content[error.start]:02x}"
