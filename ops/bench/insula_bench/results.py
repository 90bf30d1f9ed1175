"""Renewing some sections of RESULTS.md and leaving the others as they are."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path


def update(file: Path, sections: Iterable[str], machine: Mapping[str, str], noise: str) -> None:
    """Each in the place of the one with its heading, or at the end; with a line that says when and
    on what it was measured."""
    text = file.read_text()
    run = (
        f"*Run of its own: {machine['date']}, commit {machine['commit']}, {machine['CPU']}, "
        f"{machine['memory']}, {machine['Python']}; busy with other work: {noise}.*"
    )
    for section in sections:
        heading, _, rest = section.strip().partition("\n")
        new = f"{heading}\n\n{run}\n{rest}\n"
        pattern = re.compile(rf"^{re.escape(heading)}$.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
        if old := pattern.search(text):
            text = f"{text[: old.start()]}{new}\n{text[old.end() :]}".rstrip() + "\n"
        else:
            text = f"{text.rstrip()}\n\n{new}"
    file.write_text(text)
