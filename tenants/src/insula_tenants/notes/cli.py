"""``insula notes import`` and ``insula notes export``."""

import asyncio
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import rich_click as click
from insula.cli import operate
from insula.cli.printing import json_option, print_json, progress_bar
from insula.db import Work

from insula_tenants.notes import queries
from insula_tenants.notes.importing import export_vault, import_vault, summarise
from insula_tenants.notes.schemas import FileReport, ImportReport
from insula_tenants.notes.vault import ArchiveRefused, FolderWriter, ZipWriter, open_vault

_tenant = click.option("--tenant", required=True, metavar="SLUG", help="Whose notes.")


@click.command("import")
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@_tenant
@click.option("--user", metavar="EMAIL", help="In whose name; the first owner otherwise.")
@json_option
def import_notes(source: Path, tenant: str, user: str | None, as_json: bool) -> None:
    """Import a folder or zip of Markdown files, such as an Obsidian vault.

    Running it again updates what has changed and nothing else. Exits with 1 if a file failed.
    """
    report = asyncio.run(_import(source, tenant, user))
    if as_json:
        print_json(report)
    else:
        _print(report)
    if report.failed:
        raise SystemExit(1)


async def _import(source: Path, slug: str, user: str | None) -> ImportReport:
    reports: list[FileReport] = []
    async with operate(slug, module="notes") as operator:
        author = await operator.user_id(user)
        try:
            with open_vault(source) as vault, progress_bar() as progress:
                async for batch in import_vault(operator.transaction, vault, author):
                    reports += batch
                    progress("files", len(reports), len(vault))
        except ArchiveRefused as error:
            raise click.ClickException(str(error)) from error
    return summarise(reports)


def _print(report: ImportReport) -> None:
    for file in report.files:
        notes = [file.reason, *file.warnings]
        if text := "; ".join(note for note in notes if note):
            click.echo(f"{file.outcome:9}  {file.path}: {text}")
    counts = ("created", "updated", "unchanged", "skipped", "failed")
    click.echo(", ".join(f"{getattr(report, name)} {name}" for name in counts))


@click.command("export")
@click.argument("target", type=click.Path(path_type=Path))
@_tenant
@json_option
def export_notes(target: Path, tenant: str, as_json: bool) -> None:
    """Export every note as a Markdown file: into a folder, or a zip if TARGET ends in .zip.

    What was imported and not changed since comes out byte for byte. Existing files stay as they
    are. Exits with 1 if a file could not be written.
    """
    count, faults = asyncio.run(_export(target, tenant))
    if as_json:
        print_json({"exported": count - len(faults), "failed": faults})
    else:
        for fault in faults:
            click.echo(f"failed  {fault.reason}", err=True)
        click.echo(f"{count - len(faults)} exported, {len(faults)} failed")
    if faults:
        raise SystemExit(1)


async def _export(target: Path, slug: str) -> tuple[int, list[FileReport]]:
    async with operate(slug, module="notes") as operator, operator.transaction() as tx:
        total = await tx.one(queries.COUNT)
        done = 0
        with progress_bar() as progress:

            def tell() -> None:
                nonlocal done
                done += 1
                progress("files", done, max(total, done))

            if target.suffix.lower() == ".zip":
                faults = await _export_zip(target, tx, tell)
            else:
                folder = FolderWriter(target)

                async def write(path: str, text: str, modified: datetime) -> None:
                    folder.add(path, text, modified)

                faults = await export_vault(tx, write, tell)
    return done, faults


async def _export_zip(target: Path, tx: Work, tell: Callable[[], None]) -> list[FileReport]:
    """The zip takes its name only when it is whole."""
    partial = target.with_name(f"{target.name}.part")
    archive = ZipWriter()
    try:
        with partial.open("xb") as file:

            async def write(path: str, text: str, modified: datetime) -> None:
                file.write(archive.add(path, text, modified))

            faults = await export_vault(tx, write, tell)
            file.write(archive.finish())
            os.fsync(file.fileno())
        os.link(partial, target)  # unlike a rename, this never replaces a file
    except FileExistsError as error:
        raise click.ClickException(f"{error.filename2 or error.filename} exists") from error
    finally:
        partial.unlink(missing_ok=True)
    return faults
