"""How long a sign-up takes, and switching a module on."""

import time
from typing import NamedTuple

from insula_tenants.notes.module import MODULE

from insula_bench.api import Api
from insula_bench.installation import Installation
from insula_bench.provisioning_at import Size
from insula_bench.server import Server
from insula_bench.timing import Times


class Provisioning(NamedTuple):
    small: int
    """Tenants of the installation that stays small."""
    layout: str
    """Of the one that grows, in the end: cells × buckets × connections."""
    over_http: list[Times]
    sizes: list[Size]


def over_http(installation: Installation, tenants: int) -> list[Times]:
    """Sign up, and switch notes on, one after the other."""
    sign_ups, modules = _over_http(installation, tenants)
    return [
        Times("`POST /api/v1/tenants`: tenant, owner, session", sign_ups),
        Times(f"`PUT /api/v1/modules/notes`: {len(MODULE.tables)} tables and indexes", modules),
    ]


def _over_http(installation: Installation, tenants: int) -> tuple[list[float], list[float]]:
    sign_ups, modules = [], []
    log = installation.folder / "provisioning.log"
    with Server("insula.app:create_app", installation.environment, log) as server:
        api = Api(server.port)
        api.sign_up("warm-up")
        api.call("PUT", "/api/v1/modules/notes")
        for number in range(tenants):
            started = time.perf_counter()
            api.sign_up(f"tenant-{number}")
            signed_up = time.perf_counter()
            api.call("PUT", "/api/v1/modules/notes")
            sign_ups.append(signed_up - started)
            modules.append(time.perf_counter() - signed_up)
        api.close()
    return sign_ups, modules
