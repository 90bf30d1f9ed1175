"""The bytes of files, and pictures of them."""

from typing import Annotated
from uuid import UUID

from litestar import Response, get
from litestar.params import QueryParameter

from insula.db import Work
from insula.files import queries
from insula.files.blobs import key_of
from insula.files.errors import NotAnImage, RangeNotSatisfiable
from insula.files.previews import Form, Previews, PreviewSize, preview_answer
from insula.files.routes.files import READ
from insula.files.schemas import Stored
from insula.files.service import Files
from insula.files.serving import Content
from insula.http.problem import PreconditionFailed
from insula.tenancy.tenant import Tenant

Download = Annotated[
    bool,
    QueryParameter(
        name="download",
        required=False,
        description="Have browsers save the file instead of showing it.",
    ),
]


def serve(files: Files, tenant: Tenant, stored: Stored, *, download: bool = False) -> Content:
    """The answer with a file's bytes."""
    return Content(
        stored,
        lambda start, end: files.stream(tenant, stored, start, end),
        path=files.blobs.path_of(key_of(tenant.number, stored.id, stored.blob)),
        download=download,
    )


@get(
    "/{file_id:uuid}/content",
    right=READ,
    media_type="*/*",
    problems=(RangeNotSatisfiable, PreconditionFailed),
    ranges=True,
)
async def get_content(
    file_id: UUID, tx: Work, tenant: Tenant, files: Files, download: Download = False
) -> Content:
    """A file's bytes, or ranges of them. Pictures, sound, films and plain text are shown by
    browsers; everything else, like HTML, is sent for saving."""
    stored = await tx.one(queries.GET_STORED, id=file_id)
    return serve(files, tenant, stored, download=download)


@get(
    "/{file_id:uuid}/preview",
    right=READ,
    media_type="image/webp",
    produces=("image/jpeg",),
    problems=(NotAnImage,),
)
async def get_preview(
    file_id: UUID,
    tx: Work,
    tenant: Tenant,
    previews: Previews,
    size: PreviewSize = 256,
    form: Form = "webp",
) -> Response[bytes]:
    """A small picture of an image, without what its camera noted in it."""
    stored = await tx.one(queries.GET_STORED, id=file_id)
    return await preview_answer(previews, tenant, stored, size, form)


ROUTES = (get_content, get_preview)
