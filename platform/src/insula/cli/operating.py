"""What commands stand on: the installation's settings, its catalogue, and one tenant's data.

Imports lie inside the functions, because modules import this file for :func:`operate`, and with it
every start of ``insula`` does.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING
from uuid import UUID

from insula.settings import Settings

if TYPE_CHECKING:
    from insula.db import Database, Work
    from insula.tenancy.tenant import Tenant


def installation_settings() -> Settings:
    """The environment's settings; what it leaves open is taken from the ``insula up`` that runs on
    INSULA_HOME."""
    from insula.embedded.local import local_settings

    return local_settings(Settings.load())


@asynccontextmanager
async def catalogue(settings: Settings) -> "AsyncIterator[Work]":
    """A transaction on the installation's catalogue, as the provisioner.

    Raises:
        SettingsError: there is no database URL.
    """
    from insula.tenancy.cells import CATALOGUE_PRELUDE, HOME, Cells

    cells = Cells(settings, size=1)
    try:
        async with cells.catalogue.transaction(HOME, CATALOGUE_PRELUDE) as work:
            yield work
    finally:
        await cells.close()


@asynccontextmanager
async def tenant_transaction(settings: Settings, tenant: "Tenant") -> "AsyncIterator[Work]":
    """A transaction in a tenant's schema, as its role."""
    from insula.tenancy.cells import Cells

    cells = Cells(settings, size=1)
    try:
        async with cells.tenants.transaction(tenant.bucket, tenant.prelude) as work:
            yield work
    finally:
        await cells.close()


class Operator:
    """A command's hold on one tenant: the same login, role and search path as its requests have."""

    def __init__(self, settings: Settings, tenant: "Tenant", database: "Database") -> None:
        self.settings = settings
        self.tenant = tenant
        self._database = database

    def transaction(self) -> "AbstractAsyncContextManager[Work]":
        """A transaction: committed at the end of the block, rolled back by an exception."""
        return self._database.transaction(self.tenant.bucket, self.tenant.prelude)

    def reading(self) -> "Work":
        """For reads alone: each statement by itself."""
        return self._database.work(self.tenant.bucket, self.tenant.prelude, writes=False)

    async def user_id(self, email: str | None = None) -> UUID:
        """The user in whose name a command acts: the one with this address, or the first owner.

        Raises:
            NotFound: nobody active has this address.
        """
        from insula.http.problem import NotFound
        from insula.identity import queries
        from insula.identity.emails import normalise

        work = self.reading()
        if email is None:
            return await work.one(queries.FIRST_OWNER)
        login = await work.find(queries.FIND_LOGIN, email=normalise(email, strict=False))
        if login is None or login.status != "active":
            raise NotFound(f"{self.tenant.slug} has no active user {email}.")
        return login.id


@asynccontextmanager
async def operate(slug: str, *, module: str) -> AsyncIterator[Operator]:
    """Act on a tenant's data from a command of ``module``::

        @click.command("import")
        @click.option("--tenant", required=True)
        def import_notes(tenant: str) -> None:
            asyncio.run(_import(tenant))

        async def _import(slug: str) -> None:
            async with operate(slug, module="notes") as operator:
                author = await operator.user_id()
                async with operator.transaction() as tx:
                    await tx.one(queries.INSERT, author_id=author, ...)

    A suspended tenant can be operated on. A :class:`~insula.http.problem.Problem` that leaves the
    block becomes one line on stderr and exit code 1.

    Raises:
        TenantNotFound, ModuleDisabled, SettingsError: see there.
    """
    from insula.tenancy.cells import Cells
    from insula.tenancy.errors import ModuleDisabled
    from insula.tenancy.lifecycle import get_tenant

    settings = installation_settings()
    async with catalogue(settings) as work:
        tenant = await get_tenant(work, slug)
    if module not in tenant.modules:
        raise ModuleDisabled(f"{module} is off: `insula modules enable {module} --tenant {slug}`.")
    cells = Cells(settings, size=4)
    try:
        yield Operator(settings, tenant, cells.tenants)
    finally:
        await cells.close()
