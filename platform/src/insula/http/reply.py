"""Answers in JSON: the usual case of Litestar's ``Response``, at half its cost."""

from collections.abc import Mapping
from typing import Any, Final, TypeVar

import msgspec
from litestar import Request, Response
from litestar.enums import MediaType
from litestar.types import ASGIApp, Receive, Scope, Send

T = TypeVar("T")

_RENDERED: Final = (bytes, str, type(None))
_encode = msgspec.json.Encoder().encode


class Reply(Response[T]):
    """A ``Response`` that knows a short way where there is JSON to send and nothing else to do."""

    def to_asgi_response(  # type: ignore[override]
        self, app: None, request: Request[Any, Any, Any], **options: Any
    ) -> ASGIApp:
        if not self._is_plain(options):
            return super().to_asgi_response(app, request, **options)
        try:
            body = _encode(self.content)
        except TypeError:  # Litestar's encoders are asked only for what msgspec does not know
            return super().to_asgi_response(app, request, **options)
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            *_encoded(options.get("headers") or {}),
            *_encoded(self.headers),
        ]
        return _Whole(self.status_code or options.get("status_code") or 200, headers, body)

    def _is_plain(self, options: Mapping[str, Any]) -> bool:
        media_type = self.media_type or options.get("media_type") or MediaType.JSON
        return (
            media_type == MediaType.JSON
            and not isinstance(self.content, _RENDERED)
            and not (self.cookies or options.get("cookies"))
            and not (self.background or options.get("background"))
        )


def _encoded(headers: Mapping[str, Any]) -> list[tuple[bytes, bytes]]:
    return [
        (name.lower().encode(), str(value).encode("latin-1")) for name, value in headers.items()
    ]


class _Whole:
    """An ASGI application that gives one answer."""

    __slots__ = ("_body", "_start")

    def __init__(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        self._start = {"type": "http.response.start", "status": status, "headers": headers}
        self._body = {"type": "http.response.body", "body": body, "more_body": False}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send(self._start)  # type: ignore[arg-type]
        await send(self._body)  # type: ignore[arg-type]
