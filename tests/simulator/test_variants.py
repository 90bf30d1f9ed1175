"""Variants by ``Vary``, and AdaptSize's tuning of what is let into a cache."""

from typing import Any

import numpy as np
import pytest
from insula_simulator.content.adaptsize import Tuner, best_scale, hit_ratio
from insula_simulator.results import Result
from insula_simulator.scenario import ScenarioError
from insula_simulator.simulation import Simulation
from simulator.networks import scenario
from simulator.test_content import one_edge, requests_of, run

PAGES: dict[str, Any] = {"name": "pages", "objects": 3000, "zipf": 0.8}
ENCODINGS: list[dict[str, Any]] = [
    {"name": "br", "share": 7.0, "size": 0.25},
    {"name": "gzip", "share": 2.0, "size": 0.5},
    {"name": "plain"},
]


def with_pages(vary: list[dict[str, Any]], **changes: Any) -> tuple[Simulation, Result]:
    return run(**one_edge(traffic={"classes": [PAGES | {"vary": vary}]}, **changes))


def test_variants_have_their_shares_and_sizes_and_are_kept_apart() -> None:
    simulation, varied = with_pages(ENCODINGS)
    _, plain = with_pages([])
    asked = requests_of(simulation)
    which = np.array([key & 0xFFFFF for key, _, _ in asked])
    assert np.bincount(which) / len(which) == pytest.approx([0.7, 0.2, 0.1], abs=0.01)
    whole = {key >> 20: size for key, size, _ in asked if key & 0xFFFFF == 2}
    for key, size, _ in asked:
        if key >> 20 in whole:
            factor = (0.25, 0.5, 1.0)[key & 0xFFFFF]
            assert size == max(1, int(whole[key >> 20] * factor))
    assert varied.fates["miss"] >= len({key for key, _, _ in asked})
    assert varied.bytes_delivered < 0.6 * plain.bytes_delivered
    _, as_large = with_pages([each | {"size": 1.0} for each in ENCODINGS])
    assert as_large.bytes_delivered == plain.bytes_delivered
    assert as_large.fates["miss"] > 1.2 * plain.fates["miss"]


def test_as_many_equal_variants_are_as_many_objects() -> None:
    """Under independent references nobody can tell two variants from two objects: the hit ratio is
    that of Che's approximation (2002) for all of them."""
    vary = [{"name": f"v{i}"} for i in range(4)]
    cache = {"cache": {"size": 2_000_000}, "servers": {"count": 10_000}}
    edge = {"name": "here", "latitude": 50.1, "longitude": 8.7} | cache
    pages = PAGES | {"vary": vary, "sizes": {"median": 2000.0, "sigma": 0.0, "pareto_share": 0.0}}
    http = {"ttl": 1e9}
    _, result = run(**one_edge(
        traffic={"classes": [pages]}, edges=[edge], requests=200_000, http=http
    ))  # fmt: skip
    rates = np.repeat(np.arange(1.0, 3001) ** -0.8, 4)
    expected = hit_ratio(rates, np.full(len(rates), 2000), 2_000_000, np.inf)
    hits = result.fates["hit"] + result.fates["collapsed"]
    assert hits / 200_000 == pytest.approx(expected, rel=0.02)


def test_a_purge_by_url_and_a_push_are_of_all_variants() -> None:
    purge = {"at": 1800.0, "url": "pages/0", "delay": 0.0}
    changes = {"pushes": [{"at": 0.0, "url": "pages/0-9"}], "http": {"ttl": 1e9}}
    _, before = with_pages(ENCODINGS, **changes)
    assert before.pushed is not None
    assert before.pushed.fetches == 30
    _, after = with_pages(ENCODINGS, purges=[purge], **changes)
    assert after.fates["miss"] == before.fates["miss"] + 3


@pytest.mark.parametrize(
    ("about", "complaint"),
    [
        ({"vary": ENCODINGS, "chunk": 1_000_000}, "classes[0].vary"),
        ({"vary": [{"name": "a"}, {"name": "a"}]}, "classes[0].vary"),
        ({"vary": [{"name": "a", "share": 0}]}, "classes[0].vary[0].share"),
        ({"prefetch": 1}, "classes[0].prefetch"),
    ],
    ids=range(4),
)
def test_what_cannot_vary_is_refused(about: dict[str, Any], complaint: str) -> None:
    with pytest.raises((ScenarioError, ValueError)) as error:
        scenario(**one_edge(traffic={"classes": [PAGES | about]}))
    assert complaint in str(error.value)


LARGE_AND_SMALL = {"median": 20_000.0, "sigma": 2.0, "pareto_share": 0.0, "largest": 50_000_000}


def admitting(admission: dict[str, Any] | None) -> tuple[Simulation, Result]:
    cache = {"size": 5_000_000, "admission": admission} if admission else {"size": 5_000_000}
    edge = {"name": "here", "latitude": 50.1, "longitude": 8.7, "cache": cache,
            "servers": {"count": 10_000}}  # fmt: skip
    traffic = {"objects": 5000, "zipf": 0.9, "sizes": LARGE_AND_SMALL}
    return run(**one_edge(
        traffic=traffic, edges=[edge], requests=150_000, http={"ttl": 1e9}
    ))  # fmt: skip


def hits(result: Result) -> float:
    return (result.fates["hit"] + result.fates["collapsed"]) / result.requests


def test_the_model_says_what_a_cache_that_admits_by_size_hits() -> None:
    rates = np.arange(1.0, 5001) ** -0.9
    for scale in (60_000.0, 300_000.0):
        simulation, result = admitting({"scale": scale})
        said = hit_ratio(rates, simulation.plan.sizes, 5_000_000, scale)
        assert hits(result) == pytest.approx(said, abs=0.01)


def test_tuning_finds_what_the_best_fixed_scale_finds() -> None:
    without = hits(admitting(None)[1])
    fixed = {
        scale: hits(admitting({"scale": scale})[1])
        for scale in (1e3, 4e3, 16e3, 64e3, 256e3, 1e6, 4e6)
    }
    tuned = admitting({"window": 10_000})[1]
    assert max(fixed.values()) > without + 0.05
    assert hits(tuned) > max(fixed.values()) - 0.02
    best = max(fixed, key=lambda scale: fixed[scale])
    scale = tuned.edges[0].admission_scale
    assert scale is not None
    assert best / 5 < scale < best * 5
    assert admitting({"scale": 1e4})[1].edges[0].admission_scale is None


def test_a_tuner_follows_what_is_asked_for_and_forgets() -> None:
    tuner = Tuner(1_000_000, 5000, 1e6)
    tuner.hear(np.arange(4999), np.full(4999, 1000))
    assert (tuner.seen, tuner.scale) == (4999, 1e6)
    tuner.hear(np.zeros(1, np.int64), np.full(1, 1000))
    assert (tuner.seen, len(tuner.keys)) == (0, 4999)
    many = 10_000 + np.arange(20_000)  # of which a sample is looked at
    tuner.hear(many, np.where(many % 2, 100_000, 100))
    assert tuner.keys.min() == 10_000
    assert tuner.scale < 100_000


def test_everything_is_let_in_where_everything_fits() -> None:
    sizes = np.array([10, 1000, 100_000])
    assert hit_ratio(np.ones(3), sizes, 1e6, 1.0) == 1.0
    assert best_scale(np.ones(3), sizes, 1e6) > 0
