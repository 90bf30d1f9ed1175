"""Handing mail to the operator's SMTP server."""

import asyncio
from email.message import EmailMessage
from typing import Final, Protocol
from urllib.parse import unquote, urlsplit

import aiosmtplib
import msgspec

from insula.settings import SettingsError

_TIMEOUT_SECONDS: Final = 30
_AT_ONCE: Final = 8
_PORTS: Final = {"smtp": 587, "smtps": 465}


class Refused(Exception):
    """The server will not take this mail, now or later (5xx)."""


class Unreachable(Exception):
    """The server is down, busy or does not know us: the same mail may be taken later."""


class Transport(Protocol):
    """Where mail goes."""

    async def send(self, message: EmailMessage) -> None:
        """
        Raises:
            Refused, Unreachable: see there.
        """


class Server(msgspec.Struct, frozen=True):
    """An SMTP server, as ``INSULA_SMTP_URL`` names it."""

    host: str
    port: int
    is_tls: bool
    """From the first byte; otherwise by STARTTLS if it is offered."""
    user: str = ""
    password: str = ""

    @classmethod
    def read(cls, url: str) -> "Server":
        """
        Raises:
            SettingsError: it is not such a URL.
        """
        try:
            parts = urlsplit(url)
            port = parts.port or _PORTS[parts.scheme]
        except (ValueError, KeyError) as error:
            raise SettingsError("INSULA_SMTP_URL is like smtp://user:password@host:587.") from error
        if not parts.hostname:
            raise SettingsError("INSULA_SMTP_URL names no host.")
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        return cls(parts.hostname, port, parts.scheme == "smtps", user, password)


class Smtp:
    """Sends over a connection of its own for each mail, a few at a time."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def send(self, message: EmailMessage) -> None:
        async with self._turns:
            try:
                async with self._connection() as smtp:
                    await smtp.send_message(message)
            except aiosmtplib.SMTPAuthenticationError as error:
                raise Unreachable(f"the mail server does not let us in: {error}") from error
            except aiosmtplib.SMTPRecipientsRefused as error:
                raise _sorted(error.recipients[0]) from error
            except aiosmtplib.SMTPResponseException as error:
                raise _sorted(error) from error
            except (aiosmtplib.SMTPException, OSError) as error:
                raise Unreachable(f"the mail server cannot be reached: {error}") from error

    def _connection(self) -> aiosmtplib.SMTP:
        server = self._server
        # A password is not sent in the clear: then STARTTLS has to work.
        start_tls = None if server.is_tls or not server.password else True
        return aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.user or None,
            password=server.password or None,
            use_tls=server.is_tls,
            start_tls=False if server.is_tls else start_tls,
            timeout=_TIMEOUT_SECONDS,
        )


class Nowhere:
    """There is no mail server: the mail waits for one, as long as its job does."""

    async def send(self, message: EmailMessage) -> None:
        raise Unreachable("INSULA_SMTP_URL is not set")


def _sorted(error: aiosmtplib.SMTPResponseException) -> Exception:
    """Permanent or not (RFC 5321, section 4.2.1). A server that greets with 5xx is broken, not the
    mail."""
    said = f"the mail server says {error.code} {error.message}"[:500]
    is_permanent = error.code >= 500 and not isinstance(error, aiosmtplib.SMTPConnectError)
    return Refused(said) if is_permanent else Unreachable(said)
