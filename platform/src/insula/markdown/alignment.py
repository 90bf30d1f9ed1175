"""Which parts of two sequences are the same: a shortest edit where affordable, a good one else.

Small stretches are aligned by Myers' greedy algorithm ("An O(ND) Difference Algorithm", 1986),
which finds a shortest edit. Large ones are first cut at elements that occur once on either side,
in the longest run that keeps their order (Cohen's patience diff). All of it draws on one budget of
steps; a stretch for which nothing is left counts as replaced whole.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

_SMALL = 800
"""Elements up to which Myers is tried at once."""
_EDITS = 400
"""Of one run of Myers at most: it keeps the square of it in memory."""


class Match(NamedTuple):
    """``size`` equal elements at ``old`` and ``new``."""

    old: int
    new: int
    size: int


class Alignment(NamedTuple):
    """Matches in order, none touching the next; what lies between was replaced."""

    matches: list[Match]
    complete: bool
    """False where the budget ran out: the edit is right, but says more than needed."""
    steps: int
    """Taken from the budget."""


class _Range(NamedTuple):
    old: int
    old_end: int
    new: int
    new_end: int


def align(old: Sequence[str], new: Sequence[str], budget: int) -> Alignment:
    """Align two sequences in at most about ``budget`` steps (a million take a second or less)."""
    return _Aligner(old, new, budget).align()


class _Aligner:
    def __init__(self, old: Sequence[str], new: Sequence[str], budget: int) -> None:
        numbers: dict[str, int] = {}
        self._old = [numbers.setdefault(element, len(numbers)) for element in old]
        self._new = [numbers.setdefault(element, len(numbers)) for element in new]
        self._budget = budget
        self._steps = 0
        self._complete = True
        self._matches: list[Match] = []

    def align(self) -> Alignment:
        pending = [_Range(0, len(self._old), 0, len(self._new))]
        while pending:
            stretch = self._trimmed(pending.pop())
            if stretch.old < stretch.old_end and stretch.new < stretch.new_end:
                pending += self._split(stretch)
        return Alignment(_joined(sorted(self._matches)), self._complete, self._steps)

    def _trimmed(self, stretch: _Range) -> _Range:
        """Without the equal elements at both ends, which become matches."""
        old, old_end, new, new_end = stretch
        head = 0
        shortest = min(old_end - old, new_end - new)
        while head < shortest and self._old[old + head] == self._new[new + head]:
            head += 1
        tail = 0
        while (
            tail < shortest - head
            and self._old[old_end - 1 - tail] == self._new[new_end - 1 - tail]
        ):
            tail += 1
        self._found(old, new, head)
        self._found(old_end - tail, new_end - tail, tail)
        return _Range(old + head, old_end - tail, new + head, new_end - tail)

    def _found(self, old: int, new: int, size: int) -> None:
        if size:
            self._matches.append(Match(old, new, size))

    def _split(self, stretch: _Range) -> list[_Range]:
        """Match what can be in a stretch; what remains to be looked at."""
        size = stretch.old_end - stretch.old + stretch.new_end - stretch.new
        if size <= _SMALL and self._shortest_edit(stretch):
            return []
        self._steps += size
        anchors = self._anchors(stretch) if self._steps < self._budget else []
        if not anchors:
            if not (size > _SMALL and self._shortest_edit(stretch)):
                self._complete = False
            return []
        return list(_between(stretch, anchors))

    def _anchors(self, stretch: _Range) -> list[tuple[int, int]]:
        """Elements that occur once on either side, as many as keep their order on both."""
        old_counts = Counter(self._old[stretch.old : stretch.old_end])
        new_counts = Counter(self._new[stretch.new : stretch.new_end])
        places = {
            self._new[place]: place
            for place in range(stretch.new, stretch.new_end)
            if new_counts[self._new[place]] == 1 == old_counts[self._new[place]]
        }
        return _longest_increasing(
            [
                (place, places[self._old[place]])
                for place in range(stretch.old, stretch.old_end)
                if self._old[place] in places
            ]
        )

    def _shortest_edit(self, stretch: _Range) -> bool:
        """Myers' forward search; False where it would take too many edits or steps."""
        old, new = self._old, self._new
        width, height = stretch.old_end - stretch.old, stretch.new_end - stretch.new
        furthest, trail = {1: 0}, []
        for edits in range(min(width + height, _EDITS) + 1):
            self._steps += edits + 1
            if self._steps > self._budget:
                return False
            trail.append(furthest.copy())
            for diagonal in range(-edits, edits + 1, 2):
                x = _step(furthest, diagonal, edits)
                start = x
                while (
                    x < width
                    and 0 <= x - diagonal < height
                    and old[stretch.old + x] == new[stretch.new + x - diagonal]
                ):
                    x += 1
                self._steps += x - start
                furthest[diagonal] = x
                if x >= width and x - diagonal >= height:
                    self._retrace(stretch, trail)
                    return True
        return False

    def _retrace(self, stretch: _Range, trail: list[dict[int, int]]) -> None:
        x, y = stretch.old_end - stretch.old, stretch.new_end - stretch.new
        for edits in range(len(trail) - 1, -1, -1):
            diagonal = x - y
            start = _step(trail[edits], diagonal, edits)
            self._found(stretch.old + start, stretch.new + start - diagonal, x - start)
            down = _goes_down(trail[edits], diagonal, edits)
            x = start if down else start - 1
            y = start - diagonal - 1 if down else start - diagonal


def _goes_down(furthest: dict[int, int], diagonal: int, edits: int) -> bool:
    """Whether the best path onto ``diagonal`` inserts (else it deletes)."""
    return diagonal == -edits or (
        diagonal != edits and furthest[diagonal - 1] < furthest[diagonal + 1]
    )


def _step(furthest: dict[int, int], diagonal: int, edits: int) -> int:
    if _goes_down(furthest, diagonal, edits):
        return furthest[diagonal + 1]
    return furthest[diagonal - 1] + 1


def _between(stretch: _Range, anchors: list[tuple[int, int]]) -> list[_Range]:
    """The stretches from one anchor up to the next; each begins with its anchor."""
    starts = [(stretch.old, stretch.new), *anchors]
    ends = [*anchors, (stretch.old_end, stretch.new_end)]
    return [
        _Range(old, old_end, new, new_end)
        for (old, new), (old_end, new_end) in zip(starts, ends, strict=True)
    ]


def _longest_increasing(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest subsequence in which the second numbers rise, too."""
    tails: list[int] = []
    last: list[int] = []
    before: list[int] = []
    for index, (_, place) in enumerate(pairs):
        length = bisect_left(tails, place)
        tails[length : length + 1] = [place]
        last[length : length + 1] = [index]
        before.append(last[length - 1] if length else -1)
    chosen: list[tuple[int, int]] = []
    index = last[-1] if last else -1
    while index >= 0:
        chosen.append(pairs[index])
        index = before[index]
    return chosen[::-1]


def _joined(matches: list[Match]) -> list[Match]:
    joined: list[Match] = []
    for match in matches:
        if joined and (joined[-1].old + joined[-1].size, joined[-1].new + joined[-1].size) == (
            match.old,
            match.new,
        ):
            previous = joined.pop()
            match = Match(previous.old, previous.new, previous.size + match.size)  # noqa: PLW2901
        joined.append(match)
    return joined
