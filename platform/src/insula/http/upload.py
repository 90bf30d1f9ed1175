"""Bodies that a route reads itself: straight into a temporary file."""

import tempfile
from typing import Any, BinaryIO, cast

from litestar import Request

from insula.http.body import too_large
from insula.http.problem import UnsupportedMediaType

_MEMORY = 8 << 20


async def receive_file(
    request: Request[Any, Any, Any], *, limit: int, types: tuple[str, ...], hint: str
) -> BinaryIO:
    """The body in a temporary file, at its beginning; whoever gets it closes it. For routes with
    ``body_limit=``, whose body the gate leaves alone.

    Raises:
        UnsupportedMediaType: it is of none of the ``types``; ``hint`` says what to send.
        ContentTooLarge: it has more than ``limit`` bytes.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in types:
        raise UnsupportedMediaType(hint)
    file = tempfile.SpooledTemporaryFile(_MEMORY)  # noqa: SIM115 - closed by who reads it
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            file.close()
            raise too_large(limit)
        file.write(chunk)
    file.seek(0)
    return cast(BinaryIO, file)
