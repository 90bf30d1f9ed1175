"""The world as an equirectangular sketch: where users, edges, shields and the origin are."""

from collections.abc import Sequence
from html import escape

from insula_simulator.results import Result
from insula_simulator.scenario import Origin, Region, Scenario, Site

WIDTH, HEIGHT = 960, 460

# Longitude and latitude of corners, coarse on purpose: a background, not a map.
LAND = (
    ((-168, 66), (-156, 71), (-128, 70), (-110, 68), (-95, 72), (-82, 73), (-78, 62), (-65, 59),
     (-56, 52), (-66, 45), (-70, 42), (-76, 35), (-81, 31), (-80, 25), (-84, 30), (-91, 29),
     (-97, 26), (-97, 20), (-91, 18), (-87, 21), (-88, 16), (-83, 10), (-78, 8), (-85, 11),
     (-95, 16), (-105, 20), (-112, 29), (-117, 33), (-124, 40), (-124, 48), (-135, 58), (-152, 60),
     (-165, 55), (-162, 60)),
    ((-78, 8), (-72, 12), (-62, 10), (-51, 4), (-44, -2), (-35, -7), (-39, -15), (-48, -26),
     (-57, -37), (-65, -42), (-68, -52), (-74, -52), (-73, -38), (-71, -20), (-76, -14), (-81, -5)),
    ((-10, 37), (-9, 43), (-1, 44), (-4, 48), (5, 53), (9, 57), (5, 60), (14, 67), (28, 71),
     (42, 67), (60, 69), (75, 73), (105, 77), (140, 73), (170, 69), (180, 66), (162, 59), (156, 51),
     (141, 53), (129, 42), (122, 39), (121, 31), (114, 22), (108, 16), (106, 9), (103, 2), (98, 8),
     (97, 17), (89, 22), (80, 14), (77, 8), (73, 19), (66, 25), (56, 27), (50, 30), (57, 24),
     (59, 21), (45, 13), (43, 13), (35, 28), (36, 36), (27, 37), (23, 38), (19, 42), (13, 45),
     (18, 40), (15, 38), (9, 44), (3, 42), (-2, 37)),
    ((-17, 15), (-13, 28), (-6, 36), (10, 37), (20, 32), (33, 31), (43, 12), (51, 12), (40, -3),
     (40, -15), (33, -26), (27, -34), (18, -34), (12, -17), (9, 4), (-8, 5)),
    ((114, -22), (122, -18), (131, -12), (137, -16), (142, -11), (146, -19), (153, -27),
     (150, -37), (141, -38), (131, -32), (116, -35)),
    ((-55, 60), (-45, 60), (-22, 70), (-20, 80), (-60, 82), (-70, 77)),
    ((-5, 50), (1, 51), (-2, 58), (-6, 57)), ((131, 31), (140, 35), (145, 44), (139, 38)),
    ((95, 5), (106, -6), (115, -8), (104, -2)), ((109, 1), (117, 6), (116, -4), (110, -3)),
    ((44, -16), (50, -15), (47, -25)), ((167, -46), (178, -38), (173, -35), (172, -42)),
    ((131, -1), (147, -6), (150, -10), (138, -8)),
)  # fmt: skip


def world(scenario: Scenario, result: Result) -> str:
    """Circles of users are as large as their load; lines lead from users to the nearest edges."""
    shapes = "".join(f'<polygon class="land" points="{_points(shape)}"/>' for shape in LAND)
    load = sum(region.weight for region in scenario.regions)
    users = "".join(
        f'<circle class="users" cx="{_x(region):.1f}" cy="{_y(region):.1f}" '
        f'r="{6 + 40 * (region.weight / load) ** 0.5:.1f}"><title>{escape(region.name)}: p99 '
        f"{result.latency_by_region[region.name]['p99'] * 1000:.0f} ms</title></circle>"
        for region in scenario.regions
    )
    origin = scenario.origin
    ways = "".join(
        f'<line class="way" x1="{_x(site):.1f}" y1="{_y(site):.1f}" x2="{_x(above):.1f}" '
        f'y2="{_y(above):.1f}"/>'
        for site, above in _ways(scenario)
    )
    sites = "".join(_mark(site, "edge") for site in scenario.edges)
    sites += "".join(_mark(site, "shield", 4) for site in scenario.shields)
    sites += _names([*scenario.edges, *scenario.shields])
    star = f'<circle class="origin" cx="{_x(origin):.1f}" cy="{_y(origin):.1f}" r="6"/>'
    return (
        f'<div class="wide"><svg class="world" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'aria-label="World map">'
        f"{shapes}{ways}{users}{sites}{star}</svg></div>"
        '<p class="legend"><span><i class="users"></i>users</span><span><i class="edge"></i>edge'
        '</span><span><i class="shield"></i>shield</span><span><i class="origin"></i>origin</span>'
        "</p>"
    )


def _ways(scenario: Scenario) -> list[tuple[Site, Site | Origin]]:
    ways: list[tuple[Site, Site | Origin]] = []
    for edge in scenario.edges:
        above: Sequence[Site | Origin] = scenario.shields or [scenario.origin]
        ways.append((edge, min(above, key=lambda up, edge=edge: _apart(edge, up))))  # type: ignore[misc]
    return ways + [(shield, scenario.origin) for shield in scenario.shields]


def _apart(one: Site, other: Site | Origin) -> float:
    return (one.latitude - other.latitude) ** 2 + (one.longitude - other.longitude) ** 2


def _mark(site: Site, kind: str, aside: float = 0) -> str:
    """A shield stands ``aside``: mostly there is an edge where it is."""
    x, y = _x(site) - 5 + aside, _y(site) - 5 + aside
    return (
        f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="10" height="10">'
        f"<title>{kind} {escape(site.name)}</title></rect>"
    )


LETTER, LINE = 6.8, 13.0
MOST_NAMES = 60


def _names(sites: Sequence[Site]) -> str:
    """Each once, right of its mark, or else where it covers no other name and no mark; where that
    is nowhere, or there are too many, tooltips say it."""
    marks = [(_x(site) - 6, _y(site) - 6, _x(site) + 10, _y(site) + 10) for site in sites]
    taken, parts = list(marks), []
    known: set[str] = set()
    for site, mark in zip(sites, marks, strict=True):
        if site.name in known or len(known) >= MOST_NAMES:
            continue
        wide = LETTER * len(site.name)
        left, top, right, bottom = mark
        others = [each for each in taken if each != mark]
        places = (
            (right + 2, top + 2), (left - wide - 2, top + 2), (left, top - LINE),
            (left, bottom + 1), (right, top - LINE), (left - wide, bottom),
        )  # fmt: skip
        for x, y in places:
            box = x, y, x + wide, y + LINE
            if 0 <= x <= WIDTH - wide and not any(_overlap(box, each) for each in others):
                known.add(site.name)
                taken.append(box)
                parts.append(
                    f'<text class="name" x="{x:.1f}" y="{y + LINE - 3:.1f}">'
                    f"{escape(site.name)}</text>"
                )
                break
    return "".join(parts)


Box = tuple[float, float, float, float]


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _x(place: Site | Region | Origin) -> float:
    return (place.longitude + 180) / 360 * WIDTH


def _y(place: Site | Region | Origin) -> float:
    return (84 - place.latitude) / 144 * HEIGHT


def _points(shape: Sequence[tuple[float, float]]) -> str:
    return " ".join(
        f"{(east + 180) / 360 * WIDTH:.0f},{(84 - north) / 144 * HEIGHT:.0f}"
        for east, north in shape
    )
