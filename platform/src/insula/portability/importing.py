"""Making a tenant of an archive: all of it or nothing.

One transaction of the provisioner builds the tables as they were where the archive was written,
fills them, and migrates them to what this installation has. What is killed in between leaves no
tenant; bytes that it had stored already are swept away at night.
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
from insula.portability.finishing import finish
from insula.portability.loading import Loader, empty
from insula.portability.manifest import Manifest, read_manifest
from insula.portability.naming import MANIFEST, PLAIN_VALUES
from insula.portability.storing import FileLoader, Store
from insula.portability.unpacking import Reader
from insula.portability.versions import Standing
from insula.settings import Settings
from insula.tenancy import core, provisioning
from insula.tenancy.building import LEAVE, build, enter
from insula.tenancy.roles import OWNER
from insula.tenancy.schemas import check_slug
from insula.tenancy.tenant import Tenant, schema_name

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
    tenant = await provisioning.create(
        catalogue,
        slug=slug,
        name=manifest.tenant.name,
        buckets=target.settings.buckets,
        at_home=True,  # rows and catalogue are one transaction
    )
    try:
        await _rebuild_core(catalogue, tenant, standings[core.TENANT])
        await build_modules(catalogue, tenant, standings)
        files = await fill(catalogue, target, tenant, manifest, reader, Filling(progress))
        await finish(catalogue, target.settings, tenant, manifest, standings, target.modules)
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


async def _rebuild_core(catalogue: Work, tenant: Tenant, standing: Standing) -> None:
    """A new tenant has the core's latest tables. Where the archive's are older, make those."""
    if standing.is_latest:
        return
    name = schema_name(tenant.number)
    await catalogue.run_script(
        f"SET LOCAL ROLE {OWNER}; DROP SCHEMA {name} CASCADE; SET LOCAL ROLE NONE;"
        f"DROP ROLE {name};"
        + build(tenant.number, tenant.bucket, standing.seen, catalogue.capabilities)
    )


async def build_modules(catalogue: Work, tenant: Tenant, standings: dict[str, Standing]) -> None:
    """Make the tables of the archive's modules, as old as they are there."""
    for standing in standings.values():
        if standing.name != core.TENANT and standing.seen:
            await provisioning.apply(catalogue, tenant.number, standing.seen)


async def fill(
    catalogue: Work,
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
    connection = await catalogue.bare()
    await connection.execute(enter(tenant.number) + PLAIN_VALUES)
    tables = await read_anatomy(connection, [line.name for line in manifest.modules])
    await empty(connection, [table for table in tables if table.name not in how.kept])
    loader = Loader(connection, tables, manifest, how.progress)
    store = Store(target.blobs, tenant.number, how.stored)
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
