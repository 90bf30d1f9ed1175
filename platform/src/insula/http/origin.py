"""Where a tenant's clients reach it."""

from insula.http.exchange import Exchange
from insula.settings import Settings
from insula.tenancy.tenant import Tenant


def origin_of(exchange: Exchange, tenant: Tenant, settings: Settings) -> str:
    """Scheme, the tenant's own host, and the port of this request: for links that are to work
    without a header."""
    scheme = exchange.scope.get("scheme", "http")
    port = exchange.header(b"host").partition(":")[2]
    return f"{scheme}://{tenant.slug}.{settings.base_domain}" + (
        f":{port}" if port.isdigit() else ""
    )
