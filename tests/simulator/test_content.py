"""Classes of content, pieces of objects, purges: against plain Python, request by request."""

import math
from collections import Counter, OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from insula_simulator.batch import Batch
from insula_simulator.content.admission import Doorkeeper
from insula_simulator.report.content import content
from insula_simulator.results import Result, summarise
from insula_simulator.scenario import Admission, ScenarioError
from insula_simulator.simulation import Simulation
from simulator.networks import described, scenario
from simulator.plain_edge import PlainEdge, Purged

CAPACITY = 60_000_000
PLACE = {"latitude": 50.1, "longitude": 8.7}
PLENTY = {"count": 10_000, "service": 0.01, "spread": 0.0}
CLASSES: list[dict[str, Any]] = [
    {"name": "pages", "share": 3.0, "objects": 400, "ttl": 120.0, "tags": {"all pages": 1.0},
     "vary": [{"name": "br", "share": 3, "size": 0.25}, {"name": "plain"}]},
    {"name": "images", "share": 4.0, "objects": 600, "tags": {"shop": 0.5}},
    {"name": "api", "share": 1.0, "objects": 50, "cacheable": False},
    {"name": "films", "share": 2.0, "objects": 20, "chunk": 100_000, "range": 250_000,
     "finish": 0.5, "sizes": {"median": 2_000_000.0, "sigma": 0.3, "largest": 5_000_000}},
]  # fmt: skip


def one_edge(**changes: Any) -> dict[str, Any]:
    """An edge beside its origin, and neither ever busy."""
    return (
        described(
            requests=20_000,
            regions=[{"name": "here"} | PLACE],
            edges=[
                {"name": "here", "cache": {"size": CAPACITY}, "servers": PLENTY} | PLACE,
            ],
            shields=[],
            origin=PLACE | {"servers": PLENTY},
        )
        | changes
    )


def run(**changes: Any) -> tuple[Simulation, Result]:
    simulation = Simulation(scenario(**changes), 1)
    simulation.run()
    return simulation, summarise(simulation)


def requests_of(simulation: Simulation) -> list[tuple[int, int, float]]:
    """What the same scenario asks for, drawn once more."""
    (batch,) = Simulation(simulation.scenario, 1).synthetic()
    return list(zip(batch.keys.tolist(), batch.sizes.tolist(), batch.times.tolist(), strict=True))


def key_of(kind: int, number: int) -> int:
    return kind << 54 | number << 20


PURGES: list[dict[str, Any]] = [
    {"at": 500.0, "tag": "all pages", "delay": 2.0},
    {"at": 900.0, "tag": "*", "kind": "soft", "delay": 0.0},
    {"at": 1500.0, "url": "images/0-49", "kind": "hard", "delay": 1.0, "over": 10.0},
    {"at": 1600.0, "url": "images/3", "kind": "soft", "delay": 0.0, "every": 100.0},
]


@pytest.mark.parametrize("while_revalidate", [0.0, 90.0])
def test_fates_are_those_of_a_plain_dictionary_with_purges(while_revalidate: float) -> None:
    http = {"ttl": 400.0, "stale_while_revalidate": while_revalidate}
    changes = one_edge(traffic={"classes": CLASSES}, http=http, purges=PURGES)
    simulation, result = run(**changes)
    way = 0.00025  # half of what a round trip within a city takes
    keys = [(key, kind) for key, _, _ in requests_of(simulation) for kind in [key >> 54]]
    pages = {key for key, kind in keys if kind == 1}
    purges = [Purged(502.0 + way, hard=True, matches=pages)]
    purges.append(Purged(900.0 + way, hard=False, matches=None))
    purges += [Purged(1501.0 + way + i * 0.2, hard=True, matches={key_of(2, i)}) for i in range(50)]
    purges += [
        Purged(at + way, hard=False, matches={key_of(2, 3)}) for at in range(1600, 3600, 100)
    ]
    fetch = 0.01 + 0.0005
    edge = PlainEdge(
        CAPACITY, fetch, {1: 120.0, 2: 400.0, 3: 400.0, 4: 400.0}, while_revalidate, {3}, purges
    )
    edge.play(requests_of(simulation))
    assert {k: v for k, v in result.fates.items() if v} == dict(edge.fates)
    assert edge.fates["stale"] > 100 or not while_revalidate
    assert edge.fates["revalidated"] > 100


def test_every_class_has_its_share_and_keys_of_its_own() -> None:
    simulation, result = run(**one_edge(traffic={"classes": CLASSES}))
    asked = requests_of(simulation)
    for kind, each in enumerate(CLASSES, 1):
        mine = [key for key, _, _ in asked if key >> 54 == kind]
        assert len(mine) == pytest.approx(2000 * each["share"], rel=0.1)
        assert max(mine) < key_of(kind, each["objects"])
    assert result.fates["pass"] == sum(key >> 54 == 3 for key, _, _ in asked)


def test_viewers_ask_for_one_piece_after_the_other_and_some_stop_early() -> None:
    films = CLASSES[3] | {"pace": 3600.0 / 20_000}  # one viewer at a time
    simulation, result = run(**one_edge(traffic={"classes": [films]}))
    asked = requests_of(simulation)
    chunks = [key & (1 << 20) - 1 for key, _, _ in asked]
    films_seen = [key >> 20 for key, _, _ in asked]
    steps = list(zip(films_seen, chunks, films_seen[1:], chunks[1:], strict=False))
    assert all(later in (chunk, chunk + 1) or later == 0 for _, chunk, _, later in steps)
    assert all(later == 0 for film, _, after, later in steps if film != after)
    sizes: dict[int, dict[int, int]] = {}
    for film, chunk, (_, size, _) in zip(films_seen, chunks, asked, strict=True):
        assert sizes.setdefault(film, {}).setdefault(chunk, size) == size <= 100_000
    early = sum(0 < chunk < max(sizes[film]) and later == 0 for film, chunk, _, later in steps)
    ends = sum(later == 0 and chunk > 0 for _, chunk, _, later in steps)
    assert 0.35 < early / ends < 0.6
    assert result.bytes_delivered < sum(size for _, size, _ in asked)


def test_a_purge_costs_the_origin_what_was_purged_and_a_soft_one_less() -> None:
    http = {"ttl": 86_400.0, "stale_while_revalidate": 1800.0}
    traffic = {"objects": 1000}
    _, none = run(**one_edge(http=http, traffic=traffic))
    _, hard = run(**one_edge(http=http, traffic=traffic, purges=[{"at": 1800.0, "tag": "*"}]))
    _, soft = run(
        **one_edge(http=http, traffic=traffic, purges=[{"at": 1800.0, "tag": "*", "kind": "soft"}])
    )
    assert none.fates["miss"] == soft.fates["miss"] < hard.fates["miss"]
    assert soft.fates["stale"] > 100
    assert none.bytes_from_origin < soft.bytes_from_origin < hard.bytes_from_origin


RAM = {"size": 9, "policy": "magic"}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"purges": [{"at": 1.0, "tag": "news"}]}, "$.purges[0].tag"),
        ({"purges": [{"at": 1.0}]}, "$.purges[0]"),
        ({"purges": [{"at": 1.0, "url": "videos/1"}]}, "$.purges[0].url"),
        ({"traffic": {"classes": CLASSES}, "purges": [{"at": 1.0, "url": "films/5-20"}]},
         "$.purges[0].url"),
        ({"purges": [{"at": 1.0, "tag": "*", "every": 1e-6}]}, "$.purges[0]"),
        ({"traffic": {"classes": [CLASSES[0], CLASSES[0]]}}, "$.traffic.classes[1].name"),
        ({"traffic": {"classes": [{"name": "a", "range": 5}]}}, "$.traffic.classes[0].range"),
        ({"traffic": {"classes": [{"name": "a", "chunk": 5}]}}, "$.traffic.classes[0].chunk"),
        ({"pushes": [{"at": 1.0, "url": "films/1"}]}, "$.pushes[0].url"),
        ({"pushes": [{"at": 1.0, "url": "traffic/1", "edges": ["Rome"]}]}, "$.pushes[0].edges[0]"),
        ({"pushes": [{"at": 1.0, "url": "traffic/0-4999"}] * 1000}, "$.pushes[500]"),
        ({"shields": [PLACE | {"name": "s", "cache": {"size": 9, "ram": RAM}}]},
         "$.shields[0].cache.ram.policy"),
        ({"shields": [PLACE | {"name": "s", "cache": {"size": 9}, "cluster": "a"}]},
         "$.shields[0].cluster"),
    ],
    ids=range(13),
)  # fmt: skip
def test_a_wrong_key_is_named(change: dict[str, Any], complaint: str, tmp_path: Path) -> None:
    with pytest.raises(ScenarioError) as error:
        scenario(**change)
    assert f"`{complaint}`" in str(error.value)


def test_an_object_is_stored_the_second_time_it_is_asked_for() -> None:
    cache = {"size": 10**12, "admission": {"seen": 1_000_000}}
    edges = [{"name": "here", "cache": cache, "servers": PLENTY} | PLACE]
    simulation, result = run(**one_edge(edges=edges, http={"ttl": 1e9}))
    asked = Counter(key for key, _, _ in requests_of(simulation))
    assert result.fates["miss"] == sum(min(times, 2) for times in asked.values())


def test_what_is_remembered_is_two_generations() -> None:
    """Ten objects in turn, and room for the names of six: none is ever known."""
    doorkeeper = Doorkeeper(Admission(seen=6), seed=1, capacity=1)
    keys = np.tile(np.arange(10), 20)
    batch = Batch(keys, keys, np.ones_like(keys), keys.astype(float), keys)
    assert not doorkeeper.admitted(batch).any()
    wider = Doorkeeper(Admission(seen=40), seed=1, capacity=1)
    assert wider.admitted(batch)[10:].all()


def test_large_objects_are_admitted_rarely() -> None:
    doorkeeper = Doorkeeper(Admission(scale=10_000.0, largest=50_000), seed=3, capacity=1)
    rows = np.arange(100_000)
    for size in (1000, 10_000, 30_000, 60_000):
        batch = Batch(rows, rows, np.full_like(rows, size), rows.astype(float), rows)
        expected = math.exp(-size / 10_000) if size <= 50_000 else 0.0
        assert doorkeeper.admitted(batch).mean() == pytest.approx(expected, abs=0.005)


def test_what_is_not_in_ram_waits_for_the_disk() -> None:
    """Whole objects of one size, an LRU in RAM of an LRU on disk that holds all: RAM hits are those
    of a dictionary, and each other hit reads one disk for a hundredth of a second."""
    ram, size, read = 100, 1000, 0.01
    cache = {"size": 10**12, "ram": {"size": ram * size}, "disk": {"seek": read / 2,
             "throughput": size / (read / 2)}}  # fmt: skip
    edges = [{"name": "here", "servers": PLENTY} | PLACE]
    changes = one_edge(
        traffic={"objects": 1000, "sizes": {"median": size, "sigma": 0.0, "pareto_share": 0.0}},
        duration=10_000.0, http={"ttl": 1e9},
        network={"jitter": 0.0, "loss": 0.0, "reused": 1.0},
    )  # fmt: skip
    slow, result = run(**changes | {"edges": [edges[0] | {"cache": cache}]})
    _, quick = run(**changes | {"edges": [edges[0] | {"cache": {"size": 10**12}}]})
    held: OrderedDict[int, None] = OrderedDict()
    hits = 0
    for key, _, _ in requests_of(slow):
        hits += key in held
        held[key] = None
        held.move_to_end(key)
        if len(held) > ram:
            held.popitem(last=False)
    place = result.edges[0]
    assert place.ram_hit_ratio == hits / 20_000
    assert place.disk_hit_ratio is not None
    assert place.ram_hit_ratio + place.disk_hit_ratio == result.hit_ratio == quick.hit_ratio
    # A disk that is busy 1 % of the time: little waiting.
    later = result.latency["mean"] - quick.latency["mean"]
    assert later == pytest.approx(place.disk_hit_ratio * read, rel=0.05)


FILMS = CLASSES[3] | {
    "range": 100_000, "objects": 40,
    "sizes": {"median": 2_000_000.0, "sigma": 0.3, "pareto_share": 0.0},
}  # fmt: skip
LARGE = [{"name": "here", "cache": {"size": 10**12}, "servers": PLENTY} | PLACE]


def test_what_follows_is_fetched_before_it_is_asked_for() -> None:
    """Everything fits: each piece is fetched once, by a viewer or one piece ahead of one."""
    films = FILMS | {"prefetch": 1}
    simulation, result = run(
        **one_edge(edges=LARGE, traffic={"classes": [films]}, http={"ttl": 1e9})
    )
    held: set[int] = set()
    ahead: set[int] = set()
    misses = used = 0
    for key, size, _ in requests_of(simulation):
        misses += key not in held
        used += key in ahead
        ahead.discard(key)
        held.add(key)
        if size == 100_000 and key + 1 not in held:
            held.add(key + 1)
            ahead.add(key + 1)
    assert result.fates["miss"] == misses < 100
    assert result.prefetched is not None
    assert result.prefetched.fetches == len(held) - misses
    assert result.prefetched.used == used
    assert result.origin.requests == len(held)
    assert sum(result.fates.values()) == result.edges[0].requests == 20_000


def test_what_is_pushed_is_there_when_it_is_asked_for_and_costs_the_origin() -> None:
    push = {"at": 0.0, "url": "films/0-9", "chunks": 5}
    simulation, result = run(
        **one_edge(edges=LARGE, traffic={"classes": [FILMS]}, http={"ttl": 1e9}, pushes=[push])
    )
    asked = {key for key, _, _ in requests_of(simulation)}
    pushed = {key_of(1, film) + chunk for film in range(10) for chunk in range(5)}
    assert result.fates["miss"] == len(asked - pushed)
    assert result.pushed is not None
    assert result.pushed.fetches == len(pushed)
    assert result.pushed.used == len(pushed & asked)
    assert result.origin.requests == len(asked | pushed)


def test_a_push_goes_to_the_edges_it_names_by_way_of_the_shield() -> None:
    push = {"at": 1800.0, "url": "traffic/0-19", "edges": ["Sydney", "New York"], "over": 60.0}
    _, result = run(traffic={"objects": 10_000_000, "zipf": 0.0}, pushes=[push])
    assert result.pushed is not None
    assert (result.pushed.fetches, result.pushed.used) == (40, 0)
    by_edge = {edge.name: edge.asked_upstream - edge.requests for edge in result.edges}
    assert by_edge["Sydney"] > by_edge["Frankfurt"]
    assert sum(edge.asked_upstream for edge in result.edges) == result.shields[0].requests


def clustered(*clusters: str | None) -> list[dict[str, Any]]:
    edges = described()["edges"]
    return [
        edge | {"cache": {"size": 10**12}} | ({"cluster": name} if name else {})
        for edge, name in zip(edges, clusters, strict=True)
    ]


@pytest.mark.parametrize("policy", ["lru", "s3fifo", "arc", "lirs"])
def test_a_sibling_that_has_it_answers_instead_of_the_shield(policy: str) -> None:
    """All fits everywhere, and all siblings are asked: only the first of a cluster to want an
    object asks the shield, and whoever wants it while that is under way."""
    http = {"ttl": 1e9}
    edges = clustered("west", "west", "west", None)
    for edge in edges:
        edge["cache"] |= {"policy": policy}
    simulation, result = run(edges=edges, http=http, peers={"ask": 2})
    _, alone = run(edges=clustered(None, None, None, None), http=http)
    assert result.peers is not None
    assert alone.peers is None
    first: set[tuple[bool, int]] = set()
    wanted: set[tuple[int, int]] = set()
    (batch,) = simulation.synthetic()
    for key, region in zip(batch.keys.tolist(), batch.origins.tolist(), strict=True):
        first.add((region == 3, key))  # each region goes to the edge of its name
        wanted.add((region, key))
    asks = sum(edge.asked_upstream for edge in result.edges)
    if policy == "lru":  # the others cannot store what is larger than a part of them
        assert asks == alone.shields[0].requests == len(wanted)
    assert asks - result.shields[0].requests == result.peers.filled
    assert len(first) <= result.shields[0].requests < len(first) * 1.05
    assert result.bytes_from_origin < alone.bytes_from_origin


def test_a_sibling_asked_in_vain_costs_the_way_there() -> None:
    traffic = {"objects": 10_000_000, "zipf": 0.0}
    _, alone = run(edges=clustered(None, None, None, None), traffic=traffic)
    _, together = run(edges=clustered(*["all"] * 4), traffic=traffic)
    assert together.peers is not None
    assert together.peers.filled < 600
    assert together.peers.questions > 110_000
    assert together.latency["p50"] > alone.latency["p50"] + 0.05


def test_a_sibling_does_not_give_what_is_purged() -> None:
    changes: dict[str, Any] = {"edges": clustered(*["all"] * 4), "http": {"ttl": 1e9}}
    _, before = run(**changes)
    _, purged = run(**changes, purges=[{"at": 1800.0, "tag": "*", "delay": 0.0}])
    assert purged.shields[0].requests > before.shields[0].requests + 1000


def test_the_report_has_classes_ram_what_was_fetched_ahead_and_siblings() -> None:
    edges = clustered(*["all"] * 4)
    edges[0]["cache"] |= {"ram": {"size": 1_000_000}}
    classes = [CLASSES[2], FILMS | {"prefetch": 1}]
    _, result = run(requests=2000, edges=edges, traffic={"classes": classes})
    shown = content(result)
    assert "<td>api<td>" in shown
    for part in ("<td>prefetched<td>", "<td>from siblings<td>", "<th>from disk"):
        assert part in shown
    assert "<td>pushed<td>" not in shown
    _, plain = run(requests=2000)
    assert content(plain) == ""


def test_with_everything_on_results_are_the_same_for_any_number_of_threads() -> None:
    """Two chunks; that nothing gets lost is checked by the run."""
    edges = clustered(*["all"] * 4)
    for edge in edges:
        edge["cache"] = {"size": 30_000_000, "ram": {"size": 3_000_000},
                         "admission": {"seen": 20_000, "scale": 1e6}}  # fmt: skip
    changes: dict[str, Any] = {
        "requests": 100_000,
        "edges": edges,
        "traffic": {"classes": [*CLASSES[:3], FILMS | {"prefetch": 1}]},
        "purges": PURGES,
        "pushes": [{"at": 100.0, "url": "films/0-4", "chunks": 10}],
        "failures": [{"target": "origin", "start": 2000.0, "duration": 300.0},
                     {"target": "edge:Sydney", "start": 1000.0, "duration": 300.0}],
    }  # fmt: skip
    results = []
    for threads in (1, 2):
        simulation = Simulation(scenario(**changes), threads)
        simulation.run()
        results.append(summarise(simulation))
    assert results[0] == results[1]
    pushed = results[0].pushed
    assert pushed is not None
    assert 50 < pushed.fetches <= 200
    assert pushed.used > 0
