"""What may be called: schemes, ports and addresses.

The lists are spelled out from IANA's special-purpose registries: ``ipaddress.is_global`` says
different things in different releases of Python (CVE-2024-4032).
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from yarl import URL

from insula.egress.errors import AddressRefused
from insula.settings import Settings, SettingsError

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

MAX_URL: Final = 2048
_NOT_PUBLIC_4: Final = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network; 0.0.0.0 itself reaches loopback on Linux
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared by a provider's customers
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's host agent: public by number, metadata by nature
        "169.254.0.0/16",  # link-local, with the metadata services of the clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # IETF protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
_UNICAST_6: Final = IPv6Network("2000::/3")
"""All that IANA has given out. Outside lie loopback, mapped (::ffff:0:0/96) and compatible IPv4,
NAT64 (64:ff9b::/96, 64:ff9b:1::/48), discard, unique local, link-local and multicast."""
_NOT_PUBLIC_6: Final = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # IETF protocol assignments; Teredo carries an IPv4 address
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4 carries an IPv4 address
        "3fff::/20",  # documentation
    )
)
# Ports that other protocols listen on, which an HTTP request could be made to speak
# (https://fetch.spec.whatwg.org/#port-blocking), and the databases of our own.
_BAD_PORTS: Final = frozenset(
    [
        0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95,
        101, 102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179,
        389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601,
        636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3306, 3659, 4045, 4190, 5060, 5061, 5432,
        6000, 6379, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080, 11211, 27017,
    ]
)  # fmt: skip

_ENDS_IN_NUMBER: Final = re.compile(r"(^|\.)(\d+|0x[0-9a-f]*)\.?$", re.IGNORECASE)
"""What some resolvers take for an IPv4 address (https://url.spec.whatwg.org/#ends-in-a-number)."""


class Policy:
    """Public addresses, less ``deny``, and also what ``allow`` names. ``deny`` wins."""

    def __init__(self, allow: Sequence[Network] = (), deny: Sequence[Network] = ()) -> None:
        self._allow = tuple(allow)
        self._deny = tuple(deny)

    @classmethod
    def of(cls, settings: Settings) -> "Policy":
        """
        Raises:
            SettingsError: a network cannot be read.
        """
        return cls(
            _networks("INSULA_EGRESS_ALLOW", settings.egress_allow),
            _networks("INSULA_EGRESS_DENY", settings.egress_deny),
        )

    def permits(self, address: Address) -> bool:
        """Whether a connection to this address may be opened."""
        if any(address in network for network in self._deny):
            return False
        return _is_public(address) or any(address in network for network in self._allow)

    def check_address(self, text: str) -> None:
        """
        Raises:
            AddressRefused: the address is not public, or none at all.
        """
        try:
            permitted = self.permits(ip_address(text))
        except ValueError:
            permitted = False
        if not permitted:
            raise AddressRefused(f"{text} is not a public address")

    def check_url(self, text: str) -> URL:
        """The URL as the client will read it; the addresses behind its name are not known yet.

        Raises:
            AddressRefused: it is not a URL that may be called, whatever its name leads to.
        """
        url = _parse(text)
        host = url.raw_host or ""
        if url.explicit_port is not None and url.explicit_port in _BAD_PORTS:
            raise AddressRefused(f"port {url.explicit_port} is not one for HTTP")
        if _is_literal(host):
            self.check_address(host)
        elif _ENDS_IN_NUMBER.search(host):
            raise AddressRefused(f"{host} is not an address in its usual form")
        return url


@lru_cache(1024)  # webhooks call the same few again and again
def _parse(text: str) -> URL:
    if len(text) > MAX_URL:
        raise AddressRefused(f"a URL has at most {MAX_URL} characters")
    if any(ord(char) <= 32 or ord(char) == 127 or char == "\\" for char in text):
        raise AddressRefused("a URL has no spaces, backslashes or control characters")
    try:
        url = URL(text)
        host, port = url.raw_host, url.explicit_port
    except ValueError as error:
        raise AddressRefused(f"this is not a URL: {error}") from error
    if url.scheme not in ("http", "https"):
        raise AddressRefused("a URL here begins with https:// or http://")
    if not host or port == 0:
        raise AddressRefused("the URL names no host, or no possible port")
    if url.raw_user is not None or url.raw_password is not None:
        raise AddressRefused("a URL here carries no user name or password")
    return url


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_4)
    return address in _UNICAST_6 and not any(address in network for network in _NOT_PUBLIC_6)


def _is_literal(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _networks(name: str, text: str) -> tuple[Network, ...]:
    try:
        return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise SettingsError(f"Bad setting: {name}: {error}.") from error
