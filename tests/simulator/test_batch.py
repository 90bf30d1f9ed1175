"""Requests split by site and merged again, against NumPy's sorting; and the short cuts of kernels
against the formulas they stand for."""

import math

import numpy as np
import numpy.typing as npt
import pytest
from insula_simulator.batch import Batch, Sent, sorted_by_site
from insula_simulator.crew import Crew
from insula_simulator.network.latency import doublings
from insula_simulator.network.traffic import alias_table, packed
from insula_simulator.shelf import Shelf

SITES = 7


def batch(count: int) -> Batch:
    chance = np.random.default_rng(count)
    return Batch(
        np.arange(count),
        chance.integers(0, 1 << 62, count),
        chance.integers(1, 1000, count),
        np.sort(chance.random(count)),
        chance.integers(0, SITES, count),
    )


@pytest.mark.parametrize("count", [0, 1, 1000])
def test_a_batch_split_and_merged_again_is_in_order_of_time(count: int) -> None:
    requests, shelf = batch(count), Shelf()
    split = sorted_by_site(requests, requests.origins, SITES, shelf)
    for site, part in enumerate(split.parts):
        assert (part.keys == requests.keys[requests.origins == site]).all()
        assert (part.times == requests.times[requests.origins == site]).all()
    asked = [np.flatnonzero(part.sizes % 3 == 0) for part in split.parts]
    merged = split.merged(
        [send(*each) for each in zip(split.parts, asked, split.rooms, strict=True)], Shelf()
    )
    wanted = requests.only(requests.sizes % 3 == 0)
    for column in ("numbers", "keys", "sizes", "times", "origins"):
        assert (getattr(merged.batch, column) == getattr(wanted, column)).all()
    assert (merged.bodies == wanted.sizes + 1).all()
    back = merged.brought_back(merged.batch.times)
    for part, rows, times in zip(split.parts, asked, back, strict=True):
        assert (part.times[rows] == times).all()


def send(part: Batch, rows: npt.NDArray[np.int64], room: Sent) -> Sent:
    """What a site does with the memory that it is given."""
    sent = room.part(0, len(rows))
    sent.rows[:], sent.bodies[:] = rows, part.sizes[rows] + 1
    for column in ("numbers", "keys", "sizes", "times"):
        getattr(sent, column)[:] = getattr(part, column)[rows]
    return sent


def test_the_next_chunk_takes_the_memory_of_the_last() -> None:
    shelf = Shelf()
    first = sorted_by_site(batch(1000), batch(1000).origins, SITES, shelf)
    second = sorted_by_site(batch(900), batch(900).origins, SITES, shelf)
    assert np.shares_memory(first.parts[0].keys, second.parts[0].keys)
    assert sum(len(part) for part in second.parts) == 900


@pytest.mark.parametrize("windows", [0.0, 0.5, 1.0, 1.5, 3.0, 3.01, 7.0, 1e6])
def test_slow_start_doubles_until_all_is_sent(windows: float) -> None:
    expected = math.ceil(math.log2(1 + windows)) - 1 if windows > 1 else 0
    assert doublings(windows) == expected


def test_a_packed_alias_table_says_the_same() -> None:
    threshold, alias = alias_table(np.arange(1.0, 1001) ** -0.9)
    both = packed(threshold, alias)
    assert (both & 0xFFFFFFFF == alias).all()
    assert (both >> 32) / 2.0**30 == pytest.approx(threshold, abs=1e-9)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_a_crew_does_every_piece_once_and_tells_of_faults(threads: int) -> None:
    with Crew(threads) as crew:
        later = crew.meanwhile(lambda: "made")
        assert crew.each(lambda i: i * i, range(30)) == [i * i for i in range(30)]
        assert later() == "made"
        with pytest.raises(ZeroDivisionError):
            crew.each(lambda i: 1 // (i - 7), range(30))
