"""Typing errors: words that nobody wrote, and the known ones that were meant."""

from collections.abc import Awaitable, Callable, Container
from typing import Final

import msgspec
from rapidfuzz.distance import OSA

from insula.db import Work
from insula.search.question import Clause, look_alikes

Seen = Callable[[list[str]], Awaitable[Container[str]]]
"""Which of some words are in something that the asker may read."""
_SHORTEST: Final = 4
_TWO_ERRORS: Final = 8
_MOST: Final = 12
_MAY_FOLLOW: Final = 12
"""How many letters the beginning of a word may lack."""


async def mend(tx: Work, clauses: tuple[Clause, ...], seen: Seen) -> tuple[Clause, ...]:
    """The clauses, each with the known words that are a typing error or two away: one from four
    letters, two from eight. An error is a letter too many, too few, another, or two swapped.

    Only words that the asker may read somewhere: the others would betray themselves by taking their
    place.
    """
    places = [place for place, clause in enumerate(clauses) if _may_be_mended(clause)]
    wanted = [
        (word := clauses[place].words[0], len(word) + _reach(clauses[place])) for place in places
    ]
    alike = await look_alikes(tx, wanted)
    meant = [_meant(clauses[place], known) for place, known in zip(places, alike, strict=True)]
    readable = await seen(sorted({word for words in meant for word in words}))
    mended = list(clauses)
    for place, words in zip(places, meant, strict=True):
        similar = tuple(word for word in words if word in readable)[:_MOST]
        mended[place] = msgspec.structs.replace(clauses[place], similar=similar)
    return tuple(mended)


def _meant(clause: Clause, known: list[str]) -> list[str]:
    """Those that may have been meant, the likeliest first."""
    meant = sorted(
        (errors, word)
        for word in known
        if (errors := _errors(clause.words[0], word, clause.term.is_prefix)) is not None
    )
    return [word for _, word in meant]


def _may_be_mended(clause: Clause) -> bool:
    words = clause.words
    return (
        not clause.term.excluded
        and not clause.term.is_phrase
        and len(words) == 1
        and words[0].isalpha()
        and _SHORTEST <= len(words[0]) <= 32
    )


def _reach(clause: Clause) -> int:
    return _MAY_FOLLOW if clause.term.is_prefix else 2


def _errors(typed: str, known: str, is_prefix: bool) -> int | None:
    """How many errors lead from a known word to what was typed; None if too many."""
    most = 2 if len(typed) >= _TWO_ERRORS else 1
    lengths = {len(known)}
    if is_prefix:
        lengths |= {len(typed) + more for more in range(-most, most + 1)}
    distances = (
        OSA.distance(typed, known[:length], score_cutoff=most) for length in lengths if length >= 2
    )
    errors = min(distances, default=most + 1)
    return errors if errors <= most else None
