"""``insula modules``: switching modules on and off, and writing new ones."""

import asyncio
import sys
from pathlib import Path

import msgspec
import rich_click as click

from insula.cli.announcing import announce
from insula.cli.operating import catalogue, installation_settings
from insula.cli.printing import json_option, print_json, print_table
from insula.db import Work
from insula.module import Module, discover
from insula.tenancy import lifecycle, provisioning
from insula.tenancy.errors import ModuleNotInstalled
from insula.tenancy.tenant import Tenant


class ModuleLine(msgspec.Struct):
    """A module of this installation; ``enabled`` is null where no tenant was asked about."""

    name: str
    title: str
    summary: str
    needs: list[str]
    enabled: bool | None


@click.group()
def modules() -> None:
    """Switch modules on and off; write new ones."""


tenant_option = click.option("--tenant", "slug", required=True, help="The tenant's slug.")


@modules.command("list")
@click.option("--tenant", "slug", help="Say which are on at this tenant.")
@json_option
def list_(slug: str | None, as_json: bool) -> None:
    """The installed modules."""
    enabled = None if slug is None else asyncio.run(_enabled(slug))
    lines = [_line(module, enabled) for module in discover().values()]
    if as_json:
        print_json(lines)
        return
    states = {None: "", True: "on", False: "off"}
    rows = [(line.name, states[line.enabled], line.summary) for line in lines]
    print_table(("name", "state", "summary"), rows)


def _line(module: Module, enabled: frozenset[str] | None) -> ModuleLine:
    state = None if enabled is None else module.name in enabled
    return ModuleLine(module.name, module.title, module.summary, list(module.needs), state)


async def _enabled(slug: str) -> frozenset[str]:
    async with catalogue(installation_settings()) as work:
        return (await lifecycle.get_tenant(work, slug)).modules


@modules.command()
@click.argument("name")
@tenant_option
@json_option
def enable(name: str, slug: str, as_json: bool) -> None:
    """Switch a module on at a tenant; twice is once."""
    _switch(name, slug, on=True, as_json=as_json)


@modules.command()
@click.argument("name")
@tenant_option
@json_option
def disable(name: str, slug: str, as_json: bool) -> None:
    """Switch a module off at a tenant; its data stays."""
    _switch(name, slug, on=False, as_json=as_json)


def _switch(name: str, slug: str, *, on: bool, as_json: bool) -> None:
    installed = discover()
    if name not in installed:
        raise ModuleNotInstalled(f"{name} is not installed here.")

    async def change(work: Work, tenant: Tenant) -> int:
        if on:
            return await provisioning.enable(work, tenant, installed[name])
        return await provisioning.disable(work, tenant, installed[name], installed)

    async def run() -> None:
        settings = installation_settings()
        async with catalogue(settings) as work:
            tenant = await lifecycle.get_tenant(work, slug)
            epoch = await change(work, tenant)
        await announce(settings, tenant, epoch)

    asyncio.run(run())
    if as_json:
        print_json(_line(installed[name], frozenset([name] if on else [])))
    else:
        click.echo(f"{name} is {'on' if on else 'off'} at {slug}")


@modules.command()
@click.argument("name")
@click.option("-m", "--message", required=True, help="What changes, in a few words.")
@json_option
def revise(name: str, message: str, as_json: bool) -> None:
    """Write the migration that leads from a module's migrations to its table classes.

    NAME is a module, or `core` or `catalogue` for the platform's own tables. Without a difference
    nothing is written. Read what is written before you commit it.
    """
    from insula.authoring.revise import revise as write
    from insula.cli.scratch_server import scratch_server

    with scratch_server() as url:
        revision = write(name, message, url)
    if as_json:
        print_json(revision)
    elif revision.path is None and not revision.open:
        click.echo(f"{name}: the migrations lead to the table classes; nothing to write")
    elif revision.path is not None:
        click.echo(f"{revision.path}\n\n{revision.sql}")
    for difference in revision.open:
        click.echo(f"insula: not in the file yet, write it by hand: {difference}", err=True)
    if revision.open:
        sys.exit(1)


@modules.command()
@click.argument("name")
@click.option("--into", type=click.Path(path_type=Path), help="The workspace; else this one.")
@click.option("--singular", help="One of them, if it is not NAME without its s.")
def new(name: str, into: Path | None, singular: str | None) -> None:
    """Write a module that works: tables, routes, migration and tests of its own.

    NAME is one word in the plural; it becomes folder, URL, table and scope prefix.
    """
    from insula.authoring.scaffold import write_module

    for path in write_module(name, singular=singular, root=into or Path.cwd()):
        click.echo(path)
    click.echo(f"\nNow run `make test`, then change {name} into what it is to be.")
