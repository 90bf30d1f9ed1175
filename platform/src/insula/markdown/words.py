"""Comparing lines word by word, as far as a budget reaches."""

import re
from itertools import groupby
from typing import Literal

import msgspec

from insula.markdown.alignment import Match, align

_BUDGET = 500_000
"""Steps for all lines of one diff."""
_PAIR_BUDGET = 50_000
_LINE_LIMIT = 5_000
"""Characters of a line that is still compared."""

_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_WORD = re.compile(r"\w+|\s+|[^\w\s]")

ChangeKind = Literal["equal", "delete", "insert"]


class Span(msgspec.Struct, frozen=True):
    """A part of a line; the texts of a line's spans, joined, are the line."""

    kind: ChangeKind
    text: str


def split_lines(text: str) -> list[str]:
    """Lines with their line feeds; the last may have none."""
    return _LINE.findall(text)


class WordComparison:
    """The comparisons of one diff, which share a budget."""

    def __init__(self) -> None:
        self._left = _BUDGET

    def compare(
        self, lines: list[str], others: list[str], kind: ChangeKind
    ) -> list[tuple[Span, ...]]:
        """Spans for as many of ``lines`` as have a line of ``others`` at the same place."""
        return [self._spans(*pair, kind) for pair in zip(lines, others, strict=False)]

    def _spans(self, line: str, other: str, kind: ChangeKind) -> tuple[Span, ...]:
        """None where the lines share no word, or cost too much to compare."""
        if self._left <= 0 or max(len(line), len(other)) > _LINE_LIMIT:
            return ()
        words, other_words = _WORD.findall(line), _WORD.findall(other)
        alignment = align(words, other_words, min(self._left, _PAIR_BUDGET))
        self._left -= len(words) + len(other_words) + alignment.steps
        if not any(_has_word(words, match) for match in alignment.matches):
            return ()
        return _marked(words, alignment.matches, kind)


def _has_word(words: list[str], match: Match) -> bool:
    return any(word[0].isalnum() for word in words[match.old : match.old + match.size])


def _marked(words: list[str], matches: list[Match], changed: ChangeKind) -> tuple[Span, ...]:
    kinds: list[ChangeKind] = [changed] * len(words)
    for match in matches:
        kinds[match.old : match.old + match.size] = ["equal"] * match.size
    grouped = groupby(zip(kinds, words, strict=True), key=lambda pair: pair[0])
    return tuple(Span(kind, "".join(word for _, word in pairs)) for kind, pairs in grouped)
