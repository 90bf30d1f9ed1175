"""The sections of RESULTS.md on serving at scale, and on memory."""

from insula_bench.place import CONNECTIONS
from insula_bench.serving import Pair, Serving, Size, Soak, of_rounds

_HEAD = """## Serving at scale

`GET /api/v1/notes/{{id}}`, authenticated, over {connections} connections that each wait for their
answer, at a tenant drawn anew for each request: every one as often as the others (*uniform*), or
the n-th 1/n as often as the first (*Zipf*). Two installations side by side, each with its own
PostgreSQL, Redis and one web worker, of which one has {small:,} tenants all the time
({small_layout} cells × buckets × connections) and the other one grows ({layout}
in the end, all cells on one server); turns alternate between them.
A tenant has core and notes: {tables} tables and {indexes} indexes; each was asked twice
before anything counted. *Of small* compares medians with what the small one did in the same
rounds; its range is over the rounds. In the first row both have the same few tenants: what it
differs from 1 is the layout, and noise.

Again: `python ops/bench/run.py --only tenants --sizes {sizes}`
"""
_SOAK = """## Memory at scale

{requests:,} requests in {minutes:.1f} minutes at {tenants:,} tenants with core and notes, uniform
and Zipf in turns, as in *Serving at scale*. Memory is what processes share with nobody:
PostgreSQL's buffers are not in it.

Again: `python ops/bench/run.py --only tenants --sizes 10,{tenants} --soak-minutes {minutes:.1f}`

| minute | backends | of them all, MiB | a backend, MiB | web worker, MiB |
| ---: | ---: | ---: | ---: | ---: |
{rows}

{verdict}
"""
_WANTED = (("p50", 1.15), ("p99", 1.5))
_SHOWN = 11


def section(found: Serving) -> str:
    head = _HEAD.format(
        connections=CONNECTIONS,
        small=found.small,
        small_layout=found.small_layout,
        layout=found.layout,
        tables=found.tables,
        indexes=found.indexes,
        sizes=",".join(str(size.tenants) for size in found.sizes),
    )
    lines = [
        "| tenants | drawn | p50 ms | of small | p99 ms | of small | requests/s | small's |",
        "| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        *(_row(size, name) for size in found.sizes for name in size.rounds),
    ]
    filled = ", ".join(f"{s.tenants:,} after {s.fill_seconds:.0f} s" for s in found.sizes)
    targets = _targets(found.sizes[-1], found.small) if len(found.sizes) > 1 else []
    return "\n".join([head, *lines, "", f"Filled: {filled}.", "", *targets, ""])


def _row(size: Size, name: str) -> str:
    pairs = size.rounds[name]
    ours = of_rounds([pair.grown for pair in pairs])
    small = of_rounds([pair.small for pair in pairs])
    cells = [
        f"{size.tenants:,}",
        name,
        f"{ours.p50 * 1e3:.2f}",
        _ratio(pairs, "p50"),
        f"{ours.p99 * 1e3:.2f}",
        _ratio(pairs, "p99"),
        f"{ours.rate:,.0f}",
        f"{small.rate:,.0f}",
    ]
    return f"| {' | '.join(cells)} |"


def _ratio(pairs: list[Pair], figure: str) -> str:
    rounds = [getattr(pair.grown, figure) / getattr(pair.small, figure) for pair in pairs]
    return f"**{_of_medians(pairs, figure):.2f}** ({min(rounds):.2f}–{max(rounds):.2f})"


def _of_medians(pairs: list[Pair], figure: str) -> float:
    grown = getattr(of_rounds([pair.grown for pair in pairs]), figure)
    ratio: float = grown / getattr(of_rounds([pair.small for pair in pairs]), figure)
    return ratio


def _targets(last: Size, small: int) -> list[str]:
    lines = []
    for name, pairs in last.rounds.items():
        for figure, wanted in _WANTED:
            ratio = _of_medians(pairs, figure)
            verdict = "reached" if ratio <= wanted else "missed"
            lines.append(
                f"- {figure} at {last.tenants:,} of that at {small:,}, {name}: "
                f"{ratio:.2f}, wanted at most {wanted} ({verdict})"
            )
    return lines


def memory(soak: Soak) -> str:
    step = max(1, -(-len(soak.found) // _SHOWN))
    shown = soak.found[::step]
    if soak.found[-1] not in shown:
        shown.append(soak.found[-1])
    rows = "\n".join(
        f"| {each.minute:.1f} | {each.processes} | {each.backends / 2**20:,.0f} | "
        f"{each.backends / 2**20 / max(1, each.processes):.1f} | {each.worker / 2**20:,.0f} |"
        for each in shown
    )
    return _SOAK.format(
        requests=soak.requests,
        minutes=soak.found[-1].minute,
        tenants=soak.tenants,
        rows=rows,
        verdict=_growth(soak),
    )


def _growth(soak: Soak) -> str:
    """The second half of the time against the first: where memory leaks, it grows for ever."""
    half = soak.found[-1].minute / 2
    parts = []
    for name, figure in (("the backends", "backends"), ("the web worker", "worker")):
        early = max(getattr(each, figure) for each in soak.found if each.minute <= half)
        late = max(getattr(each, figure) for each in soak.found if each.minute > half)
        parts.append(f"of {name} {late / max(1, early):.2f}")
    return f"The most in the second half, of the most in the first: {', '.join(parts)}."
