"""Filling a tenant that is there already, and empty, from an archive among its files: what its
owner does over HTTP, as a job."""

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import asyncpg
import msgspec

from insula.db import Database, Work
from insula.files import queries as file_queries
from insula.files.schemas import Stored
from insula.files.service import Files
from insula.http.problem import Problem
from insula.i18n import say
from insula.jobs import GiveUp, Job, JobContext, enqueue
from insula.jobs import queries as job_queries
from insula.jobs.schemas import Job as JobView
from insula.module import Module
from insula.portability import versions
from insula.portability.errors import ArchiveRefused, TenantNotEmpty
from insula.portability.finishing import Arrived, Finishing, record
from insula.portability.importing import (
    Filling,
    Imported,
    Target,
    build_modules,
    describe,
    fill,
    open_archive,
)
from insula.portability.jobs import ARRIVE, Arrive
from insula.portability.loading import BAD_DATA
from insula.portability.manifest import Manifest
from insula.portability.staging import KEPT, Stage
from insula.portability.storing import FileLoader
from insula.portability.unpacking import Reader
from insula.portability.versions import Standing
from insula.tenancy import core, placement
from insula.tenancy.building import LEAVE, enter
from insula.tenancy.cells import CATALOGUE_PRELUDE, HOME, cell_of
from insula.tenancy.epochs import publish_epoch

# What makes a tenant count as not empty, with the question that finds it out.
_CONTENT = {
    "users": "SELECT count(*) > 1 FROM users",
    "files": "SELECT count(*) > 1 FROM files",
    "webhooks": "SELECT count(*) > 0 FROM webhooks",
    "modules": "SELECT count(*) > 0 FROM insula_migrations WHERE module <> 'core'",
}
# An address is in lower case, so nobody has this one.
_STEP_ASIDE = "UPDATE users SET email = 'IMPORTING ' || email WHERE id = $1"
_STEP_BACK = "UPDATE users SET email = substr(email, 11) WHERE id = $1"
_TAKE_PLACE = """
    UPDATE users AS new SET password_hash = old.password_hash, role = 'owner', status = 'active'
    FROM users AS old WHERE old.id = $1 AND new.email = substr(old.email, 11) RETURNING new.id
"""
_NOTE = "UPDATE jobs SET args = $2::text::jsonb WHERE id = $1"
_COUNTED = "SELECT count(*) FROM users WHERE status = 'active' AND role <> 'customer'"
_INT = (1 << 31) - 1


class ImportArgs(msgspec.Struct):
    file_id: UUID
    user_id: UUID
    arrived: Arrived | None = None
    """What the catalogue is still to be told: the tables are filled, in the transaction that wrote
    this, and an attempt that finds it has only that to do."""


async def ask_for_import(tx: Work, file_id: UUID, *, by: UUID) -> JobView:
    """
    Raises:
        RowNotFound: there is no such file.
        TenantNotEmpty: see there.
    """
    await tx.one(file_queries.GET_STORED, id=file_id)
    if there := await _content(await tx.bare()):
        raise TenantNotEmpty(say("It has {things}.", things=", ".join(there)))
    job_id = await enqueue(tx, IMPORT, ImportArgs(file_id, by), key="imports.read", actor=by)
    return await tx.one(job_queries.GET, job=job_id)


async def _content(connection: asyncpg.Connection) -> list[str]:
    return [name for name, query in _CONTENT.items() if await connection.fetchval(query)]


async def import_own(context: JobContext, args: ImportArgs) -> Imported | None:
    """Import, then delete the archive.

    Raises:
        GiveUp: with the reason; nothing has changed.
    """
    files: Files = context.services["files"]
    stored = await context.reading().find(file_queries.GET_STORED, id=args.file_id)
    if args.arrived is not None:
        await _tell_catalogue(context, args.arrived)
    elif stored is None and context.attempt == 1:
        raise GiveUp("The archive is no longer there.")
    imported = None  # the attempt before this one has done it, and died before it could say so
    if stored is not None and args.arrived is None:
        imported = await _Run(context, args, stored).finish()
    await files.blobs.delete_file(context.tenant.number, args.file_id)
    async with context.transaction() as tx:
        await enqueue(tx, ARRIVE, Arrive())
    return imported


async def _tell_catalogue(context: JobContext, arrived: Arrived) -> None:
    """What the attempt before this one had no time for, between two commits on two servers."""
    catalogue: Database = context.services["catalogue"]
    async with catalogue.transaction(HOME, CATALOGUE_PRELUDE) as work:
        epoch = await record(work, context.services["modules"], context.tenant, arrived)
    await publish_epoch(context.services["redis"], context.tenant, epoch)


class _Run:
    """One import into the tenant that the job belongs to."""

    def __init__(self, context: JobContext, args: ImportArgs, stored: Stored) -> None:
        self._context = context
        self._args = args
        self._stored = stored
        self._files: Files = context.services["files"]
        self._modules: dict[str, Module] = context.services["modules"]
        self._written: list[UUID] = []
        self._told = ("", 0, 0)
        self._is_away = cell_of(context.tenant.bucket) != HOME
        self._is_there = False
        """Whether what was filled stays, whatever happens now."""

    async def finish(self) -> Imported:
        """
        Raises:
            GiveUp: with the reason; nothing has changed.
        """
        try:
            return await self._import()
        except (ArchiveRefused, Problem, *BAD_DATA) as error:
            await self._clean_up()
            raise GiveUp(str(error)) from error
        except BaseException:
            await self._clean_up()
            raise

    async def _import(self) -> Imported:
        tenant = self._context.tenant
        reader = Reader(self._source(), limit=self._files.settings.import_limit)
        manifest = await open_archive(reader)
        standings = versions.compare(manifest, self._modules)
        catalogue: Database = self._context.services["catalogue"]
        async with catalogue.transaction(HOME, CATALOGUE_PRELUDE) as work:
            async with placement.at(work, tenant.bucket) as there:
                await self._make_room(there)
                files = await self._fill(work, there, manifest, standings, reader)
                await self._come_back(there)
                await self._check_room(there)
                finishing = Finishing(work, there, self._files.settings, self._modules)
                epoch = await finishing.finish(tenant, manifest, standings)
                if self._is_away:
                    await self._note(there, Arrived.of(manifest, standings))
            self._is_there = self._is_away  # committed, ahead of the catalogue
        await publish_epoch(self._context.services["redis"], tenant, epoch)
        return describe(manifest, tenant.slug, files)

    async def _fill(
        self,
        work: Work,
        there: Work,
        manifest: Manifest,
        standings: dict[str, Standing],
        reader: Reader,
    ) -> FileLoader:
        tenant = self._context.tenant
        if standings[core.TENANT].is_latest:
            await build_modules(there, tenant, standings)
            return await fill(there, self._target(), tenant, manifest, reader, self._filling())
        stage = Stage(work, there, tenant, standings)
        return await stage.fill(self._target(), manifest, reader, self._filling())

    def _target(self) -> Target:
        settings = self._files.settings
        return Target(settings, self._modules, self._files.blobs, settings.import_limit)

    def _filling(self) -> Filling:
        return Filling(
            progress=self._tell,
            kept=KEPT,
            quota=self._files.quota.default,
            stored=self._written,
        )

    def _tell(self, what: str, done: int, total: int) -> None:
        self._told = (what, min(done, _INT), min(total, _INT))

    async def _source(self) -> AsyncIterator[bytes]:
        async for chunk in self._files.stream(self._context.tenant, self._stored):
            what, done, total = self._told
            await self._context.progress(done, total, what)
            yield chunk

    async def _make_room(self, there: Work) -> None:
        """Whoever imports steps aside: the archive may have a user of the same address."""
        connection = await there.bare()
        await connection.execute(enter(self._context.tenant.number))
        if things := await _content(connection):
            raise ArchiveRefused(f"The tenant has {', '.join(things)} by now.")
        await connection.execute(_STEP_ASIDE, self._args.user_id)
        await connection.execute(LEAVE)

    async def _note(self, there: Work, arrived: Arrived) -> None:
        """Into the job's own row, in case that this is the last thing that this attempt does."""
        connection = await there.bare()
        await connection.execute(enter(self._context.tenant.number))
        args = msgspec.structs.replace(self._args, arrived=arrived)
        text = msgspec.json.encode(args).decode()
        await connection.execute(_NOTE, self._context.job_id, text)
        await connection.execute(LEAVE)

    async def _come_back(self, there: Work) -> None:
        connection = await there.bare()
        await connection.execute(enter(self._context.tenant.number))
        if await connection.fetchval(_TAKE_PLACE, self._args.user_id):
            await connection.execute("DELETE FROM users WHERE id = $1", self._args.user_id)
        else:
            await connection.execute(_STEP_BACK, self._args.user_id)
        await connection.execute(LEAVE)

    async def _check_room(self, there: Work) -> None:
        """
        Raises:
            ArchiveRefused: there are more users than the operator allows.
        """
        allowed = self._context.tenant.limits.users
        connection = await there.bare()
        await connection.execute(enter(self._context.tenant.number))
        users = await connection.fetchval(_COUNTED)
        await connection.execute(LEAVE)
        if allowed is not None and users > allowed:
            raise ArchiveRefused(f"It would have {users} users, and {allowed} are allowed here.")

    async def _clean_up(self) -> None:
        if self._is_there:
            return
        for file_id in self._written:
            await self._files.blobs.delete_file(self._context.tenant.number, file_id)


IMPORT = Job(
    name="imports.read",
    args=ImportArgs,
    run=import_own,
    summary="Fill an empty tenant from an archive.",
    attempts=4,
    timeout=timedelta(hours=6),
)
