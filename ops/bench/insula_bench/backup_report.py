"""The section of RESULTS.md on backups."""

from collections.abc import Sequence
from statistics import median

from insula_bench.backups import Backups, Turn

_HEAD = """## Backups

`insula backup create` and `pg_dump` on the same database of {size:,} MB on durable settings, each
a whole process, its output synced to the disk. pg_dump's default is gzip; ours is zstd level 1.
Ours also counts every row and takes a checksum of it, and a SHA-256 of every file. *Of the faster*
compares medians with that of `pg_dump -Fc` and `pg_dump -Fd -j2`, as everybody uses them.{zstd}

Again: `python ops/bench/run.py --only backup --backup-megabytes {megabytes} \
--backup-schemas {schemas} --backup-rounds {rounds}`
"""
_NO_ZSTD = """ The
pg_dump here was built without zstd, which would bring it near to us: compare the lines that are
not compressed."""
_RESTORE = """### Restoring

Into an empty database, once each, from the backups of default compression. Ours also gathers
the planner's statistics, which after pg_restore is yet to be done.
"""
_CATALOGUE = """### A small part of a large catalogue

A database of {schemas:,} schemas with ten small tables each. pg_dump reads the catalogue of all,
whatever it dumps, and ours asks it for the definitions: that is what one schema costs, and why a
database should hold 2,000 tenants at most.
"""


def section(found: Backups) -> str:
    zstd = any("zstd" in name for name in found.dumping)
    verdict = "reached" if found.ratio() <= 1.0 else "missed"
    parts = [
        _HEAD.format(
            size=found.database_size // 1_000_000,
            zstd="" if zstd else _NO_ZSTD,
            megabytes=found.megabytes,
            schemas=found.schemas,
            rounds=len(found.dumping["insula"]),
        ),
        _table(["", "seconds", "of the faster", "MB written"], _dumping(found)),
        f"- of the faster of `pg_dump -Fc` and `-Fd -j2`: {found.ratio():.2f}, wanted 1.0 at most "
        f"({verdict})\n",
        _RESTORE,
        _table(["", "seconds"], [[name, _seconds(turns)] for name, turns in
                                 found.restoring.items()]),
        _CATALOGUE.format(schemas=found.schemas),
        _table(["", "seconds"], [[name, f"{each:.2f}"] for name, each in found.catalogue.items()]),
    ]  # fmt: skip
    return "\n".join(parts)


def _dumping(found: Backups) -> list[list[str]]:
    return [
        [name, _seconds(turns), f"**{found.ratio(name):.2f}**", f"{turns[0].size / 1e6:,.0f}"]
        for name, turns in found.dumping.items()
    ]


def _seconds(turns: Sequence[Turn]) -> str:
    times = [turn.seconds for turn in turns]
    return f"{median(times):.2f} ({min(times):.2f}–{max(times):.2f})"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *("---:" for _ in head[1:])], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
