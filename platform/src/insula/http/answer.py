"""The way out: commit first, then speak."""

from collections.abc import Callable
from typing import Any

from litestar.types import Message, Send

from insula.http import conditional
from insula.http.body import Unread
from insula.http.errors import DATABASE_ERRORS, is_retryable, to_problem
from insula.http.exchange import Exchange, refusal
from insula.http.idempotency import REPLAYED, FirstAnswer, Idempotency
from insula.http.problem import Problem

_ALWAYS: list[tuple[bytes, bytes]] = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]
_OF_CONTENT = frozenset({b"content-length", b"content-type"})


class Answer:
    """The ``send`` that a handler gets: holds the answer back until its work is committed."""

    def __init__(self, exchange: Exchange, send: Send) -> None:
        self.is_done = False
        self.unread: Unread | None = None
        """The request's body, if what is left of it has to be read before it is answered."""
        self._exchange = exchange
        self._send = send
        self._start: Any = None
        self._streaming = False
        self._failed = False
        self._idempotency: Idempotency | None = None
        self._key = ""
        self._late: Callable[[], bytes] | None = None
        self._may_retry = False

    def begin(self, idempotency: Idempotency, key: str, *, may_retry: bool) -> None:
        """Prepare for one attempt at the handler; ``key`` is the idempotency key's row, if any."""
        self._idempotency, self._key, self._may_retry = idempotency, key, may_retry
        self._start = None

    def begin_late(
        self, idempotency: Idempotency, key: str, fingerprint: Callable[[], bytes]
    ) -> None:
        """Likewise for a body that streams: the key is claimed when the handler is done."""
        self._idempotency, self._key, self._late = idempotency, key, fingerprint

    async def settle(self) -> bool:
        """Claim the key of a body that has streamed; False if it was answered instead, with what
        was said first.

        Raises:
            KeyInFlight, KeyReused: see there.
        """
        if self._late is None or self._idempotency is None:
            return True
        work = self._exchange.work
        assert work is not None  # else there is no key
        first = await self._idempotency.claim(work, self._key, self._late())
        if first is None:
            return True
        await work.finish(success=False)
        await self.replay(first)
        return False

    async def __call__(self, message: Message) -> None:
        kind: str = message["type"]
        if kind == "http.response.start":
            self._start = message
            self._failed = self._streaming
        elif self._failed:
            return  # the stream broke off: its length tells the client, a problem in it would not
        elif kind == "http.response.pathsend":
            await self._open_stream(message)
        elif kind == "http.response.body":
            if self._streaming:
                self._exchange.answer_bytes += len(message.get("body", b""))  # type: ignore[arg-type]
                await self._pass(message)
            elif self._exchange.retry and self._may_retry:
                return
            elif message.get("more_body", False):
                await self._open_stream(message)
            else:
                await self._whole(message.get("body", b""))  # type: ignore[arg-type]

    async def _whole(self, body: bytes) -> None:
        status: int = self._start["status"]
        headers: list[tuple[bytes, bytes]] = list(self._start["headers"])
        exchange = self._exchange
        if exchange.work is not None and exchange.work.is_open:
            lasting = status < 400 or exchange.work.is_kept
            try:
                if lasting and not await self.settle():
                    return
                if self._key and lasting and self._idempotency is not None:
                    await self._idempotency.store(exchange.work, self._key, status, headers, body)
                await exchange.work.finish(success=status < 400)
            except Problem as problem:
                await self.problem(problem)
                return
            except DATABASE_ERRORS as error:
                if is_retryable(error) and self._may_retry:
                    exchange.retry = True
                    return
                await self.problem(to_problem(error))
                return
        if status == 200 and exchange.scope["method"] == "GET":
            status, headers, body = self._validate(headers, body)
        await self._speak(status, headers, body)

    def _validate(
        self, headers: list[tuple[bytes, bytes]], body: bytes
    ) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        """Add an ``ETag`` where there is none; 304 if the client has it already."""
        etag = next((value for name, value in headers if name == b"etag"), None)
        if etag is None:
            etag = conditional.weak_etag(body)
            headers.append((b"etag", etag))
        known = self._exchange.headers.get(b"if-none-match")
        if known is None or not conditional.matches(known, etag):
            return 200, headers, body
        return 304, [pair for pair in headers if pair[0] not in _OF_CONTENT], b""

    async def _open_stream(self, message: Message) -> None:
        work = self._exchange.work
        if work is not None and work.is_open:
            await work.finish(success=self._start["status"] < 400)
        self._streaming = self.is_done = True
        self._exchange.status = self._start["status"]
        self._start["headers"] = [*self._start["headers"], *self._tail()]
        await self._send(self._start)
        await self._pass(message)

    async def _pass(self, message: Message) -> None:
        if self._exchange.method == "HEAD":
            message = {**message, "body": b""}  # type: ignore[assignment]
        await self._send(message)

    async def _speak(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        self.is_done = True
        exchange = self._exchange
        exchange.status, exchange.answer_bytes = status, len(body)
        if self.unread is not None:
            await self.unread.drain()
        await self._send(
            {"type": "http.response.start", "status": status, "headers": headers + self._tail()}
        )
        await self._pass({"type": "http.response.body", "body": body, "more_body": False})

    def _tail(self) -> list[tuple[bytes, bytes]]:
        trace = (b"insula-trace-id", self._exchange.trace_id.encode())
        return [*_ALWAYS, *self._exchange.extra, trace]

    async def problem(self, problem: Problem) -> None:
        """Say no, and forget the work."""
        exchange = self._exchange
        if self._streaming or self.is_done:
            return
        if exchange.work is not None:
            await exchange.work.finish(success=False)
        status, media_type, body = refusal(exchange, problem)
        headers = [
            (b"content-type", media_type.encode()),
            (b"content-length", str(len(body)).encode()),
            *((k.lower().encode(), v.encode("latin-1")) for k, v in problem.headers.items()),
        ]
        await self._speak(status, headers, body)

    async def replay(self, first: FirstAnswer) -> None:
        """Say again what was said to the first request with the same key."""
        body = first.body or b""
        kept = [(k.encode(), v.encode("latin-1")) for k, v in (first.headers or {}).items()]
        length = (b"content-length", str(len(body)).encode())
        await self._speak(first.status or 200, [*kept, length, REPLAYED], body)
