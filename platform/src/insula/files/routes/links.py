"""Signed URLs: reading and writing one file without login, for a while."""

from typing import Any
from uuid import UUID

from litestar import Request, Response, get, post, put

from insula.access import PUBLIC
from insula.db import Database, Work
from insula.db.ids import new_id
from insula.files import queries
from insula.files.errors import LinkRefused, LinkUsed, RangeNotSatisfiable
from insula.files.links import Links, Ticket, expiry
from insula.files.names import safe_name
from insula.files.receiving import body_of
from insula.files.routes.content import serve
from insula.files.routes.files import READ, TAKING, WRITE
from insula.files.routes.taking import BODY_LIMIT, ContentDigest, ReprDigest, incoming
from insula.files.schemas import File, Link, LinkCreate, UploadLink, UploadLinkCreate
from insula.files.service import Files
from insula.files.serving import Content
from insula.http.exchange import Exchange
from insula.http.problem import PreconditionFailed
from insula.http.reply import Reply
from insula.tenancy.cells import CATALOGUE_PRELUDE
from insula.tenancy.errors import TenantSuspended
from insula.tenancy.tenant import Directory, Tenant

PATH = "/api/v1/files/links"


@post("/{file_id:uuid}/links", right=READ)
async def create_link(
    file_id: UUID, data: LinkCreate, tx: Work, tenant: Tenant, links: Links
) -> Response[Link]:
    """Make a URL by which anybody can read the file, without login, until it expires."""
    await tx.one(queries.GET_STORED, id=file_id)
    ticket = Ticket("get", tenant.id, file_id, expiry(data.expires_in), data.download)
    signed = links.sign(ticket)
    url = f"{PATH}/{signed}"
    link = Link(url=url, ticket=signed, expires_at=ticket.expires_at)
    return Reply(link, status_code=201, headers={"location": url})


@post("/links", right=WRITE)
async def create_upload_link(
    data: UploadLinkCreate, tenant: Tenant, links: Links, files: Files
) -> Response[UploadLink]:
    """Make a URL to which anybody can PUT one file, without login, until it expires."""
    file_id = new_id()
    size = min(data.max_size, files.settings.file_limit)
    ticket = Ticket(
        "put", tenant.id, file_id, expiry(data.expires_in), name=safe_name(data.name), max_size=size
    )
    signed = links.sign(ticket)
    url = f"{PATH}/{signed}"
    link = UploadLink(url=url, ticket=signed, id=file_id, expires_at=ticket.expires_at)
    return Reply(link, status_code=201, headers={"location": url})


async def _tenant_of(
    ticket: Ticket, exchange: Exchange, directory: Directory, catalogue: Database
) -> Tenant:
    """The ticket names the tenant, so that the URL says it all; where the request does as well,
    they have to agree."""
    work = catalogue.work(0, CATALOGUE_PRELUDE, writes=False)
    tenant = await directory.by_id(str(ticket.tenant_id), work)
    if tenant is None or (exchange.tenant is not None and exchange.tenant.id != tenant.id):
        raise LinkRefused
    if tenant.status == "deleted":
        raise LinkRefused
    if tenant.status == "suspended":
        raise TenantSuspended
    return tenant


@get(
    "/links/{ticket:str}",
    right=PUBLIC,
    tenantless=True,
    media_type="*/*",
    problems=(LinkRefused, RangeNotSatisfiable, PreconditionFailed),
    ranges=True,
)
async def read_by_link(
    ticket: str,
    exchange: Exchange,
    links: Links,
    files: Files,
    directory: Directory,
    catalogue: Database,
    database: Database,
) -> Content:
    """The file that a signed URL stands for, or ranges of it."""
    allowed = links.read(ticket, "get")
    tenant = await _tenant_of(allowed, exchange, directory, catalogue)
    work = database.work(tenant.bucket, tenant.prelude, writes=False)
    stored = await work.one(queries.GET_STORED, id=allowed.file_id)
    return serve(files, tenant, stored, download=allowed.download)


@put(
    "/links/{ticket:str}",
    right=PUBLIC,
    tenantless=True,
    status_code=201,
    body_limit=BODY_LIMIT,
    problems=(LinkRefused, LinkUsed, *TAKING),
)
async def upload_by_link(
    request: Request[Any, Any, Any],
    ticket: str,
    exchange: Exchange,
    links: Links,
    files: Files,
    directory: Directory,
    catalogue: Database,
    repr_digest: ReprDigest = None,
    content_digest: ContentDigest = None,
) -> Response[File]:
    """Upload the one file that a signed URL allows; the body is its bytes."""
    allowed = links.read(ticket, "put")
    tenant = await _tenant_of(allowed, exchange, directory, catalogue)
    described = incoming(
        request,
        name=allowed.name,
        digests=(repr_digest, content_digest),
        limit=allowed.max_size,
        by=None,
        given_id=allowed.file_id,
    )
    async with files.transaction(tenant) as tx:
        file = await files.take(tx, tenant, described, body_of(request))
    return Reply(file, status_code=201)


ROUTES = (create_link, create_upload_link, read_by_link, upload_by_link)
