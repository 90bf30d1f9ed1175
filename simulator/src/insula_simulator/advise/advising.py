"""The search, and the evidence for what it found."""

from collections.abc import Sequence
from dataclasses import dataclass

from insula_simulator.advise.placements import placements
from insula_simulator.scenario import Scenario
from insula_simulator.sweep.axes import Axis, Point, candidates
from insula_simulator.sweep.goal import Bound, Figures, Goal
from insula_simulator.sweep.search import halve, refine, smaller
from insula_simulator.sweep.sweeping import Plan, Row, Runs, Sweep
from insula_simulator.sweep.values import Value, Values

MONTH = 30 * 86_400.0
POLICIES = ("lru", "sieve", "s3fifo", "wtinylfu")
ROUNDS = 8
"""How often the search goes on from something better beside the best."""


@dataclass(frozen=True)
class Advice:
    """``chosen`` meets the target at least cost, None if nothing does; ``nearest`` then comes
    nearest. ``cheaper`` is the dearest of what costs less and fails."""

    sweep: Sweep
    months: float
    """Runs of this scenario that fit into one month; its cost times this is the month's."""
    chosen: Row | None
    nearest: Row
    cheaper: Row | None
    notes: tuple[str, ...]

    def monthly(self, row: Row) -> float:
        return row.figures["cost"] * self.months

    def failures(self, row: Row) -> list[str]:
        """What a run breaks, in the words of the target."""
        goal = self.sweep.goal
        assert goal is not None
        told = []
        for bound in goal.bounds:
            if bound.excess(row.figures):
                factor = self.months if bound.figure == "cost" else 1.0
                value = row.figures[bound.figure] * factor
                told.append(f"{_NAMES[bound.figure]} {value:.4g} > {bound.limit * factor:.4g}")
        return told


_NAMES = {"p99": "p99 (s)", "cost": "cost a month"}


def question(
    scenario: Scenario,
    p99: float,
    budget: float,
    policies: Sequence[str] = POLICIES,
    sizes: Values | None = None,
) -> Plan:
    """What may change, and what is wanted."""
    chosen = placements(scenario)
    bytes_ = sizes or _sizes(scenario)
    axes = [
        Axis("edges", tuple("+".join(names) for names in chosen)),
        Axis("edges[*].cache.policy", tuple(policies)),
        Axis("edges[*].cache.size", bytes_.values, bytes_.spacing),
    ]
    affordable = budget / (MONTH / scenario.duration)
    bounds = Bound("p99", "<=", p99), Bound("cost", "<=", affordable)
    return Plan(scenario, axes, Goal("cost", bounds), "adaptive")


def _sizes(scenario: Scenario) -> Values:
    """From an eighth of what the scenario's largest edge has to eight times as much."""
    most = max(edge.cache.size for edge in scenario.edges)
    return Values(tuple(max(1, round(most * 2**power)) for power in range(-3, 4)), "log")


def advise(plan: Plan, runs: Runs) -> Advice:
    """Raises SweepError: a process was killed."""
    goal = plan.goal
    assert goal is not None
    drawn = 0 if plan.scenario.traffic.trace else plan.scenario.requests
    found = halve(list(candidates(plan.axes)), drawn, goal, runs.evaluate)
    found = refine(plan.axes, found, goal, runs.evaluate, plan.refinements)
    for _ in range(ROUNDS):
        tries = [each for each in _neighbours(plan.axes, _best(found, goal)) if each not in found]
        if not tries:
            break
        found |= zip(tries, runs.evaluate(tries, 1.0), strict=True)
    rows = [Row(point, 1.0, figures) for point, figures in found.items()]
    return _judged(Sweep(plan.scenario, plan.axes, goal, rows, runs.screened))


def _best(found: dict[Point, Figures], goal: Goal) -> Point:
    return min(found, key=lambda point: (goal.rank(found[point]), smaller(point)))


def _neighbours(axes: Sequence[Axis], best: Point) -> list[Point]:
    """The best with every other policy, the next sizes, the placements with one edge fewer and one
    more: evidence that none of them is better."""
    places, policies, sizes = axes
    kept = set(str(best[0]).split("+"))
    near = [
        each for each in places.values
        if (other := set(str(each).split("+"))) != kept
        and (other < kept or other > kept) and abs(len(other) - len(kept)) == 1
    ]  # fmt: skip
    return [
        *((each, *best[1:]) for each in near),
        *((best[0], each, best[2]) for each in policies.values if each != best[1]),
        *((*best[:2], each) for each in _beside(best[2], sizes.values)),
    ]


def _beside(value: Value, values: Sequence[Value]) -> list[Value]:
    assert not isinstance(value, str)
    numbers = [each for each in values if not isinstance(each, str)]
    lower = [each for each in numbers if each < value]
    higher = [each for each in numbers if each > value]
    return [*lower[-1:], *higher[:1]]


def _judged(sweep: Sweep) -> Advice:
    goal, best = sweep.goal, sweep.best
    assert goal is not None
    assert best is not None
    met = goal.is_met(best.figures)
    cost = best.figures["cost"]
    below = [row for row in sweep.rows if row.figures["cost"] < cost and row is not best]
    cheaper = max(below, key=lambda row: row.figures["cost"], default=None) if met else None
    months = MONTH / sweep.scenario.duration
    return Advice(sweep, months, best if met else None, best, cheaper, _notes(sweep.scenario))


def _notes(scenario: Scenario) -> tuple[str, ...]:
    """Prices that are 0 make advice that ignores what they are of."""
    price = scenario.cost
    told = {
        "cost.cache_gigabyte_hour": (price.cache_gigabyte_hour, "larger caches cost nothing"),
        "cost.site_hour": (price.site_hour, "a site costs no more than its servers and traffic"),
    }
    return tuple(f"{key} is 0: {what}" for key, (value, what) in told.items() if not value)
