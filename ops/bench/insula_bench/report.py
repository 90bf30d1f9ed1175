"""RESULTS.md, from what was measured."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from insula_bench.contest import PAGE
from insula_bench.file_transfer import Transfer, Transfers
from insula_bench.request_path import CONNECTIONS, Turn, Turns
from insula_bench.timing import Times
from insula_bench.webhooks import Webhooks

_OPERATIONS = {
    "get": "`GET /api/v1/notes/{id}`",
    "list": f"`GET /api/v1/notes`, {PAGE} notes",
    "create": "`POST /api/v1/notes`",
}
_SERVERS = {
    "insula": "Insula",
    "own": "bare, our pool",
    "ordinary": "bare, ordinary pool",
}
_TARGETS = (("get", "own", 0.6, 0.75), ("get", "ordinary", 0.85, 1.0))
_HEAD = """# Benchmarks

Written by `make bench`; every figure is of one run of it, on the machine below. Medians; ranges in
parentheses are from the worst to the best. Only ratios travel between machines.
"""
_REQUESTS = f"""## Request path

What the protections cost: an authenticated request to Insula (tenant binding by role and search
path, token, rate limit, revocation and tenant epoch in Redis, rights, validators, metrics, access
log to a file) against a bare Litestar handler that runs the same statements on asyncpg and answers
with the same structs, and has none of it. Both bare handlers give the same note and the same list,
byte for byte, as Insula; creating renders the Markdown and writes note, links, first revision and
event in all three.

- *our pool*: `insula.db.pool.Pool`, and the garbage collector frozen as in Insula's workers
- *ordinary pool*: `asyncpg.create_pool` with its defaults, the collector as Python starts

The same server for all (Granian, uvloop, one worker, alone on one core; PostgreSQL, Redis and the
client share the others), {CONNECTIONS} connections that each wait for their answer, in turns within
one run. *Of bare* compares rates: the ratio of the medians, and its range over the rounds. CPU is
the worker's own, user and system, a request: it is what hardly depends on who else is busy.

Again: `python ops/bench/run.py --only requests`
"""
_FILES = """## Files

Uploads and downloads over one connection, one after the other, against a bare ASGI application on
the same Granian that writes the body to a file as it comes and has the server send the file. Insula
besides reserves quota, writes two rows in two durable transactions, hashes (SHA-256), looks at the
type and syncs the file to the disk before it says that it has it; the bare server does none of
that. *Of bare* compares rates: the ratio of the medians, and its range over the rounds.

Again: `python ops/bench/run.py --only files`
"""
_TRANSFERS = {
    "upload small": "upload, 100 KiB",
    "download small": "download, 100 KiB",
    "upload large": "upload, 64 MiB",
    "download large": "download, 64 MiB",
}
_START = """## Start

`insula up`, which is `make run` after its installation step, from the command to the first 200 of
`/health/ready`: PostgreSQL and Redis started, database migrated, demo tenant made, web serving.
Python's byte code is there already; the first start after an installation compiles it.

Again: `python ops/bench/run.py --only start`
"""


def render(machine: Mapping[str, str], sections: Iterable[str]) -> str:
    facts = "\n".join(f"- {name}: {value}" for name, value in machine.items())
    return "\n".join([_HEAD, facts, "", *sections])


def requests(turns: Turns) -> str:
    parts = [_REQUESTS]
    for operation, by_server in turns.items():
        rows = [
            [_SERVERS[name], *_cells(by_server["insula"], those)]
            for name, those in by_server.items()
        ]
        head = ["", "requests/s", "Insula of it", "CPU µs", "Insula of it", "p50 ms", "p99 ms"]
        parts += [f"### {_OPERATIONS[operation]}\n", _table(head, rows)]
    return "\n".join([*parts, _targets(turns)])


_WEBHOOKS = """## Webhooks

Events committed in one transaction, until the receiver has the last of them: numbered, written
into the log and into deliveries, signed, sent, each recorded. The bare client (aiohttp) posts ready
bodies to the same receiver, eight at a time, and records nothing.

Again: `python ops/bench/run.py --only webhooks`
"""


def files(transfers: Transfers) -> str:
    rows = []
    for name, by_server in transfers.items():
        insula, bare = by_server["insula"], by_server["bare"]
        ratio = _rate(insula) / _rate(bare)
        ratios = [one.rate / other.rate for one, other in zip(insula, bare, strict=True)]
        rates = [f"{_rate(those) / (1 << 20):,.0f}" for those in (insula, bare)]
        rows.append(
            [_TRANSFERS[name], *rates, f"**{ratio:.2f}** ({min(ratios):.2f}–{max(ratios):.2f})"]
        )
    head = ["", "Insula MiB/s", "bare MiB/s", "Insula of bare"]
    return _FILES + "\n" + _table(head, rows)


def webhooks(found: Webhooks) -> str:
    rates = [f"{median(those):,.0f}" for those in (found.ours, found.bare)]
    ratios = [ours / bare for ours, bare in zip(found.ours, found.bare, strict=True)]
    ratio = f"**{found.ratio:.2f}** ({min(ratios):.2f}–{max(ratios):.2f})"
    head = ["", "Insula a second", "bare a second", "Insula of bare"]
    return _WEBHOOKS + "\n" + _table(head, [[f"{found.events:,} deliveries", *rates, ratio]])


def _rate(turns: Sequence[Transfer]) -> float:
    return median(turn.rate for turn in turns)


def start(starts: Sequence[Times]) -> str:
    return _START + "\n" + times(starts)


def _cells(insula: list[Turn], those: list[Turn]) -> list[str]:
    rates = [turn.rate for turn in those]
    cells = [
        f"{median(rates):,.0f} ({min(rates):,.0f}–{max(rates):,.0f})",
        _ratio(insula, those),
        f"{median(turn.cpu for turn in those) * 1e6:.0f}",
        f"{median(turn.cpu for turn in those) / median(turn.cpu for turn in insula):.2f}",
        f"{median(turn.p50 for turn in those) * 1e3:.2f}",
        f"{median(turn.p99 for turn in those) * 1e3:.2f}",
    ]
    if those is insula:
        cells[1] = cells[3] = ""
    return cells


def _of_bare(insula: list[Turn], bare: list[Turn]) -> float:
    return median(turn.rate for turn in insula) / median(turn.rate for turn in bare)


def _ratio(insula: list[Turn], bare: list[Turn]) -> str:
    rounds = [ours.rate / theirs.rate for ours, theirs in zip(insula, bare, strict=True)]
    return f"**{_of_bare(insula, bare):.2f}** ({min(rounds):.2f}–{max(rounds):.2f})"


def _targets(turns: Turns) -> str:
    lines = []
    for operation, server, wanted, aim in _TARGETS:
        if operation in turns:
            ratio = _of_bare(turns[operation]["insula"], turns[operation][server])
            verdict = "reached" if ratio >= wanted else "missed"
            lines.append(
                f"- {_OPERATIONS[operation]} of *{_SERVERS[server]}*: {ratio:.2f}, wanted "
                f"{wanted} ({verdict}), aimed at {aim:.2f}"
            )
    return "\n".join([*lines, ""])


def times(times: Sequence[Times]) -> str:
    rows = [
        [each.title, f"{each.median * 1e3:,.1f}", f"{each.p95 * 1e3:,.1f}", str(len(each.seconds))]
        for each in times
    ]
    return _table(["", "median ms", "p95 ms", "times"], rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *("---:" for _ in head[1:])], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
