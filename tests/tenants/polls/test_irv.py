"""Instant-runoff voting against pyrankvote, and the tie rules that it does not share."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from insula_tenants.polls.irv import Outcome, instant_runoff
from pyrankvote import Ballot, Candidate
from pyrankvote import instant_runoff_voting as oracle

Ballots = dict[tuple[int, ...], int]


@st.composite
def elections(draw: st.DrawFn) -> tuple[list[int], Ballots]:
    options = list(range(1, draw(st.integers(2, 6)) + 1))
    ranking = st.lists(st.sampled_from(options), unique=True, min_size=1).map(tuple)
    return options, draw(st.dictionaries(ranking, st.integers(1, 30), min_size=1, max_size=25))


def tied_where_it_matters(outcome: Outcome) -> bool:
    """Whether a tie was broken among options that anybody had voted for: pyrankvote breaks it
    another way."""
    for each in outcome.rounds:
        votes = {standing.option: standing.votes for standing in each.standings}
        if each.tie and votes[each.tie.options[0]]:
            return True
    return False


@given(elections())
def test_the_winner_and_the_first_round_are_those_of_pyrankvote(
    election: tuple[list[int], Ballots],
) -> None:
    options, ballots = election
    ours = instant_runoff(options, ballots, "seed")
    assume(not tied_where_it_matters(ours))
    candidates = {option: Candidate(str(option)) for option in options}
    cast = [
        Ballot([candidates[option] for option in ranking])
        for ranking, times in ballots.items()
        for _ in range(times)
    ]
    theirs = oracle(list(candidates.values()), cast)
    assert [str(ours.winner)] == [winner.name for winner in theirs.get_winners()]
    first = {str(each.option): each.votes for each in ours.rounds[0].standings}
    assert first == {
        result.candidate.name: result.number_of_votes
        for result in theirs.rounds[0].candidate_results
    }


@given(elections())
def test_the_audit_trail_accounts_for_every_ballot_in_every_round(
    election: tuple[list[int], Ballots],
) -> None:
    options, ballots = election
    outcome = instant_runoff(options, ballots, "seed")
    remaining = list(options)
    for each in outcome.rounds:
        assert [standing.option for standing in each.standings] == remaining
        recount = dict.fromkeys([*remaining, None], 0)
        for ranking, times in ballots.items():
            recount[next((option for option in ranking if option in remaining), None)] += times
        assert each.exhausted == recount[None]
        assert {s.option: s.votes for s in each.standings} == {o: recount[o] for o in remaining}
        if each.eliminated is not None:
            assert recount[each.eliminated] == min(recount[option] for option in remaining)
            remaining.remove(each.eliminated)
    last = {standing.option: standing.votes for standing in outcome.rounds[-1].standings}
    assert outcome.winner is not None
    assert 2 * last[outcome.winner] > sum(last.values())


@given(elections(), st.randoms())
def test_the_order_of_the_ballots_does_not_matter(
    election: tuple[list[int], Ballots], random: object
) -> None:
    options, ballots = election
    shuffled = list(ballots.items())
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert instant_runoff(options, dict(shuffled), "s") == instant_runoff(options, ballots, "s")


def test_a_tie_goes_by_the_round_before() -> None:
    # Round 1: 4, 3, 2, 1: 4 goes, to 3. Round 2: 4, 3, 3: 2 and 3 tie; 3 was last in round 1.
    outcome = instant_runoff([1, 2, 3, 4], {(1,): 4, (2,): 3, (3, 2): 2, (4, 3): 1}, "seed")
    tie = outcome.rounds[1].tie
    assert tie is not None
    assert (tie.options, tie.broken_by, outcome.rounds[1].eliminated) == ([2, 3], "round 1", 3)
    assert outcome.winner == 2


def test_a_tie_from_the_start_goes_by_lot_and_by_the_same_lot_again() -> None:
    ballots: Ballots = {(1,): 5, (2,): 5}
    outcomes = [instant_runoff([1, 2], ballots, f"poll {number}") for number in range(40)]
    assert all(each.rounds[0].tie and each.rounds[0].tie.broken_by == "lot" for each in outcomes)
    assert {each.winner for each in outcomes} == {1, 2}
    assert outcomes[0] == instant_runoff([1, 2], ballots, "poll 0")


@pytest.mark.parametrize("options", [[1, 2], [1, 2, 3]])
def test_without_votes_nobody_wins(options: list[int]) -> None:
    outcome = instant_runoff(options, {}, "seed")
    assert (outcome.winner, len(outcome.rounds)) == (None, 1)
