"""Resumable uploads by tus 1.0.0 (https://tus.io/protocols/resumable-upload): core, creation,
creation-with-upload, termination, checksum and expiration."""

import base64
import binascii
import hashlib
from email.utils import format_datetime
from typing import Annotated, Any
from uuid import UUID

from litestar import Request, Response, delete, get, patch, post, route
from litestar.openapi.spec import Example
from litestar.params import HeaderParameter

from insula.access import PUBLIC
from insula.db import Work
from insula.db.ids import new_id
from insula.files import resuming, upload_queries
from insula.files.digests import decode_base64
from insula.files.errors import ChecksumMismatch, OffsetConflict, TusVersion, UploadExpired
from insula.files.receiving import body_of
from insula.files.resuming import Appending, Checksum
from insula.files.routes.files import READ, TAKING, WRITE
from insula.files.routes.taking import BODY_LIMIT, plain_type
from insula.files.schemas import Incoming, Upload
from insula.files.service import Files
from insula.http.exchange import Caller, Exchange
from insula.http.listing import Page
from insula.http.problem import BadRequest, UnsupportedMediaType
from insula.http.reply import Reply
from insula.i18n import say
from insula.tenancy.tenant import Tenant

VERSION = "1.0.0"
PATH = "/api/v1/files/tus"
_BODY = "application/offset+octet-stream"
_EXTENSIONS = "creation,creation-with-upload,termination,checksum,expiration"
_ALGORITHMS = ("sha1", "sha256", "sha512", "md5")
_MAX_METADATA = 4096

Resumable = Annotated[
    str | None,
    HeaderParameter(
        name="Tus-Resumable",
        required=False,
        max_length=20,
        examples=[Example(value=VERSION)],
        description="The version of the protocol: `1.0.0`. Without it the answer is 412.",
    ),
]
Length = Annotated[
    str | None,
    HeaderParameter(
        name="Upload-Length",
        required=False,
        max_length=15,
        examples=[Example(value="1048576")],
        description="The file's size in bytes.",
    ),
]
Offset = Annotated[
    str | None,
    HeaderParameter(
        name="Upload-Offset",
        required=False,
        max_length=15,
        examples=[Example(value="0")],
        description="How many bytes the upload has: where this request's begin.",
    ),
]
Metadata = Annotated[
    str | None,
    HeaderParameter(
        name="Upload-Metadata",
        required=False,
        max_length=_MAX_METADATA,
        description="Keys with base64 values, such as `filename cm9vZi5wbmc=,filetype aW1hZ2U=`.",
    ),
]
ChecksumHeader = Annotated[
    str | None,
    HeaderParameter(
        name="Upload-Checksum",
        required=False,
        max_length=200,
        description="`sha1`, `sha256`, `sha512` or `md5`, and the digest of this request's bytes "
        "in base64.",
    ),
]


def _speak(exchange: Exchange, version: str | None) -> None:
    """Answer in tus, problems included.

    Raises:
        TusVersion: the client speaks something else.
    """
    exchange.extra.append((b"tus-resumable", VERSION.encode()))
    if version != VERSION:
        raise TusVersion


@route("/tus", http_method=["OPTIONS"], right=PUBLIC, tenantless=True, include_in_schema=False)
async def describe_tus(files: Files) -> Response[None]:
    """What this server can do."""
    return Response(
        None,
        status_code=204,
        headers={
            "allow": "GET, HEAD, OPTIONS, POST",
            "tus-resumable": VERSION,
            "tus-version": VERSION,
            "tus-extension": _EXTENSIONS,
            "tus-max-size": str(files.settings.file_limit),
            "tus-checksum-algorithm": ",".join(_ALGORITHMS),
        },
    )


@get("/tus", right=READ, listing=upload_queries.LIST)
async def list_uploads(request: Request[Any, Any, Any], tx: Work) -> Page[Upload]:
    """The uploads that are not complete, the latest first."""
    return await upload_queries.LIST.page(tx, request)


@post(
    "/tus",
    right=WRITE,
    body_limit=BODY_LIMIT,
    consumes=(_BODY,),
    requires=("Tus-Resumable", "Upload-Length"),
    problems=(*TAKING, TusVersion, OffsetConflict, ChecksumMismatch),
)
async def create_upload(
    request: Request[Any, Any, Any],
    exchange: Exchange,
    tenant: Tenant,
    caller: Caller,
    files: Files,
    resumable: Resumable = None,
    upload_length: Length = None,
    upload_metadata: Metadata = None,
    upload_checksum: ChecksumHeader = None,
) -> Response[Upload]:
    """Begin a resumable upload (tus 1.0.0), of which a body may already be the first bytes. The
    answer's ``Location`` is where to send the others; its id will be the file's."""
    _speak(exchange, resumable)
    checksum = _checksum(upload_checksum)
    incoming = _incoming(files, caller, _number("Upload-Length", upload_length), upload_metadata)
    has_body = exchange.header(b"content-type").lower() == _BODY
    await resuming.begin(files, tenant, incoming)
    if has_body or incoming.length == 0:
        turn = await resuming.take_over(files, tenant, incoming.id, 0)
        await turn.append(body_of(request), checksum)
    async with files.transaction(tenant) as tx:
        upload = await resuming.find(tx, incoming.id)
    headers = {"location": f"{PATH}/{upload.id}", **_standing(upload)}
    return Reply(upload, status_code=201, headers=headers)


@get("/tus/{upload_id:uuid}", right=READ, problems=(TusVersion, UploadExpired))
async def get_upload(
    upload_id: UUID, exchange: Exchange, tx: Work, resumable: Resumable = None
) -> Response[Upload]:
    """How far an upload has come, in headers (with HEAD that is all, as tus wants it)."""
    if exchange.method == "HEAD":
        _speak(exchange, resumable)
    upload = await resuming.find(tx, upload_id)
    headers = {
        "cache-control": "no-store",
        "upload-length": str(upload.size),
        "upload-metadata": _metadata_header(upload),
        **_standing(upload),
    }
    return Reply(upload, headers=headers)


@patch(
    "/tus/{upload_id:uuid}",
    right=WRITE,
    status_code=204,
    body_limit=BODY_LIMIT,
    consumes=(_BODY,),
    requires=("Tus-Resumable", "Upload-Offset"),
    problems=(*TAKING, TusVersion, OffsetConflict, ChecksumMismatch),
)
async def append_to_upload(
    request: Request[Any, Any, Any],
    upload_id: UUID,
    exchange: Exchange,
    tenant: Tenant,
    files: Files,
    resumable: Resumable = None,
    upload_offset: Offset = None,
    upload_checksum: ChecksumHeader = None,
) -> Response[None]:
    """Send the next bytes of an upload. With the last one it is the file ``/api/v1/files/{id}``."""
    _speak(exchange, resumable)
    if exchange.header(b"content-type").lower() != _BODY:
        raise UnsupportedMediaType(say("Send {body}.", body=_BODY))
    checksum = _checksum(upload_checksum)
    offset = _number("Upload-Offset", upload_offset)
    turn = await resuming.take_over(files, tenant, upload_id, offset)
    await turn.append(body_of(request), checksum)
    return Response(None, status_code=204, headers=_of_turn(turn))


@delete("/tus/{upload_id:uuid}", right=WRITE, requires=("Tus-Resumable",), problems=(TusVersion,))
async def terminate_upload(
    upload_id: UUID, exchange: Exchange, tenant: Tenant, files: Files, resumable: Resumable = None
) -> None:
    """Drop an upload that is not complete, with what it has stored."""
    _speak(exchange, resumable)
    await resuming.terminate(files, tenant, upload_id)


def _incoming(files: Files, caller: Caller, length: int, metadata: str | None) -> Incoming:
    said = _read_metadata(metadata or "")
    name = said.pop("filename", "") or said.pop("name", "")
    kind = said.pop("filetype", "") or said.pop("type", "")
    return Incoming(
        id=new_id(),
        name=name,
        declared_type=plain_type(kind),
        length=length,
        limit=files.settings.file_limit,
        by=caller.user_id,
        metadata=said,
    )


def _read_metadata(header: str) -> dict[str, str]:
    """
    Raises:
        BadRequest: it is not pairs of a key and a base64 text in UTF-8.
    """
    found: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in header.split(","))):
        key, _, value = pair.partition(" ")
        try:
            text = base64.b64decode(value.strip(), validate=True).decode()
        except (binascii.Error, ValueError) as error:
            raise BadRequest(
                say("Upload-Metadata: the value of '{key}' is no text.", key=key[:64])
            ) from error
        if key in found or "\0" in text or len(key) > 64 or len(found) >= 32:
            raise BadRequest("Upload-Metadata: keys are distinct, values without U+0000.")
        found[key] = text
    return found


def _metadata_header(upload: Upload) -> str:
    said = {"filename": upload.name, "filetype": upload.media_type, **upload.metadata}
    return ",".join(f"{k} {base64.b64encode(v.encode()).decode()}" for k, v in said.items())


def _number(header: str, text: str | None) -> int:
    if text is None or not (text.isascii() and text.isdigit()):
        raise BadRequest(say("{header} must be a number of bytes.", header=header))
    return int(text)


def _checksum(header: str | None) -> Checksum | None:
    """
    Raises:
        BadRequest: the algorithm is none of ours.
    """
    if header is None:
        return None
    algorithm, _, digest = header.partition(" ")
    if algorithm not in _ALGORITHMS:
        raise BadRequest(
            say("Upload-Checksum: {algorithms} are known.", algorithms=", ".join(_ALGORITHMS))
        )
    hasher = hashlib.new(algorithm, usedforsecurity=False)
    return Checksum(hasher, decode_base64(digest.strip()))


def _standing(upload: Upload) -> dict[str, str]:
    headers = {"upload-offset": str(upload.offset)}
    if upload.offset < upload.size:
        headers["upload-expires"] = format_datetime(upload.expires_at, usegmt=True)
    return headers


def _of_turn(turn: Appending) -> dict[str, str]:
    expires = format_datetime(turn.expires_at, usegmt=True)
    headers = {"upload-offset": str(turn.offset)}
    return headers if turn.is_complete else {**headers, "upload-expires": expires}


ROUTES = (
    describe_tus,
    list_uploads,
    create_upload,
    get_upload,
    append_to_upload,
    terminate_upload,
)
