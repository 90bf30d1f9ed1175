"""What changed between two texts: hunks of lines with the changed words in them.

Work is bounded whatever the texts are: two different megabytes take about a second at most, and
``exact`` says when the bound made the answer coarser than it could be.
"""

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from insula.markdown.alignment import Match, align
from insula.markdown.words import ChangeKind, Span, WordComparison, split_lines

LINES_LIMIT = 20_000
"""Lines of all hunks of a ``TextDiff`` together."""
_BUDGET = 1_500_000
_CONTEXT = 3

_SIGNS = {"equal": " ", "delete": "-", "insert": "+"}
_UNENDED = "\n\\ No newline at end of file\n"


class DiffLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line with its line break; ``old`` and ``new`` are its numbers, from 1, where it exists."""

    kind: ChangeKind
    old: int | None
    new: int | None
    text: str
    spans: tuple[Span, ...] = ()
    """Which words changed, where the line has a counterpart; empty where all of it did."""


class Hunk(msgspec.Struct, frozen=True, kw_only=True):
    """Changed lines with up to three unchanged ones around them; numbers as in a unified diff."""

    old_start: int
    old_count: int
    new_start: int
    new_count: int
    lines: tuple[DiffLine, ...]


class TextDiff(msgspec.Struct, frozen=True, kw_only=True):
    """The change from one text to another."""

    added: int
    """Lines."""
    removed: int
    exact: bool
    """False where the texts were too different to find a shortest change in bounded time."""
    truncated: bool
    """There is more than these hunks show."""
    hunks: tuple[Hunk, ...]


def diff_texts(old: str, new: str) -> TextDiff:
    """The hunks that lead from ``old`` to ``new``. Lines end with a line feed, as for ``diff``."""
    change = _change(old, new)
    words, room, hunks = WordComparison(), LINES_LIMIT, []
    for stretch in change.stretches:
        shown = _first(stretch, room)
        room -= _size(stretch)
        hunks += [_hunk(change, shown, words)] if shown else []
    return TextDiff(
        added=_count(change, "insert"),
        removed=_count(change, "delete"),
        exact=change.exact,
        truncated=room < 0,
        hunks=tuple(hunks),
    )


def unified_diff(old: str, new: str, old_name: str, new_name: str) -> str:
    """The whole change as ``patch`` takes it; empty where nothing changed."""
    change = _change(old, new)
    parts = [f"--- {old_name}\n+++ {new_name}\n"] if change.stretches else []
    for stretch in change.stretches:
        parts.append(f"@@ -{_range(stretch, 'insert')} +{_range(stretch, 'delete')} @@\n")
        for run in stretch:
            sign = _SIGNS[run.kind]
            parts += [f"{sign}{line}" for line in change.lines(run)]
            if not parts[-1].endswith("\n"):
                parts.append(_UNENDED)
    return "".join(parts)


class _Run(NamedTuple):
    """``size`` lines of one kind; ``old`` and ``new`` count from 0."""

    kind: ChangeKind
    old: int
    new: int
    size: int


class _Change(NamedTuple):
    old: list[str]
    new: list[str]
    stretches: list[list[_Run]]
    exact: bool

    def lines(self, run: _Run) -> list[str]:
        if run.kind == "insert":
            return self.new[run.new : run.new + run.size]
        return self.old[run.old : run.old + run.size]


def _change(old: str, new: str) -> _Change:
    old_lines, new_lines = split_lines(old), split_lines(new)
    alignment = align(old_lines, new_lines, _BUDGET)
    end = Match(len(old_lines), len(new_lines), 0)
    stretches = list(_stretches([*alignment.matches, end]))
    return _Change(old_lines, new_lines, stretches, alignment.complete)


def _stretches(matches: list[Match]) -> Iterator[list[_Run]]:
    """The runs of each hunk: changes that are near enough to share their context."""
    end = matches[-1]
    runs: list[_Run] = []
    changed = False
    old = new = 0
    for match in matches:
        if (match.old, match.new) != (old, new):
            runs += _replaced(old, new, match)
            changed = True
        old, new = match.old + match.size, match.new + match.size
        if changed and (match.size > 2 * _CONTEXT or (old, new) == (end.old, end.new)):
            yield [*runs, *_equal(match, 0, min(match.size, _CONTEXT))]
            runs, changed = [], False
        if changed:
            runs += _equal(match, 0, match.size)
        else:
            runs = _equal(match, max(match.size - _CONTEXT, 0), match.size)


def _replaced(old: int, new: int, match: Match) -> list[_Run]:
    removed = _Run("delete", old, new, match.old - old)
    added = _Run("insert", match.old, new, match.new - new)
    return [run for run in (removed, added) if run.size]


def _equal(match: Match, start: int, end: int) -> list[_Run]:
    if start == end:
        return []
    return [_Run("equal", match.old + start, match.new + start, end - start)]


def _range(stretch: list[_Run], other_side: ChangeKind) -> str:
    """Where a hunk lies on one side; before the first line where that side has none."""
    runs = [run for run in stretch if run.kind != other_side]
    count = sum(run.size for run in runs)
    first = stretch[0].old if other_side == "insert" else stretch[0].new
    start = first + 1 if count else first
    return str(start) if count == 1 else f"{start},{count}"


def _hunk(change: _Change, stretch: list[_Run], words: WordComparison) -> Hunk:
    lines: list[DiffLine] = []
    for place, run in enumerate(stretch):
        other = _counterpart(stretch, place)
        spans = words.compare(change.lines(run), change.lines(other), run.kind) if other else []
        lines += _diff_lines(change, run, spans)
    old = [line.old for line in lines if line.old]
    new = [line.new for line in lines if line.new]
    return Hunk(
        old_start=old[0] if old else stretch[0].old,
        old_count=len(old),
        new_start=new[0] if new else stretch[0].new,
        new_count=len(new),
        lines=tuple(lines),
    )


def _counterpart(stretch: list[_Run], place: int) -> _Run | None:
    """The added lines in place of removed ones, and the other way round."""
    kind = stretch[place].kind
    if kind == "delete" and place + 1 < len(stretch) and stretch[place + 1].kind == "insert":
        return stretch[place + 1]
    if kind == "insert" and place and stretch[place - 1].kind == "delete":
        return stretch[place - 1]
    return None


def _diff_lines(change: _Change, run: _Run, spans: list[tuple[Span, ...]]) -> Iterator[DiffLine]:
    for offset, text in enumerate(change.lines(run)):
        yield DiffLine(
            kind=run.kind,
            old=None if run.kind == "insert" else run.old + offset + 1,
            new=None if run.kind == "delete" else run.new + offset + 1,
            text=text,
            spans=spans[offset] if offset < len(spans) else (),
        )


def _first(stretch: list[_Run], room: int) -> list[_Run]:
    """As much of a hunk as makes up ``room`` lines."""
    shown = []
    for run in stretch:
        if room > 0:
            shown.append(run._replace(size=min(run.size, room)))
        room -= run.size
    return shown


def _size(stretch: list[_Run]) -> int:
    return sum(run.size for run in stretch)


def _count(change: _Change, kind: ChangeKind) -> int:
    return sum(run.size for stretch in change.stretches for run in stretch if run.kind == kind)
