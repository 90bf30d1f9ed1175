"""Routes for what is attached to things of a module, made for each module that asks."""

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

from litestar import Request, Response, delete, get, post, put
from litestar.handlers import HTTPRouteHandler

from insula.db import Work
from insula.files import attachments, queries
from insula.files.errors import (
    AlreadyAttached,
    NotAnImage,
    RangeNotSatisfiable,
    TooManyAttachments,
)
from insula.files.names import safe_name
from insula.files.previews import Form, Previews, PreviewSize, preview_answer
from insula.files.receiving import body_of
from insula.files.routes.content import Download, serve
from insula.files.routes.files import TAKING
from insula.files.routes.files import WRITE as FILES_WRITE
from insula.files.routes.taking import (
    BODY_LIMIT,
    ContentDigest,
    Disposition,
    FileName,
    ReprDigest,
    incoming,
)
from insula.files.schemas import File
from insula.files.service import Files
from insula.files.serving import Content
from insula.http.conditional import versioned
from insula.http.exchange import Caller
from insula.http.listing import Page
from insula.http.problem import Forbidden, PreconditionFailed
from insula.i18n import say
from insula.tenancy.tenant import Tenant

Check = Callable[[Work, Caller, UUID], Awaitable[Any]]
"""Raises unless the thing is there and the caller may see it."""

_PARAMETER = re.compile(r"\{(\w+):uuid\}")


class NoThing(ValueError):
    """The path that attachments are to lie below names no thing by ``{…:uuid}``."""


def attachment_routes(
    module: str, *, at: str, read: str, write: str, check: Check, check_write: Check | None = None
) -> Sequence[HTTPRouteHandler]:
    """Routes below ``at``, a path of the module's such as ``/{note_id:uuid}``, for the attachments
    of what it stands for. ``check_write`` is asked instead of ``check`` before something changes.

    Raises:
        NoThing: see there.
    """
    found = _PARAMETER.findall(at)
    if not found:
        raise NoThing(f"{at!r} should be like '/{{note_id:uuid}}'")
    things = _Things(module, found[-1], check, check_write or check)
    base = f"{at}/attachments"
    return (
        _list(base, things, read),
        _upload(base, things, write),
        _attach(base, things, write),
        _get(base, things, read),
        *_contents(base, things, read),
        _preview(base, things, read),
        _delete(base, things, write),
    )


class _Things:
    """The things of a module that have attachments."""

    def __init__(self, module: str, parameter: str, check: Check, check_write: Check) -> None:
        self.module = module
        self._parameter = parameter
        self._check = check
        self._check_write = check_write

    async def readable(self, request: Request[Any, Any, Any], tx: Work, caller: Caller) -> UUID:
        """The id of the thing in the path, which the caller may see."""
        thing_id: UUID = request.path_params[self._parameter]
        await self._check(tx, caller, thing_id)
        return thing_id

    async def writable(self, request: Request[Any, Any, Any], tx: Work, caller: Caller) -> UUID:
        """… which the caller may change."""
        thing_id: UUID = request.path_params[self._parameter]
        await self._check_write(tx, caller, thing_id)
        return thing_id


def _list(base: str, things: _Things, right: str) -> HTTPRouteHandler:
    @get(base, right=right, listing=attachments.LIST)
    async def list_attachments(
        request: Request[Any, Any, Any], tx: Work, caller: Caller
    ) -> Page[File]:
        """What is attached, the oldest first."""
        thing_id = await things.readable(request, tx, caller)
        return await attachments.LIST.page(tx, request, module=things.module, thing_id=thing_id)

    return list_attachments


def _upload(base: str, things: _Things, right: str) -> HTTPRouteHandler:
    @post(
        base,
        right=right,
        body_limit=BODY_LIMIT,
        keyed=True,
        problems=(TooManyAttachments, *TAKING),
    )
    async def upload_attachment(
        request: Request[Any, Any, Any],
        tx: Work,
        tenant: Tenant,
        caller: Caller,
        files: Files,
        name: FileName = None,
        disposition: Disposition = None,
        repr_digest: ReprDigest = None,
        content_digest: ContentDigest = None,
    ) -> Response[File]:
        """Upload a file and attach it: the body is its bytes, of any media type."""
        async with files.transaction(tenant) as looking:  # ours is not held while bytes arrive
            thing_id = await things.writable(request, looking, caller)
            await attachments.require_room(looking, things.module, thing_id)
        described = incoming(
            request,
            name=name,
            disposition=disposition,
            digests=(repr_digest, content_digest),
            limit=files.settings.file_limit,
            by=caller.user_id,
        )
        file = await files.take(tx, tenant, described, body_of(request))
        await things.writable(request, tx, caller)  # it may have gone meanwhile
        await attachments.attach(tx, things.module, thing_id, file.id)
        answer = versioned(file, file.version, 201)
        answer.headers["location"] = f"{request.url.path}/{file.id}"
        return answer

    return upload_attachment


def _attach(base: str, things: _Things, right: str) -> HTTPRouteHandler:
    @put(
        base + "/{file_id:uuid}",
        right=right,
        status_code=200,
        problems=(AlreadyAttached, TooManyAttachments, Forbidden),
    )
    async def attach_file(
        request: Request[Any, Any, Any], file_id: UUID, tx: Work, caller: Caller
    ) -> Response[File]:
        """Attach a file that was uploaded before, by tus for example. It leaves the list of
        files, so this needs the scope `files:write` as well."""
        thing_id = await things.writable(request, tx, caller)
        if FILES_WRITE not in caller.scopes:
            raise Forbidden(
                say("This needs the scope '{files_write}' as well.", files_write=FILES_WRITE)
            )
        await attachments.require_room(tx, things.module, thing_id)
        await tx.one(queries.LOCK, id=file_id)  # of those in the list: neither trash nor attached
        await attachments.attach(tx, things.module, thing_id, file_id)
        file = await attachments.get_attachment(tx, things.module, thing_id, file_id)
        return versioned(file, file.version)

    return attach_file


def _get(base: str, things: _Things, right: str) -> HTTPRouteHandler:
    @get(base + "/{file_id:uuid}", right=right)
    async def get_attachment(
        request: Request[Any, Any, Any], file_id: UUID, tx: Work, caller: Caller
    ) -> Response[File]:
        """What is known of one attachment."""
        thing_id = await things.readable(request, tx, caller)
        file = await attachments.get_attachment(tx, things.module, thing_id, file_id)
        return versioned(file, file.version)

    return get_attachment


def _contents(base: str, things: _Things, right: str) -> Sequence[HTTPRouteHandler]:
    problems = (RangeNotSatisfiable, PreconditionFailed)

    @get(
        base + "/{file_id:uuid}/content",
        right=right,
        media_type="*/*",
        problems=problems,
        ranges=True,
    )
    async def get_attachment_content(
        request: Request[Any, Any, Any],
        file_id: UUID,
        tx: Work,
        caller: Caller,
        tenant: Tenant,
        files: Files,
        download: Download = False,
    ) -> Content:
        """An attachment's bytes, or ranges of them."""
        thing_id = await things.readable(request, tx, caller)
        stored = await attachments.find_attachment(tx, things.module, thing_id, file_id)
        return serve(files, tenant, stored, download=download)

    @get(
        base + "/named/{name:str}",
        right=right,
        media_type="*/*",
        problems=problems,
        ranges=True,
    )
    async def get_attachment_named(
        request: Request[Any, Any, Any],
        name: str,
        tx: Work,
        caller: Caller,
        tenant: Tenant,
        files: Files,
    ) -> Content:
        """The bytes of the latest attachment of a name: what relative links in a text mean."""
        thing_id = await things.readable(request, tx, caller)
        stored = await attachments.attachment_named(tx, things.module, thing_id, safe_name(name))
        return serve(files, tenant, stored)

    return get_attachment_content, get_attachment_named


def _preview(base: str, things: _Things, right: str) -> HTTPRouteHandler:
    @get(
        base + "/{file_id:uuid}/preview",
        right=right,
        media_type="image/webp",
        produces=("image/jpeg",),
        problems=(NotAnImage,),
    )
    async def get_attachment_preview(
        request: Request[Any, Any, Any],
        file_id: UUID,
        tx: Work,
        caller: Caller,
        tenant: Tenant,
        previews: Previews,
        size: PreviewSize = 256,
        form: Form = "webp",
    ) -> Response[bytes]:
        """A small picture of an attached image."""
        thing_id = await things.readable(request, tx, caller)
        stored = await attachments.find_attachment(tx, things.module, thing_id, file_id)
        return await preview_answer(previews, tenant, stored, size, form)

    return get_attachment_preview


def _delete(base: str, things: _Things, right: str) -> HTTPRouteHandler:
    @delete(base + "/{file_id:uuid}", right=right)
    async def delete_attachment(
        request: Request[Any, Any, Any], file_id: UUID, tx: Work, caller: Caller
    ) -> None:
        """Delete an attachment for good."""
        thing_id = await things.writable(request, tx, caller)
        await attachments.remove_attachment(tx, things.module, thing_id, file_id)

    return delete_attachment
