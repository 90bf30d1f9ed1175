"""Keys derived from the installation's one secret (HKDF, RFC 5869)."""

import base64
import hashlib
import hmac

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


class WeakSecret(Exception):
    """``INSULA_SECRET_KEY`` is missing or too short."""


def derive(secret: str, purpose: str, length: int = 32) -> bytes:
    """A key for one purpose; the same secret and purpose give the same key on every replica.

    Raises:
        WeakSecret: the secret has fewer than 32 characters.
    """
    if len(secret) < 32:
        raise WeakSecret(
            "INSULA_SECRET_KEY must have at least 32 characters; make one with "
            "`python3 -c 'import secrets; print(secrets.token_urlsafe(48))'`"
        )
    kdf = HKDF(algorithm=SHA256(), length=length, salt=b"insula", info=purpose.encode())
    return kdf.derive(secret.encode())


def login_password(secret: str, login: str) -> str:
    """The password of one of our database logins."""
    return base64.urlsafe_b64encode(derive(secret, f"postgresql:{login}")).decode().rstrip("=")


OPERATOR_PREFIX = "insula-operator-"


def operator_token(secret: str) -> str:
    """What the operator API takes as a bearer token: whoever has the secret, has it."""
    return OPERATOR_PREFIX + base64.urlsafe_b64encode(derive(secret, "operator API")).decode()


def login_verifier(secret: str, login: str) -> str:
    """What PostgreSQL stores for that password, the same whenever it is made: PgBouncer needs the
    very same line to log in for whoever has proved to know the password."""
    password = login_password(secret, login)
    salt = hashlib.sha256(f"insula:{login}:{password}".encode()).digest()[:16]
    return scram_verifier(password, salt)


def scram_verifier(password: str, salt: bytes, iterations: int = 4096) -> str:
    """What PostgreSQL stores for a password (RFC 5803), so that no statement carries the password.

    The password must be ASCII: SASLprep then changes nothing.
    """
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, iterations)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")

    def text(raw: bytes) -> str:
        return base64.b64encode(raw).decode()

    return f"SCRAM-SHA-256${iterations}:{text(salt)}${text(stored)}:{text(server)}"
