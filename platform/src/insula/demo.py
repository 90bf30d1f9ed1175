"""The demo tenant of ``insula up``: every module switched on, with content worth looking at."""

import os
import secrets
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import msgspec
from sqlalchemy import bindparam, select, update

from insula.db import Database, Statement, Work
from insula.embedded import make_home
from insula.events.outbox import OutboxRow
from insula.identity import passwords, queries
from insula.identity.queries import Login
from insula.module import Demo, Module, discover
from insula.settings import Settings
from insula.tenancy import placement, provisioning
from insula.tenancy.cells import CATALOGUE_PRELUDE, HOME, Cells
from insula.tenancy.errors import ModuleNeedsOthers
from insula.tenancy.roles import OWNER
from insula.tenancy.schemas import Owner, SignUp
from insula.tenancy.signup import found
from insula.tenancy.tables import TenantModule
from insula.tenancy.tenant import BY_SLUG, Tenant, schema_name

SLUG = "demo"
EMAIL = "olive@demo.example.com"
_FILE = "demo-password"

_KNOWN_MODULES = Statement(
    select(TenantModule.module).where(TenantModule.tenant_id == bindparam("tenant_id")), str
)
# Content is written as the owner of all schemas; events and jobs that come of it are the tenant's.
_HAND_OVER = Statement(
    update(OutboxRow).where(OutboxRow.tenant == OWNER).values(tenant=bindparam("role"))
)
_SET_PASSWORD = queries.update_user(("password_hash",))


class DemoLogin(msgspec.Struct, frozen=True):
    """How to sign in to the demo tenant."""

    tenant: str
    email: str
    password: str
    """Empty if somebody has changed it."""


async def ensure(settings: Settings) -> DemoLogin | None:
    """Make the demo tenant on the first call and look after it on later ones.

    Modules that have been installed since are switched on, those that somebody switched off stay
    off. Every step is a transaction, so that a call that was killed is made up for by the next.
    None if a tenant that is not ours has taken the slug, or ours is deleted.
    """
    cells = Cells(settings, size=1)
    database = cells.catalogue
    try:
        async with database.transaction(HOME, CATALOGUE_PRELUDE) as work:
            tenant = await _find_or_found(work, settings)
            owner = await _find_owner(work, tenant)
        if owner is None or tenant.status == "deleted":
            return None
        for module in discover().values():
            with suppress(ModuleNeedsOthers):  # somebody has switched off what it needs
                async with database.transaction(HOME, CATALOGUE_PRELUDE) as work:
                    await _fill(work, tenant, module, owner.id)
        password = await _password(database, settings, tenant, owner)
    finally:
        await cells.close()
    return DemoLogin(SLUG, EMAIL, password)


async def _find_or_found(work: Work, settings: Settings) -> Tenant:
    if (record := await work.find(BY_SLUG, slug=SLUG)) is not None:
        return Tenant(record)
    # Without a kept password nobody knows this one: _password sets another and keeps that.
    password = _kept(settings.home) or secrets.token_urlsafe(12)
    form = SignUp(
        slug=SLUG,
        name="Roof Garden Cooperative",
        owner=Owner(email=EMAIL, name="Olive Greene", password=password),
    )
    tenant, _ = await found(work, form, buckets=settings.buckets, at_home=True)
    return tenant


async def _find_owner(work: Work, tenant: Tenant) -> Login | None:
    """The owner that we made; a tenant of somebody else has none of this address."""
    async with placement.inside(work, tenant) as tx:
        owner = await tx.find(queries.FIND_LOGIN, email=EMAIL)
    return owner if owner is not None and owner.role == "owner" else None


async def _fill(work: Work, tenant: Tenant, module: Module, owner_id: UUID) -> None:
    """Switch a module on that the tenant has never had, with its content, both or neither."""
    if module.name in await work.many(_KNOWN_MODULES, tenant_id=tenant.id):
        return
    await provisioning.enable(work, tenant, module)
    if module.demo is not None:
        async with placement.inside(work, tenant) as tx:
            await module.demo(tx, Demo(owner_id=owner_id))
        async with placement.at(work, tenant.bucket) as tx:
            await tx.execute(_HAND_OVER, role=schema_name(tenant.number))


async def _password(database: Database, settings: Settings, tenant: Tenant, owner: Login) -> str:
    """The password in the state folder. If there is none, it is a new one, written there last:
    a call that was killed before sets yet another."""
    if (kept := _kept(settings.home)) is not None:
        return kept if await passwords.verify(kept, owner.password_hash) else ""
    password = secrets.token_urlsafe(12)
    hashed = await passwords.hash_password(password)
    async with (
        database.transaction(HOME, CATALOGUE_PRELUDE) as work,
        placement.inside(work, tenant) as tx,
    ):
        await tx.one(_SET_PASSWORD, user_id=owner.id, password_hash=hashed)
    _keep(settings.home, password)
    return password


def _kept(home: Path) -> str | None:
    try:
        return (home / _FILE).read_text().strip() or None
    except FileNotFoundError:
        return None


def _keep(home: Path, password: str) -> None:
    make_home(home)
    draft = home / f"{_FILE}.new"
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    with draft.open("w") as file:
        file.write(password + "\n")
        file.flush()
        os.fsync(file.fileno())
    draft.rename(home / _FILE)
