"""Sending a file's bytes: conditionals, ranges (RFC 9110), digests (RFC 9530), and headers under
which whatever somebody has uploaded runs nowhere."""

import secrets
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path
from typing import Any

from litestar import Request, Response
from litestar.types import ASGIApp, Receive, Scope, Send

from insula.files.digests import digest_field
from insula.files.errors import RangeNotSatisfiable
from insula.files.names import content_disposition
from insula.files.ranges import Range, read_ranges
from insula.files.schemas import Stored
from insula.files.sniffing import INLINE
from insula.http import conditional
from insula.http.exchange import Exchange, exchange_of
from insula.http.problem import PreconditionFailed

Reader = Callable[[int, int], AsyncIterator[bytes]]
Headers = list[tuple[bytes, bytes]]

# Were a browser to take it for HTML in spite of everything, it would be in an origin of its own
# with neither scripts nor network.
_POLICY = (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; sandbox")


class Content(Response[None]):
    """An answer that is a file, or a part of it."""

    def __init__(
        self, stored: Stored, read: Reader, *, path: Path | None = None, download: bool = False
    ) -> None:
        """``read`` gives the bytes between two places; ``path`` is where the file lies, if it lies
        on this machine, so that the server can send it by itself."""
        super().__init__(None)
        self._stored = stored
        self._read = read
        self._path = path
        self._download = download

    def to_asgi_response(  # type: ignore[override]
        self, app: None, request: Request[Any, Any, Any], **_: Any
    ) -> ASGIApp:
        exchange = exchange_of(request.scope)
        stored = self._stored
        common = self._headers()
        etag = f'"{stored.sha256.hex()}"'
        if _is_known(exchange, etag, stored.created_at):
            return _Sending(304, common, None)
        found = _ranges(exchange, etag, stored)
        length = (b"content-length", b"%d" % stored.size)
        if found is None:
            digest = (b"content-digest", digest_field(stored.sha256).encode())
            whole = None if exchange.method == "HEAD" else self._read(0, stored.size)
            return _Sending(200, [*common, self._type(), length, digest], whole, self._path)
        if not found:
            raise RangeNotSatisfiable(size=stored.size)
        return self._partial(common, found)

    def _headers(self) -> Headers:
        stored = self._stored
        kind = "inline" if stored.media_type in INLINE and not self._download else "attachment"
        return [
            (b"etag", b'"%s"' % stored.sha256.hex().encode()),
            (b"last-modified", _http_date(stored.created_at)),
            (b"accept-ranges", b"bytes"),
            (b"content-disposition", content_disposition(kind, stored.name).encode()),
            (b"repr-digest", digest_field(stored.sha256).encode()),
            _POLICY,
        ]

    def _type(self) -> tuple[bytes, bytes]:
        media_type = self._stored.media_type
        charset = "; charset=utf-8" if media_type == "text/plain" else ""
        return (b"content-type", f"{media_type}{charset}".encode("latin-1", "replace"))

    def _partial(self, common: Headers, found: list[Range]) -> ASGIApp:
        size = self._stored.size
        if len(found) > 1:
            return self._several(common, found)
        (only,) = found
        headers = [
            *common,
            self._type(),
            (b"content-range", only.header(size).encode()),
            (b"content-length", b"%d" % (only.end - only.start)),
        ]
        return _Sending(206, headers, self._read(*only))

    def _several(self, common: Headers, found: list[Range]) -> ASGIApp:
        """``multipart/byteranges`` (RFC 9110, section 14.6)."""
        boundary = secrets.token_hex(16).encode()
        name, media_type = self._type()
        heads = [
            b"\r\n--%s\r\n%s: %s\r\ncontent-range: %s\r\n\r\n"
            % (boundary, name, media_type, each.header(self._stored.size).encode())
            for each in found
        ]
        end = b"\r\n--%s--\r\n" % boundary
        length = sum(map(len, heads)) + sum(each.end - each.start for each in found) + len(end)

        async def body() -> AsyncIterator[bytes]:
            for head, each in zip(heads, found, strict=True):
                yield head
                async for chunk in self._read(*each):
                    yield chunk
            yield end

        headers = [
            *common,
            (b"content-type", b"multipart/byteranges; boundary=" + boundary),
            (b"content-length", b"%d" % length),
        ]
        return _Sending(206, headers, body())


class _Sending:
    """An ASGI application that gives one answer, a chunk at a time."""

    def __init__(
        self,
        status: int,
        headers: Headers,
        chunks: AsyncIterator[bytes] | None,
        path: Path | None = None,
    ) -> None:
        self._start = {"type": "http.response.start", "status": status, "headers": headers}
        self._chunks = chunks
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        extensions: Any = scope.get("extensions") or {}
        if self._path is not None and self._chunks is not None and _can_send_paths(extensions):
            await send(self._start)  # type: ignore[arg-type]
            await send({"type": "http.response.pathsend", "path": str(self._path)})  # type: ignore[arg-type]
            return
        if self._chunks is not None:
            await self._send_chunks(send, self._chunks)
            return
        await send(self._start)  # type: ignore[arg-type]
        await _send_body(send, b"", more=False)

    async def _send_chunks(self, send: Send, chunks: AsyncIterator[bytes]) -> None:
        """The head goes out when the first bytes are at hand: until then it can be a problem."""
        first = await anext(aiter(chunks), b"")
        await send(self._start)  # type: ignore[arg-type]
        await _send_body(send, first, more=True)
        async for chunk in chunks:
            await _send_body(send, chunk, more=True)
        await _send_body(send, b"", more=False)


def _can_send_paths(extensions: Any) -> bool:
    return "http.response.pathsend" in extensions


async def _send_body(send: Send, body: bytes, *, more: bool) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})


def _is_known(exchange: Exchange, etag: str, changed: datetime) -> bool:
    """Whether the client has this already (RFC 9110, section 13.2.2).

    Raises:
        PreconditionFailed: it wants another one, or none that is newer.
    """
    if wanted := exchange.header(b"if-match"):
        tags = [tag.strip() for tag in wanted.split(",")]
        if "*" not in tags and etag not in tags:
            raise PreconditionFailed(headers={"ETag": etag})
    elif (since := _date(exchange.header(b"if-unmodified-since"))) and changed > since:
        raise PreconditionFailed(headers={"ETag": etag})
    if known := exchange.headers.get(b"if-none-match"):
        return conditional.matches(known, etag.encode())
    since = _date(exchange.header(b"if-modified-since"))
    return since is not None and changed.replace(microsecond=0) <= since


def _ranges(exchange: Exchange, etag: str, stored: Stored) -> list[Range] | None:
    header = exchange.header(b"range")
    if not header or exchange.method != "GET":
        return None
    condition = exchange.header(b"if-range")
    if condition and not _still_holds(condition, etag, stored.created_at):
        return None
    return read_ranges(header, stored.size)


def _still_holds(condition: str, etag: str, changed: datetime) -> bool:
    """``If-Range``: the very same tag, which is strong, or the very same date."""
    if condition.lstrip().startswith(('"', "W/")):
        return condition.strip() == etag
    return _date(condition) == changed.replace(microsecond=0)


def _http_date(moment: datetime) -> bytes:
    return format_datetime(moment.astimezone(UTC), usegmt=True).encode()


def _date(header: str) -> datetime | None:
    """An HTTP date; None where there is none, or none that can be read."""
    if not header:
        return None
    try:
        date = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    return date if date.tzinfo is not None else date.replace(tzinfo=UTC)
