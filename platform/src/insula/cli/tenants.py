"""``insula tenants``: what the operator does with tenants."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from functools import partial

import msgspec
import rich_click as click

from insula.cli.announcing import announce
from insula.cli.archives import export_, import_
from insula.cli.deleting import delete, purge, undelete
from insula.cli.moving import move
from insula.cli.operating import catalogue, installation_settings, tenant_transaction
from insula.cli.printing import json_option, print_json, print_record, print_table
from insula.cli.slots import slots
from insula.db import Work
from insula.module import Module, discover
from insula.tenancy import lifecycle, provisioning
from insula.tenancy.errors import ModuleNotInstalled
from insula.tenancy.schemas import SignUp, TenantLine
from insula.tenancy.signup import found
from insula.tenancy.tenant import Limits, Tenant


@click.group()
def tenants() -> None:
    """Create, list, suspend and delete tenants."""


tenants.add_command(export_)
tenants.add_command(import_)
tenants.add_command(move)
tenants.add_command(slots)
tenants.add_command(delete)
tenants.add_command(undelete)
tenants.add_command(purge)


@tenants.command()
@click.argument("slug")
@click.option("--name", required=True, help="The organisation's name.")
@click.option("--email", required=True, help="The first owner's address, to sign in with.")
@click.option("--owner", help="The first owner's name; else the address without its domain.")
@click.option("--password-stdin", is_flag=True, help="Read the owner's password from stdin.")
@click.option("--module", "names", multiple=True, help="Switch this module on; may be repeated.")
@json_option
def create(
    slug: str,
    name: str,
    email: str,
    owner: str | None,
    password_stdin: bool,
    names: tuple[str, ...],
    as_json: bool,
) -> None:
    """Make a tenant and its first owner, all of it or nothing."""
    modules = _installed(names)
    person = {
        "email": email,
        "name": owner or email.partition("@")[0],
        "password": _password(from_stdin=password_stdin),
    }
    form = msgspec.convert({"slug": slug, "name": name, "owner": person}, SignUp)
    _show(asyncio.run(_create(form, modules)), as_json=as_json)


async def _create(form: SignUp, modules: list[Module]) -> TenantLine:
    settings = installation_settings()
    async with catalogue(settings) as work:
        tenant, _ = await found(work, form, buckets=settings.buckets)
        if modules:
            await provisioning.enable(work, tenant, *modules)
        return await lifecycle.get_line(work, form.slug)


def _installed(names: tuple[str, ...]) -> list[Module]:
    """The modules of these names, those that others need first."""
    known = discover()
    if missing := set(names) - set(known):
        raise ModuleNotInstalled(f"{', '.join(sorted(missing))}: not installed here.")
    return [module for name, module in known.items() if name in names]


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise click.UsageError("There is no terminal to ask at: use --password-stdin.")
    asked: str = click.prompt("Owner's password", hide_input=True, confirmation_prompt=True)
    return asked


@tenants.command("list")
@json_option
def list_(as_json: bool) -> None:
    """Every tenant, in the order in which they were made."""

    async def read() -> list[TenantLine]:
        async with catalogue(installation_settings()) as work:
            return [line async for line in lifecycle.list_tenants(work)]

    lines = asyncio.run(read())
    if as_json:
        print_json(lines)
        return
    rows = [(line.slug, line.name, line.status, line.created_at, line.modules) for line in lines]
    print_table(("slug", "name", "status", "created", "modules"), rows)


@tenants.command()
@click.argument("slug")
@json_option
def show(slug: str, as_json: bool) -> None:
    """One tenant."""

    async def read() -> TenantLine:
        async with catalogue(installation_settings()) as work:
            return await lifecycle.get_line(work, slug)

    _show(asyncio.run(read()), as_json=as_json)


@tenants.command()
@click.argument("slug")
@click.option("--reason", default="", help="What those who are not let in are told.")
@json_option
def suspend(slug: str, reason: str, as_json: bool) -> None:
    """Let nobody of a tenant in, from this moment on; its data is kept."""
    change = partial(lifecycle.suspend, reason=reason)
    _show(asyncio.run(_change(slug, change)), as_json=as_json)


@tenants.command()
@click.argument("slug")
@json_option
def resume(slug: str, as_json: bool) -> None:
    """Let a suspended tenant in again."""
    _show(asyncio.run(_change(slug, lifecycle.resume)), as_json=as_json)


@tenants.command()
@click.argument("slug")
@click.argument("new_slug")
@json_option
def rename(slug: str, new_slug: str, as_json: bool) -> None:
    """Give a tenant another slug; the old one leads there for INSULA_SLUG_DAYS."""
    days = installation_settings().slug_days
    change = partial(lifecycle.rename, slug=new_slug, days=days)
    _show(asyncio.run(_change(slug, change, new_slug)), as_json=as_json)


async def _change(
    slug: str, change: Callable[[Work, Tenant], Awaitable[int]], new_slug: str | None = None
) -> TenantLine:
    settings = installation_settings()
    async with catalogue(settings) as work:
        tenant = await lifecycle.get_tenant(work, slug)
        epoch = await change(work, tenant)
        line = await lifecycle.get_line(work, new_slug or slug)
    await announce(settings, tenant, epoch)
    return line


@tenants.command()
@click.argument("slug")
@click.option("--rate-limit", type=int, help="Requests a minute of one user or address.")
@click.option("--rate-burst", type=int, help="Requests at once on top of the even rate.")
@click.option("--users", type=int, help="Users that are not disabled, customers not counted.")
@click.option("--files-quota", type=int, help="Bytes that its files may take.")
@json_option
def limit(slug: str, as_json: bool, **values: int | None) -> None:
    """Set what a tenant may: all of it, what is not named being what everybody has."""
    limits = msgspec.convert(values, Limits)
    _show(asyncio.run(_limit(slug, limits)), as_json=as_json)


async def _limit(slug: str, limits: Limits) -> TenantLine:
    settings = installation_settings()
    async with catalogue(settings) as work:
        tenant = await lifecycle.get_tenant(work, slug)
        async with tenant_transaction(settings, tenant) as inside:
            epoch = await lifecycle.set_limits(work, inside, tenant, limits)
        line = await lifecycle.get_line(work, slug)
    await announce(settings, tenant, epoch)
    return line


def _show(line: TenantLine, *, as_json: bool) -> None:
    if as_json:
        print_json(line)
    else:
        print_record(line)
