"""The command line of ``ops/bench/run.py``."""

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from insula.tenancy.fleet import Options

from insula_bench import (
    backup_report,
    backups,
    cdn,
    cdn_report,
    file_transfer,
    isolation,
    live,
    live_report,
    machine,
    moving,
    report,
    request_path,
    results,
    startup,
    tenants,
    webhooks,
)
from insula_bench.installation import installed
from insula_bench.place import OF_A_CELL

_RESULTS = Path(__file__).parent.parent / "RESULTS.md"
_PARTS = (
    "requests",
    "files",
    "start",
    "live",
    "webhooks",
    "tenants",
    "isolation",
    "move",
    "backup",
    "cdn",
)


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    parts = options.only or _PARTS
    before = machine.busy()
    sections: dict[str, str] = {}

    def publish(section: str) -> None:
        """At once, for a run may be broken off."""
        heading = section.strip().partition("\n")[0]
        sections[heading] = section
        if options.update:
            results.update(_RESULTS, [section], machine.describe(), _noise(before))
            _tell(f"  {heading.lstrip('# ')}: renewed in {_RESULTS}")

    with tempfile.TemporaryDirectory(prefix="insula-bench-") as folder:
        for part in parts:
            _measure(part, Path(folder), options, publish)
    if options.update:
        return
    about = machine.describe() | {"busy with other work": _noise(before)}
    text = report.render(about, list(sections.values()))
    output = options.output or (_RESULTS if set(parts) == set(_PARTS) else None)
    if output is not None:
        output.write_text(text)
        _tell(f"written to {output}")
    else:
        print(text)


def _noise(before: float) -> str:
    return f"{before:.0%} of the cores' time before the run, {machine.busy():.0%} after it"


def _measure(
    part: str, folder: Path, options: argparse.Namespace, publish: Callable[[str], None]
) -> None:
    _tell(f"{part} …")
    home = folder / part
    home.mkdir(mode=0o711)
    if part == "tenants":
        plan = tenants.Plan(
            sizes=options.sizes,
            seconds=options.seconds,
            rounds=options.rounds,
            times=options.times,
            rate=options.rate,
            migration=Options(workers=options.fleet_workers, share=options.fleet_share),
            span=options.beside_seconds,
            soak_minutes=options.soak_minutes,
            of_a_cell=options.cell_tenants or max(options.sizes),
        )
        tenants.Bench(plan, publish, _tell).measure(home)
    else:
        publish(_section(part, home, options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="run.py", description=__doc__)
    parser.add_argument("--only", action="append", choices=_PARTS, help="may be repeated")
    parser.add_argument("--seconds", type=float, default=2.0, help="of a turn (default 2)")
    parser.add_argument("--rounds", type=int, default=15, help="of turns (default 15)")
    parser.add_argument(
        "--sizes",
        type=_sizes,
        default=[10, 1000],
        help="of tenants: numbers of them, ascending (default 10,1000)",
    )
    parser.add_argument(
        "--cell-tenants",
        type=int,
        default=OF_A_CELL,
        help=f"of a database, of which one server has several (default {OF_A_CELL}; 0: all in one)",
    )
    parser.add_argument(
        "--times", type=int, default=60, help="that each is provisioned (default 60)"
    )
    parser.add_argument("--live-rounds", type=int, default=3, help="of fan-out (default 3)")
    parser.add_argument("--watchers", type=int, default=1000, help="of fan-out (default 1000)")
    parser.add_argument("--events", type=int, default=2000, help="of webhooks (default 2000)")
    parser.add_argument("--hook-rounds", type=int, default=5, help="of webhooks (default 5)")
    parser.add_argument(
        "--megabytes", type=int, action="append", help="of a tenant that moves (default 10 and 100)"
    )
    parser.add_argument("--starts", type=int, default=5, help="cold and warm (default 5)")
    parser.add_argument(
        "--fleet-workers", type=int, default=Options().workers, help="of a migration"
    )
    parser.add_argument(
        "--fleet-share", type=int, help="percent of their time, instead of stepping aside"
    )
    parser.add_argument(
        "--rate", type=float, default=200.0, help="requests a second beside it (default 200)"
    )
    parser.add_argument(
        "--beside-seconds",
        type=float,
        default=10.0,
        help="to watch the same, without it and with it (default 10)",
    )
    parser.add_argument(
        "--soak-minutes", type=float, default=1.0, help="of watching memory (default 1)"
    )
    parser.add_argument(
        "--update", action="store_true", help="renew the sections in RESULTS.md, and no others"
    )
    parser.add_argument("--backup-rounds", type=int, default=3, help="of backups (default 3)")
    parser.add_argument(
        "--backup-megabytes", type=int, default=1000, help="to back up (default 1000)"
    )
    parser.add_argument(
        "--backup-schemas", type=int, default=1000, help="to back up (default 1000)"
    )
    parser.add_argument(
        "--cdn-requests", type=int, default=10_000_000, help="to simulate (default 10,000,000)"
    )
    parser.add_argument("--cdn-rounds", type=int, default=3, help="of simulators (default 3)")
    parser.add_argument("--output", type=Path, help="default: RESULTS.md, if nothing is left out")
    return parser


def _sizes(text: str) -> list[int]:
    return [int(size) for size in text.split(",")]


def _section(part: str, home: Path, options: argparse.Namespace) -> str:
    if part == "start":
        return report.start(startup.measure(home, starts=options.starts))
    if part == "cdn":
        return cdn_report.section(
            cdn.measure(home, requests=options.cdn_requests, rounds=options.cdn_rounds)
        )
    if part == "backup":
        return backup_report.section(
            backups.measure(
                home, megabytes=options.backup_megabytes, schemas=options.backup_schemas,
                rounds=options.backup_rounds, tell=_tell,
            )
        )  # fmt: skip
    with installed(home) as installation:
        if part == "move":
            return moving.section(
                moving.measure(installation, megabytes=options.megabytes or (10, 100))
            )
        if part == "isolation":
            return isolation.section(
                isolation.measure(installation, seconds=options.seconds, rounds=options.rounds)
            )
        if part == "live":
            return live_report.section(
                live.measure(installation, rounds=options.live_rounds, watchers=options.watchers)
            )
        if part == "webhooks":
            return report.webhooks(
                webhooks.measure(installation, events=options.events, rounds=options.hook_rounds)
            )
        if part == "files":
            return report.files(file_transfer.measure(installation, rounds=options.rounds))
        turns = request_path.measure(installation, seconds=options.seconds, rounds=options.rounds)
        return report.requests(turns)


def _tell(what: str) -> None:
    print(what, file=sys.stderr, flush=True)
