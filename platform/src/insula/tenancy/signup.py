"""Signing up: a slot becomes a tenant with an owner, in one transaction."""

from typing import Any

import msgspec

from insula.db import Work
from insula.db.ids import new_id
from insula.http.problem import FieldError, InvalidInput
from insula.identity import passwords, queries
from insula.identity.emails import normalise
from insula.identity.schemas import Tokens, User
from insula.identity.sessions import Device, Sessions
from insula.tenancy import provisioning
from insula.tenancy.schemas import SignUp, check_slug
from insula.tenancy.tenant import Tenant


class NewTenant(msgspec.Struct, frozen=True):
    tenant: Tenant
    owner: User
    tokens: Tokens


async def sign_up(
    catalogue: Work,
    sessions: Sessions,
    form: SignUp,
    device: Device,
    *,
    buckets: int,
    low: int = 1,
) -> NewTenant:
    """Make a tenant and sign its owner in; have slots filled if fewer than ``low`` are left.

    Raises:
        InvalidInput, SlugTaken: see there.
    """
    email, password_hash = await _check(form)
    new: dict[str, Any] = {"slug": form.slug, "name": form.name, "buckets": buckets, "low": low}
    async with provisioning.creating(catalogue, **new) as (tenant, tx):
        owner = await _insert_owner(tx, form, email, password_hash)
        tokens = await sessions.start(
            tx,
            tenant_id=tenant.id,
            user_id=owner.id,
            role="owner",
            method="password",
            device=device,
        )
    return NewTenant(tenant, owner, tokens)


async def found(
    catalogue: Work, form: SignUp, *, buckets: int, low: int = 1, at_home: bool = False
) -> tuple[Tenant, User]:
    """Make a tenant and its first owner.

    The password is hashed before the transaction begins: nobody waits for a hash while the slug is
    locked. A crash at any point leaves nothing.

    Raises:
        InvalidInput, SlugTaken: see there.
    """
    email, password_hash = await _check(form)
    new: dict[str, Any] = {"slug": form.slug, "name": form.name, "buckets": buckets, "low": low}
    async with provisioning.creating(catalogue, **new, at_home=at_home) as (tenant, tx):
        return tenant, await _insert_owner(tx, form, email, password_hash)


async def _insert_owner(tx: Work, form: SignUp, email: str, password_hash: str) -> User:
    return await tx.one(
        queries.INSERT_USER,
        id=new_id(),
        email=email,
        name=form.owner.name,
        role="owner",
        password_hash=password_hash,
    )


async def _check(form: SignUp) -> tuple[str, str]:
    """The owner's address and password hash; every fault of the form in one answer."""
    errors: list[FieldError] = []
    email = form.owner.email
    try:
        check_slug(form.slug)
    except InvalidInput as error:
        errors += error.errors
    try:
        email = normalise(form.owner.email, pointer="/owner/email")
    except InvalidInput as error:
        errors += error.errors
    personal = (email, email.partition("@")[0], form.owner.name, form.slug, form.name)
    try:
        passwords.check_strength(form.owner.password, pointer="/owner/password", personal=personal)
    except InvalidInput as error:
        errors += error.errors
    if errors:
        raise InvalidInput(errors=tuple(errors))
    return email, await passwords.hash_password(form.owner.password)
