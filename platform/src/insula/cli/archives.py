"""``insula tenants export`` and ``import``."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import rich_click as click

from insula.cli.operating import catalogue, installation_settings
from insula.cli.printing import json_option, print_json, print_record, progress_bar
from insula.files.blobs import Blobs
from insula.jobs import enqueue
from insula.module import discover
from insula.portability.exporting import Exported, Progress, write_archive
from insula.portability.importing import Imported, Target, import_tenant
from insula.portability.jobs import ARRIVE, Arrive
from insula.portability.reading import snapshot
from insula.tenancy import lifecycle
from insula.tenancy.cells import Cells

_STEP = 1 << 20
_ANY_SIZE = 1 << 60

Write = Callable[[bytes], Awaitable[None]]


@click.command("export")
@click.argument("slug")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--without-passwords", is_flag=True, help="Leave the users' password hashes out.")
@json_option
def export_(slug: str, file: str, without_passwords: bool, as_json: bool) -> None:
    """Write all that a tenant has into FILE (tar.zst; - is stdout), as it stands at this moment.

    FILE is there only once it is complete. Whoever has it can read everything in it.
    """
    if file == "-" and as_json:
        raise click.UsageError("The archive goes to stdout: there is no room for --json.")
    with progress_bar() as report, _written(file) as write:
        exported = asyncio.run(_export(slug, write, report, passwords=not without_passwords))
    if file != "-":
        print_json(exported) if as_json else print_record(exported)


async def _export(slug: str, write: Write, report: Progress, *, passwords: bool) -> Exported:
    settings = installation_settings()
    discover()  # whose tables say what of them is carried
    async with catalogue(settings) as work:
        tenant = await lifecycle.get_tenant(work, slug)
    cells = Cells(settings, size=1)
    try:
        async with snapshot(settings, cells, tenant) as seen:
            return await write_archive(
                seen, Blobs.open(settings), write, passwords=passwords, progress=report
            )
    finally:
        await cells.close()


@contextmanager
def _written(file: str) -> Iterator[Write]:
    """What is written goes to stdout, or beside FILE, whose place it takes at the end."""
    if file == "-":
        yield _writer(sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    path = Path(file).absolute()
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with suppress(FileNotFoundError):
        partial.unlink()
    try:
        with open(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as out:
            yield _writer(out)
            out.flush()
            os.fsync(out.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _writer(out: IO[bytes]) -> Write:
    async def write(data: bytes) -> None:
        await asyncio.to_thread(out.write, data)

    return write


@click.command("import")
@click.argument("file", type=click.Path(dir_okay=False, exists=True, allow_dash=True))
@click.option("--slug", help="What the tenant is called here; else as it was called there.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=_ANY_SIZE,
    show_default="none",
    help="Refuse an archive that unfolds to more bytes.",
)
@json_option
def import_(file: str, slug: str | None, limit: int, as_json: bool) -> None:
    """Make a tenant of an archive that `insula tenants export` has written (- is stdin).

    All of it or nothing. Nothing is sent to anybody: webhooks come in switched off, and jobs that
    waited do not come along.
    """
    with progress_bar() as report:
        imported = asyncio.run(_import(file, slug, limit, report))
    print_json(imported) if as_json else print_record(imported)


async def _import(file: str, slug: str | None, limit: int, report: Progress) -> Imported:
    settings = installation_settings()
    target = Target(settings, discover(), Blobs.open(settings), limit=limit)
    with _opened(file) as source:
        async with catalogue(settings) as work:
            imported = await import_tenant(
                work, target, _chunks(source), slug=slug, progress=report
            )
            tenant = await lifecycle.get_tenant(work, imported.slug)
    cells = Cells(settings, size=1)
    try:
        async with cells.tenants.transaction(tenant.bucket, tenant.prelude) as tx:
            await enqueue(tx, ARRIVE, Arrive())
    finally:
        await cells.close()
    return imported


@contextmanager
def _opened(file: str) -> Iterator[IO[bytes]]:
    if file == "-":
        yield sys.stdin.buffer
        return
    with Path(file).open("rb") as source:
        yield source


async def _chunks(source: IO[bytes]) -> AsyncIterator[bytes]:
    while chunk := await asyncio.to_thread(source.read, _STEP):
        yield chunk
