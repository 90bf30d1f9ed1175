"""``insula blog import`` and ``insula blog export``."""

import asyncio
import os
from pathlib import Path

import rich_click as click
from insula.cli import operate
from insula.cli.printing import json_option, print_json, progress_bar

from insula_tenants.blog.formats import FormatName, open_source
from insula_tenants.blog.formats.items import FormatError
from insula_tenants.blog.queries import articles as queries
from insula_tenants.blog.schemas import ImportReport, ItemReport
from insula_tenants.blog.service import settings as blog_settings
from insula_tenants.blog.service.exporting import export
from insula_tenants.blog.service.importing import import_entries, summarise

_tenant = click.option("--tenant", required=True, metavar="SLUG", help="Whose blog.")
_format = click.option(
    "--format",
    "name",
    type=click.Choice(["wordpress", "ghost", "markdown"]),
    required=True,
    help="WordPress WXR, Ghost JSON, or Markdown files with front matter.",
)


@click.command("import")
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@_format
@_tenant
@click.option("--user", metavar="EMAIL", help="In whose name; the first owner otherwise.")
@click.option("--dry", is_flag=True, help="Only say what would happen.")
@json_option
def import_blog(
    source: Path, name: FormatName, tenant: str, user: str | None, dry: bool, as_json: bool
) -> None:
    """Import another blog.

    Running it again updates what has changed and nothing else. Exits with 1 if an item failed.
    """
    report = asyncio.run(_import(source, name, tenant, user, dry))
    if as_json:
        print_json(report)
    else:
        _print(report)
    if report.failed:
        raise SystemExit(1)


async def _import(
    source: Path, name: FormatName, slug: str, user: str | None, dry: bool
) -> ImportReport:
    reports: list[ItemReport] = []
    async with operate(slug, module="blog") as operator:
        author = await operator.user_id(user)
        try:
            with open_source(name, source) as entries, progress_bar() as progress:
                batches = import_entries(operator.transaction, entries, author, dry=dry)
                async for batch in batches:
                    reports += batch
                    progress("articles", len(reports), len(reports))
        except FormatError as error:
            raise click.ClickException(str(error)) from error
    return summarise(reports, dry=dry)


def _print(report: ImportReport) -> None:
    for item in report.items:
        if text := "; ".join(note for note in (item.reason, *item.warnings) if note):
            click.echo(f"{item.outcome:9}  {item.title or item.source}: {text}")
    counts = ("created", "updated", "unchanged", "skipped", "failed")
    would = "would be: " if report.dry else ""
    click.echo(would + ", ".join(f"{getattr(report, name)} {name}" for name in counts))


@click.command("export")
@click.argument("target", type=click.Path(path_type=Path))
@_format
@_tenant
@json_option
def export_blog(target: Path, name: FormatName, tenant: str, as_json: bool) -> None:
    """Export every article into a file, which must not exist yet."""
    count = asyncio.run(_export(target, name, tenant))
    if as_json:
        print_json({"exported": count})
    else:
        click.echo(f"{count} exported")


async def _export(target: Path, name: FormatName, slug: str) -> int:
    """The file takes its name only when it is whole."""
    partial = target.with_name(f"{target.name}.part")
    try:
        async with operate(slug, module="blog") as operator, operator.transaction() as tx:
            settings = await blog_settings.read(tx, operator.tenant)
            total, done = await tx.one(queries.COUNT), 0
            with partial.open("xb") as file, progress_bar() as progress:

                async def write(part: bytes) -> None:
                    file.write(part)

                def tell() -> None:
                    nonlocal done
                    done += 1
                    progress("articles", done, max(total, done))

                url = settings.site_url or f"http://{slug}.{operator.settings.base_domain}"
                count = await export(tx, name, settings, url, write, tell)
                os.fsync(file.fileno())
        os.link(partial, target)  # unlike a rename, this never replaces a file
    except FileExistsError as error:
        raise click.ClickException(f"{error.filename2 or error.filename} exists") from error
    finally:
        partial.unlink(missing_ok=True)
    return count
