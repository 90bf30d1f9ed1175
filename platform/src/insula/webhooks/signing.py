"""Secrets and signatures as https://www.standardwebhooks.com has them."""

import base64
import hashlib
import hmac
import os
from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from insula.keys import derive

PREFIX: Final = "whsec_"
_SECRET_BYTES: Final = 32
_NONCE_BYTES: Final = 12


class Secrets:
    """Makes secrets, and seals them for the database: whoever reads a dump cannot sign."""

    def __init__(self, secret_key: str) -> None:
        self._cipher = AESGCM(derive(secret_key, "webhook-secrets"))

    def make(self, webhook_id: UUID) -> tuple[str, bytes]:
        """A new secret: as it is shown, once, and as it is kept."""
        secret, nonce = os.urandom(_SECRET_BYTES), os.urandom(_NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, secret, webhook_id.bytes)
        return PREFIX + base64.b64encode(secret).decode(), sealed

    def unseal(self, webhook_id: UUID, sealed: bytes) -> bytes:
        nonce, text = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        return self._cipher.decrypt(nonce, text, webhook_id.bytes)


def headers(message: str, at: datetime, body: bytes, secrets: Iterable[bytes]) -> dict[str, str]:
    """The three headers; one signature for each secret that is good at the moment."""
    seconds = int(at.timestamp())
    signed = f"{message}.{seconds}.".encode() + body
    signatures = (base64.b64encode(hmac.digest(s, signed, hashlib.sha256)) for s in secrets)
    return {
        "webhook-id": message,
        "webhook-timestamp": str(seconds),
        "webhook-signature": " ".join(f"v1,{signature.decode()}" for signature in signatures),
    }
