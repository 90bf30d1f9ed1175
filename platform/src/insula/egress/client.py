"""The client: bounded in size and time, one pool of connections for the process."""

import asyncio
import socket
from collections.abc import Mapping
from typing import Any, Final

import aiohttp
import msgspec
from multidict import CIMultiDictProxy

from insula import __version__
from insula.egress.errors import AnswerTooLarge, CallFailed, EgressError
from insula.egress.policy import Policy
from insula.egress.resolver import CheckedResolver, Dns, Lookup

USER_AGENT: Final = f"Insula/{__version__}"


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How long a call may take, in seconds, and how large its answer may be."""

    connect: float = 5.0
    """Name, TCP and TLS, and waiting for a free connection."""
    read: float = 10.0
    """Between two pieces of the answer."""
    total: float = 15.0
    max_bytes: int = 1 << 20
    """Of the answer's body, as it travels: compressed answers are not asked for."""
    truncate: bool = False
    """Keep the beginning of a longer answer instead of refusing it."""


class Answer(msgspec.Struct, frozen=True):
    """What the other side said, whatever the status; a redirect is an answer too."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes
    is_whole: bool


class Egress:
    """Calls others over HTTP. One per process; connections are kept and shared.

    ``lookup`` is what turns names into addresses, for tests.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        connections: int = 1000,
        connections_per_host: int = 100,
        lookup: Lookup | None = None,
    ) -> None:
        self.policy = policy
        self._connections = connections
        self._per_host = connections_per_host
        self._dns = Dns()
        self._resolver = CheckedResolver(policy, lookup or self._dns)
        self._session: aiohttp.ClientSession | None = None

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        limits: Limits = Limits(),  # noqa: B008 - frozen
    ) -> Answer:
        """Send a request and read the answer.

        Raises:
            AddressRefused: the URL, or where its name leads, may not be called.
            CallFailed: there was no answer, or not in time.
            AnswerTooLarge: the answer is longer than ``limits.max_bytes``.
        """
        target = self.policy.check_url(url)
        session = self._session or self._open()
        try:
            async with session.request(
                method,
                target,
                data=body or None,
                headers=headers,
                allow_redirects=False,
                timeout=_timeout(limits),
            ) as response:
                return await _read(response, limits)
        except EgressError:
            raise
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise CallFailed(_explain(error, limits)) from error

    async def check(self, url: str) -> None:
        """Whether the URL could be called, as far as one can tell without calling it. A name that
        has no address yet may get one.

        Raises:
            AddressRefused: it could not.
        """
        target = self.policy.check_url(url)
        host = target.raw_host or ""
        if ":" in host or host.replace(".", "").isdigit():
            return
        try:
            await asyncio.wait_for(self._resolver.addresses(host), 3)
        except (CallFailed, TimeoutError):
            return

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
        await self._dns.close()

    def _open(self) -> aiohttp.ClientSession:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=self._resolver,
                use_dns_cache=False,  # what was checked is what is connected to, each time
                socket_factory=self._socket,
                limit=self._connections,
                limit_per_host=self._per_host,
            ),
            cookie_jar=_NoCookies(),
            auto_decompress=False,
            trust_env=False,
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
        )
        return self._session

    def _socket(self, info: Any) -> socket.socket:
        """The last gate: no socket for an address that nobody checked, whoever asks for one."""
        family, kind, protocol, _, address = info
        self.policy.check_address(address[0])
        return socket.socket(family, kind, protocol)


class _NoCookies(aiohttp.DummyCookieJar):
    """Tenants share connections: nothing that one is told may be sent for another."""


def _timeout(limits: Limits) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(
        total=limits.total, connect=limits.connect, sock_read=limits.read, ceil_threshold=3600
    )


async def _read(response: aiohttp.ClientResponse, limits: Limits) -> Answer:
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > limits.max_bytes:
            response.close()  # the rest is not ours to wait for
            if not limits.truncate:
                raise AnswerTooLarge(f"the answer is longer than {limits.max_bytes} bytes")
            return Answer(
                response.status, response.headers, bytes(body[: limits.max_bytes]), is_whole=False
            )
    return Answer(response.status, response.headers, bytes(body), is_whole=True)


def _explain(error: Exception, limits: Limits) -> str:
    """In words that a tenant may see: aiohttp's own can name addresses of ours."""
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return f"no connection within {limits.connect:g} s"
    if isinstance(error, TimeoutError):
        return f"no complete answer within {limits.total:g} s"
    if isinstance(error, aiohttp.ClientSSLError | aiohttp.ServerFingerprintMismatch):
        return f"TLS failed: {_inner(error)}"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"no connection: {error.os_error.strerror or 'refused'}"
    if isinstance(error, aiohttp.ServerDisconnectedError | ConnectionError):
        return "the connection was closed before an answer came"
    return f"the answer is not HTTP: {type(error).__name__}"


def _inner(error: Exception) -> str:
    certificate = getattr(error, "certificate_error", None) or getattr(error, "os_error", None)
    return str(getattr(certificate, "verify_message", "") or "handshake")[:200]
