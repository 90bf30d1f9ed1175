"""The section of RESULTS.md on provisioning."""

from collections.abc import Callable

from insula_bench import report
from insula_bench.provisioning import Provisioning
from insula_bench.provisioning_at import Size
from insula_bench.timing import Times

_HEAD = """## Provisioning

One after the other, on durable PostgreSQL settings. Over HTTP, with password hash and without a
slot, as where no worker is:

{times}

### The database's part, with few tenants and with many

One installation with {buckets} buckets; tenants are added between the rows (core and notes, like
those of *Serving at scale*), then each thing is done {count} times, one after the other, from
`BEGIN` to the end of `COMMIT`. *Sign-up* claims a slot and writes tenant, owner and session;
*slot* is what is built ahead, in steps of at most ten tables; *cold* is a sign-up without a slot
with every module that there is, in one transaction: {tables} tables. *Of the first* compares
medians with those of the first row. What a row makes comes on top of its tenants.

Again: `python ops/bench/run.py --only provisioning --provisioning-sizes {sizes}`

{columns}
{rows}

A cold build writes {written:,} lines into PostgreSQL's catalogues: {catalogues}.

{targets}
"""


_COLUMNS = (
    "| tenants | sign-up p50 ms | of the first | sign-up p99 ms | notes on p50 ms | of the first "
    "| slot p50 ms | cold p50 ms | of the first |\n" + "| ---: " * 9 + "|"
)


def section(found: Provisioning, *, buckets: int) -> str:
    first = found.sizes[0]
    return _HEAD.format(
        times=report.times(found.over_http),
        buckets=buckets,
        count=len(first.sign_up.seconds),
        tables=first.tables,
        sizes=",".join(str(size.tenants) for size in found.sizes),
        columns=_COLUMNS,
        rows="\n".join(_row(first, size) for size in found.sizes),
        written=sum(first.rows.values()),
        catalogues=", ".join(
            f"{name} {count:,}" for name, count in sorted(first.rows.items(), key=lambda r: -r[1])
        ),
        targets="\n".join(_targets(found.sizes)),
    )


def _row(first: Size, size: Size) -> str:
    def ratio(of: Callable[[Size], Times]) -> str:
        return f"{of(size).median / of(first).median:.2f}"

    cells = [
        f"{size.tenants:,}",
        _ms(size.sign_up.median),
        ratio(lambda each: each.sign_up),
        _ms(size.sign_up.p99),
        _ms(size.enable.median),
        ratio(lambda each: each.enable),
        _ms(size.slot.median),
        _ms(size.cold.median),
        ratio(lambda each: each.cold),
    ]
    return f"| {' | '.join(cells)} |"


def _targets(sizes: list[Size]) -> list[str]:
    last = sizes[-1]
    cold = last.cold.median * 60 / last.tables
    return [
        f"With {last.tenants:,} tenants, wanted and found:",
        "",
        _target("sign-up, p99", last.sign_up.p99, 10),
        _target("notes on, p50", last.enable.median, 15),
        _target(f"cold build, p50, scaled from {last.tables} tables to 60", cold, 80),
    ]


def _target(what: str, seconds: float, wanted: float) -> str:
    met = "met" if seconds * 1e3 <= wanted else "**missed**"
    return f"- {what}: {_ms(seconds)} ms, at most {wanted:.0f}: {met}"


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.1f}"
