"""Making a tenant of an archive: all of it or nothing.

One transaction of the provisioner builds the tables as they were where the archive was written, in
the cell that is least full, fills them, and migrates them to what this installation has. What is
killed in between leaves no tenant: its place is dropped like a slot, and bytes that it had stored
already are swept away at night.
"""

from collections.abc import AsyncIterator
from uuid import UUID

import msgspec

from insula.db import Work
from insula.files.blobs import Blobs
from insula.module import Module
from insula.portability import versions
from insula.portability.anatomy import read_anatomy
from insula.portability.errors import ArchiveRefused
from insula.portability.exporting import Progress
from insula.portability.finishing import Finishing
from insula.portability.loading import Loader, empty
from insula.portability.manifest import Manifest, read_manifest
from insula.portability.naming import MANIFEST, PLAIN_VALUES
from insula.portability.storing import FileLoader, Store
from insula.portability.unpacking import Reader
from insula.portability.versions import Standing
from insula.settings import Settings
from insula.tenancy import core, lifecycle, placement, provisioning
from insula.tenancy.building import LEAVE, build, enter
from insula.tenancy.cells import CATALOGUE_PRELUDE, HOME
from insula.tenancy.schemas import check_slug
from insula.tenancy.tenant import Tenant

_MANIFEST = 16 << 20


class Target(msgspec.Struct, frozen=True):
    """What an import needs of the installation."""

    settings: Settings
    modules: dict[str, Module]
    blobs: Blobs
    limit: int
    """Bytes that an archive may unfold to."""


class Filling(msgspec.Struct):
    """How a tenant's tables are filled."""

    progress: Progress
    kept: frozenset[str] = frozenset()
    """Tables whose rows stay beside those of the archive."""
    quota: int | None = None
    """Bytes that files may take, where the tenant has no quota of its own; None: any."""
    stored: list[UUID] = []
    """Is given the id of each file before its bytes are stored."""
    owner: int | None = None
    """The number of the tenant whose the files' bytes are, if not the one whose tables are filled
    (:mod:`.staging`)."""


class Imported(msgspec.Struct, frozen=True):
    """What came in."""

    slug: str
    modules: list[str]
    rows: int
    files: int
    file_bytes: int
    passwords: bool
    """Whether users sign in with the passwords that they have; else each needs a new one."""


def _nothing(*_: object) -> None:
    """Progress that nobody looks at."""


async def import_tenant(
    catalogue: Work,
    target: Target,
    source: AsyncIterator[bytes],
    *,
    slug: str | None,
    progress: Progress = _nothing,
) -> Imported:
    """Make a new tenant; ``slug`` instead of the one that it had.

    Raises:
        ArchiveRefused, SlugTaken, InvalidInput: see there.
    """
    reader = Reader(source, limit=target.limit)
    manifest = await open_archive(reader)
    standings = versions.compare(manifest, target.modules)
    slug = slug or manifest.source.slug
    check_slug(slug)
    await lifecycle.check_free(catalogue, slug)
    async with catalogue.database.transaction(HOME, CATALOGUE_PRELUDE) as ahead:
        slot = await provisioning.reserve(ahead, buckets=target.settings.buckets)
    tenant = await provisioning.settle(
        catalogue,
        slot,
        slug=slug,
        name=manifest.tenant.name,
        version=standings[core.TENANT].files[-1].version,
    )
    try:
        async with placement.at(catalogue, tenant.bucket) as there:
            await _build_core(there, tenant, standings[core.TENANT])
            await build_modules(there, tenant, standings)
            files = await fill(there, target, tenant, manifest, reader, Filling(progress))
            finishing = Finishing(catalogue, there, target.settings, target.modules)
            await finishing.finish(tenant, manifest, standings)
    except BaseException:
        # Before the transaction ends: afterwards the number may be another tenant's.
        await target.blobs.delete_tenant(tenant.number)
        raise
    return describe(manifest, slug, files)


async def open_archive(reader: Reader) -> Manifest:
    """
    Raises:
        ArchiveRefused: it is none of a tenant.
    """
    first = await reader.next()
    if first is None or first.name != MANIFEST:
        raise ArchiveRefused(f"The first thing in an archive is {MANIFEST}; this has none.")
    manifest = read_manifest(await first.content(_MANIFEST))
    if manifest.kind != "tenant":
        raise ArchiveRefused("This is an export of one person's data, which is no tenant.")
    return manifest


async def _build_core(there: Work, tenant: Tenant, standing: Standing) -> None:
    """Make the core's tables, as old as they are in the archive."""
    await there.run_script(
        build(tenant.number, tenant.bucket, standing.seen, there.capabilities) + LEAVE
    )


async def build_modules(there: Work, tenant: Tenant, standings: dict[str, Standing]) -> None:
    """Make the tables of the archive's modules, as old as they are there."""
    for standing in standings.values():
        if standing.name != core.TENANT and standing.seen:
            await provisioning.apply(there, tenant.number, standing.seen)


async def fill(
    there: Work,
    target: Target,
    tenant: Tenant,
    manifest: Manifest,
    reader: Reader,
    how: Filling,
) -> FileLoader:
    """Load rows and files.

    Raises:
        ArchiveRefused: see there.
    """
    connection = await there.bare()
    await connection.execute(enter(tenant.number) + PLAIN_VALUES)
    tables = await read_anatomy(connection, [line.name for line in manifest.modules])
    await empty(connection, [table for table in tables if table.name not in how.kept])
    loader = Loader(connection, tables, manifest, how.progress)
    owner = tenant.number if how.owner is None else how.owner
    store = Store(target.blobs, owner, how.stored)
    files = FileLoader(connection, store, manifest.file_bytes, how.progress)
    first = await loader.load(reader)
    if how.quota is not None:
        await files.check_quota(how.quota)
    await files.load(reader, first)
    await connection.execute(LEAVE)
    return files


def describe(manifest: Manifest, slug: str, files: FileLoader) -> Imported:
    return Imported(
        slug,
        [line.name for line in manifest.modules if line.enabled and line.name != core.TENANT],
        sum(table.rows for table in manifest.tables),
        files.stored,
        files.bytes,
        manifest.passwords,
    )
