"""Ticking off a task by changing one character of the source."""

import re
from collections.abc import Iterator
from itertools import islice

import msgspec

from insula_tenants.notes.markdown import read_markdown
from insula_tenants.notes.outline import Task

_LINE_BREAK = re.compile(r"\r\n|\r|\n")
_CHECKBOX = re.compile(r"(?:[-+*]|\d{1,9}[.)])[ \t]*(?:(?:\r\n|\r|\n)[ \t>]*)?\[([ xX])\]")


class TaskNotFound(Exception):
    """The note has no task of this number, or its checkbox can't be told in the source."""


def tasks(body: str) -> tuple[Task, ...]:
    return read_markdown(body).outline.tasks


def set_task(body: str, number: int, *, done: bool) -> str:
    """The body with task ``number`` (from 1) ticked or open, and nothing else changed.

    Raises:
        TaskNotFound: there is none.
    """
    before = tasks(body)
    if not 1 <= number <= len(before):
        raise TaskNotFound(f"The note has {len(before)} tasks; there is no task {number}.")
    if before[number - 1].done == done:
        return body
    wanted = tuple(
        msgspec.structs.replace(task, done=done) if task.number == number else task
        for task in before
    )
    for box in _checkboxes(body, before[number - 1].line):
        changed = f"{body[:box]}{'x' if done else ' '}{body[box + 1 :]}"
        if tasks(changed) == wanted:
            return changed
    raise TaskNotFound(f"The checkbox of task {number} can't be found in the source.")


def _checkboxes(body: str, line: int) -> Iterator[int]:
    """Where the tick of a list item that starts in ``line`` may stand, likeliest first."""
    start = 0
    for line_break in islice(_LINE_BREAK.finditer(body), line - 1):
        start = line_break.end()
    following = _LINE_BREAK.search(body, start)
    end = following.start() if following else len(body)
    boxes = (box for box in islice(_CHECKBOX.finditer(body, start), 3) if box.start() < end)
    return (box.start(1) for box in boxes)
