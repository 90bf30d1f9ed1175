"""Folders of Markdown, read file by file."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from insula_tenants.notes.markdown import BODY_LIMIT
from insula_tenants.notes.vault import (
    ArchiveLimits,
    ArchiveRefused,
    Refused,
    Skipped,
    VaultEntry,
    VaultNote,
    open_vault,
    read_file,
)


def _write(root: Path, files: dict[str, bytes | str]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def _entries(root: Path, limits: ArchiveLimits | None = None) -> dict[str, VaultEntry]:
    with open_vault(root, limits) as vault:
        entries = list(vault)
        assert len(entries) == len(vault)
    return {entry.path: entry for entry in entries}


def _reason(entry: VaultEntry) -> str:
    assert not isinstance(entry, VaultNote)
    return entry.reason


def test_a_note_is_read_whole(tmp_path: Path) -> None:
    text = (
        "\ufeff---\r\ntitle: Über\r\ntags: [One]\r\naliases: other\r\ncreated: 2024-01-02\r\n"
        "---\r\n"
        "# Heading\r\n#two [[Link|x]] \r\n"
    )
    os.utime(_write(tmp_path, {"a/Ü.md": text}) / "a/Ü.md", (1_700_000_000, 1_700_000_000))
    note = _entries(tmp_path)["a/Ü.md"]
    assert isinstance(note, VaultNote)
    assert note.front_matter + note.body == text
    assert note.body.startswith("# Heading")
    assert (note.title, note.heading, note.tags) == ("Über", "Heading", ("One", "two"))
    assert [link.target for link in note.links] == ["Link"]
    assert note.aliases == ("other",)
    assert note.created == datetime(2024, 1, 2, tzinfo=UTC)
    assert note.modified == datetime.fromtimestamp(1_700_000_000, UTC)
    assert '<h1 id="h-heading">Heading</h1>' in note.html
    assert note.warnings == ()


def test_what_is_no_note_is_skipped_with_the_reason(tmp_path: Path) -> None:
    root = _write(
        tmp_path / "vault",
        {
            "a.md": "a",
            "b.MARKDOWN": "b",
            "c.png": b"\x89",
            ".hidden.md": "x",
            ".obsidian/app.json": "{}",
            ".trash/gone.md": "x",
            "sub/.git/x.md": "x",
        },
    )
    (root / "link.md").symlink_to(root / "a.md")
    (root / "out").symlink_to(tmp_path)
    os.mkfifo(root / "pipe.md")
    entries = _entries(root)
    skipped = [entry for entry in entries.values() if isinstance(entry, Skipped)]
    assert {entry.path: entry.reason for entry in skipped} == {
        ".hidden.md": "hidden",
        ".obsidian": "a hidden folder",
        ".trash": "a hidden folder",
        "c.png": "not Markdown",
        "link.md": "a symbolic link",
        "out": "a symbolic link",
        "pipe.md": "not a regular file",
        "sub/.git": "a hidden folder",
    }
    assert [path for path, entry in entries.items() if isinstance(entry, VaultNote)] == [
        "a.md",
        "b.MARKDOWN",
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"a\x00b", "has a NUL character at position 1"),
        (b"ab\xff", "is not UTF-8: byte 2 is 0xff"),
        (b"\xed\xa0\x80", "is not UTF-8: byte 0 is 0xed"),
        ("a".encode("utf-16"), "is UTF-16; only UTF-8 is read"),
        (b"a" * (BODY_LIMIT + 1), "longer than 1,000,000 characters"),
        (b"a" * (5 * BODY_LIMIT), "larger than 4,262,144 bytes"),
    ],
)
def test_a_bad_file_says_why_and_the_others_go_on(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    entries = _entries(_write(tmp_path, {"bad.md": content, "good.md": "x"}))
    assert isinstance(entries["bad.md"], Refused)
    assert _reason(entries["bad.md"]) == reason
    assert isinstance(entries["good.md"], VaultNote)


def test_a_name_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.md")).write_bytes(b"x")
    (entry,) = _entries(tmp_path).values()
    assert entry == Refused(path="caf\ufffd.md", reason="its name is not UTF-8")


def test_an_unreadable_front_matter_is_a_warning(tmp_path: Path) -> None:
    text = "---\ntitle: a: b\n---\nbody"
    note = _entries(_write(tmp_path, {"Stem.md": text}))["Stem.md"]
    assert isinstance(note, VaultNote)
    assert note.warnings == (
        "front matter not understood: line 2: mapping values are not allowed in this context",
    )
    assert (note.title, note.front_matter + note.body) == ("Stem", text)


def test_names_keep_their_composition_and_twins_are_named(tmp_path: Path) -> None:
    composed, decomposed = "Caf\u00e9.md", "Cafe\u0301.md"
    entries = _entries(_write(tmp_path, {composed: "a", decomposed: "b", "what?.md": "c"}))
    assert set(entries) == {composed, decomposed, "what?.md"}
    warnings = {
        path: entry.warnings for path, entry in entries.items() if isinstance(entry, VaultNote)
    }
    assert warnings[composed] == (f"differs only in case or composition from {decomposed}",)
    assert warnings["what?.md"] == ("Windows allows no '?' in a name",)


def test_a_vault_is_bounded(tmp_path: Path) -> None:
    root = _write(tmp_path, {f"{n}.md": "text" for n in range(5)})
    with (
        pytest.raises(ArchiveRefused, match="more than 4 files"),
        open_vault(root, ArchiveLimits(entries=4)),
    ):
        pass
    with (
        pytest.raises(ArchiveRefused, match="more than 19 bytes"),
        open_vault(root, ArchiveLimits(total_bytes=19)),
    ):
        pass
    assert len(_entries(root, ArchiveLimits(entries=5, total_bytes=20))) == 5


def test_there_is_no_vault(tmp_path: Path) -> None:
    with pytest.raises(ArchiveRefused, match="No such file"), open_vault(tmp_path / "none"):
        pass


def test_one_file_can_be_read_by_itself() -> None:
    note = read_file("a.md", b"# A")
    assert isinstance(note, VaultNote)
    assert (note.title, note.modified) == ("A", None)


def test_ten_thousand_files_are_read(tmp_path: Path) -> None:
    text = "---\ntags: [a, b]\n---\n# Note\n\nSome *text* with [[Links]] and #tags.\n\n- [ ] task\n"
    for folder in range(100):
        path = tmp_path / f"Ordner {folder}"
        path.mkdir()
        for number in range(100):
            (path / f"Notiz {number} – ä.md").write_text(text * 3)
    with open_vault(tmp_path) as vault:
        assert sum(isinstance(entry, VaultNote) for entry in vault) == 10_000
