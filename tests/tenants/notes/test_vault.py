"""A real folder of Markdown goes in and comes out byte for byte."""

import io
import json
import os
import random
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from fixtures.installation import Installation, SignUp, TestTenant

FILES = {
    "Start.md": b"# Start\n\nSee [[Gr\xc3\xbcn]] and [the plan](Work/Plan%20A.md).\n",
    "Gr\u00fcn.md": "---\ntitle: Grün\ntags:\n  - farbe\n---\nÄpfel #obst\n".encode(),
    "Gru\u0308n/decomposed.md": b"decomposed folder name\n",
    "Work/Plan A.md": b"\xef\xbb\xbf---\r\ntags: [a, b]\r\n---\r\n\r\nCRLF and BOM\r\n",
    "Work/no newline": b"not markdown",
    "Work/trailing.md": b"no newline at the end",
    "Work/spaces.md": b"---  \nkey:   value   # comment\n---  \n\n\n  indented  \n\t\n\n",
    "Work/broken.md": b"---\ntitle: [unclosed\n---\nbody\n",
    "Work/two rulers.md": b"---\nnot front matter\n---\ntext\n",
    "Leer.md": b"",
    "\u65e5\u672c\u8a9e/\U0001f600.md": "絵文字 #日本\n".encode(),
    "tasks.md": b"- [ ] one\n- [x] two\n",
}
BAD = {
    "latin1.md": b"caf\xe9",
    "nul.md": b"a\x00b",
}
OTHER = {
    ".obsidian/app.json": b"{}",
    ".trash/old.md": b"old",
    "image.png": b"\x89PNG",
}
MARKDOWN = {path: content for path, content in FILES.items() if path.endswith(".md")}


def _write_folder(root: Path, files: dict[str, bytes]) -> Path:
    for path, content in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return root


def _zip(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return buffer.getvalue()


def _read_folder(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


def _insula(installation: Installation, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "insula.cli", "notes", *arguments],
        env={**os.environ, **installation.environ},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def tenant(sign_up: SignUp) -> TestTenant:
    return sign_up("notes")


def _upload(tenant: TestTenant, archive: bytes, **headers: str) -> dict[str, object]:
    answer = tenant.http.post(
        "/api/v1/notes/import",
        content=archive,
        headers={"Content-Type": "application/zip", **headers},
        timeout=120,
    )
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def _download(tenant: TestTenant) -> dict[str, bytes]:
    answer = tenant.http.get("/api/v1/notes/export")
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_folder_goes_in_and_out_by_the_command_line(
    installation: Installation, tenant: TestTenant, tmp_path: Path
) -> None:
    source = _write_folder(tmp_path / "vault", FILES | BAD | OTHER)
    result = _insula(installation, "import", str(source), "--tenant", tenant.slug, "--json")
    assert result.returncode == 1, result.stderr  # two files could not be read
    report = json.loads(result.stdout)
    assert report["created"] == len(MARKDOWN)
    assert {file["path"] for file in report["files"] if file["outcome"] == "failed"} == set(BAD)
    assert all(file["reason"] for file in report["files"] if file["outcome"] == "failed")

    out = tmp_path / "out"
    result = _insula(installation, "export", str(out), "--tenant", tenant.slug)
    assert result.returncode == 0, result.stderr
    assert _read_folder(out) == MARKDOWN


def test_a_zip_goes_in_and_out_over_http(tenant: TestTenant) -> None:
    report = _upload(tenant, _zip(FILES | BAD | OTHER))
    assert (report["created"], report["failed"]) == (len(MARKDOWN), len(BAD))
    assert _download(tenant) == MARKDOWN


def test_what_was_imported_can_be_found_linked_and_read(tenant: TestTenant) -> None:
    _upload(tenant, _zip(FILES))
    listed = tenant.http.get("/api/v1/notes?limit=100").json()["items"]
    notes = {item["path"]: item for item in listed}
    assert notes["Gr\u00fcn.md"]["title"] == "Grün"
    assert notes["Gr\u00fcn.md"]["tags"] == ["farbe", "obst"]
    assert notes["Work/trailing.md"]["title"] == "trailing"
    links = tenant.http.get(f"/api/v1/notes/{notes['Start.md']['id']}/links").json()
    assert [link["note_id"] for link in links] == [
        notes["Gr\u00fcn.md"]["id"],
        notes["Work/Plan A.md"]["id"],
    ]


def test_importing_again_changes_only_what_has_changed(tenant: TestTenant) -> None:
    _upload(tenant, _zip(FILES))
    changed = FILES | {"tasks.md": b"- [x] one\n", "new.md": b"new"}
    report = _upload(tenant, _zip(changed))
    assert (report["created"], report["updated"]) == (1, 1)
    assert report["unchanged"] == len(MARKDOWN) - 1
    listed = tenant.http.get("/api/v1/notes?path=tasks.md").json()["items"]
    assert listed[0]["revision"] == 2


def test_notes_of_the_api_get_safe_names_and_keep_title_and_tags(tenant: TestTenant) -> None:
    for title in ("A/B: c?", "a b c", "..", "CON"):
        tenant.http.post("/api/v1/notes", json={"title": title, "body": "x", "tags": ["t"]})
    files = _download(tenant)
    assert len(files) == 4
    assert not any("/" in path or path.startswith(".") for path in files)
    other = tenant.http.get("/api/v1/notes?limit=100").json()["items"]
    titles = {item["title"] for item in other}
    for item in other:
        tenant.http.delete(f"/api/v1/notes/{item['id']}")
    _upload(tenant, _zip(files))
    again = tenant.http.get("/api/v1/notes?limit=100").json()["items"]
    assert {item["title"] for item in again} == titles
    assert all(item["tags"] == ["t"] for item in again)


def test_progress_comes_line_by_line(tenant: TestTenant) -> None:
    files = {f"n{number:03}.md": f"note {number}".encode() for number in range(250)}
    answer = tenant.http.post(
        "/api/v1/notes/import",
        content=_zip(files),
        headers={"Content-Type": "application/zip", "Accept": "application/x-ndjson"},
    )
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["outcome"] for line in lines[:-1]] == ["created"] * 250
    assert lines[-1]["created"] == 250


@pytest.mark.parametrize(
    "archive",
    [b"", b"not a zip", _zip(FILES)[:-30], b"PK\x03\x04" + random.Random(1).randbytes(500)],
    ids=["empty", "text", "cut", "noise"],
)
def test_what_is_no_zip_is_refused(tenant: TestTenant, archive: bytes) -> None:
    answer = tenant.http.post(
        "/api/v1/notes/import", content=archive, headers={"Content-Type": "application/zip"}
    )
    assert answer.status_code == 400
    assert answer.json()["type"].endswith("/notes-vault-unreadable")


def test_a_zip_bomb_and_paths_that_lead_out_are_refused(tenant: TestTenant) -> None:
    hostile = {
        "../out.md": b"x",
        "/etc/passwd.md": b"x",
        "a/../../b.md": b"x",
        "bomb.md": b"\0" * 50_000_000,
        "fine.md": b"fine",
    }
    report = _upload(tenant, _zip(hostile))
    assert (report["created"], report["failed"]) == (1, 4)
    assert list(_download(tenant)) == ["fine.md"]


def test_another_media_type_is_refused(tenant: TestTenant) -> None:
    answer = tenant.http.post("/api/v1/notes/import", json={"files": []})
    assert answer.status_code == 415


def test_isolation_of_vaults(sign_up: SignUp) -> None:
    ours, theirs = sign_up("notes"), sign_up("notes")
    _upload(theirs, _zip(FILES))
    assert _download(ours) == {}
    report = _upload(ours, _zip(FILES))
    assert report["created"] == len(MARKDOWN)
    assert _download(theirs) == MARKDOWN


def test_two_imports_at_once_make_each_note_once(
    installation: Installation, tenant: TestTenant, tmp_path: Path
) -> None:
    files = {f"n{number:03}.md": f"note {number}".encode() for number in range(300)}
    source = _write_folder(tmp_path / "vault", files)
    command = [sys.executable, "-m", "insula.cli", "notes", "import", str(source)]
    runs = [
        subprocess.Popen(
            [*command, "--tenant", tenant.slug],
            env={**os.environ, **installation.environ},
            stdout=subprocess.DEVNULL,
        )
        for _ in range(2)
    ]
    assert [run.wait(120) for run in runs] == [0, 0]
    assert _download(tenant) == files
