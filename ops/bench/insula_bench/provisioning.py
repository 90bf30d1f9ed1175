"""How long a sign-up takes, and switching a module on."""

import asyncio
import time
from unittest.mock import patch

from insula.db import Database
from insula.db.capabilities import Capabilities
from insula.db.pool import Pool
from insula.identity import passwords
from insula.tenancy.cells import CATALOGUE_PRELUDE
from insula.tenancy.roles import PROVISIONER, login_url
from insula.tenancy.schemas import Owner, SignUp
from insula.tenancy.signup import found
from insula_tenants.notes.module import MODULE

from insula_bench.api import Api
from insula_bench.installation import Installation
from insula_bench.server import Server
from insula_bench.timing import Times


def measure(installation: Installation, *, tenants: int) -> list[Times]:
    """Sign up, and switch notes on, one after the other; then the database's part alone."""
    sign_ups, modules = _over_http(installation, tenants)
    database = asyncio.run(_in_database(installation, tenants))
    return [
        Times("`POST /api/v1/tenants`: tenant, owner, session", sign_ups),
        Times("of this the database: schema, role, core tables, owner; no password hash", database),
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


async def _in_database(installation: Installation, tenants: int) -> list[float]:
    settings, times = installation.settings, []
    database = Database(
        [Pool(login_url(settings, PROVISIONER), size=1)], Capabilities(settings.secret_key)
    )
    hashed = await passwords.hash_password("a long enough pass phrase")

    async def known(_: str) -> str:
        return hashed

    with patch.object(passwords, "hash_password", known):
        for number in range(-1, tenants):  # the first one opens the connection
            owner = Owner(email="o@example.com", name="O", password="a long enough pass phrase")
            form = SignUp(slug=f"in-database-{number + 1}", name="Tenant", owner=owner)
            started = time.perf_counter()
            async with database.transaction(0, CATALOGUE_PRELUDE) as work:
                await found(work, form, buckets=settings.buckets)
            times.append(time.perf_counter() - started)
    await database.close()
    return times[1:]
