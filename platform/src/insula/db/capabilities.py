"""What proves to PostgreSQL that a tenant was bound by us, and not by a statement of somebody else.

A login may become any tenant of its bucket, so a statement that smuggles in ``SET ROLE`` could. It
cannot make up that tenant's capability: row security (:mod:`insula.tenancy.sealing`) shows a
tenant's rows only to a transaction that carries it.
"""

import base64
import hashlib
import hmac

from insula.keys import derive

CAPABILITY = "insula.capability"
"""The PostgreSQL setting that carries it, until the end of the transaction."""


class Capabilities:
    """The capability of each role: a MAC of its name under a key of the installation's secret.

    Nothing is stored but its SHA-256, so that neither a dump nor a catalogue can be used.

    Raises:
        WeakSecret: the secret is missing or too short.
    """

    def __init__(self, secret: str) -> None:
        self._key = derive(secret, "capability")

    def of(self, role: str) -> str:
        raw = hmac.digest(self._key, role.encode(), "sha256")
        return base64.urlsafe_b64encode(raw).decode().rstrip("=")

    def digest_of(self, role: str) -> bytes:
        """What PostgreSQL compares its SHA-256 with."""
        return hashlib.sha256(self.of(role).encode()).digest()
