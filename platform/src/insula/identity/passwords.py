"""Passwords: argon2id (RFC 9106) with the parameters OWASP recommends, off the event loop."""

import asyncio
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from insula.http.problem import FieldError, InvalidInput, Unavailable
from insula.i18n import say

R = TypeVar("R")

MIN_LENGTH = 10
MAX_LENGTH = 256
_COMMON = frozenset(
    [
        "1234567890",
        "0123456789",
        "password12",
        "password123",
        "password1234",
        "passw0rd123",
        "qwertyuiop",
        "qwerty12345",
        "qwerty123456",
        "1q2w3e4r5t",
        "1q2w3e4r5t6y",
        "iloveyou123",
        "letmein1234",
        "welcome123",
        "administrator",
        "changeme123",
        "abc123456789",
        "12345678901",
        "123456789012",
    ]
)
WAITING = 64
"""Hashes that may wait in line; each takes about 20 ms of a core."""

# OWASP Password Storage Cheat Sheet: 19 MiB, 2 iterations, 1 lane.
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_threads = ThreadPoolExecutor(2, thread_name_prefix="argon2")
_in_line = 0

# Verified against when the address is unknown, so that both cases take the same time. Written out,
# since every start of every process would wait for it.
NOBODY = (
    "$argon2id$v=19$m=19456,t=2,p=1$DR8YZU+AG4Cj7KCaDpOuPQ"
    "$FEgMixOdURSJMj7CijBhXvLJwxCQ15pCBQH0pxTwJ9g"
)


def check_strength(password: str, *, pointer: str, personal: tuple[str, ...] = ()) -> None:
    """NIST SP 800-63B, section 5.1.1.2: length counts, composition rules do not.

    Raises:
        InvalidInput: too short, too long, well known, or one's own name.
    """
    lowered = password.casefold()
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        fault: str = say(
            "must have {min_length} to {max_length} characters",
            min_length=MIN_LENGTH,
            max_length=MAX_LENGTH,
        )
    elif lowered in _COMMON or len(set(lowered)) < 4:
        fault = "is one of the first that anybody would try"
    elif any(len(part) >= 4 and lowered == part.casefold() for part in personal):
        fault = "must not be your name or address"
    else:
        return
    raise InvalidInput(errors=(FieldError(pointer, fault),))


def _normalised(password: str) -> str:
    """NIST asks for NFKC, so that one keyboard's é is another's."""
    return unicodedata.normalize("NFKC", password)


async def hash_password(password: str) -> str:
    return await _in_thread(lambda: _hasher.hash(_normalised(password)))


async def verify(password: str, stored: str | None, *, waiting: int = WAITING) -> bool:
    """Whether the password is the one; takes as long when there is no stored hash.

    Raises:
        Unavailable: ``waiting`` others are in line already.
    """
    normalised = _normalised(password)

    def check() -> bool:
        try:
            return _hasher.verify(stored or NOBODY, normalised) and stored is not None
        except (VerificationError, InvalidHashError):
            return False

    return await _in_thread(check, waiting)


async def _in_thread(work: Callable[[], R], waiting: int = WAITING) -> R:
    global _in_line  # noqa: PLW0603
    if _in_line >= waiting:
        raise Unavailable("Too many sign-ins at once.", headers={"Retry-After": "2"})
    _in_line += 1
    try:
        return await asyncio.get_running_loop().run_in_executor(_threads, work)
    finally:
        _in_line -= 1
