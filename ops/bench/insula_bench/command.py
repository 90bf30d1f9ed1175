"""The command line of ``ops/bench/run.py``."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from insula_bench import (
    backup_report,
    backups,
    cdn,
    cdn_report,
    cores,
    file_transfer,
    fleet,
    fleet_report,
    isolation,
    live,
    live_report,
    machine,
    moving,
    provisioning,
    provisioning_report,
    report,
    request_path,
    results,
    scale,
    scale_report,
    startup,
    webhooks,
)
from insula_bench.installation import installed

_RESULTS = Path(__file__).parent.parent / "RESULTS.md"
_PARTS = (
    "requests",
    "files",
    "provisioning",
    "start",
    "live",
    "webhooks",
    "fleet",
    "scale",
    "isolation",
    "move",
    "backup",
    "cdn",
)


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    parts = options.only or _PARTS
    before = machine.busy()
    with tempfile.TemporaryDirectory(prefix="insula-bench-") as folder:
        sections = [_section(part, Path(folder), options) for part in parts]
    noise = f"{before:.0%} of the cores' time before the run, {machine.busy():.0%} after it"
    text = report.render(machine.describe() | {"busy with other work": noise}, sections)
    if options.update:
        results.update(_RESULTS, sections, machine.describe(), noise)
        _tell(f"{len(sections)} sections renewed in {_RESULTS}")
        return
    output = options.output or (_RESULTS if set(parts) == set(_PARTS) else None)
    if output is not None:
        output.write_text(text)
        _tell(f"written to {output}")
    else:
        print(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="run.py", description=__doc__)
    parser.add_argument("--only", action="append", choices=_PARTS, help="may be repeated")
    parser.add_argument("--seconds", type=float, default=2.0, help="of a turn (default 2)")
    parser.add_argument("--rounds", type=int, default=15, help="of turns (default 15)")
    parser.add_argument("--tenants", type=int, default=60, help="to provision (default 60)")
    parser.add_argument(
        "--provisioning-sizes",
        type=_sizes,
        default=[10, 100, 1000],
        help="tenants beside which it is measured (default 10,100,1000)",
    )
    parser.add_argument("--live-rounds", type=int, default=3, help="of fan-out (default 3)")
    parser.add_argument("--watchers", type=int, default=1000, help="of fan-out (default 1000)")
    parser.add_argument("--events", type=int, default=2000, help="of webhooks (default 2000)")
    parser.add_argument("--hook-rounds", type=int, default=5, help="of webhooks (default 5)")
    parser.add_argument(
        "--megabytes", type=int, action="append", help="of a tenant that moves (default 10 and 100)"
    )
    parser.add_argument("--starts", type=int, default=5, help="cold and warm (default 5)")
    parser.add_argument("--fleet-tenants", type=int, default=1000, help="to migrate (default 1000)")
    parser.add_argument("--fleet-workers", type=int, default=4, help="at a time (default 4)")
    parser.add_argument(
        "--rate", type=float, default=200.0, help="requests a second beside it (default 200)"
    )
    parser.add_argument(
        "--sizes", type=_sizes, default=[10, 1000], help="tenants to serve (default 10,1000)"
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


def _section(part: str, folder: Path, options: argparse.Namespace) -> str:
    _tell(f"{part} …")
    home = folder / part
    home.mkdir(mode=0o711)
    if part == "start":
        return report.start(startup.measure(home, starts=options.starts))
    if part == "cdn":
        return cdn_report.section(
            cdn.measure(home, requests=options.cdn_requests, rounds=options.cdn_rounds)
        )
    if part == "scale":
        found = scale.measure(
            home,
            sizes=options.sizes,
            seconds=options.seconds,
            rounds=options.rounds,
            soak_minutes=options.soak_minutes,
        )
        return scale_report.section(found)
    if part == "fleet":
        size = options.fleet_tenants
        spread = {"buckets": scale.buckets(size), "pool_size": scale.pool_size(size)}
        with installed(home, on=cores.ALL, **spread) as installation:
            return fleet_report.section(
                fleet.measure(
                    installation,
                    tenants=size,
                    rate=options.rate,
                    workers=options.fleet_workers,
                )
            )
    if part == "backup":
        return backup_report.section(
            backups.measure(
                home, megabytes=options.backup_megabytes, schemas=options.backup_schemas,
                rounds=options.backup_rounds, tell=_tell,
            )
        )  # fmt: skip
    if part == "provisioning":
        buckets = scale.buckets(max(options.provisioning_sizes))
        with installed(home, buckets=buckets) as installation:
            built = provisioning.measure(
                installation, tenants=options.tenants, sizes=options.provisioning_sizes
            )
        return provisioning_report.section(built, buckets=buckets)
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
