"""Small pictures of images, made when they are first asked for and kept beside the file."""

import asyncio
import os
import sys
from typing import Annotated, Literal

import structlog
from litestar import Response
from litestar.params import QueryParameter

from insula.files.blobs import Blobs, key_of
from insula.files.errors import NotAnImage
from insula.files.preview_formats import REFUSED, TYPES
from insula.files.schemas import Stored
from insula.http.problem import Unavailable
from insula.i18n import say
from insula.settings import Settings
from insula.tenancy.tenant import Tenant

log = structlog.get_logger("insula.files")

SIZES = (64, 128, 256, 512, 1024, 2048)
_AT_ONCE = 2
_WAITING = 50
_SECONDS = 30

PreviewFormat = Literal["webp", "jpeg"]
Form = Annotated[PreviewFormat, QueryParameter(name="format", required=False)]
PreviewSize = Annotated[
    int,
    QueryParameter(
        name="size",
        required=False,
        ge=1,
        le=SIZES[-1],
        description="The longer side in pixels, rounded up to 64, 128, 256, 512, 1024 or 2048; "
        "an image that is smaller stays so.",
    ),
]


class Previews:
    """Makes previews, a few at a time; those that wait hold no memory."""

    def __init__(self, settings: Settings, blobs: Blobs) -> None:
        self._max_pixels = settings.preview_pixels
        self._blobs = blobs
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0

    async def get(self, tenant: Tenant, stored: Stored, size: int, form: PreviewFormat) -> bytes:
        """The picture.

        Raises:
            NotAnImage: none can be made.
            Unavailable: too many are being made.
        """
        if stored.media_type not in TYPES:
            raise NotAnImage(say("It is {media_type}.", media_type=stored.media_type))
        side = next(each for each in SIZES if each >= size)
        key = key_of(tenant.number, stored.id, f"preview-{side}.{form}")
        kept = await self._blobs.find(key)
        if kept is None:
            kept = await self._make_in_turn(tenant, stored, side, form)
            await self._blobs.write_bytes(key, kept)
        return kept

    async def _make_in_turn(
        self, tenant: Tenant, stored: Stored, side: int, form: PreviewFormat
    ) -> bytes:
        if self._waiting >= _WAITING:
            raise Unavailable("Too many previews are being made.", headers={"Retry-After": "2"})
        self._waiting += 1
        try:
            async with self._places:
                key = key_of(tenant.number, stored.id, stored.blob)
                async with self._blobs.as_file(key, stored.size) as path:
                    return await self._make(str(path), stored.media_type, side, form)
        finally:
            self._waiting -= 1

    async def _make(self, path: str, media_type: str, side: int, form: PreviewFormat) -> bytes:
        arguments = (path, media_type, str(side), form, str(self._max_pixels))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-m", "insula.files.preview_process", *arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "VIPS_CONCURRENCY": "1"},
        )
        try:
            async with asyncio.timeout(_SECONDS):
                written, complaint = await process.communicate()
        except TimeoutError as error:
            raise NotAnImage("It takes too long to read.") from error
        finally:
            if process.returncode is None:
                process.kill()
        if process.returncode == REFUSED:
            raise NotAnImage(complaint.decode(errors="replace").strip())
        if process.returncode or not written:
            log.warning("no preview", status=process.returncode, said=complaint[-500:])
            raise NotAnImage("It cannot be read within the limits of time and memory.")
        return written


async def preview_answer(
    previews: Previews, tenant: Tenant, stored: Stored, size: int, form: PreviewFormat
) -> Response[bytes]:
    picture = await previews.get(tenant, stored, size, form)
    return Response(
        picture,
        media_type=f"image/{form}",
        headers={"content-security-policy": "default-src 'none'; sandbox"},
    )
