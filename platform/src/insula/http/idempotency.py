"""``Idempotency-Key`` (draft-ietf-httpapi-idempotency-key-header): at most once, same answer.

The key is a row in the same transaction as the work itself, so there is no moment at which one
exists without the other, whatever crashes. A second request finds the row locked (in flight: 409),
committed (the first answer again) or absent (the first one failed: try).
"""

import base64
import hashlib
import hmac
import os
import random
from typing import Any

import asyncpg
import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import bindparam, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from insula.db import Statement, Work
from insula.http.problem import BadRequest, Problem
from insula.keys import derive
from insula.tenancy.tables import IdempotencyKey

HEADER = b"idempotency-key"
REPLAYED = (b"idempotency-replayed", b"true")
KEPT_HEADERS = (b"content-type", b"location", b"etag")


class KeyInFlight(Problem):
    """The first request with this ``Idempotency-Key`` has not been answered yet: try again soon."""

    status, slug, title = 409, "idempotency-in-flight", "The first request is still being served"


class KeyReused(Problem):
    """This ``Idempotency-Key`` was used with another body: take a new key for a new request."""

    status, slug, title = 422, "idempotency-key-reused", "The key was used for something else"


class FirstAnswer(msgspec.Struct, frozen=True):
    """The first answer."""

    fingerprint: bytes
    status: int | None
    headers: dict[str, str] | None
    body: bytes | None


_CLAIM = Statement(
    insert(IdempotencyKey)
    .values(key=bindparam("key"), fingerprint=bindparam("fingerprint"))
    .on_conflict_do_nothing()
    .returning(IdempotencyKey.key),
    str,
)
_FIND = Statement(
    select(
        IdempotencyKey.fingerprint,
        IdempotencyKey.status,
        IdempotencyKey.headers,
        IdempotencyKey.body,
    ).where(IdempotencyKey.key == bindparam("key")),
    FirstAnswer,
)
_STORE = Statement(
    update(IdempotencyKey)
    .where(IdempotencyKey.key == bindparam("name"))
    .values(status=bindparam("code"), headers=bindparam("kept"), body=bindparam("content"))
)
_EXPIRE = Statement(
    delete(IdempotencyKey).where(
        IdempotencyKey.created_at < func.now() - text("interval '24 hours'")
    )
)


class Idempotency:
    """Claims keys and keeps answers, encrypted: some of them carry tokens."""

    def __init__(self, secret: str) -> None:
        self._cipher = AESGCM(derive(secret, "idempotency"))
        self._mac = derive(secret, "idempotency-fingerprint")

    def name(self, caller: str, method: str, path: str, header: bytes) -> str:
        """The row's key: one caller cannot meet another's.

        Raises:
            BadRequest: the header is not 1 to 255 visible ASCII characters.
        """
        key = header.strip()
        if not 1 <= len(key) <= 255 or not key.isascii() or not key.decode("ascii").isprintable():
            raise BadRequest("Idempotency-Key must be 1 to 255 visible ASCII characters.")
        digest = hashlib.sha256("\n".join((caller, method, path)).encode() + b"\n" + key).digest()
        return base64.urlsafe_b64encode(digest).decode()

    def fingerprint(self, query: bytes, body: bytes) -> bytes:
        return hmac.digest(self._mac, query + b"\n" + body, "sha256")

    async def claim(self, work: Work, name: str, fingerprint: bytes) -> FirstAnswer | None:
        """None: go ahead. Otherwise the first answer.

        Raises:
            KeyInFlight, KeyReused: see there.
        """
        await work.run_script("SET LOCAL lock_timeout = '50ms'")
        try:
            claimed = await work.find(_CLAIM, key=name, fingerprint=fingerprint)
        except asyncpg.LockNotAvailableError as error:
            raise KeyInFlight(headers={"Retry-After": "1"}) from error
        await work.run_script("SET LOCAL lock_timeout TO DEFAULT")
        if claimed is not None:
            if random.random() < 0.01:  # noqa: S311 - housekeeping, not a secret
                await work.execute(_EXPIRE)
            return None
        answer = await work.find(_FIND, key=name)
        if answer is None or answer.status is None:
            raise KeyInFlight(headers={"Retry-After": "1"})
        if not hmac.compare_digest(answer.fingerprint, fingerprint):
            raise KeyReused
        return msgspec.structs.replace(answer, body=self._open(answer.body or b"", name))

    async def is_answered(self, work: Work, name: str) -> bool:
        """Whether there is a first answer, as far as one sees without waiting."""
        return await work.peek(_FIND, key=name) is not None

    async def store(self, work: Work, name: str, status: int, headers: Any, body: bytes) -> None:
        """Keep the answer in the transaction that it speaks of."""
        kept = {
            key.decode(): value.decode("latin-1") for key, value in headers if key in KEPT_HEADERS
        }
        nonce = os.urandom(12)
        content = nonce + self._cipher.encrypt(nonce, body, name.encode())
        await work.execute(_STORE, name=name, code=status, kept=kept, content=content)

    def _open(self, content: bytes, name: str) -> bytes:
        return self._cipher.decrypt(content[:12], content[12:], name.encode())
