"""Instant-runoff voting, with every round told so that anybody can count it again.

Each ballot counts for the option that it ranks highest among those still in. Who has more than
half of the ballots that still count wins; until then the option with the fewest votes goes, and
its ballots count for their next preference. A ballot that names nobody still in is exhausted.

Ties for the last place are broken by the round before, then the one before that, and so on: who
had the fewest votes there goes. If the tied options were equal in all of them, lots decide. They
are drawn from the poll's id (SHA-256 of seed and option, the smallest goes), so that no place on
the list is better than another and a second count draws the same lots.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence

import msgspec


class Standing(msgspec.Struct, frozen=True):
    option: int
    votes: int


class Tie(msgspec.Struct, frozen=True):
    """Several options were last."""

    options: list[int]
    broken_by: str
    """``round <n>``, in which the one that goes had the fewest votes, or ``lot``."""


class Round(msgspec.Struct, frozen=True):
    standings: list[Standing]
    """Of the options still in, in the order of the poll."""
    exhausted: int
    """Ballots that name none of these."""
    eliminated: int | None = None
    tie: Tie | None = None


class Outcome(msgspec.Struct, frozen=True):
    winner: int | None
    """None while nobody has voted."""
    rounds: list[Round]


Ballots = Mapping[tuple[int, ...], int]
"""How often each ranking, the most preferred first, was cast."""


def instant_runoff(options: Sequence[int], ballots: Ballots, seed: str) -> Outcome:
    """Count the ballots; ``seed`` (the poll's id) draws the lots."""
    piles, rounds = _Piles(options, ballots), list[Round]()
    while True:
        standings, exhausted = piles.standings(), piles.exhausted
        if winner := _majority(standings):
            rounds.append(Round(standings, exhausted))
            return Outcome(winner, rounds)
        if not any(standing.votes for standing in standings):
            return Outcome(None, [*rounds, Round(standings, exhausted)])
        loser, tie = _last(standings, rounds, seed)
        rounds.append(Round(standings, exhausted, loser, tie))
        piles.eliminate(loser)


class _Piles:
    """The ballots of each option still in. Only those of one that goes are looked at again."""

    def __init__(self, options: Sequence[int], ballots: Ballots) -> None:
        self.exhausted = 0
        self._piles: dict[int, list[tuple[tuple[int, ...], int]]] = {each: [] for each in options}
        self._votes = dict.fromkeys(options, 0)
        self._lay(ballots.items())

    def _lay(self, ballots: Iterable[tuple[tuple[int, ...], int]]) -> None:
        for ranking, times in ballots:
            option = next((each for each in ranking if each in self._piles), None)
            if option is None:
                self.exhausted += times
            else:
                self._piles[option].append((ranking, times))
                self._votes[option] += times

    def standings(self) -> list[Standing]:
        return [Standing(option, self._votes[option]) for option in self._piles]

    def eliminate(self, option: int) -> None:
        self._lay(self._piles.pop(option))


def _majority(standings: list[Standing]) -> int | None:
    counting = sum(standing.votes for standing in standings)
    return next((each.option for each in standings if 2 * each.votes > counting), None)


def _last(standings: list[Standing], rounds: list[Round], seed: str) -> tuple[int, Tie | None]:
    tied = _fewest(standings)
    if len(tied) == 1:
        return tied[0], None
    left = tied
    for number in range(len(rounds), 0, -1):
        before = [each for each in rounds[number - 1].standings if each.option in left]
        left = _fewest(before)
        if len(left) == 1:
            return left[0], Tie(tied, f"round {number}")
    return min(left, key=lambda option: _lot(seed, option)), Tie(tied, "lot")


def _fewest(standings: list[Standing]) -> list[int]:
    fewest = min(standing.votes for standing in standings)
    return [standing.option for standing in standings if standing.votes == fewest]


def _lot(seed: str, option: int) -> bytes:
    return hashlib.sha256(f"{seed}/{option}".encode()).digest()
