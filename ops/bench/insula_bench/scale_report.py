"""The section of RESULTS.md on serving at scale."""

from insula_bench.scale import CONNECTIONS, Scale, Size, of_rounds, pool_size

_HEAD = """## Serving at scale

`GET /api/v1/notes/{{id}}`, authenticated, over {connections} connections that each wait for their
answer, at a tenant drawn anew for each request: every one as often as the others (*uniform*), or
the n-th 1/n as often as the first (*Zipf*). One installation for each number of tenants, each with
its own PostgreSQL, Redis and one web worker; their turns alternate within one run. Every tenant has
{tables} tables and {indexes} indexes (core and notes), and was asked twice before anything counted.
*Of the smallest* compares medians; its range is over the rounds.

Again: `python ops/bench/run.py --only scale --sizes {sizes}`
"""
_SOAK = """### Memory

{requests:,} requests in {minutes:.1f} minutes at {tenants:,} tenants, uniform and Zipf in turns.
Memory is what processes share with nobody: PostgreSQL's buffers are not in it.

| minute | backends | of them all, MiB | a backend, MiB | web worker, MiB |
| ---: | ---: | ---: | ---: | ---: |
{rows}

{verdict}
"""
_WANTED = (("p50", 1.15), ("p99", 1.5))
_SHOWN = 11


def section(found: Scale) -> str:
    first = found.sizes[0]
    head = _HEAD.format(
        connections=CONNECTIONS,
        tables=first.tables,
        indexes=first.indexes,
        sizes=",".join(str(size.tenants) for size in found.sizes),
    )
    lines = [
        "| tenants | buckets × connections | drawn | p50 ms | of the smallest | p99 ms | "
        "of the smallest | requests/s |",
        "| ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: |",
        *(_row(first, size, name) for size in found.sizes for name in size.turns),
    ]
    filled = ", ".join(f"{s.tenants:,} in {s.fill_seconds:.0f} s" for s in found.sizes)
    return "\n".join(
        [head, *lines, "", f"Filled: {filled}.", "", *_targets(found), "", _soak(found)]
    )


def _row(first: Size, size: Size, name: str) -> str:
    ours = of_rounds(size.turns[name])
    cells = [
        f"{size.tenants:,}",
        f"{size.buckets} × {pool_size(size.tenants)}",
        name,
        f"{ours.p50 * 1e3:.2f}",
        _ratio(first, size, name, "p50"),
        f"{ours.p99 * 1e3:.2f}",
        _ratio(first, size, name, "p99"),
        f"{ours.rate:,.0f}",
    ]
    return f"| {' | '.join(cells)} |"


def _ratio(first: Size, size: Size, name: str, figure: str) -> str:
    if size is first:
        return ""
    rounds = [
        getattr(ours, figure) / getattr(theirs, figure)
        for ours, theirs in zip(size.turns[name], first.turns[name], strict=True)
    ]
    return f"**{_of_medians(first, size, name, figure):.2f}** ({min(rounds):.2f}–{max(rounds):.2f})"


def _of_medians(first: Size, size: Size, name: str, figure: str) -> float:
    ratio: float = getattr(of_rounds(size.turns[name]), figure) / getattr(
        of_rounds(first.turns[name]), figure
    )
    return ratio


def _targets(found: Scale) -> list[str]:
    first, last = found.sizes[0], found.sizes[-1]
    if first is last:
        return []
    lines = []
    for name in last.turns:
        for figure, wanted in _WANTED:
            ratio = _of_medians(first, last, name, figure)
            verdict = "reached" if ratio <= wanted else "missed"
            lines.append(
                f"- {figure} at {last.tenants:,} of that at {first.tenants:,}, {name}: "
                f"{ratio:.2f}, wanted at most {wanted} ({verdict})"
            )
    return lines


def _soak(found: Scale) -> str:
    if len(found.soak) < 2:
        return ""
    step = max(1, -(-len(found.soak) // _SHOWN))
    shown = found.soak[::step]
    if found.soak[-1] not in shown:
        shown.append(found.soak[-1])
    rows = "\n".join(
        f"| {each.minute:.1f} | {each.processes} | {each.backends / 2**20:,.0f} | "
        f"{each.backends / 2**20 / max(1, each.processes):.1f} | {each.worker / 2**20:,.0f} |"
        for each in shown
    )
    return _SOAK.format(
        requests=found.soak_requests,
        minutes=found.soak[-1].minute,
        tenants=found.sizes[-1].tenants,
        rows=rows,
        verdict=_growth(found),
    )


def _growth(found: Scale) -> str:
    """The second half of the time against the first: where memory leaks, it grows for ever."""
    half = found.soak[-1].minute / 2
    parts = []
    for name, figure in (("the backends", "backends"), ("the web worker", "worker")):
        early = max(getattr(each, figure) for each in found.soak if each.minute <= half)
        late = max(getattr(each, figure) for each in found.soak if each.minute > half)
        parts.append(f"of {name} {late / max(1, early):.2f}")
    return f"The most in the second half, of the most in the first: {', '.join(parts)}."
