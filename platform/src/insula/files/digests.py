"""Digest fields (RFC 9530) and the checksum of tus: sent along, held against what arrived."""

import base64
import binascii
import hashlib
import re
from typing import Any

from insula.files.errors import DigestMismatch
from insula.http.problem import BadRequest
from insula.i18n import say

_ALGORITHMS = {"sha-256": "sha256", "sha-512": "sha512"}
_MEMBER = re.compile(r"\s*([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/=]*):\s*")


class Hashes:
    """SHA-256 of what passes, and of whatever else somebody wants it held against."""

    def __init__(self, *fields: str | None) -> None:
        """``fields`` are the values of ``Repr-Digest`` and ``Content-Digest``.

        Raises:
            BadRequest: one of them cannot be read.
        """
        self._sha256 = hashlib.sha256()
        self._hashes: dict[str, Any] = {"sha-256": self._sha256}
        self._expected = [pair for field in fields if field for pair in _read(field)]
        for name, _ in self._expected:
            if name not in self._hashes:
                self._hashes[name] = hashlib.new(_ALGORITHMS[name])

    def update(self, chunk: bytes) -> None:
        for each in self._hashes.values():
            each.update(chunk)

    def check(self) -> bytes:
        """The SHA-256.

        Raises:
            DigestMismatch: other bytes arrived than were announced.
        """
        for name, digest in self._expected:
            if self._hashes[name].digest() != digest:
                raise DigestMismatch(say("The {name} of what arrived is another one.", name=name))
        return self._sha256.digest()


def _read(field: str) -> list[tuple[str, bytes]]:
    """The known members of a dictionary of byte sequences (RFC 9651); a list would do as well,
    since the last of a name counts and all of one name have to agree."""
    found = []
    for member in field.split(","):
        match = _MEMBER.fullmatch(member)
        if match is None:
            raise BadRequest("A digest is written like sha-256=:<base64>: (RFC 9530).")
        if match[1] in _ALGORITHMS:
            found.append((match[1], decode_base64(match[2])))
    return found


def decode_base64(text: str) -> bytes:
    """Bytes of strict base64.

    Raises:
        BadRequest: it is not.
    """
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadRequest(say("'{text}' is not base64.", text=text[:40])) from error


def digest_field(sha256: bytes) -> str:
    """The value of ``Repr-Digest``."""
    return f"sha-256=:{base64.b64encode(sha256).decode()}:"
