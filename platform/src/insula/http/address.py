"""The address of a client, as far as the proxies in front of us can be believed."""

from functools import lru_cache
from ipaddress import ip_address, ip_network

from litestar.types import HTTPScope


def client_address(scope: HTTPScope, trusted: frozenset[str]) -> str:
    """The right-most address of ``X-Forwarded-For`` that is not a trusted proxy's.

    A client can write anything to the left of what our proxies append, so only the right is read.
    """
    client = scope.get("client")
    peer = client[0] if client else ""
    if peer not in trusted:
        return peer
    for name, value in reversed(list(scope["headers"])):
        if name == b"x-forwarded-for":
            for hop in reversed(value.decode("latin-1").split(",")):
                if (address := hop.strip()) not in trusted:
                    return address if _is_address(address) else peer
    return peer


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


@lru_cache(4096)
def network_of(address: str) -> str:
    """What one customer of a provider typically has: an IPv4 address, an IPv6 /64."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return "unknown"
    return address if parsed.version == 4 else str(ip_network((parsed, 64), strict=False))
