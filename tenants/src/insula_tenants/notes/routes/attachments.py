"""Files that belong to notes; pictures among them are shown where the text names them."""

from typing import Annotated
from uuid import UUID

from insula.access import PUBLIC
from insula.db import Work
from insula.files.attachments import attachment_named
from insula.files.errors import RangeNotSatisfiable
from insula.files.names import safe_name
from insula.files.routes.attachments import attachment_routes
from insula.files.routes.content import serve
from insula.files.service import Files
from insula.files.serving import Content
from insula.http.exchange import Caller
from insula.http.problem import PreconditionFailed
from insula.tenancy.tenant import Tenant
from litestar import get
from litestar.params import PathParameter

from insula_tenants.notes import queries, service
from insula_tenants.notes.permissions import READ, WRITE


async def _check(tx: Work, _: Caller, note_id: UUID) -> None:
    await tx.one(queries.EXISTS, id=note_id)


@get(
    "/shared/{token:str}/attachments/{name:str}",
    right=PUBLIC,
    media_type="*/*",
    ranges=True,
    problems=(RangeNotSatisfiable, PreconditionFailed),
)
async def read_shared_attachment(
    token: Annotated[str, PathParameter(max_length=100)],
    name: str,
    tx: Work,
    tenant: Tenant,
    files: Files,
) -> Content:
    """The bytes of a shared note's latest attachment of a name, such as a picture in it."""
    note_id = await service.shared_note(tx, token)
    return serve(files, tenant, await attachment_named(tx, "notes", note_id, safe_name(name)))


ROUTES = (
    *attachment_routes("notes", at="/{note_id:uuid}", read=READ, write=WRITE, check=_check),
    read_shared_attachment,
)
