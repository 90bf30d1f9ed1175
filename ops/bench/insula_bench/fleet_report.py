"""The section of RESULTS.md on migrating a fleet."""

from insula_bench import pacing
from insula_bench.fleet import Fleet, Step, p99

_HEAD = """## Migrating the fleet

`insula db migrate` at {tenants:,} tenants with core and notes in {cells}, {workers}
workers, {share}, canaries first; on durable settings.
*Alone*: nobody else is there. *Beside people*: {rate:.0f} requests a second at tenants drawn at
random, four notes read by their ids for each that is written, against one web worker on the same
machine, from clients who keep to their timetable whatever the server does (latency counts from when
a request was due). *Before* is the {span:.0f} seconds ahead of it; where a migration takes less
than that, one follows the other until they have, and *s* is the median.

Again: `python ops/bench/run.py --only tenants --sizes 10,{tenants}`
"""
_ASIDE = "full speed while nobody is served and a quarter of one worker's time while somebody is"
_WANTED = {"a column": 15.0, "an index": 30.0}
_WANTED_AT = 10_000
_WANTED_RATIO = 2.0


def section(found: Fleet) -> str:
    head = _HEAD.format(
        tenants=found.tenants,
        cells="one database" if found.cells == 1 else f"{found.cells} databases of one server",
        workers=found.options.workers,
        share=_ASIDE if found.options.share is None else f"{found.options.share} % of their time",
        rate=found.rate,
        span=found.span,
    )
    alone = [
        "| alone | s | tenants/s | the bar at half time | it took |",
        "| --- | ---: | ---: | --- | ---: |",
        *(_alone(step) for step in found.alone),
    ]
    beside = [
        "| beside people | times | s | tenants/s | requests | errors "
        "| p50 ms before | during | p99 ms before | during | of before |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        *(_beside(step) for step in found.beside),
    ]
    return "\n".join([head, *alone, "", *beside, "", *_targets(found), ""])


def _alone(step: Step) -> str:
    said, took = (step.guess.said, f"{step.guess.took:.1f} s") if step.guess else ("", "")
    rate = f"{step.tenants / step.seconds:,.0f}"
    return f"| {step.name} | {step.seconds:.1f} | {rate} | {said} | {took} |"


def _beside(step: Step) -> str:
    cells = [
        step.name,
        str(step.times),
        f"{step.seconds:.1f}",
        f"{step.tenants / step.seconds:,.0f}",
        f"{len(step.during):,}",
        str(step.errors),
        *(f"{pacing.percentile(those, 0.5) * 1e3:.1f}" for those in (step.before, step.during)),
        *(f"{p99(those) * 1e3:.1f}" for those in (step.before, step.during)),
        f"**{_ratio(step):.2f}**",
    ]
    return f"| {' | '.join(cells)} |"


def _ratio(step: Step) -> float:
    return p99(step.during) / p99(step.before)


def _targets(found: Fleet) -> list[str]:
    lines = []
    for step in found.alone:
        wanted = _WANTED[step.name]
        if found.tenants >= _WANTED_AT:
            verdict = "reached" if step.seconds <= wanted else "missed"
            lines.append(
                f"- {step.name} at {found.tenants:,} tenants: {step.seconds:.1f} s, wanted at most "
                f"{wanted:.0f} ({verdict})"
            )
    for step in found.beside:
        fine = _ratio(step) <= _WANTED_RATIO and not step.errors
        lines.append(
            f"- p99 beside {step.name}: {_ratio(step):.2f} of before, wanted at most "
            f"{_WANTED_RATIO:.0f} and no error: {step.errors} "
            f"({'reached' if fine else 'missed'})"
        )
    return lines
