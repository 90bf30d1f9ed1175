"""``Idempotency-Key`` of uploads, whose bodies are known only when they are through.

A key that was answered is found before the handler runs: the body is read and compared, and nothing
is stored. A new one is claimed after the handler, in its transaction, just before that commits: two
uploads under one key may both come in, but only one of them becomes something.
"""

import hashlib
from typing import Any

from litestar.types import Receive

from insula.http.answer import Answer
from insula.http.body import ClientDisconnected, too_large
from insula.http.exchange import Exchange
from insula.http.idempotency import HEADER, Idempotency
from insula.http.problem import Problem
from insula.http.uploads import Uploads


class KeyNotKept(Problem):
    """This upload becomes several things, each kept by itself, or can be resumed: no key stands for
    all of it. Send it without ``Idempotency-Key``; the operation's description says what repeating
    does."""

    status, slug, title = 400, "idempotency-key-not-kept", "No idempotency key is kept here"


class UploadKeys:
    """``limit``: bytes of the longest body that may be worth comparing."""

    def __init__(self, idempotency: Idempotency, uploads: Uploads, limit: int) -> None:
        self._idempotency = idempotency
        self._uploads = uploads
        self._limit = limit

    async def begin(self, exchange: Exchange, answer: Answer, receive: Receive) -> Receive:
        """What the handler is to read its body from, unless the answer is done already.

        Raises:
            KeyNotKept, KeyReused, KeyInFlight, BadRequest: see there.
        """
        header = exchange.headers.get(HEADER)
        if header is None or exchange.method != "POST" or exchange.work is None:
            return receive
        if not self._uploads.keeps_key(exchange.path):
            raise KeyNotKept
        name = self._idempotency.name(exchange.user, exchange.method, exchange.path, header)
        body = _Body(receive)

        def fingerprint() -> bytes:
            return self._idempotency.fingerprint(exchange.scope["query_string"], body.digest())

        if await self._idempotency.is_answered(exchange.work, name):
            await body.drain(self._limit)
            answer.begin_late(self._idempotency, name, fingerprint)
            await answer.settle()
        else:
            answer.begin_late(self._idempotency, name, fingerprint)
        return body.receive


class _Body:
    """Passes a body on and remembers what it was."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._hash = hashlib.sha256()

    def digest(self) -> bytes:
        return self._hash.digest()

    async def receive(self) -> Any:
        message: Any = await self._receive()
        self._hash.update(message.get("body", b""))
        return message

    async def drain(self, limit: int) -> None:
        """
        Raises:
            ContentTooLarge: it is longer than any that was taken.
            ClientDisconnected: it breaks off.
        """
        size, more = 0, True
        while more:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnected
            size += len(message.get("body", b""))
            if size > limit:
                raise too_large(limit)
            more = message.get("more_body", False)
