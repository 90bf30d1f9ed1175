"""``insula db``: installing the database, migrating it, and how far that has come."""

import asyncio
import sys

import rich_click as click

from insula.cli.operating import catalogue, installation_settings
from insula.cli.printing import (
    json_option,
    print_json,
    print_table,
    progress_bar,
    warn,
)
from insula.module import discover
from insula.tenancy import installation
from insula.tenancy.fleet_state import FleetState, read_state


@click.group()
def db() -> None:
    """Install and migrate the database."""


@db.command()
@json_option
def migrate(as_json: bool) -> None:
    """Install Insula into the database, or bring everything in it up to date.

    Tenant by tenant: interrupted, the next run goes on where this one ended. A tenant that fails
    is reported and the others are migrated; the exit code is then 1.
    """
    with progress_bar() as report_progress:
        report = asyncio.run(installation.migrate(installation_settings(), report_progress))
    if as_json:
        print_json(report)
    else:
        click.echo(f"{report.changed} modules migrated at {report.tenants} tenants")
    for step in report.skipped:
        warn(f"this server refuses: {step}")
    for failure in report.failures:
        click.echo(f"insula: {failure.tenant}, {failure.module}: {failure.error}", err=True)
    if report.failures:
        sys.exit(1)


@db.command()
@click.option("--check", is_flag=True, help="Exit with 1 if anything is left to migrate.")
@json_option
def status(check: bool, as_json: bool) -> None:
    """Which versions the tables have, and which tenants are behind."""

    async def read() -> FleetState:
        async with catalogue(installation_settings()) as work:
            return await read_state(work, discover())

    state = asyncio.run(read())
    if as_json:
        print_json(state)
    else:
        _print(state)
    if check and (state.behind or state.catalogue.behind):
        sys.exit(1)


def _print(state: FleetState) -> None:
    rows = [
        (line.module, line.latest, line.tenants, line.behind)
        for line in (state.catalogue, *state.modules)
    ]
    print_table(("module", "version", "tenants", "behind"), rows)
    for late in state.behind:
        click.echo(f"{late.tenant}: {late.module} is at {late.version} of {late.latest}")
