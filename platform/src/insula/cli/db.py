"""``insula db``: installing the database, migrating it, and how far that has come."""

import asyncio
import sys
from typing import TYPE_CHECKING

import rich_click as click

from insula.cli.operating import catalogue, installation_settings
from insula.cli.printing import (
    json_option,
    print_json,
    print_table,
    progress_bar,
    warn,
)
from insula.keys import login_verifier
from insula.module import discover
from insula.tenancy import fleet_state, installation
from insula.tenancy.fleet import Options, Plan, Report, plan_fleet
from insula.tenancy.fleet_state import FleetState, TenantMigrations, Which
from insula.tenancy.populating import populate
from insula.tenancy.roles import bucket_login

if TYPE_CHECKING:
    from insula.db import Work

_DEFAULTS = Options()


@click.group()
def db() -> None:
    """Install and migrate the database."""


@db.command()
@click.option("--dry-run", is_flag=True, help="Show what would be done, with its SQL; do nothing.")
@click.option(
    "--canary", default=_DEFAULTS.canary, show_default=True, metavar="N|SLUG",
    help="Migrate so many tenants, or the one of this slug, before all others; stop if it fails.",
)  # fmt: skip
@click.option("--workers", type=click.IntRange(1, 32), default=_DEFAULTS.workers, show_default=True,
              help="Batches at the same time.")  # fmt: skip
@click.option("--share", type=click.IntRange(1, 100), default=None, metavar="PERCENT",
              help="Of its time that each works, whoever is served meanwhile. Without it: all "
              "of it while nobody is served, and a quarter of one's while somebody is.",
)  # fmt: skip
@click.option("--batch", type=click.IntRange(1, 100), default=_DEFAULTS.batch, show_default=True,
              help="Tenants in one transaction.")  # fmt: skip
@click.option("--stop-after", type=click.IntRange(1), default=_DEFAULTS.stop_after,
              show_default=True, metavar="N",
              help="Stop when so many tenants have failed.")  # fmt: skip
@click.option("--tenant", "tenants", multiple=True, metavar="SLUG",
              help="Only this tenant; may be repeated.")  # fmt: skip
@click.option("--module", "modules", multiple=True, metavar="NAME",
              help="Only this module, or core; may be repeated.")  # fmt: skip
@click.option("--retry-quarantined", is_flag=True, help="Try those that failed before, too.")
@json_option
def migrate(dry_run: bool, as_json: bool, **chosen: object) -> None:
    """Install Insula into the database, or bring everything in it up to date.

    A few tenants go first, the canaries: if one of them fails, nobody else is touched. Then all
    others, several at a time. A tenant that fails is put into quarantine and reported, and the
    rest are migrated. Interrupted, the next run goes on where this one ended.

    A server that is down (`insula cells check`) leaves its tenants to the next run.

    Exits with 1 if anything failed or was in use all the time, or a server was down.
    """
    options = Options(**chosen)  # type: ignore[arg-type]
    _check_modules(options)
    if dry_run:
        _show_plan(asyncio.run(plan_fleet(installation_settings(), discover(), options)), as_json)
        return
    with progress_bar() as report_progress:
        report = asyncio.run(
            installation.migrate(installation_settings(), report_progress, options)
        )
    _show_report(report, as_json=as_json)
    if not report.succeeded:
        sys.exit(1)


def _check_modules(options: Options) -> None:
    known = {"core", *discover()}
    if missing := sorted(set(options.modules) - known):
        raise click.UsageError(f"{', '.join(missing)}: not installed here.")


def _show_report(report: Report, *, as_json: bool) -> None:
    if as_json:
        print_json(report)
    else:
        click.echo(
            f"{report.changed} modules migrated at {report.tenants} tenants "
            f"in {report.seconds:.1f} s"
        )
    for step in report.skipped:
        warn(f"this server refuses: {step}")
    for failure in (*report.failures, *report.locked):
        click.echo(f"insula: {failure.tenant}, {failure.module}: {failure.error}", err=True)
    for cell in report.down:
        click.echo(
            f"insula: the server {cell.cell} cannot be worked with ({cell.error}): {cell.tenants} "
            "of its tenants are left as they are; run this again once it can",
            err=True,
        )
    if report.stopped:
        click.echo(f"insula: stopped: {report.stopped}", err=True)
    if report.quarantined:
        warn(
            f"{report.quarantined} are in quarantine: `insula db status --quarantined` says why; "
            "once mended, `insula db migrate --retry-quarantined`"
        )


def _show_plan(plan: Plan, as_json: bool) -> None:
    if as_json:
        print_json(plan)
        return
    for step in plan.catalogue:
        click.echo(f"-- {step.module}/{step.name}: the installation's own tables\n{step.sql}")
    for step in plan.steps:
        click.echo(f"-- {step.module}/{step.name}: {step.tenants} tenants\n{step.sql}")
    for failure in plan.edited:
        warn(f"{failure.module}: {failure.error}")
    if plan.quarantined:
        warn(f"{plan.quarantined} modules of tenants are in quarantine and would be left out")
    files = len(plan.catalogue) + len(plan.steps)
    click.echo(f"-- {files} files to apply, {plan.tenants} tenants behind; nothing was changed")


@db.command("populate")
@click.option("--like", required=True, metavar="SLUG", help="The tenant that they are to be like.")
@click.option("--tenants", type=click.IntRange(1, 1_000_000), required=True, metavar="N",
              help="How many there are to be.")  # fmt: skip
@click.option("--prefix", default="load", show_default=True, help="They are called PREFIX-1 to -N.")
@click.option(
    "--workers",
    type=click.IntRange(1, 32),
    default=2,
    show_default=True,
    help="At the same time; more than the server has cores only slow it down.",
)
@json_option
def populate_(like: str, tenants: int, prefix: str, workers: int, as_json: bool) -> None:
    """Fill an installation for load tests: tenants with the modules, users and rows of another.

    Those that are there already are left alone, so that an interrupted run is run again. Nothing
    for an installation in which people work: everybody's caches suffer.
    """
    with progress_bar() as report_progress:
        shape = asyncio.run(
            populate(
                installation_settings(),
                discover(),
                like=like,
                prefix=prefix,
                upto=tenants,
                workers=workers,
                progress=report_progress,
            )
        )
    if as_json:
        print_json(shape)
    else:
        click.echo(
            f"{prefix}-1 to {prefix}-{tenants}: each {shape.tables} tables, {shape.indexes} "
            f"indexes, {shape.bytes / 1024:,.0f} KiB"
        )


@db.command()
@json_option
def userlist(as_json: bool) -> None:
    """What PgBouncer needs to know of the buckets' logins, as its auth_file.

    No passwords: the lines are SCRAM verifiers, the same that PostgreSQL has.
    """
    settings = installation_settings()
    logins = [bucket_login(bucket) for bucket in range(settings.buckets)]
    known = {login: login_verifier(settings.secret_key, login) for login in logins}
    if as_json:
        print_json(known)
    else:
        click.echo("\n".join(f'"{login}" "{verifier}"' for login, verifier in known.items()))


@db.command()
@click.option("--check", is_flag=True, help="Exit with 1 if anything is left to migrate.")
@click.option("--tenant", "slugs", multiple=True, metavar="SLUG", help="This tenant's modules.")
@click.option("--behind", "which", flag_value="behind", help="The tenants that are behind.")
@click.option("--quarantined", "which", flag_value="quarantined",
              help="The tenants whose migration failed, and why.")  # fmt: skip
@click.option("--all", "which", flag_value="all", help="Every tenant.")
@json_option
def status(check: bool, slugs: tuple[str, ...], which: Which | None, as_json: bool) -> None:
    """Which versions the tables have: of the whole fleet, or tenant by tenant."""
    if slugs or which:
        listed = asyncio.run(_list(slugs, which or "all"))
        _show_tenants(listed, as_json=as_json)
        if check and any(tenant.state != "current" for tenant in listed):
            sys.exit(1)
        return
    state = asyncio.run(_read())
    if as_json:
        print_json(state)
    else:
        _print(state)
    if check and state.is_behind:
        sys.exit(1)


async def _read() -> FleetState:
    async with catalogue(installation_settings()) as work:
        return await fleet_state.read_state(work, discover())


async def _list(slugs: tuple[str, ...], which: Which) -> list[TenantMigrations]:
    async with catalogue(installation_settings()) as work:
        if slugs:
            return [await fleet_state.of_tenant(work, discover(), slug) for slug in slugs]
        return await _pages(work, which)


async def _pages(work: "Work", which: Which) -> list[TenantMigrations]:
    found: list[TenantMigrations] = []
    while page := await fleet_state.page(
        work, discover(), after=found[-1].number if found else 0, limit=1000, which=which
    ):
        found += page
    return found


def _show_tenants(tenants: list[TenantMigrations], *, as_json: bool) -> None:
    if as_json:
        print_json(tenants)
        return
    rows = [
        (
            tenant.tenant,
            module.module,
            f"{module.version} of {module.latest}",
            module.state,
            module.attempts or "",
            module.attempted_at or "",
            module.error or "",
        )
        for tenant in tenants
        for module in tenant.modules
        if len(tenants) == 1 or module.state != "current"
    ]
    print_table(("tenant", "module", "version", "state", "failed", "last tried", "error"), rows)


def _print(state: FleetState) -> None:
    rows = [
        (line.module, line.latest, line.tenants, line.behind, line.quarantined)
        for line in (state.catalogue, *state.modules)
    ]
    print_table(("module", "version", "tenants", "behind", "quarantined"), rows)
