"""Access tokens: JWT (RFC 7519) in the profile of RFC 9068, signed with Ed25519 (RFC 8037)."""

import time
from collections import OrderedDict
from uuid import UUID

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from insula.keys import derive

_ALGORITHMS = ["Ed25519", "EdDSA"]
_TYPE = "at+jwt"


class _Payload(msgspec.Struct, frozen=True):
    iss: str
    sub: str
    tid: str
    sid: str
    role: str
    iat: float
    exp: float
    locale: str = ""


class Claims(msgspec.Struct, frozen=True):
    """What an access token says. ``sid`` is the session that it can be revoked with; two of the
    identifiers come parsed as well, once for a token instead of once a request."""

    sub: str
    tid: str
    sid: str
    role: str
    iat: float
    exp: float
    user_id: UUID
    session_id: UUID
    locale: str = ""
    """The language that the user has chosen (OpenID Connect Core, section 5.1)."""


class TokenRejected(Exception):
    """The token is not one of ours, or it has expired."""


class AccessTokens:
    """Signs and verifies. Verified tokens are remembered until they expire: a signature check
    costs as much as the rest of the request's gate."""

    def __init__(self, secret: str, *, seconds: int, capacity: int = 20_000) -> None:
        private = Ed25519PrivateKey.from_private_bytes(derive(secret, "access-token-signing"))
        pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self._key = OKPKey.import_key(pem)
        self._key_id = self._key.thumbprint()
        self._capacity = capacity
        self._verified: OrderedDict[bytes, Claims] = OrderedDict()
        self.seconds = seconds

    def issue(
        self,
        *,
        user_id: UUID,
        tenant_id: UUID,
        session_id: UUID,
        role: str,
        locale: str = "",
        seconds: int | None = None,
    ) -> str:
        """A token that lives for ``seconds``, or as long as is usual here."""
        now = round(time.time(), 3)
        expires = now + (self.seconds if seconds is None else seconds)
        payload = _Payload(
            "insula",
            str(user_id),
            str(tenant_id),
            str(session_id),
            role,
            now,
            expires,
            locale,
        )
        header = {"alg": "Ed25519", "typ": _TYPE, "kid": self._key_id}
        return jws.serialize_compact(
            header, msgspec.json.encode(payload), self._key, algorithms=_ALGORITHMS
        )

    def verify(self, token: bytes) -> Claims:
        """The claims of a token that is genuine and still valid.

        Raises:
            TokenRejected: it is not.
        """
        claims = self._verified.get(token)
        if claims is None:
            claims = self._check(token)
            self._verified[token] = claims
            if len(self._verified) > self._capacity:
                self._verified.popitem(last=False)
        if claims.exp <= time.time():
            self._verified.pop(token, None)
            raise TokenRejected("expired")
        return claims

    def _check(self, token: bytes) -> Claims:
        try:
            signed = jws.deserialize_compact(token, self._key, algorithms=_ALGORITHMS)
            if signed.headers().get("typ") != _TYPE:
                raise TokenRejected("not an access token")
            said = msgspec.json.decode(signed.payload, type=_Payload)
            return Claims(
                said.sub, said.tid, said.sid, said.role, said.iat, said.exp,
                UUID(said.sub), UUID(said.sid), said.locale,
            )  # fmt: skip
        except (JoseError, ValueError, TypeError, msgspec.MsgspecError) as error:
            raise TokenRejected("not genuine") from error
