"""Forms with several files (``multipart/form-data``, RFC 7578), one file after the other as they
arrive."""

from collections.abc import AsyncIterator
from typing import Any

from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from insula.http.problem import BadRequest, UnsupportedMediaType
from insula.i18n import say

MAX_FILES = 100
_FIELD_LIMIT = 1 << 40


class FormFile:
    """A file of a form. Read its ``chunks`` before the next one comes."""

    def __init__(self, segment: MultipartSegment, form: "Form") -> None:
        self.name = segment.filename or ""
        self.media_type = segment.content_type or "application/octet-stream"
        self._form = form

    async def chunks(self) -> AsyncIterator[bytes]:
        async for chunk in self._form.rest_of_segment():
            yield chunk


class Form:
    """The files of a form; fields that are no files are passed over."""

    def __init__(self, content_type: str, body: AsyncIterator[bytes]) -> None:
        """
        Raises:
            UnsupportedMediaType, BadRequest: it is no such form.
        """
        kind, options = parse_options_header(content_type)
        if kind != "multipart/form-data":
            raise UnsupportedMediaType("Send multipart/form-data.")
        boundary = options.get("boundary", "")
        if not 1 <= len(boundary) <= 70 or not boundary.isascii():
            raise BadRequest("multipart/form-data needs its boundary.")
        self._parser = PushMultipartParser(
            boundary, max_segment_size=_FIELD_LIMIT, max_segment_count=MAX_FILES
        )
        self._events = self._parse(body)
        self._is_inside = False

    async def _parse(self, body: AsyncIterator[bytes]) -> AsyncIterator[Any]:
        try:
            async for chunk in body:
                for event in self._parser.parse(chunk):
                    yield event
            for event in self._parser.parse(b""):
                yield event
        except MultipartError as error:
            raise BadRequest(say("The form cannot be read: {error}", error=error)) from error

    async def files(self) -> AsyncIterator[FormFile]:
        """The files.

        Raises:
            BadRequest: the form is broken.
        """
        while True:
            async for _ in self.rest_of_segment():
                pass  # what nobody wanted
            event = await anext(self._events, None)
            if event is None:
                return
            self._is_inside = True
            if event.filename is not None:
                yield FormFile(event, self)

    async def rest_of_segment(self) -> AsyncIterator[bytes]:
        while self._is_inside:
            event = await anext(self._events, None)
            if event is None:
                self._is_inside = False
            elif isinstance(event, bytes | bytearray):
                yield bytes(event)
