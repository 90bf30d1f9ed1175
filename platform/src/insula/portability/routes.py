"""``/api/v1/exports``, ``/imports``, ``/erasures`` and what belongs to them below users and me."""

from typing import Any
from uuid import UUID

import msgspec
from litestar import Request, Response, Router, delete, get, post

from insula.access import SIGNED_IN
from insula.db import RowNotFound, Work
from insula.files.errors import RangeNotSatisfiable
from insula.files.routes.content import serve
from insula.files.schemas import Stored
from insula.files.service import Files
from insula.files.serving import Content
from insula.http.exchange import Caller
from insula.http.listing import Page
from insula.http.problem import PreconditionFailed
from insula.http.reply import Reply
from insula.identity.errors import LastOwner, OutranksYou
from insula.identity.sessions import Sessions
from insula.jobs.schemas import Job
from insula.portability import own, queries, service
from insula.portability.errors import ExportNotReady, ExportsUnderWay, TenantNotEmpty
from insula.portability.receipts import Receipts
from insula.portability.schemas import (
    Archive,
    EraseRequest,
    Erasure,
    Export,
    ImportRequest,
    SignedReceipt,
)
from insula.tenancy.tenant import Tenant

READ, WRITE = "exports:read", "exports:write"
ERASE = "users:erase"
_MEDIA_TYPE = "application/zstd"


@post("/exports", right=WRITE, status_code=202, problems=(ExportsUnderWay,))
async def create_export(tx: Work, caller: Caller) -> Response[Export]:
    """Have everything that the tenant has written into one archive: its settings, users (without
    their passwords), the content of every module, and files. It can be downloaded for a week."""
    return _asked(await service.ask_for_export(tx, by=caller.user_id))


@post("/users/{user_id:uuid}/exports", right=WRITE, status_code=202, problems=(ExportsUnderWay,))
async def export_user(user_id: UUID, tx: Work, caller: Caller) -> Response[Export]:
    """Have everything that has to do with one user written into an archive (GDPR, articles 15 and
    20)."""
    return _asked(await service.ask_for_export(tx, by=caller.user_id, person_id=user_id))


@get("/exports", right=READ, listing=queries.EXPORTS)
async def list_exports(request: Request[Any, Any, Any], tx: Work) -> Page[Export]:
    """The exports, the latest first."""
    return await queries.EXPORTS.page(tx, request)


@get("/exports/{export_id:uuid}", right=READ)
async def get_export(export_id: UUID, tx: Work) -> Export:
    """One export, and whether it is ready."""
    return await tx.one(queries.GET_EXPORT, id=export_id)


@get(
    "/exports/{export_id:uuid}/archive",
    right=READ,
    media_type=_MEDIA_TYPE,
    problems=(ExportNotReady, RangeNotSatisfiable, PreconditionFailed),
    ranges=True,
)
async def download_export(export_id: UUID, tx: Work, tenant: Tenant, files: Files) -> Content:
    """The archive: a tar file, compressed with Zstandard."""
    archive = await tx.one(queries.GET_ARCHIVE, id=export_id)
    return _send(export_id, archive, tenant, files)


@delete("/exports/{export_id:uuid}", right=WRITE)
async def delete_export(export_id: UUID, tx: Work) -> None:
    """Delete an export and its archive."""
    await service.delete_export(tx, export_id)


@post("/me/exports", right=SIGNED_IN, status_code=202, problems=(ExportsUnderWay,))
async def export_me(tx: Work, caller: Caller) -> Response[Export]:
    """Have everything that has to do with you written into an archive."""
    export = await service.ask_for_export(tx, by=caller.user_id, person_id=caller.user_id)
    return _asked(export, "/api/v1/me/exports")


@get("/me/exports/{export_id:uuid}", right=SIGNED_IN)
async def get_my_export(export_id: UUID, tx: Work, caller: Caller) -> Export:
    """One export of your data, and whether it is ready."""
    export = await tx.one(queries.GET_EXPORT, id=export_id)
    if export.person_id != caller.user_id:
        raise RowNotFound
    return export


@get(
    "/me/exports/{export_id:uuid}/archive",
    right=SIGNED_IN,
    media_type=_MEDIA_TYPE,
    problems=(ExportNotReady, RangeNotSatisfiable, PreconditionFailed),
    ranges=True,
)
async def download_my_export(
    export_id: UUID, tx: Work, caller: Caller, tenant: Tenant, files: Files
) -> Content:
    """The archive of your data."""
    archive = await tx.one(queries.GET_ARCHIVE, id=export_id)
    if archive.person_id != caller.user_id:
        raise RowNotFound
    return _send(export_id, archive, tenant, files)


@post("/imports", right="imports:write", status_code=202, problems=(TenantNotEmpty,))
async def create_import(data: ImportRequest, tx: Work, caller: Caller) -> Response[Job]:
    """Fill this tenant, which has nothing yet, from an archive that was uploaded as a file: all of
    it or nothing. Nothing is sent to anybody. If a user of the archive has your address, that is
    who you are from then on, as an owner and with your present password: sign in again. The
    uploaded file goes once it has been imported."""
    job = await own.ask_for_import(tx, data.file_id, by=caller.user_id)
    return Reply(job, status_code=202, headers={"location": f"/api/v1/jobs/{job.id}"})


@post(
    "/users/{user_id:uuid}/erase", right=ERASE, status_code=200, problems=(LastOwner, OutranksYou)
)
async def erase_user(
    user_id: UUID,
    data: EraseRequest,
    tx: Work,
    caller: Caller,
    sessions: Sessions,
    receipts: Receipts,
) -> Erasure:
    """Erase a person (GDPR, article 17): name, address, sessions and whatever else is about them,
    in every module; with `{"content": "remove"}` also what they have written. There is no way
    back. The answer is a receipt; asking again gets the same one."""
    return await service.erase(
        tx,
        sessions,
        receipts,
        user_id,
        data.content,
        by=caller.user_id,
        by_role=caller.role,
    )


@get("/erasures", right=ERASE, listing=queries.ERASURES)
async def list_erasures(request: Request[Any, Any, Any], tx: Work) -> Page[Erasure]:
    """The receipts, the latest first."""
    return await queries.ERASURES.page(tx, request)


@get("/erasures/{erasure_id:uuid}", right=ERASE)
async def get_erasure(erasure_id: UUID, tx: Work, receipts: Receipts) -> SignedReceipt:
    """One receipt, with the key that its signature can be checked with."""
    erasure = await tx.one(queries.GET_ERASURE, id=erasure_id)
    return SignedReceipt(
        **{name: getattr(erasure, name) for name in msgspec.structs.asdict(erasure)},
        is_valid=receipts.is_valid(erasure),
        key=receipts.public_key,
    )


def _asked(export: Export, path: str = "/api/v1/exports") -> Response[Export]:
    return Reply(export, status_code=202, headers={"location": f"{path}/{export.id}"})


def _send(export_id: UUID, archive: Archive, tenant: Tenant, files: Files) -> Content:
    """
    Raises:
        ExportNotReady: there are no bytes yet.
    """
    if archive.blob is None or archive.size is None or archive.sha256 is None:
        raise ExportNotReady
    whose = tenant.slug if archive.person_id is None else f"{tenant.slug}-{archive.person_id}"
    name = f"{whose}-{archive.created_at:%Y-%m-%d}.tar.zst"
    stored = Stored(
        export_id,
        archive.blob,
        name,
        _MEDIA_TYPE,
        archive.size,
        archive.sha256,
        1,
        archive.created_at,
    )
    return serve(files, tenant, stored, download=True)


ROUTER = Router(
    path="/api/v1",
    route_handlers=[
        create_export,
        export_user,
        list_exports,
        get_export,
        download_export,
        delete_export,
        export_me,
        get_my_export,
        download_my_export,
        create_import,
        erase_user,
        list_erasures,
        get_erasure,
    ],
    tags=["Portability"],
)
