"""Vaults come out as they went in."""

import io
import subprocess
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from insula_tenants.notes.titles import file_text
from insula_tenants.notes.vault import (
    FileNames,
    FolderWriter,
    PathRefused,
    VaultNote,
    ZipWriter,
    open_vault,
    portability_warning,
    unsafe_reason,
)

_WHEN = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
_FILES = {
    "Plain.md": "text",
    "Cafe\u0301/Über \U0001f600.md": "---\ntitle: x\n---\n\nbody\r\n",
    "Caf\u00e9.md": "\ufeff# BOM\r\r\n",
    "broken.md": "---\na: [\n---\n  trailing  \n\n\n",
    "rulers.md": "---\nnot properties\n---\n",
    "empty.md": "",
    "no newline.md": "---\na: b\n---",
}


def _packed(files: dict[str, str], modified: datetime = _WHEN) -> bytes:
    archive = ZipWriter()
    parts = [archive.add(path, text, modified) for path, text in files.items()]
    return b"".join([*parts, archive.finish()])


def _exported(source: Path | io.BytesIO) -> dict[str, str]:
    """What an export of a fresh import writes."""
    with open_vault(source) as vault:
        notes = [entry for entry in vault if isinstance(entry, VaultNote)]
    return {
        note.path: file_text(
            note.front_matter, note.body, title=note.title, heading=note.heading, path=note.path
        )
        for note in notes
    }


def test_an_archive_comes_out_as_it_went_in() -> None:
    assert _exported(io.BytesIO(_packed(_FILES))) == _FILES


def test_a_folder_comes_out_as_it_went_in(tmp_path: Path) -> None:
    folder = FolderWriter(tmp_path / "in")
    for path, text in _FILES.items():
        folder.add(path, text, _WHEN)
    again = FolderWriter(tmp_path / "out")
    for path, text in _exported(tmp_path / "in").items():
        again.add(path, text, _WHEN)
    for path, text in _FILES.items():
        assert (tmp_path / "out" / path).read_bytes() == text.encode()
        assert (tmp_path / "out" / path).stat().st_mtime == _WHEN.timestamp()


_PARTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
_PATHS = st.lists(_PARTS, min_size=1, max_size=3).map(lambda parts: "/".join(parts) + ".md")


@given(
    st.dictionaries(
        _PATHS.filter(lambda path: not unsafe_reason(path) and "/." not in f"/{path}"),
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=80),
        max_size=5,
    )
)
def test_any_archive_comes_out_as_it_went_in(files: dict[str, str]) -> None:
    assert _exported(io.BytesIO(_packed(files))) == files


def test_the_same_files_give_the_same_bytes() -> None:
    assert _packed(_FILES) == _packed(_FILES)


def test_other_programs_read_the_archive(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(_packed(_FILES))
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.testzip() is None
        assert [info.filename for info in archive.infolist()] == list(_FILES)
        assert all(info.flag_bits & 0x800 or info.filename.isascii() for info in archive.infolist())
    listed = subprocess.run(
        ["python3", "-m", "zipfile", "-l", tmp_path / "a.zip"],
        capture_output=True,
        check=True,
        env={"PYTHONIOENCODING": "utf-8", "PATH": "/usr/bin:/bin"},
    )
    assert "Über" in listed.stdout.decode()


def test_an_archive_is_sent_while_it_is_made() -> None:
    archive = ZipWriter()
    sent = archive.add("a.md", "x" * 100, _WHEN)
    assert sent.startswith(b"PK\x03\x04")
    assert len(sent) < 200
    assert archive.add("b.md", "y", _WHEN).startswith(b"PK\x03\x04")
    assert archive.finish().startswith(b"PK\x01\x02")


@pytest.mark.parametrize(
    ("modified", "read"),
    [
        (_WHEN, _WHEN),
        (_WHEN + timedelta(microseconds=999_999), _WHEN),
        (datetime(1, 1, 1, tzinfo=UTC), datetime(1980, 1, 1, tzinfo=UTC)),
        (datetime(9999, 1, 1, tzinfo=UTC), datetime(2038, 1, 19, 3, 14, 7, tzinfo=UTC)),
    ],
)
def test_dates_survive_to_the_second(modified: datetime, read: datetime) -> None:
    with open_vault(io.BytesIO(_packed({"a.md": ""}, modified))) as vault:
        (note,) = vault
    assert isinstance(note, VaultNote)
    assert note.modified == read


@pytest.mark.parametrize(
    "path", ["../a.md", "/a.md", "a/../b.md", "", "a//b.md", "a\0.md", "C:x.md"]
)
def test_nothing_is_written_outside(tmp_path: Path, path: str) -> None:
    with pytest.raises(PathRefused):
        ZipWriter().add(path, "x", _WHEN)
    with pytest.raises(PathRefused):
        FolderWriter(tmp_path / "vault").add(path, "x", _WHEN)
    assert [entry.name for entry in tmp_path.rglob("*")] == ["vault"]


def test_nothing_is_written_through_links(tmp_path: Path) -> None:
    folder = FolderWriter(tmp_path / "vault")
    (tmp_path / "outside").mkdir()
    (tmp_path / "vault" / "link").symlink_to(tmp_path / "outside")
    (tmp_path / "vault" / "file.md").symlink_to(tmp_path / "outside" / "new.md")
    for path in ("link/a.md", "file.md"):
        with pytest.raises(PathRefused):
            folder.add(path, "x", _WHEN)
    assert list((tmp_path / "outside").iterdir()) == []


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    folder, archive = FolderWriter(tmp_path), ZipWriter()
    folder.add("a.md", "one", _WHEN)
    archive.add("a.md", "one", _WHEN)
    with pytest.raises(PathRefused, match="taken"):
        folder.add("a.md", "two", _WHEN)
    with pytest.raises(PathRefused, match="taken"):
        archive.add("a.md", "two", _WHEN)
    assert (tmp_path / "a.md").read_text() == "one"


@pytest.mark.parametrize(
    ("title", "path"),
    [
        ("A title", "A title.md"),
        ("a/b: c? [d]", "a b c d.md"),
        ("../../etc/passwd", "etc passwd.md"),
        (".hidden", "hidden.md"),
        ("...", "Untitled.md"),
        ("CON", "CON note.md"),
        ("com1.txt", "com1.txt note.md"),
        ("ends. ", "ends.md"),
        ("日" * 100, "日" * 78 + ".md"),
    ],
)
def test_a_note_without_a_file_gets_a_name(title: str, path: str) -> None:
    assert FileNames([]).claim(title) == path


def test_names_are_unique_whatever_their_case() -> None:
    names = FileNames(["Plan.md", "sub/plan 2.md"])
    assert [names.claim(title) for title in ("plan", "Plan", "PLAN 2", "plan")] == [
        "plan 2.md",
        "Plan 3.md",
        "PLAN 2 2.md",
        "plan 4.md",
    ]


@given(st.lists(st.text(max_size=150), max_size=8))
def test_any_title_gives_a_safe_and_portable_name(titles: list[str]) -> None:
    names = FileNames([])
    paths = [names.claim(title) for title in titles]
    assert len({path.casefold() for path in paths}) == len(paths)
    for path in paths:
        assert (unsafe_reason(path), portability_warning(path)) == ("", "")


@pytest.mark.parametrize(
    ("path", "warned"),
    [("a.md", False), ("a:b.md", True), ("dir./a.md", True), ("aux.md", True), ("auxes.md", False)],
)
def test_what_windows_can_not_hold_is_told(path: str, warned: bool) -> None:
    assert bool(portability_warning(path)) == warned
