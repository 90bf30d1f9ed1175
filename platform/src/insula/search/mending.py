"""Typing errors: words that nobody wrote, and the known ones that were meant."""

from typing import Final

import msgspec
from rapidfuzz.distance import OSA

from insula.db import Work
from insula.search.question import Clause, look_alikes

_SHORTEST: Final = 4
_TWO_ERRORS: Final = 8
_MOST: Final = 12
_MAY_FOLLOW: Final = 12
"""How many letters the beginning of a word may lack."""


async def mend(tx: Work, clauses: tuple[Clause, ...]) -> tuple[Clause, ...]:
    """The clauses, each with the known words that are a typing error or two away: one from four
    letters, two from eight. An error is a letter too many, too few, another, or two swapped."""
    places = [place for place, clause in enumerate(clauses) if _may_be_mended(clause)]
    wanted = [
        (word := clauses[place].words[0], len(word) + _reach(clauses[place])) for place in places
    ]
    mended = list(clauses)
    for place, known in zip(places, await look_alikes(tx, wanted), strict=True):
        clause = clauses[place]
        meant = sorted(
            (errors, word)
            for word in known
            if (errors := _errors(clause.words[0], word, clause.term.is_prefix)) is not None
        )
        similar = tuple(word for _, word in meant[:_MOST])
        mended[place] = msgspec.structs.replace(clause, similar=similar)
    return tuple(mended)


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
