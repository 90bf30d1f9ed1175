"""What the pages of runs and sweeps must not do: cover a name, or hide a difference."""

import re
from itertools import pairwise

import pytest
from insula_simulator.report.charts import NOTE_HEIGHT, NOTE_ROWS, lines, time_axis
from insula_simulator.report.plots import Dot, scatter
from insula_simulator.report.world import world
from insula_simulator.results import summarise
from insula_simulator.simulation import Simulation
from simulator.networks import scenario

NOTE = re.compile(r'<text class="note" x="([\d.]+)" y="(\d+)">([^<]*)<')


def test_names_of_many_failures_do_not_cover_each_other_nor_the_curves() -> None:
    spans = [(i * 2.0, i * 2.0 + 1, f"edge:Somewhere {i} down") for i in range(40)]
    chart = lines("Load", [0.0, 100.0], [("requests", [1.0, 1.0])], unit="/s", spans=spans)
    notes = [(float(x), int(y), text) for x, y, text in NOTE.findall(chart)]
    assert 6 <= len(notes) < 40
    for row in {y for _, y, _ in notes}:
        in_row = sorted((x, text) for x, y, text in notes if y == row)
        for (x, text), (following, _) in pairwise(in_row):
            assert x + 6 * len(text) < following
    top = min(float(y) for y in re.findall(r'class="grid"[^>]* y1="([\d.]+)"', chart))
    assert max(y for _, y, _ in notes) <= top
    assert chart.count("<title>edge:Somewhere") == 40
    assert len({y for _, y, _ in notes}) == NOTE_ROWS
    assert "note" not in lines("Load", [0.0, 1.0], [("requests", [1.0, 1.0])], unit="")
    assert NOTE_HEIGHT > 11


def test_close_values_have_ticks_that_differ() -> None:
    dots = [Dot(64.5001, 1.0, ""), Dot(64.5002, 2.0, "")]
    ticks = re.findall(r'class="tick"[^>]*>([^<]+)<', scatter("t", dots, ("a",), ("cost", "p99")))
    assert len(ticks) == len(set(ticks))


def test_each_site_is_named_once_on_the_map_and_no_name_covers_another() -> None:
    near = [
        {"name": f"Near {i}", "latitude": 40.0 + 5 * i, "longitude": 8.0, "cache": {"size": 10**7}}
        for i in range(4)
    ]
    made = scenario(edges=near, shields=near[:1], requests=1000)
    simulation = Simulation(made, 1)
    simulation.run()
    drawn = world(made, summarise(simulation))
    names = re.findall(r'class="name" x="([\d.]+)" y="([\d.]+)">([^<]+)<', drawn)
    assert sorted(text for _, _, text in names) == [f"Near {i}" for i in range(4)]
    boxes = [(float(x), float(y), 6.8 * len(text)) for x, y, text in names]
    for i, (x, y, wide) in enumerate(boxes):
        for other_x, other_y, other_wide in boxes[:i]:
            apart = abs(y - other_y) >= 13 or x + wide <= other_x or other_x + other_wide <= x
            assert apart
    assert "<title>shield Near 0</title>" in drawn


@pytest.mark.parametrize(("seconds", "unit"), [(60.0, "s"), (3600.0, "min"), (86_400.0, "h")])
def test_time_is_told_in_a_unit_that_fits(seconds: float, unit: str) -> None:
    assert time_axis(seconds)[1] == unit
