"""Zip archives of Markdown, the well-meant and the others."""

import io
import struct
import zipfile
import zlib
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from insula_tenants.notes.vault import (
    ArchiveLimits,
    ArchiveRefused,
    Refused,
    Skipped,
    VaultEntry,
    VaultNote,
    open_vault,
)


def _zip(*files: tuple[str | zipfile.ZipInfo, str | bytes], packed: bool = True) -> bytes:
    stream = io.BytesIO()
    method = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return stream.getvalue()


def _entries(archive: bytes, limits: ArchiveLimits | None = None) -> list[VaultEntry]:
    with open_vault(io.BytesIO(archive), limits) as vault:
        return list(vault)


def _one(archive: bytes, limits: ArchiveLimits | None = None) -> VaultEntry:
    (entry,) = _entries(archive, limits)
    return entry


def _refused(archive: bytes, limits: ArchiveLimits | None = None) -> str:
    with pytest.raises(ArchiveRefused) as refused:
        _entries(archive, limits)
    return str(refused.value)


def _info(name: str, **fields: object) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    for field, value in fields.items():
        setattr(info, field, value)
    return info


def test_notes_come_in_the_order_of_the_archive() -> None:
    entries = _entries(_zip(("b/Ä.md", "b"), ("b/", ""), ("a.md", "# A"), ("c.png", b"")))
    assert [(entry.path, type(entry)) for entry in entries] == [
        ("b/Ä.md", VaultNote),
        ("a.md", VaultNote),
        ("c.png", Skipped),
    ]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("../evil.md", "the path leads out of the folder"),
        ("a/../../evil.md", "the path leads out of the folder"),
        ("a/..\\..\\evil.md", "the path leads out of the folder"),
        ("/etc/evil.md", "the path is absolute"),
        ("\\evil.md", "the path is absolute"),
        ("C:/evil.md", "the path is absolute"),
        ("a//b.md", "the path has an empty part"),
        ("./b.md", "the path has an empty part"),
        ("a\nb.md", "the path has control characters or is no Unicode"),
        ("a/" * 40 + "b.md", "the path is longer than 500 characters or 32 folders"),
        ("a" * 300 + ".md", "a name in the path is longer than 255 bytes"),
    ],
)
def test_paths_that_lead_elsewhere_are_refused(path: str, reason: str) -> None:
    assert _one(_zip((path, "x"))) == Refused(path=path, reason=reason)


@pytest.mark.parametrize(
    "path", ["a/.b.md", "../.a.md", "..md", ".obsidian/x.md", "__MACOSX/._a.md"]
)
def test_hidden_files_are_skipped(path: str) -> None:
    assert isinstance(_one(_zip((path, "x"))), Skipped)


def test_links_and_devices_are_skipped() -> None:
    link = _info("a.md", create_system=3, external_attr=0o120777 << 16)
    pipe = _info("b.md", create_system=3, external_attr=0o010644 << 16)
    assert _entries(_zip((link, "/etc/passwd"), (pipe, ""))) == [
        Skipped(path="a.md", reason="a symbolic link"),
        Skipped(path="b.md", reason="not a regular file"),
    ]


def test_the_second_file_of_a_path_is_refused() -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        archive = _zip(("a.md", "one"), ("a.md", "two"))
    first, second = _entries(archive)
    assert isinstance(first, VaultNote)
    assert second == Refused(path="a.md", reason="the vault has two files of this path")


def test_an_encrypted_file_is_refused() -> None:
    archive = bytearray(_zip(("a.md", "x")))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        archive[archive.index(signature) + offset] |= 1
    assert _one(bytes(archive)) == Refused(path="a.md", reason="encrypted")


def test_other_packing_methods_are_refused() -> None:
    info = _info("a.md", compress_type=zipfile.ZIP_BZIP2)
    entry = _one(_zip((info, "x" * 100)))
    assert entry == Refused(path="a.md", reason="packed by another method than deflate")


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    entry = _one(_zip(("a.md", b"\0" * 4_000_000)))
    assert entry == Refused(path="a.md", reason="unpacks to more than 200 times its size")
    entry = _one(_zip(("a.md", b"a b" * 10_000_000)))
    assert entry == Refused(path="a.md", reason="larger than 4,262,144 bytes")


def test_a_file_that_holds_more_than_it_says_is_broken() -> None:
    archive = bytearray(_zip(("a.md", "abcdef" * 1000)))
    place = archive.index(b"PK\x01\x02") + 24
    archive[place : place + 4] = struct.pack("<I", 10)
    entry = _one(bytes(archive))
    assert isinstance(entry, Refused)
    assert entry.reason.startswith("broken in the archive")


def test_a_damaged_file_does_not_stop_the_others() -> None:
    archive = bytearray(_zip(("a.md", "abcdef" * 1000), ("b.md", "fine")))
    archive[archive.index(b"a.md") + 8] ^= 0xFF
    first, second = _entries(bytes(archive))
    assert isinstance(first, Refused)
    assert isinstance(second, VaultNote)


def test_an_archive_is_bounded() -> None:
    archive = _zip(*((f"{n}.md", "text") for n in range(5)))
    assert "more than 4 files" in _refused(archive, ArchiveLimits(entries=4))
    assert "more than 19 bytes" in _refused(archive, ArchiveLimits(total_bytes=19))
    assert "table of contents" in _refused(archive, ArchiveLimits(directory_bytes=200))
    assert len(_entries(archive, ArchiveLimits(entries=5, total_bytes=20))) == 5


@pytest.mark.parametrize("content", [b"", b"PK", b"# Markdown", b"PK\x05\x06" + b"\xff" * 18])
def test_what_is_no_archive_is_refused(content: bytes) -> None:
    assert "no zip archive" in _refused(content)


def _renamed(written: bytes, flag: int = 0, system: int = 3, extra: bytes = b"") -> bytes:
    """An archive whose file has exactly these bytes for a name."""
    info = _info("n" * len(written) + ".md", create_system=system, extra=extra)
    archive = bytearray(_zip((info, "x")).replace(b"n" * len(written) + b".md", written + b".md"))
    for signature, offset in ((b"PK\x03\x04", 7), (b"PK\x01\x02", 9)):
        archive[archive.index(signature) + offset] = flag >> 8
    return bytes(archive)


def _unicode_path(name: bytes, of: bytes) -> bytes:
    field = b"\x01" + struct.pack("<I", zlib.crc32(of)) + name
    return struct.pack("<HH", 0x7075, len(field)) + field


_SJIS = "日本".encode("cp932")


@pytest.mark.parametrize(
    ("archive", "path"),
    [
        (_renamed("Über".encode(), 0x800), "Über.md"),
        (_renamed("Über".encode()), "Über.md"),
        (_renamed("Cafe\u0301".encode()), "Cafe\u0301.md"),
        (_renamed("Über".encode("cp437")), "Über.md"),
        (_renamed(_SJIS, extra=_unicode_path("日本.md".encode(), _SJIS + b".md")), "日本.md"),
        (_renamed(b"\x9aber", extra=_unicode_path(b"other.md", b"something else")), "Über.md"),
        (_renamed(b"a\\b", system=0), "a/b.md"),
        (_renamed(b"a\\b", system=3), "a\\b.md"),
    ],
)  # fmt: skip
def test_names_are_read_as_they_were_meant(archive: bytes, path: str) -> None:
    assert _one(archive).path == path


def test_a_name_with_a_nul_is_refused() -> None:
    entry = _one(_renamed(b"a.md\0b"))
    assert isinstance(entry, Refused)
    assert "control characters" in entry.reason


def test_dates_are_those_of_the_archive() -> None:
    stamp = struct.pack("<HHBi", 0x5455, 5, 1, 1_700_000_001)
    with_zone = _info("a.md", date_time=(2024, 1, 2, 3, 4, 6), extra=stamp)
    without = _info("b.md", date_time=(2024, 1, 2, 3, 4, 6))
    absurd = _info("c.md", date_time=(2024, 0, 0, 31, 63, 62))
    entries = _entries(_zip((with_zone, ""), (without, ""), (absurd, "")))
    assert [entry.modified for entry in entries if isinstance(entry, VaultNote)] == [
        datetime.fromtimestamp(1_700_000_001, UTC),
        datetime(2024, 1, 2, 3, 4, 6, tzinfo=UTC),
        None,
    ]


_SAMPLE = _zip(("a/Ä.md", "text " * 50), ("b.md", "---\na: b\n---\n"))
_CHANGES = st.tuples(st.integers(0, len(_SAMPLE) - 1), st.integers(0, 255))


@given(st.lists(_CHANGES, min_size=1, max_size=6), st.integers(0, len(_SAMPLE)))
def test_a_mangled_archive_is_read_or_refused(changes: list[tuple[int, int]], cut: int) -> None:
    mangled = bytearray(_SAMPLE)
    for place, byte in changes:
        mangled[place] = byte
    for content in (bytes(mangled), bytes(mangled[:cut]), bytes(mangled[cut:])):
        with suppress(ArchiveRefused):
            _entries(content)
