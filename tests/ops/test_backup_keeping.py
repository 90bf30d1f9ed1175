"""`insula backup list`, `verify`, `prune` and `check`, none of which needs a server."""

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from fixtures.backing_up import Call
from hypothesis import given, settings
from hypothesis import strategies as st
from insula_ops.backup import manifest, retention
from insula_ops.backup.manifest import Manifest, Snapshot
from insula_ops.backup.place import Writing, open_place
from insula_ops.backup.retention import Rule

NOW = datetime.now(UTC)
Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """``make("name", hours=3)`` writes a backup that was taken three hours ago."""

    def write(name: str, hours: float = 0, schemas: list[str] | None = None) -> Path:
        place = open_place(str(tmp_path), durable=False)
        place.begin(name)
        files = []
        for file, content in (("1.dat.zst", b"rows" * 100), ("toc.dat", b"toc"), ("2.dat", b"")):
            writing = Writing(place.create(name, file), file, [])
            writing.write(content)
            files.append(writing.close())
        sums = place.create(name, manifest.SUMS)
        sums.write(manifest.sums(files))
        sums.close()
        taken = NOW - timedelta(hours=hours)
        made = Manifest(
            name=name, database="shop", server_version="18.4", tool="t", pg_dump="18.4",
            snapshot=Snapshot(taken, None, "x"), finished_at=taken, seconds=1.0, schemas=schemas,
            compression="zstd", recipients=[], tables=1, rows=2, raw_bytes=3, files=files,
        )  # fmt: skip
        place.finish(name, manifest.as_json(made))
        return tmp_path / name

    return write


def test_a_whole_backup_is_whole(call: Call, make: Make, tmp_path: Path) -> None:
    make("old", hours=2)
    make("new", hours=1)
    assert call("verify", tmp_path).text == "new: 3 files, 403 B: as they were written\n"
    listed = call("list", tmp_path, "--json").json
    assert [each["name"] for each in listed["backups"]] == ["new", "old"]
    assert "whole" in call("list", tmp_path).text


@pytest.mark.parametrize("file", ["1.dat.zst", "toc.dat", "manifest.json", "SHA256SUMS"])
def test_every_bit_is_watched(call: Call, make: Make, tmp_path: Path, file: str) -> None:
    path = make("b") / file
    content = path.read_bytes()
    for place in range(0, len(content), max(1, len(content) // 40)):
        changed = bytearray(content)
        changed[place] ^= 1 << place % 8
        path.write_bytes(changed)
        if file == "manifest.json" and _means_the_same(content, bytes(changed)):
            continue
        call("verify", tmp_path, "b", code=1)
    path.write_bytes(content)
    call("verify", tmp_path, "b")


def _means_the_same(before: bytes, after: bytes) -> bool:
    """What no other file vouches for: the manifest's own words, which name no content."""
    try:
        return bool(json.loads(before)["files"] == json.loads(after)["files"])
    except (ValueError, KeyError):
        return False


def test_what_is_missing_cut_or_new_is_said(call: Call, make: Make, tmp_path: Path) -> None:
    folder = make("b")
    (folder / "toc.dat").unlink()
    (folder / "1.dat.zst").write_bytes(b"rows")
    (folder / "stranger").write_bytes(b"")
    for options in ((), ("--quick",)):
        text = call("verify", tmp_path, "b", *options, code=1).text
        assert "toc.dat is missing" in text
        assert "1.dat.zst has 4 bytes, 400 were written" in text
        assert "stranger was not written by us" in text


def test_quick_verification_reads_no_content(call: Call, make: Make, tmp_path: Path) -> None:
    (make("b") / "1.dat.zst").write_bytes(b"swor" * 100)
    call("verify", tmp_path, "b", "--quick")
    call("verify", tmp_path, "b", code=1)


def test_a_manifest_of_a_later_release_is_not_guessed_at(
    call: Call, make: Make, tmp_path: Path
) -> None:
    path = make("b") / "manifest.json"
    path.write_text(path.read_text().replace('"format": 1', '"format": 2'))
    assert call("list", tmp_path, "--json").json["damaged"] == ["b"]
    assert "this release knows 1" in call("verify", tmp_path, "b", code=1).text


def _deep(folder: Path) -> None:
    _say(folder, what_a_later_release_may_add="DEEP")
    file = folder / "manifest.json"
    file.write_text(file.read_text().replace('"DEEP"', "[" * 100_000 + "]" * 100_000))


def _pipe(folder: Path) -> None:
    (folder / "manifest.json").unlink()
    os.mkfifo(folder / "manifest.json")


def _folder(folder: Path) -> None:
    (folder / "manifest.json").unlink()
    (folder / "manifest.json").mkdir()


def _say(folder: Path, **changed: object) -> None:
    file = folder / "manifest.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changed))


def _named(name: str) -> dict[str, object]:
    return {"files": [{"name": name, "size": 1, "sha256": "0" * 64}]}


HOSTILE: dict[str, Callable[[Path], object]] = {
    "a nesting without end": _deep,
    "a pipe that nobody writes to": _pipe,
    "a folder": _folder,
    "no text": lambda folder: (folder / "manifest.json").write_bytes(b"\xff\xfe{"),
    "a name with NUL": lambda folder: _say(folder, **_named("a\0b")),
    "a name outside": lambda folder: _say(folder, **_named("../b/toc.dat")),
    "a compression of its own": lambda folder: _say(folder, compression="rot13"),
    "a time of no zone": lambda folder: _say(folder, finished_at="2026-01-01T00:00:00"),
    "a time of no zone for its rows": lambda folder: _say(
        folder, snapshot={"taken_at": "2026-01-01T00:00:00", "lsn": None, "id": "x"}
    ),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_what_is_no_backup_is_named_and_keeps_nobody_from_the_others(
    call: Call, make: Make, tmp_path: Path, what: str
) -> None:
    make("good", hours=2)
    HOSTILE[what](make("bad"))
    listed = call("list", tmp_path, "--json").json
    assert [each["name"] for each in listed["backups"]] == ["good"]
    assert listed["damaged"] == ["bad"]
    refused = call("verify", tmp_path, "bad", code=1)
    assert "manifest.json cannot be read" in refused.text
    assert "Traceback" not in refused.text
    options = ("--daily", "0", "--weekly", "0", "--monthly", "0", "--yearly", "0")
    assert call("prune", tmp_path, *options, "--json").json["unreadable"] == ["bad"]


@pytest.mark.parametrize("name", ["b", "../elsewhere"])
def test_a_backup_that_calls_itself_something_else_is_left_alone(
    call: Call, make: Make, tmp_path: Path, name: str
) -> None:
    make("b")
    path = make("copy", hours=24 * 400) / "manifest.json"
    path.write_text(path.read_text().replace('"name": "copy"', f'"name": "{name}"'))
    outside = tmp_path.parent / "elsewhere"
    outside.mkdir(exist_ok=True)
    assert "rename it back" in call("verify", tmp_path, "copy", code=1).text
    options = ("--daily", "0", "--weekly", "0", "--monthly", "0", "--yearly", "0")
    pruned = call("prune", tmp_path, *options, "--json").json
    assert (pruned["removed"], pruned["unreadable"]) == ([], ["copy"])
    assert outside.exists()
    assert {each.name for each in tmp_path.iterdir()} == {"b", "copy"}


def test_prune_keeps_the_newest_of_each_day_week_month_and_year(
    call: Call, make: Make, tmp_path: Path
) -> None:
    noon = NOW.replace(hour=12, minute=0, second=0, microsecond=0)
    since = (NOW - noon) % timedelta(days=1)  # or it would depend on the hour what is of one day
    for hours in (0, 1, 30, 54, 24 * 40, 24 * 80, 24 * 500):
        make(f"h{hours}", hours=hours + since / timedelta(hours=1))
    make("part", hours=24 * 900, schemas=["a"])
    (tmp_path / "broken.partial").mkdir()
    options = ("--daily", "2", "--weekly", "0", "--monthly", "2", "--yearly", "0")
    planned = call("prune", tmp_path, *options, "--dry-run", "--json").json
    assert len(list(tmp_path.iterdir())) == 9
    assert {"h0", "h30"} <= set(planned["kept"])
    assert planned["kept"]["part"] == ["newest", "daily", "monthly"]
    assert not {"h1", "h54", "h12000"} & set(planned["kept"])
    done = call("prune", tmp_path, *options, "--json").json
    assert done["removed"] == planned["removed"]
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {*planned["kept"], "broken.partial"}
    call("prune", tmp_path, *options, "--database", "other", "--incomplete-after", "0s")
    assert {path.name for path in tmp_path.iterdir()} == set(planned["kept"])


def test_the_last_backup_is_never_pruned(call: Call, make: Make, tmp_path: Path) -> None:
    make("only", hours=24 * 365 * 5)
    nothing = ("--daily", "0", "--weekly", "0", "--monthly", "0", "--yearly", "0")
    assert call("prune", tmp_path, *nothing, "--json").json["kept"] == {"only": ["newest"]}
    assert (tmp_path / "only").exists()


def test_check_fails_when_the_newest_is_old_or_missing(
    call: Call, make: Make, tmp_path: Path
) -> None:
    assert "no backup" in call("check", tmp_path, "--max-age", "26h", code=1).text
    make("yesterday", hours=25)
    make("part", hours=1, schemas=["a"])
    call("check", tmp_path, "--max-age", "26h")
    answer = call("check", tmp_path, "--max-age", "1d", "--json", code=1).json
    assert answer["stale"] == ["shop"]
    call("check", tmp_path, "--max-age", "1d", "--database", "other", code=1)
    call("check", tmp_path, "--max-age", "soon", code=2)


RULES = st.builds(Rule, *[st.integers(0, 4)] * 4)
TIMES = st.lists(
    st.datetimes(datetime(2023, 12, 1), datetime(2026, 2, 1), timezones=st.just(UTC)), max_size=40
)
PERIODS = {"daily": "%Y %j", "weekly": "%G %V", "monthly": "%Y %m", "yearly": "%Y"}


@settings(max_examples=200, deadline=None)
@given(TIMES, RULES)
def test_retention_holds_for_any_history(times: list[datetime], rule: Rule) -> None:
    taken = {f"b{number}": time for number, time in enumerate(times)}
    kept = retention.keep(taken, rule)
    newest = max(times, default=None)
    assert any(taken[name] == newest for name in kept) == bool(times)
    for period, pattern in PERIODS.items():
        wanted = sorted({time.strftime(pattern) for time in times}, reverse=True)
        wanted = wanted[: getattr(rule, period)]
        chosen = {
            taken[name].strftime(pattern): name for name, why in kept.items() if period in why
        }
        assert sorted(chosen, reverse=True) == wanted
        for when, name in chosen.items():
            assert taken[name] == max(t for t in times if t.strftime(pattern) == when)
    assert all(reasons for reasons in kept.values())
    total = sum(msgspec.structs.astuple(rule))
    assert len(kept) <= max(total, 1)


@settings(max_examples=60, deadline=None)
@given(TIMES.filter(bool), RULES)
def test_pruning_again_removes_nothing_more(times: list[datetime], rule: Rule) -> None:
    taken = {f"b{number}": time for number, time in enumerate(times)}
    once = retention.keep(taken, rule)
    assert set(retention.keep({name: taken[name] for name in once}, rule)) == set(once)
