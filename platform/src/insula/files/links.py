"""Signed URLs: what they allow is written in them, under an HMAC of the installation's secret."""

import base64
import binascii
import hmac
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID

import msgspec

from insula.files.errors import LinkRefused
from insula.i18n import say
from insula.keys import derive

_MAC = 32


class Ticket(msgspec.Struct, frozen=True, array_like=True):
    """What somebody with the URL may do."""

    use: Literal["get", "put"]
    tenant_id: UUID
    file_id: UUID
    expires: int
    """Seconds since 1970."""
    download: bool = False
    name: str = ""
    max_size: int = 0

    @property
    def expires_at(self) -> datetime:
        return datetime.fromtimestamp(self.expires, UTC)


def expiry(seconds: int) -> int:
    return int((datetime.now(UTC) + timedelta(seconds=seconds)).timestamp())


class Links:
    """Writes and reads tickets."""

    def __init__(self, secret: str) -> None:
        self._key = derive(secret, "file-links")

    def sign(self, ticket: Ticket) -> str:
        content = msgspec.msgpack.encode(ticket)
        mac = hmac.digest(self._key, content, "sha256")
        return base64.urlsafe_b64encode(mac + content).decode().rstrip("=")

    def read(self, text: str, use: Literal["get", "put"]) -> Ticket:
        """The ticket.

        Raises:
            LinkRefused: it is not ours, for something else, or has expired.
        """
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as error:
            raise LinkRefused from error
        content = raw[_MAC:]
        if not hmac.compare_digest(raw[:_MAC], hmac.digest(self._key, content, "sha256")):
            raise LinkRefused
        ticket = msgspec.msgpack.decode(content, type=Ticket)
        if ticket.use != use:
            raise LinkRefused(say("This link is for {use}.", use=ticket.use.upper()))
        if ticket.expires_at <= datetime.now(UTC):
            raise LinkRefused("This link has expired.")
        return ticket
