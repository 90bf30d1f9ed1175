"""Several files in one request."""

from typing import Any

import msgspec
from litestar import Request, Response, post

from insula.db.ids import new_id
from insula.files.form import Form, FormFile
from insula.files.receiving import body_of
from insula.files.routes.files import WRITE
from insula.files.routes.taking import BODY_LIMIT, plain_type
from insula.files.schemas import Batch, BatchResult, File, Incoming
from insula.files.service import Files
from insula.http.exchange import Caller, exchange_of
from insula.http.problem import Problem
from insula.tenancy.tenant import Tenant


@post(
    "/batch",
    right=WRITE,
    status_code=207,
    body_limit=BODY_LIMIT,
    consumes=("multipart/form-data",),
)
async def upload_files(
    request: Request[Any, Any, Any], tenant: Tenant, caller: Caller, files: Files
) -> Response[Batch]:
    """Upload up to a hundred files as a form (``multipart/form-data``). Each is kept or refused by
    itself, and the answer says which."""
    form = Form(exchange_of(request.scope).header(b"content-type"), body_of(request))
    results = [await _take(files, tenant, caller, each) async for each in form.files()]
    return Response(Batch(results), status_code=207)


async def _take(files: Files, tenant: Tenant, caller: Caller, sent: FormFile) -> BatchResult:
    incoming = Incoming(
        id=new_id(),
        name=sent.name,
        declared_type=plain_type(sent.media_type),
        length=None,
        limit=files.settings.file_limit,
        by=caller.user_id,
    )
    try:
        async with files.transaction(tenant) as tx:
            file: File = await files.take(tx, tenant, incoming, sent.chunks())
    except Problem as problem:
        said = msgspec.json.decode(problem.body())
        return BatchResult(name=sent.name, status=problem.status, problem=said)
    return BatchResult(name=sent.name, status=201, file=file)


ROUTES = (upload_files,)
