"""The section of RESULTS.md on provisioning."""

from insula_bench import report
from insula_bench.provisioning import Provisioning
from insula_bench.provisioning_at import Size

_HEAD = """## Provisioning

One after the other, on durable PostgreSQL settings. Over HTTP, with password hash and without a
slot, as where no worker is:

{times}

### The database's part, with few tenants and with many

Two installations side by side, one with {small:,} tenants all the time and one that grows
({layout} cells × buckets × connections in the end, all cells on one server);
every tenant of theirs has core and notes, and what is made here comes on top.
Notes are switched on {count} times, at the two in turns, from `BEGIN` to the end of `COMMIT`, with
three slots and sign-ups for each time. *Sign-up* claims a slot and writes tenant, owner and
session: {sign_ups} times in the grown installation, for the p99; slots are built by connections of
others, as a worker's are. *Slot* is what is built ahead, in steps of at most ten tables; *cold*, in
turns of its own, is a tenant that is built where nobody fills slots, with every module that there
is, in one transaction: {tables} tables, without the owner and session that a sign-up writes. *Bare*
is what PostgreSQL alone takes for the same tables and indexes, by one script in an empty database
of the same server, without role, privileges, row security and records. The catalogues
have been vacuumed when a tenth of the tenants was missing: in the holes that VACUUM finds, what
comes next is built slower (docs/guides/operating.md). *Of small* compares medians
with those of the small one in the same turns. In the first row both have the same few
tenants: what it differs from 1 is noise.

Again: `python ops/bench/run.py --only tenants --sizes {sizes}`

{columns}
{rows}

A cold build writes {written:,} lines into PostgreSQL's catalogues: {catalogues}.

A page is on the disk (`fdatasync`) after {disk_p50} ms, p99 {disk_p99} ms; a sign-up waits for
that once. Huge pages for PostgreSQL's shared memory (docs/guides/operating.md): {huge_pages}.

{targets}
"""


_COLUMNS = (
    "| tenants | sign-up p50 ms | of small | sign-up p99 ms | notes on p50 ms | of small "
    "| slot p50 ms | of small | cold p50 ms | of small | of bare |\n" + "| ---: " * 11 + "|"
)
_FLAT = 1.2


def section(found: Provisioning) -> str:
    last = found.sizes[-1]
    return _HEAD.format(
        times=report.times(found.over_http),
        small=found.small,
        layout=found.layout,
        count=len(last.grown.enable.seconds),
        sign_ups=len(last.grown.sign_up.seconds),
        huge_pages=last.huge_pages,
        disk_p50=f"{last.grown.disk.median * 1e3:.2f}",
        disk_p99=f"{last.grown.disk.p99 * 1e3:.2f}",
        tables=last.tables,
        sizes=",".join(str(size.tenants) for size in found.sizes),
        columns=_COLUMNS,
        rows="\n".join(map(_row, found.sizes)),
        written=sum(last.rows.values()),
        catalogues=", ".join(
            f"{name} {count:,}" for name, count in sorted(last.rows.items(), key=lambda r: -r[1])
        ),
        targets="\n".join(_targets(found.sizes)),
    )


def _ratio(size: Size, name: str) -> float:
    ratio: float = getattr(size.grown, name).median / getattr(size.small, name).median
    return ratio


def _row(size: Size) -> str:
    ours = size.grown
    cells = [
        f"{size.tenants:,}",
        _ms(ours.sign_up.median),
        f"{_ratio(size, 'sign_up'):.2f}",
        _ms(ours.sign_up.p99),
        _ms(ours.enable.median),
        f"{_ratio(size, 'enable'):.2f}",
        _ms(ours.slot.median),
        f"{_ratio(size, 'slot'):.2f}",
        _ms(ours.cold.median),
        f"{_ratio(size, 'cold'):.2f}",
        f"{ours.cold.median / ours.bare.median:.2f}",
    ]
    return f"| {' | '.join(cells)} |"


def _targets(sizes: list[Size]) -> list[str]:
    last = sizes[-1]
    scale = 60 / last.tables
    cold, bare = (times.median * scale for times in (last.grown.cold, last.grown.bare))
    bare_small = last.small.bare.median * scale
    flat = {
        "sign-up": _ratio(last, "sign_up"),
        "notes on": _ratio(last, "enable"),
        "cold build": _ratio(last, "cold"),
    }
    return [
        f"With {last.tenants:,} tenants, wanted and found:",
        "",
        _target("sign-up, p99", last.grown.sign_up.p99, 10),
        _target("notes on, p50", last.grown.enable.median, 15),
        _target(f"cold build, p50, scaled from {last.tables} tables to 60", cold, 80)
        + f"; bare {_ms(bare)} ms, and {_ms(bare_small)} ms on the small one's server",
        *(
            f"- {name}, of the small installation: {ratio:.2f}, at most {_FLAT}: "
            + ("met" if ratio <= _FLAT else "**missed**")
            for name, ratio in flat.items()
        ),
    ]


def _target(what: str, seconds: float, wanted: float) -> str:
    met = "met" if seconds * 1e3 <= wanted else "**missed**"
    return f"- {what}: {_ms(seconds)} ms, at most {wanted:.0f}: {met}"


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.1f}"
