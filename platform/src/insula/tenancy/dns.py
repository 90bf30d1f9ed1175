"""Asking the DNS."""

from dns.asyncresolver import Resolver
from dns.exception import DNSException
from dns.nameserver import Do53Nameserver
from dns.resolver import NXDOMAIN, NoAnswer

from insula.settings import Settings, SettingsError
from insula.tenancy.errors import DomainUnreachable

_PATIENCE = 5.0
"""Seconds that all name servers together have for an answer."""


class NameServers:
    """Those of ``INSULA_DNS_SERVERS``, or of the machine."""

    def __init__(self, settings: Settings) -> None:
        """Raises:
        SettingsError: one of them is no address.
        """
        named = [part.strip() for part in settings.dns_servers.split(",") if part.strip()]
        self._named = [_server(each) for each in named]

    async def texts(self, name: str) -> list[str]:
        """The TXT records of a name, none if it does not exist.

        Raises:
            DomainUnreachable: nobody answers.
        """
        resolver = Resolver(configure=not self._named)
        if self._named:
            resolver.nameservers = list(self._named)
        resolver.lifetime = _PATIENCE
        try:
            answer = await resolver.resolve(name, "TXT", search=False)
        except (NXDOMAIN, NoAnswer):
            return []
        except DNSException as error:
            raise DomainUnreachable(str(error)[:200]) from error
        return [b"".join(record.strings).decode("utf-8", "replace") for record in answer]


def _server(text: str) -> Do53Nameserver:
    address, _, port = text.rpartition(":") if text.count(":") == 1 else (text, "", "53")
    try:
        return Do53Nameserver(address, int(port))
    except ValueError as error:
        raise SettingsError(f"INSULA_DNS_SERVERS: {text!r} is no address") from error
