"""Files of a folder that change together, however a process ends."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from insula_simulator import placing
from insula_simulator.placing import placed

FILES = ("a.html", "b.parquet", "c.json")
WRITER = """
import importlib.util, pathlib, sys
spec = importlib.util.spec_from_file_location("placing", sys.argv[1])
placing = importlib.util.module_from_spec(spec)
spec.loader.exec_module(placing)
print(flush=True)
number = 0
while True:
    number += 1
    with placing.placed(pathlib.Path(sys.argv[2])) as new:
        for name in sys.argv[3:]:
            (new / name).write_text(str(number))
"""


def write(folder: Path, text: str) -> None:
    with placed(folder) as new:
        for name in FILES:
            (new / name).write_text(text)


def read(folder: Path) -> set[str]:
    return {(folder / name).read_text() for name in FILES}


def test_a_kill_leaves_old_files_or_new_ones_and_never_some_of_each(tmp_path: Path) -> None:
    folder, chance = tmp_path / "results", random.Random(1)
    write(folder, "0")
    (folder / "runs.jsonl").write_text("kept")
    seen = set()
    for _ in range(25):
        command = [sys.executable, "-c", WRITER, placing.__file__, str(folder), *FILES]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout
        process.stdout.readline()
        time.sleep(chance.uniform(0.0, 0.02))
        process.kill()
        process.wait()
        process.stdout.close()
        found = read(folder)
        assert len(found) == 1, found
        assert (folder / "runs.jsonl").read_text() == "kept"
        seen |= found
    assert len(seen) > 1  # they were killed at work


def test_readers_find_one_generation_while_another_is_placed(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    write(folder, "old")
    before = folder.stat().st_ino
    inside = os.open(folder, os.O_RDONLY)
    try:
        write(folder, "new")
        assert read(folder) == {"new"}
        assert folder.stat().st_ino != before  # exchanged as a whole
        assert os.listdir(inside) == []
    finally:
        os.close(inside)
    assert os.listdir(tmp_path) == ["results"]


def test_what_else_is_there_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "results"
    folder.mkdir(mode=0o750)
    (folder / "mine.txt").write_text("mine")
    (folder / "link").symlink_to("nowhere")
    write(folder, "1")
    assert folder.stat().st_mode & 0o777 == 0o750
    assert (folder / "mine.txt").read_text() == "mine"
    assert os.readlink(folder / "link") == "nowhere"
    (folder / "below").mkdir()
    place = folder.stat().st_ino
    write(folder, "2")  # one by one, for what is below cannot be in two places
    monkeypatch.chdir(folder)
    (folder / "below").rmdir()
    write(Path(), "3")  # likewise: whoever is in it would be left outside
    assert (read(folder), folder.stat().st_ino) == ({"3"}, place)
    assert sorted(os.listdir(folder)) == [*FILES, "link", "mine.txt"]
    assert os.listdir(tmp_path) == ["results"]


def test_an_exception_changes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    write(folder, "old")

    def fail() -> None:
        with placed(folder) as new:
            (new / FILES[0]).write_text("new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert read(folder) == {"old"}
    assert os.listdir(tmp_path) == ["results"]
