"""Whole blogs in and out."""

import tempfile
from collections.abc import AsyncIterator
from typing import Annotated, Any

from insula.db import Database, Work
from insula.http.exchange import Caller, Exchange
from insula.http.origin import origin_of
from insula.http.upload import receive_file
from insula.settings import Settings
from insula.tenancy.tenant import Tenant
from litestar import Request, get, post
from litestar.params import QueryParameter
from litestar.response import Stream

from insula_tenants.blog.errors import ImportUnreadable
from insula_tenants.blog.formats import FormatName, open_source
from insula_tenants.blog.formats.items import FormatError
from insula_tenants.blog.permissions import MANAGE
from insula_tenants.blog.schemas import ImportReport
from insula_tenants.blog.service import settings as blog_settings
from insula_tenants.blog.service.exporting import MEDIA_TYPES, SUFFIXES, export
from insula_tenants.blog.service.importing import import_entries, summarise

IMPORT_LIMIT = 256 << 20
_MEMORY = 8 << 20
_CHUNK = 1 << 16
_TYPES = (
    "application/zip", "application/x-zip-compressed", "application/xml", "text/xml",
    "application/rss+xml", "application/json", "application/octet-stream",
)  # fmt: skip
From = Annotated[FormatName, QueryParameter(description="Who wrote the upload.")]
To = Annotated[FormatName, QueryParameter(description="Who is to read it.")]


@post(
    "/import",
    right=MANAGE,
    status_code=200,
    body_limit=IMPORT_LIMIT,
    consumes=_TYPES,
    problems=(ImportUnreadable,),
)
async def import_blog(
    format: From,
    request: Request[Any, Any, Any],
    caller: Caller,
    tenant: Tenant,
    database: Database,
    dry: bool = False,
) -> ImportReport:
    """Import another blog: WordPress WXR, Ghost JSON, or a zip of Markdown files. What was imported
    before is brought up to date, so repeating is harmless; ``dry`` only says what would happen."""
    file = await receive_file(
        request, limit=IMPORT_LIMIT, types=_TYPES, hint=f"Send one of {', '.join(_TYPES)}."
    )
    reports = []
    with file:
        try:
            with open_source(format, file) as entries:
                async for batch in import_entries(
                    lambda: database.transaction(tenant.bucket, tenant.prelude),
                    entries,
                    caller.user_id,
                    dry=dry,
                ):
                    reports += batch
        except FormatError as error:
            raise ImportUnreadable(str(error)) from error
    return summarise(reports, dry=dry)


@get("/export", right=MANAGE, produces=tuple(MEDIA_TYPES.values()))
async def export_blog(
    format: To, tx: Work, tenant: Tenant, exchange: Exchange, settings: Settings
) -> Stream:
    """Every article, all as they stand at one moment: as WordPress WXR (with comments), Ghost JSON,
    or a zip of Markdown files."""
    file = tempfile.SpooledTemporaryFile(_MEMORY)  # noqa: SIM115 - closed when it has been sent

    async def write(part: bytes) -> None:
        file.write(part)

    blog = await blog_settings.read(tx, tenant)
    await export(tx, format, blog, origin_of(exchange, tenant, settings), write)
    file.seek(0)
    name = f'attachment; filename="blog.{SUFFIXES[format]}"'
    headers = {"content-disposition": name}
    return Stream(_chunks(file), media_type=MEDIA_TYPES[format], headers=headers)


async def _chunks(file: Any) -> AsyncIterator[bytes]:
    with file:
        while chunk := file.read(_CHUNK):
            yield chunk


ROUTES = (import_blog, export_blog)
