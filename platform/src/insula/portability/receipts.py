"""Receipts of erasures, signed so that they can be shown later, and checked by anybody who has the
public key."""

from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from insula.keys import derive
from insula.portability.schemas import Erasure

_ALGORITHMS = ["Ed25519"]


class Receipts:
    """Signs with a key of the installation's secret."""

    def __init__(self, secret_key: str) -> None:
        private = Ed25519PrivateKey.from_private_bytes(derive(secret_key, "erasure-receipts"))
        pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self._key = OKPKey.import_key(pem)

    @property
    def public_key(self) -> dict[str, Any]:
        """As a JWK."""
        return {**self._key.as_dict(private=False), "kid": self._key.thumbprint()}

    def sign(self, erasure: Erasure) -> str:
        """The receipt as a JWS in its compact form."""
        header = {"alg": "Ed25519", "typ": "erasure+jwt", "kid": self._key.thumbprint()}
        return jws.serialize_compact(header, _content(erasure), self._key, algorithms=_ALGORITHMS)

    def is_valid(self, erasure: Erasure) -> bool:
        """Whether we have signed exactly this."""
        try:
            signed = jws.deserialize_compact(erasure.receipt, self._key, algorithms=_ALGORITHMS)
        except (JoseError, ValueError):
            return False
        return signed.payload == _content(erasure)


def _content(erasure: Erasure) -> bytes:
    """What is signed: the same bytes for the same receipt."""
    said = msgspec.to_builtins(erasure)
    del said["receipt"]
    return msgspec.json.encode(said, order="sorted")
