"""From names to addresses that may be called."""

import socket
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import Final

import aiodns
from aiohttp.abc import AbstractResolver, ResolveResult

from insula.egress.errors import CallFailed
from insula.egress.policy import Policy

Lookup = Callable[[str], Awaitable[list[str]]]
"""From a name to all of its addresses, as text."""

_NUMERIC: Final = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
_DNS_SECONDS: Final = 2.0
_DNS_TRIES: Final = 2


class Dns:
    """The system's name servers and its hosts file, asked without threads: names whose servers
    never answer would otherwise fill a pool that everybody shares."""

    def __init__(self) -> None:
        self._resolver: aiodns.DNSResolver | None = None

    async def __call__(self, name: str) -> list[str]:
        if self._resolver is None:  # it belongs to the running loop
            self._resolver = aiodns.DNSResolver(timeout=_DNS_SECONDS, tries=_DNS_TRIES)
        try:
            found = await self._resolver.getaddrinfo(
                name, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
            )
        except aiodns.error.DNSError as error:
            raise CallFailed(f"the name {name} has no address") from error
        return [node.addr[0].decode("ascii") for node in found.nodes]

    async def close(self) -> None:
        if self._resolver is not None:
            await self._resolver.close()


class CheckedResolver(AbstractResolver):
    """Gives the client addresses only if every one of a name's may be called: a name that leads
    to a private address as well as a public one is up to something."""

    def __init__(self, policy: Policy, lookup: Lookup) -> None:
        self._policy = policy
        self._lookup = lookup

    async def addresses(self, name: str) -> list[str]:
        """
        Raises:
            AddressRefused: one of the addresses may not be called.
            CallFailed: there are none.
        """
        found = await self._lookup(name)
        if not found:
            raise CallFailed(f"the name {name} has no address")
        for address in found:
            self._policy.check_address(address)
        return found

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET if ip_address(address).version == 4 else socket.AF_INET6,
                proto=0,
                flags=_NUMERIC,
            )
            for address in await self.addresses(host)
        ]

    async def close(self) -> None:
        """Whoever made the lookup closes it."""
