"""Links by which anybody may read one note."""

from typing import Annotated, Any
from uuid import UUID

from insula.access import PUBLIC
from insula.db import Work
from insula.http.exchange import Caller, Exchange
from insula.http.origin import origin_of
from insula.settings import Settings
from insula.tenancy.tenant import Tenant
from litestar import Request, Response, delete, get, post
from litestar.params import PathParameter

from insula_tenants.notes import queries, service, sharing_page
from insula_tenants.notes.permissions import READ, WRITE
from insula_tenants.notes.schemas import Share, ShareCreate, SharedNote, ShareLine

Token = Annotated[str, PathParameter(max_length=100)]


@post("/{note_id:uuid}/shares", right=WRITE)
async def create_share(
    note_id: UUID,
    data: ShareCreate,
    tx: Work,
    caller: Caller,
    tenant: Tenant,
    exchange: Exchange,
    settings: Settings,
) -> Share:
    """A link to the note for people without an account. It is shown this once."""
    share_id, token = await service.share(tx, note_id, data, caller.user_id)
    url = f"{origin_of(exchange, tenant, settings)}/api/v1/notes/shared/{token}"
    return Share(share_id, token, url, data.expires_at)


@get("/{note_id:uuid}/shares", right=READ)
async def list_shares(note_id: UUID, tx: Work) -> list[ShareLine]:
    """The links to this note that have not been withdrawn."""
    await tx.one(queries.GET, id=note_id)
    return await tx.many(queries.LIST_SHARES, id=note_id)


@delete("/{note_id:uuid}/shares/{share_id:uuid}", right=WRITE)
async def withdraw_share(note_id: UUID, share_id: UUID, tx: Work) -> None:
    """The link stops working at once."""
    await service.unshare(tx, note_id, share_id)


@get("/shared/{token:str}", right=PUBLIC, produces=("text/html",))
async def read_shared(
    token: Token, request: Request[Any, Any, Any], tx: Work
) -> Response[SharedNote] | Response[str]:
    """What a shared link shows: a page to a browser, JSON to everybody else."""
    note = await service.read_shared(tx, token)
    headers = {"x-robots-tag": "noindex"}
    if request.accept.best_match(["application/json", "text/html"]) != "text/html":
        return Response(note, headers=headers)
    headers["content-security-policy"] = sharing_page.POLICY
    return Response(sharing_page.render(note), media_type="text/html", headers=headers)


ROUTES = (create_share, list_shares, withdraw_share, read_shared)
